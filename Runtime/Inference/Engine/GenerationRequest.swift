import Grammar

/// What to generate.
package struct GenerationRequest: Sendable {
    package var prompt: [Token]
    /// The end of the answer, if it does not come before; the context's end may come before, too. 0 evaluates the prompt alone.
    package var maximumTokens: Int
    package var sampling: Sampling
    /// The answer ends before the first of these texts.
    package var stop: [String]
    /// Control tokens whose name shows in the answer, where others show nothing: marks around calls and thoughts.
    package var spelled: [Token: [UInt8]]
    /// Calls of one tenant share the work on what their prompts, and answers, begin with; `nil` shares with nobody.
    package var tenant: String?
    /// The name of the adapter that the model has for this request.
    package var adapter: String?
    /// Goes on when the model ends its answer: for measurements that need answers of one length.
    package var ignoresEnd: Bool
    /// What the answer must fit, from its first token on; the answer may then end only where the grammar may.
    package var grammar: CompiledGrammar?
    /// How many of the most likely tokens to tell beside each one that is chosen, in ``Generation/Event/scores(_:)``; `nil`
    /// tells nothing of scores.
    package var topScores: Int?
    /// Whether the prompt's tokens are told of, too; that takes all of it to be evaluated, nothing of it from a cache. Of several
    /// answers to a prompt it is enough to ask one.
    package var scoresPrompt: Bool

    package init(
        prompt: [Token], maximumTokens: Int, sampling: Sampling = Sampling(), stop: [String] = [], spelled: [Token: [UInt8]] = [:],
        tenant: String? = nil, adapter: String? = nil, ignoresEnd: Bool = false, grammar: CompiledGrammar? = nil, topScores: Int? = nil,
        scoresPrompt: Bool = false
    ) {
        (self.prompt, self.maximumTokens, self.sampling) = (prompt, maximumTokens, sampling)
        (self.stop, self.spelled, self.tenant, self.ignoresEnd) = (stop, spelled, tenant, ignoresEnd)
        (self.adapter, self.grammar, self.topScores, self.scoresPrompt) = (adapter, grammar, topScores, scoresPrompt)
    }
}
