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
        for (place, word) in words.enumerated() where word != .max {
            let first = place * 64
            var excluded = ~word
            while excluded != 0 {
                let index = first + excluded.trailingZeroBitCount
                guard index < scores.count else { break }
                scores[index] = -.infinity
                excluded &= excluded - 1
            }
        }
        if count < scores.count { for index in count..<scores.count { scores[index] = -.infinity } }
    }
}
