/// A set of a vocabulary's tokens, a bit for each.
package struct TokenMask: Hashable, Sendable {
    private(set) var words: [UInt64]
    package let count: Int

    init(count: Int) {
        self.count = count
        words = Array(repeating: 0, count: (count + 63) / 64)
    }

    package func contains(_ token: Int32) -> Bool {
        token >= 0 && Int(token) < count && words[Int(token) / 64] & 1 << (UInt64(token) % 64) != 0
    }

    mutating func insert(_ token: Int32) { words[Int(token) / 64] |= 1 << (UInt64(token) % 64) }

    mutating func formUnion(_ other: TokenMask) {
        for index in words.indices { words[index] |= other.words[index] }
    }

    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// Sets the score of every token that is not in the set to minus infinity.
    /// - Parameter scores: one for each token; scores beyond the vocabulary's end (padding) are excluded, too.
    package func apply(to scores: UnsafeMutableBufferPointer<Float>) {
        guard let start = scores.baseAddress else { return }
        let whole = min(words.count, scores.count / 64)
        words.withUnsafeBufferPointer { words in
            for place in 0..<whole { Self.apply(words[place], to: start + place * 64, count: 64) }
            if whole < words.count { Self.apply(words[whole], to: start + whole * 64, count: scores.count - whole * 64) }
        }
        if words.count * 64 < scores.count { scores[(words.count * 64)...].update(repeating: -.infinity) }
    }

    private static func apply(_ word: UInt64, to scores: UnsafeMutablePointer<Float>, count: Int) {
        // Most words allow all of their tokens, or none.
        if word == .max { return }
        if word == 0 { return scores.update(repeating: -.infinity, count: count) }
        var excluded = ~word
        while excluded != 0 {
            let index = excluded.trailingZeroBitCount
            guard index < count else { return }
            scores[index] = -.infinity
            excluded &= excluded - 1
        }
    }
}
