/// Many short byte strings in one block of memory.
struct ByteStrings: Sendable {
    private var bytes: [UInt8] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    mutating func append(_ string: some Sequence<UInt8>) {
        bytes.append(contentsOf: string)
        ends.append(bytes.count)
    }

    mutating func reserveCapacity(_ count: Int) {
        ends.reserveCapacity(count)
        bytes.reserveCapacity(count * 8)
    }
}

/// Finds a byte string's number: a hash table with open addressing that looks keys up in place.
///
/// A vocabulary of 150,000 `String` keys in a `Dictionary` would cost most of a model's start.
struct ByteStringIndex: Sendable {
    private let strings: ByteStrings
    /// Numbers of strings, -1 where empty; at most half full, so that a search ends.
    private var slots: [Int32]
    private let mask: Int
    /// No key is longer.
    let longest: Int

    /// Where strings are equal, the first has the entry.
    init(_ strings: ByteStrings, including isKey: (Int) -> Bool) {
        self.strings = strings
        var capacity = 16
        while capacity < strings.count * 2 { capacity *= 2 }
        mask = capacity - 1
        slots = [Int32](repeating: -1, count: capacity)
        var longest = 0
        for index in 0..<strings.count where isKey(index) {
            let string = strings[index]
            var slot = ByteStringIndex.hash(string) & mask
            while slots[slot] >= 0, strings[Int(slots[slot])] != string { slot = (slot + 1) & mask }
            if slots[slot] < 0 { slots[slot] = Int32(index) }
            longest = max(longest, string.count)
        }
        self.longest = longest
    }

    func find(_ key: ArraySlice<UInt8>) -> Token? {
        guard key.count <= longest else { return nil }
        var slot = ByteStringIndex.hash(key) & mask
        while slots[slot] >= 0 {
            if strings[Int(slots[slot])] == key { return slots[slot] }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// FNV-1a, and its high bits folded into the low ones that choose the slot.
    private static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: hash ^ (hash >> 32))
    }
}
