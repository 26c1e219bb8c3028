/// Sorts characters by which sets of a regular expression they are in: those that no set tells apart have one number.
struct CharacterClasses: Sendable {
    /// For each class the sets that its characters are in, a bit for each.
    private(set) var memberships: [UInt64] = []
    private var ascii = [UInt8](repeating: 0, count: 128)
    /// Where no set begins or ends in between, a character's category decides. Ascending; the first is 0.
    private var boundaries: [UInt32]
    /// [boundaries][categories]
    private var classes: [UInt8] = []

    /// - Parameter sets: at most 64, with at most 255 classes, which any expression for words is far below.
    init(_ sets: [CharacterSet]) {
        precondition(sets.count <= 64)
        let edges = sets.flatMap { $0.ranges.flatMap { [$0.lowerBound, $0.upperBound + 1] } }
        boundaries = Set(edges + [0]).sorted()
        for start in boundaries {
            let isInRanges = sets.map { $0.ranges.contains { $0.contains(start) } }
            for category in Unicode.GeneralCategory.names.indices {
                var membership: UInt64 = 0
                for (index, set) in sets.enumerated() where set.contains(categoryBit: 1 << UInt32(category), isInRanges: isInRanges[index]) {
                    membership |= 1 << UInt64(index)
                }
                classes.append(number(of: membership))
            }
        }
        for value in 0..<128 { ascii[value] = look(Unicode.Scalar(UInt8(value))) }
    }

    /// The number of classes.
    var count: Int { memberships.count }

    /// The class of the character that begins at `position`, and its length in bytes.
    func character(of text: UnsafeBufferPointer<UInt8>, at position: Int) -> (class: Int, length: Int) {
        let lead = text[position]
        if lead < 0x80 { return (Int(ascii[Int(lead)]), 1) }
        let (scalar, length) = text.scalar(at: position)
        return (Int(look(scalar)), length)
    }

    private mutating func number(of membership: UInt64) -> UInt8 {
        if let known = memberships.firstIndex(of: membership) { return UInt8(known) }
        memberships.append(membership)
        return UInt8(memberships.count - 1)
    }

    private func look(_ scalar: Unicode.Scalar) -> UInt8 {
        var (low, high) = (0, boundaries.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if boundaries[middle] <= scalar.value { low = middle } else { high = middle }
        }
        return classes[low * Unicode.GeneralCategory.names.count + scalar.properties.generalCategory.index]
    }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// The scalar that begins at `position` of valid UTF-8, and its length in bytes.
    func scalar(at position: Int) -> (scalar: Unicode.Scalar, length: Int) {
        let lead = self[position]
        guard lead >= 0x80 else { return (Unicode.Scalar(lead), 1) }
        let length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
        var value = UInt32(lead) & (0x7f >> UInt32(length))
        for trail in self[position + 1..<position + length] { value = value << 6 | UInt32(trail & 0x3f) }
        return (Unicode.Scalar(value) ?? "\u{fffd}", length)
    }
}
