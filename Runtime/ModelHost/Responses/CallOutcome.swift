import Inference

/// What a call made altogether, of however many answers it is.
struct CallOutcome {
    /// Each prompt counts once, however many answers were made of it; one that was never begun does not count.
    private(set) var promptTokens = 0
    private(set) var cachedTokens = 0
    private(set) var completionTokens = 0
    private(set) var draftedTokens = 0
    private(set) var acceptedTokens = 0
    private(set) var timeToFirstToken: Duration?
    /// The longest of any answer.
    private(set) var prefill = Duration.zero
    private(set) var decode = Duration.zero
    private(set) var finishReason = Generation.FinishReason.stop
    /// Whether there is anything to charge for.
    private(set) var isBilled = false

    /// - Parameter outcomes: of the choices, in their order.
    init(_ choices: [AnswerChoice], _ outcomes: [Generation.Outcome]) {
        let prompts = Dictionary(grouping: zip(choices, outcomes)) { $0.0.prompt }
        for answers in prompts.values { add(answers.map { $0.1 }) }
    }

    private mutating func add(_ answers: [Generation.Outcome]) {
        let begun = answers.filter(\.isBilled)
        if let first = begun.first {
            isBilled = true
            promptTokens += first.promptTokens
            // The first one computes what the others then find.
            cachedTokens += begun.map(\.cachedTokens).min() ?? 0
        }
        for answer in answers {
            completionTokens += answer.completionTokens
            draftedTokens += answer.draftedTokens
            acceptedTokens += answer.acceptedTokens
            if let time = answer.timings.timeToFirstToken { timeToFirstToken = min(timeToFirstToken ?? time, time) }
            prefill = max(prefill, answer.timings.prefill)
            decode = max(decode, answer.timings.decode)
            if answer.finishReason.rank > finishReason.rank { finishReason = answer.finishReason }
        }
    }
}

extension Generation.Outcome {
    /// One that ended before its first token costs nothing, unless that was its own end.
    fileprivate var isBilled: Bool { completionTokens > 0 || finishReason == .stop || finishReason == .length }
}

extension Generation.FinishReason {
    /// OpenAI's word where it has one.
    var name: String {
        switch self {
        case .stop: "stop"
        case .length: "length"
        case .cancelled: "cancelled"
        case .failed: "error"
        }
    }

    /// Of several, the highest says how the call ended.
    fileprivate var rank: Int {
        switch self {
        case .stop: 0
        case .length: 1
        case .cancelled: 2
        case .failed: 3
        }
    }
}
