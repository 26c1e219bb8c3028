import Inference

/// How long a call took, under llama-server's names and as it counts: all tokens over the time since the first.
/// Of several answers at once, the times are the longest of each.
struct Timings: Encodable {
    let cachedCount: Int
    /// Without those that were cached.
    let promptCount: Int
    let promptMilliseconds: Double
    let predictedCount: Int
    let predictedMilliseconds: Double
    /// Tokens that were guessed and evaluated, and how many of them the answers have; told where there were any.
    let draftedCount: Int
    let acceptedCount: Int

    init(_ outcome: CallOutcome) {
        cachedCount = outcome.cachedTokens
        promptCount = outcome.promptTokens - outcome.cachedTokens
        promptMilliseconds = outcome.prefill / .milliseconds(1)
        predictedCount = outcome.completionTokens
        predictedMilliseconds = outcome.decode / .milliseconds(1)
        (draftedCount, acceptedCount) = (outcome.draftedTokens, outcome.acceptedTokens)
    }

    private enum CodingKeys: String, CodingKey {
        case cachedCount = "cache_n"
        case promptCount = "prompt_n"
        case promptMilliseconds = "prompt_ms"
        case promptPerSecond = "prompt_per_second"
        case predictedCount = "predicted_n"
        case predictedMilliseconds = "predicted_ms"
        case predictedPerSecond = "predicted_per_second"
        case draftedCount = "draft_n"
        case acceptedCount = "draft_n_accepted"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(cachedCount, forKey: .cachedCount)
        try container.encode(promptCount, forKey: .promptCount)
        try container.encode(promptMilliseconds, forKey: .promptMilliseconds)
        try container.encode(Timings.rate(promptCount, promptMilliseconds), forKey: .promptPerSecond)
        try container.encode(predictedCount, forKey: .predictedCount)
        try container.encode(predictedMilliseconds, forKey: .predictedMilliseconds)
        try container.encode(Timings.rate(predictedCount, predictedMilliseconds), forKey: .predictedPerSecond)
        guard draftedCount > 0 else { return }
        try container.encode(draftedCount, forKey: .draftedCount)
        try container.encode(acceptedCount, forKey: .acceptedCount)
    }

    /// Per second; 0 where nothing was measured.
    private static func rate(_ count: Int, _ milliseconds: Double) -> Double {
        count > 0 && milliseconds > 0 ? Double(count) * 1000 / milliseconds : 0
    }
}
