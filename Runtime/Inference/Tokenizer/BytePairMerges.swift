/// Which pairs of tokens merge into which token, and in what order of preference.
struct BytePairMerges: MergeRule, Sendable {
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

    func merge(_ left: Token, _ right: Token) -> (order: UInt32, piece: Token)? {
        let merge = find(left, right)
        return merge == BytePairMerges.none ? nil : (UInt32(truncatingIfNeeded: merge >> 32), Token(truncatingIfNeeded: merge))
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
