/// What lowers the scores of tokens that have come before.
package struct Penalties: Hashable, Sendable {
    /// Scores of tokens in the prompt or the answer are divided by it where they are positive, and multiplied where they are
    /// negative (https://arxiv.org/abs/1909.05858); 1 changes nothing.
    package var repetition: Float = 1
    /// Subtracted once from tokens that are in the answer, as OpenAI's API has it.
    package var presence: Float = 0
    /// Subtracted from tokens for each time that they are in the answer.
    package var frequency: Float = 0

    package init(repetition: Float = 1, presence: Float = 0, frequency: Float = 0) {
        (self.repetition, self.presence, self.frequency) = (repetition, presence, frequency)
    }

    var areNone: Bool { self == Penalties() }
}

/// The tokens of one sequence, counted as penalties need them.
struct TokenHistory {
    private let penalties: Penalties
    private let prompt: Set<Token>
    private var answer: [Token: Int] = [:]

    init(prompt: [Token], penalties: Penalties) {
        self.penalties = penalties
        self.prompt = penalties.repetition == 1 ? [] : Set(prompt)
    }

    mutating func append(_ token: Token) {
        guard !penalties.areNone else { return }
        answer[token, default: 0] += 1
    }

    func apply(to scores: UnsafeMutableBufferPointer<Float>) {
        guard !penalties.areNone else { return }
        if penalties.repetition != 1 {
            for token in prompt.union(answer.keys) {
                let score = scores[Int(token)]
                scores[Int(token)] = score > 0 ? score / penalties.repetition : score * penalties.repetition
            }
        }
        for (token, count) in answer { scores[Int(token)] -= penalties.presence + penalties.frequency * Float(count) }
    }
}
