/// How tokens are chosen from a model's scores.
package struct Sampling: Hashable, Sendable {
    /// The scores are divided by it: 0 always takes the most likely token, 1 samples as the model learnt.
    package var temperature: Float
    /// Only the most likely `topK` tokens may be chosen; 0 is no limit.
    package var topK: Int
    /// Only the most likely tokens that together have this probability may be chosen; 1 is no limit.
    package var topP: Float
    /// Makes the choices repeatable; `nil` takes a new seed.
    package var seed: UInt64?

    package init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, seed: UInt64? = nil) {
        (self.temperature, self.topK, self.topP, self.seed) = (temperature, topK, topP, seed)
    }

    func validate() throws {
        guard temperature.isFinite, temperature >= 0 else {
            throw InferenceError(.invalidRequest, "The temperature must be a number from 0, not \(temperature).")
        }
        guard topK >= 0 else { throw InferenceError(.invalidRequest, "top_k must not be negative.") }
        guard topP > 0, topP <= 1 else { throw InferenceError(.invalidRequest, "top_p must be above 0 and at most 1, not \(topP).") }
    }
}

/// What to generate.
package struct GenerationRequest: Hashable, Sendable {
    package var prompt: [Token]
    /// The end of the answer, if it does not come before; the context's end may come before, too.
    package var maximumTokens: Int
    package var sampling: Sampling
    /// The answer ends before the first of these texts.
    package var stop: [String]
    /// Calls of one tenant share the work on what their prompts, and answers, begin with; `nil` shares with nobody.
    package var tenant: String?
    /// Goes on when the model ends its answer: for measurements that need answers of one length.
    package var ignoresEnd: Bool

    package init(
        prompt: [Token], maximumTokens: Int, sampling: Sampling = Sampling(), stop: [String] = [], tenant: String? = nil,
        ignoresEnd: Bool = false
    ) {
        (self.prompt, self.maximumTokens, self.sampling) = (prompt, maximumTokens, sampling)
        (self.stop, self.tenant, self.ignoresEnd) = (stop, tenant, ignoresEnd)
    }
}
