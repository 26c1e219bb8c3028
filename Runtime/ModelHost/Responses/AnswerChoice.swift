import Inference

/// One of a call's answers in the making: OpenAI's `choice`.
struct AnswerChoice: Sendable {
    let generation: Generation
    /// What it answers, by its place in the call.
    let prompt: Int
    let first: Token?
    /// How it is read; `nil` for plain text.
    let chat: ChatPrompt?
    /// The prompt's text, where the answer begins with it.
    let echo: String?
    /// Whether its tokens' log-probabilities are told.
    let isScored: Bool
    /// The answer to the same prompt that tells the prompt's log-probabilities for this one, too.
    let scorer: Generation?
}

/// Reads what a generation says into what the client sees of it.
struct ChoiceReader {
    private let choice: AnswerChoice
    private var reader: AnswerReader
    private var scores: ScoreReader
    /// Those whose text is held back.
    private var held: [ScoredToken] = []

    init(_ choice: AnswerChoice, _ tokenizer: any Tokenizer) {
        self.choice = choice
        reader = AnswerReader(choice.chat)
        scores = ScoreReader(tokenizer, hasPrompt: choice.echo != nil)
    }

    /// What is there before the model has said anything.
    var beginning: [AnswerText] {
        guard let echo = choice.echo, !choice.isScored else { return [] }
        return [AnswerText(content: echo)]
    }

    mutating func read(_ event: Generation.Event) -> [AnswerText] {
        switch event {
        case .promptScores(let prompt):
            return [AnswerText(content: choice.echo ?? "", scores: choice.first.map { scores.read(prompt: $0, prompt) } ?? [])]
        case .scores(let tokens):
            held += scores.read(tokens)
            return []
        case .text(let text, _):
            return withScores(reader.append(text))
        case .finished:
            return withScores(reader.finish())
        }
    }

    /// Those of tokens without a text of their own; called at the end.
    mutating func restOfScores() -> [ScoredToken] {
        defer { held = [] }
        return held
    }

    func finishReason(_ outcome: Generation.Outcome) -> String { reader.finishReason(outcome) }

    private mutating func withScores(_ texts: [AnswerText]) -> [AnswerText] {
        guard !texts.isEmpty, !held.isEmpty else { return texts }
        var texts = texts
        texts[0].scores = restOfScores()
        return texts
    }
}
