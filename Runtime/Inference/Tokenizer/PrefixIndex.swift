/// Finds the strings that a text goes on with at some place: they are sorted, and each byte of the text narrows the range.
struct PrefixIndex: Sendable {
    private let strings: ByteStrings
    private let sorted: Sorted

    /// - Parameters:
    ///   - tables: where the index may be already, under `name`, and is kept otherwise.
    ///   - isMember: by a string's number. Empty strings are left out.
    init(_ strings: ByteStrings, _ tables: ReadyTables, _ name: String, including isMember: (Int) -> Bool) {
        self.strings = strings
        sorted = tables.value(name) { Sorted(strings, including: isMember) }
    }

    private struct Sorted: Tabular {
        /// Numbers of strings in the order of their bytes.
        let order: Table<Int32>
        /// Where in `order` the strings with each first byte begin, and the end.
        let starts: Table<UInt32>

        init(_ strings: ByteStrings, including isMember: (Int) -> Bool) {
            let members = (0..<strings.count).filter { isMember($0) && !strings[$0].isEmpty }.map { Int32($0) }
            order = Table(members.sorted { strings[Int($0)].lexicographicallyPrecedes(strings[Int($1)]) })
            var counts = [UInt32](repeating: 0, count: 257)
            for member in members { counts[Int(strings[Int(member)].first ?? 0) + 1] += 1 }
            for byte in 0..<256 { counts[byte + 1] += counts[byte] }
            starts = Table(counts)
        }

        init?(_ stored: StoredTables) {
            guard let order: Table<Int32> = stored.table("order"), let starts: Table<UInt32> = stored.table("starts"), starts.count == 257
            else { return nil }
            (self.order, self.starts) = (order, starts)
        }

        func store(in tables: inout TableList) {
            tables.add("order", order)
            tables.add("starts", starts)
        }

        func start(_ byte: Int) -> Int { min(Int(starts[byte]), order.count) }
    }

    /// Calls `body` with the number and the length of each string that `text[range]` begins with, the shortest first.
    func forEachPrefix(of text: [UInt8], in range: Range<Int>, _ body: (Int, Int) -> Void) {
        guard !range.isEmpty else { return }
        let first = Int(text[range.lowerBound])
        var (low, high) = (sorted.start(first), sorted.start(first + 1))
        var length = 1
        while low < high {
            // All in the range begin with these `length` bytes, so those that end here come first.
            while low < high, count(low) == length {
                body(Int(sorted.order[low]), length)
                low += 1
            }
            guard low < high, range.lowerBound + length < range.upperBound else { return }
            let byte = text[range.lowerBound + length]
            low = search(low, high) { self.byte($0, length) < byte }
            high = search(low, high) { self.byte($0, length) == byte }
            length += 1
        }
    }

    private func count(_ place: Int) -> Int { strings[Int(sorted.order[place])].count }

    private func byte(_ place: Int, _ offset: Int) -> UInt8 {
        let string = strings[Int(sorted.order[place])]
        // None is shorter in an index that is whole.
        return offset < string.count ? string[offset] : 0
    }

    /// The first place of the range for which `isBefore` does not hold; those before all hold.
    private func search(_ low: Int, _ high: Int, _ isBefore: (Int) -> Bool) -> Int {
        var (low, high) = (low, high)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
