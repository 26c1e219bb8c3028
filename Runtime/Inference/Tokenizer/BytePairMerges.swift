/// Which pairs of tokens merge into which token, and in what order of preference.
struct BytePairMerges: Tabular, Sendable {
    /// A merge's rank (lower goes first) in the high half, the token that it makes in the low half.
    fileprivate typealias Merge = UInt64
    fileprivate static let none = Merge.max

    // A hash table with open addressing, at most two thirds full: every pair of neighbours in a text is looked up here.
    private let pairs: Table<UInt64>
    private let merges: Table<Merge>

    /// The merges as they are found. Of two of one pair the first stays.
    struct Builder {
        fileprivate var pairs: [UInt64]
        fileprivate var merges: [Merge]

        /// - Parameter capacity: no more merges than this will be added.
        init(capacity: Int) {
            var size = 16
            while size < capacity / 2 * 3 + 3 { size *= 2 }
            pairs = [UInt64](repeating: 0, count: size)
            merges = [Merge](repeating: BytePairMerges.none, count: size)
        }

        mutating func add(_ left: Token, _ right: Token, rank: Int, result: Token) {
            let key = BytePairMerges.key(left, right)
            var slot = BytePairMerges.firstSlot(key, of: pairs.count)
            while merges[slot] != BytePairMerges.none, pairs[slot] != key { slot = (slot + 1) & (pairs.count - 1) }
            guard merges[slot] == BytePairMerges.none else { return }
            pairs[slot] = key
            merges[slot] = UInt64(UInt32(rank)) << 32 | UInt64(UInt32(bitPattern: result))
        }
    }

    init(_ builder: Builder) {
        (pairs, merges) = (Table(builder.pairs), Table(builder.merges))
    }

    init?(_ stored: StoredTables) {
        guard let pairs: Table<UInt64> = stored.table("pairs"), let merges: Table<Merge> = stored.table("merges"),
            pairs.count == merges.count, pairs.count.nonzeroBitCount == 1
        else { return nil }
        (self.pairs, self.merges) = (pairs, merges)
    }

    func store(in tables: inout TableList) {
        tables.add("pairs", pairs)
        tables.add("merges", merges)
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
        let key = BytePairMerges.key(left, right)
        var slot = BytePairMerges.firstSlot(key, of: pairs.count)
        for _ in pairs.indices {
            let merge = merges[slot]
            if merge == BytePairMerges.none || pairs[slot] == key { return merge }
            slot = (slot + 1) & (pairs.count - 1)
        }
        return BytePairMerges.none
    }

    private static func key(_ left: Token, _ right: Token) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where the search for `key` begins in a table of `size` slots, a power of two.
    private static func firstSlot(_ key: UInt64, of size: Int) -> Int {
        Int(truncatingIfNeeded: ((key ^ key >> 32) &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - size.trailingZeroBitCount))
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
