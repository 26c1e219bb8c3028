/// A token of an answer with how likely the model found it, before anything changed its scores.
package struct TokenScore: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
        package let token: Token
        /// Natural logarithm.
        package let logProbability: Float
    }

    package let chosen: Candidate
    /// The most likely ones, the likeliest first.
    package let top: [Candidate]

    /// - Parameters:
    ///   - scores: one for each token of the vocabulary.
    ///   - logarithm: log Σ e^score.
    init(_ token: Token, top count: Int, scores: UnsafeBufferPointer<Float>, logarithm: Float) {
        chosen = Candidate(token: token, logProbability: scores[Int(token)] - logarithm)
        var best: [Int] = []
        for index in scores.indices where count > 0 {
            guard best.count < count || scores[index] > scores[best[best.count - 1]] else { continue }
            let place = best.firstIndex { scores[$0] < scores[index] } ?? best.count
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        top = best.map { Candidate(token: Token($0), logProbability: scores[$0] - logarithm) }
    }
}
