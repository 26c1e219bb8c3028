/// Which pairs of tokens merge into which token, and in what order of preference.
struct BytePairMerges: Sendable {
    /// A merge's rank (lower goes first) in the high half, the token that it makes in the low half.
    private typealias Merge = UInt64
    private static let none = Merge.max

    // A hash table with open addressing: every pair of neighbours in a text is looked up here.
    private var pairs: [UInt64]
    private var merges: [Merge]
    private let shift: Int

    /// - Parameter capacity: no more merges than this will be added.
    init(capacity: Int) {
        var bits = 4
        while 1 << bits < capacity * 2 { bits += 1 }
        shift = 64 - bits
        pairs = [UInt64](repeating: 0, count: 1 << bits)
        merges = [Merge](repeating: BytePairMerges.none, count: 1 << bits)
    }

    /// Of two merges of one pair the first stays.
    mutating func add(_ left: Token, _ right: Token, rank: Int, result: Token) {
        let slot = slot(of: BytePairMerges.key(left, right))
        guard merges[slot] == BytePairMerges.none else { return }
        pairs[slot] = BytePairMerges.key(left, right)
        merges[slot] = UInt64(UInt32(rank)) << 32 | UInt64(UInt32(bitPattern: result))
    }

    /// Merges neighbours in `tokens` until none can be, the lowest rank first and the leftmost of equals:
    /// O(n log n), by a heap of candidate pairs over a linked list of what is left.
    func apply(to tokens: inout [Token]) {
        guard tokens.count > 1 else { return }
        var next = (1...tokens.count).map { Int32($0) }
        var previous = (-1..<tokens.count - 1).map { Int32($0) }
        let end = Int32(tokens.count)
        let removed = Token(-1)
        var candidates = MinimumHeap()

        /// Ranks come before positions, so the heap's least element is the one to merge.
        func consider(_ left: Int32, _ tokens: [Token]) {
            let merge = find(tokens[Int(left)], tokens[Int(next[Int(left)])])
            if merge != BytePairMerges.none { candidates.insert((merge & ~0xffff_ffff) | UInt64(UInt32(left))) }
        }
        for left in 0..<end - 1 { consider(left, tokens) }

        while let candidate = candidates.removeLeast() {
            let left = Int32(truncatingIfNeeded: candidate)
            let right = next[Int(left)]
            guard tokens[Int(left)] != removed, right < end else { continue }
            // Since the pair was noted, either side may have merged with someone else.
            let merge = find(tokens[Int(left)], tokens[Int(right)])
            guard merge != BytePairMerges.none, merge >> 32 == candidate >> 32 else { continue }
            tokens[Int(left)] = Token(truncatingIfNeeded: merge)
            tokens[Int(right)] = removed
            next[Int(left)] = next[Int(right)]
            if next[Int(left)] < end {
                previous[Int(next[Int(left)])] = left
                consider(left, tokens)
            }
            if previous[Int(left)] >= 0 { consider(previous[Int(left)], tokens) }
        }
        tokens.removeAll { $0 == removed }
    }

    private func find(_ left: Token, _ right: Token) -> Merge {
        merges[slot(of: BytePairMerges.key(left, right))]
    }

    private static func key(_ left: Token, _ right: Token) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where `key` is, or the empty slot where it would be; the table is at most half full.
    private func slot(of key: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: ((key ^ key >> 32) &* 0x9e37_79b9_7f4a_7c15) >> UInt64(shift))
        while merges[slot] != BytePairMerges.none, pairs[slot] != key { slot = (slot + 1) & (pairs.count - 1) }
        return slot
    }
}

/// A binary heap.
private struct MinimumHeap {
    private var elements: [UInt64] = []

    mutating func insert(_ element: UInt64) {
        var index = elements.count
        elements.append(element)
        while index > 0, elements[(index - 1) / 2] > element {
            elements[index] = elements[(index - 1) / 2]
            index = (index - 1) / 2
        }
        elements[index] = element
    }

    mutating func removeLeast() -> UInt64? {
        guard let least = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return least }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < last else { break }
            elements[index] = elements[child]
            index = child
        }
        elements[index] = last
        return least
    }
}
