/// Many short byte strings in one block of memory.
struct ByteStrings: Tabular, Sendable {
    private let bytes: Table<UInt8>
    private let ends: Table<UInt32>

    init(_ strings: some Collection<some Collection<UInt8>>) {
        var ends: [UInt32] = []
        ends.reserveCapacity(strings.count)
        var end = 0
        for string in strings {
            end += string.count
            ends.append(UInt32(end))
        }
        self.init(bytes: strings.flatMap(\.self), ends: ends)
    }

    /// - Parameter ends: where in `bytes` each string ends.
    init(bytes: [UInt8], ends: [UInt32]) {
        (self.bytes, self.ends) = (Table(bytes), Table(ends))
    }

    init?(_ stored: StoredTables) {
        guard let bytes: Table<UInt8> = stored.table("bytes"), let ends: Table<UInt32> = stored.table("ends") else { return nil }
        (self.bytes, self.ends) = (bytes, ends)
    }

    func store(in tables: inout TableList) {
        tables.add("bytes", bytes)
        tables.add("ends", ends)
    }

    var count: Int { ends.count }

    /// No bytes for a number that no string has. Valid while these strings, or a copy of them, are kept.
    subscript(index: Int) -> UnsafeBufferPointer<UInt8> {
        guard index >= 0, index < count else { return UnsafeBufferPointer(start: nil, count: 0) }
        let (start, end) = (index == 0 ? 0 : ends[index - 1], ends[index])
        return bytes[Int(min(start, end))..<Int(end)]
    }
}

/// Finds a byte string's number: a hash table with open addressing that looks keys up in place.
///
/// A vocabulary of 150,000 `String` keys in a `Dictionary` would cost most of a model's start.
struct ByteStringIndex: Sendable {
    private let strings: ByteStrings
    private let table: Slots

    /// Where strings are equal, the first has the entry.
    /// - Parameter tables: where the index may be already, under the name `index`, and is kept otherwise.
    init(_ strings: ByteStrings, _ tables: ReadyTables, including isKey: (Int) -> Bool) {
        self.strings = strings
        table = tables.value("index") { Slots(strings, including: isKey) }
    }

    private struct Slots: Tabular {
        /// Numbers of strings, -1 where empty; at most half full, so that a search ends.
        let numbers: Table<Int32>
        let longest: Int

        init(_ strings: ByteStrings, including isKey: (Int) -> Bool) {
            var capacity = 16
            while capacity < strings.count * 2 { capacity *= 2 }
            let mask = capacity - 1
            var numbers = [Int32](repeating: -1, count: capacity)
            var longest = 0
            for index in 0..<strings.count where isKey(index) {
                let string = strings[index]
                var slot = ByteStringIndex.hash(string) & mask
                while numbers[slot] >= 0, !strings[Int(numbers[slot])].elementsEqual(string) { slot = (slot + 1) & mask }
                if numbers[slot] < 0 { numbers[slot] = Int32(index) }
                longest = max(longest, string.count)
            }
            (self.numbers, self.longest) = (Table(numbers), longest)
        }

        init?(_ stored: StoredTables) {
            guard let numbers: Table<Int32> = stored.table("numbers"), let longest: Table<UInt32> = stored.table("longest"),
                numbers.count.nonzeroBitCount == 1, longest.count == 1
            else { return nil }
            (self.numbers, self.longest) = (numbers, Int(longest[0]))
        }

        func store(in tables: inout TableList) {
            tables.add("numbers", numbers)
            tables.add("longest", Table([UInt32(longest)]))
        }
    }

    /// No key is longer.
    var longest: Int { table.longest }

    func find(_ key: ArraySlice<UInt8>) -> Token? {
        guard key.count <= longest else { return nil }
        let mask = table.numbers.count - 1
        var slot = ByteStringIndex.hash(key) & mask
        for _ in table.numbers.indices {
            let number = table.numbers[slot]
            guard number >= 0, number < strings.count else { return nil }
            if strings[Int(number)].elementsEqual(key) { return number }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// FNV-1a, and its high bits folded into the low ones that choose the slot.
    private static func hash(_ bytes: some Sequence<UInt8>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: hash ^ (hash >> 32))
    }
}
