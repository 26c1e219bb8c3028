/// Which pairs of tokens merge into which token, and in what order of preference.
struct BytePairMerges: MergeRule, Tabular, Sendable {
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

    func merge(_ left: Token, _ right: Token) -> (order: UInt32, piece: Token)? {
        let merge = find(left, right)
        return merge == BytePairMerges.none ? nil : (UInt32(truncatingIfNeeded: merge >> 32), Token(truncatingIfNeeded: merge))
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

    fileprivate static func key(_ left: Token, _ right: Token) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where the search for `key` begins in a table of `size` slots, a power of two.
    fileprivate static func firstSlot(_ key: UInt64, of size: Int) -> Int {
        Int(truncatingIfNeeded: ((key ^ key >> 32) &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - size.trailingZeroBitCount))
    }
}
