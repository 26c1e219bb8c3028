import Kernels

/// How likely the model found a token, and which others it found likely, by its own distribution: before bias, penalties,
/// grammar and temperature changed anything.
package struct TokenScore: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
        package let token: Token
        /// Natural logarithm.
        package let logProbability: Float
    }

    package let chosen: Candidate
    /// The most likely ones, the likeliest first; equal ones by rising number.
    package let top: [Candidate]

    /// - Parameters:
    ///   - count: how many likely ones to tell.
    ///   - scores: one for each token of the vocabulary; overwritten.
    /// - Returns: `nil` where scores are not numbers.
    init?(_ token: Token, top count: Int, overwriting scores: UnsafeMutableBufferPointer<Float>, _ kernels: swl_kernels) {
        guard let start = scores.baseAddress else { return nil }
        let best = Self.highest(count, of: scores).map { (token: Token($0), score: scores[$0]) }
        let score = scores[Int(token)]
        let logarithm = kernels.softmax(start, scores.count)
        guard score.isFinite, logarithm.isFinite else { return nil }
        chosen = Candidate(token: token, logProbability: score - logarithm)
        top = best.map { Candidate(token: $0.token, logProbability: $0.score - logarithm) }
    }

    private static func highest(_ count: Int, of scores: UnsafeMutableBufferPointer<Float>) -> [Int] {
        guard count > 0 else { return [] }
        var best: [Int] = []
        var least = -Float.infinity
        for index in scores.indices where best.count < count || scores[index] > least {
            let place = best.firstIndex { scores[$0] < scores[index] } ?? best.count
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
            least = scores[best[best.count - 1]]
        }
        return best
    }
}
