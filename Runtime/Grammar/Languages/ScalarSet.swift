/// A set of Unicode scalar values, as sorted ranges that do not touch. Surrogates are never in it.
struct ScalarSet: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt32>]

    init(_ ranges: [ClosedRange<UInt32>]) {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged.flatMap(ScalarSet.withoutSurrogates)
    }

    init(_ characters: String) { self.init(characters.unicodeScalars.map { $0.value...$0.value }) }

    static let all = ScalarSet([0...0x10ffff])
    static let digits = ScalarSet([0x30...0x39])
    /// `\w` of patterns.
    static let wordCharacters = ScalarSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    /// `\s` of patterns, as ECMAScript has it.
    static let space = ScalarSet([0x09...0x0d, 0x20...0x20, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029, 0x202f...0x202f, 0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff])

    var isEmpty: Bool { ranges.isEmpty }

    var inverted: ScalarSet {
        var next: UInt32 = 0
        var gaps: [ClosedRange<UInt32>] = []
        for range in ranges {
            if range.lowerBound > next { gaps.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10ffff { gaps.append(next...0x10ffff) }
        return ScalarSet(gaps)
    }

    func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }
    func subtracting(_ other: ScalarSet) -> ScalarSet { inverted.union(other).inverted }
    func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }

    private static func withoutSurrogates(_ range: ClosedRange<UInt32>) -> [ClosedRange<UInt32>] {
        var parts: [ClosedRange<UInt32>] = []
        if range.lowerBound < 0xd800 { parts.append(range.lowerBound...min(range.upperBound, 0xd7ff)) }
        if range.upperBound > 0xdfff { parts.append(max(range.lowerBound, 0xe000)...range.upperBound) }
        return parts
    }
}

extension ScalarSet {
    /// The UTF-8 of the set's characters, as sequences of ranges of bytes.
    /// Source: the splitting of ranges by Ken Thompson, as in RE2 and Rust's `utf8-ranges`.
    var byteSequences: [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        for range in ranges { ScalarSet.split(range.lowerBound, range.upperBound, into: &sequences) }
        return sequences
    }

    private static func split(_ low: UInt32, _ high: UInt32, into sequences: inout [[ClosedRange<UInt8>]]) {
        func cut(after last: UInt32) {
            split(low, last, into: &sequences)
            split(last + 1, high, into: &sequences)
        }
        for limit: UInt32 in [0x7f, 0x7ff, 0xffff] where low <= limit && limit < high { return cut(after: limit) }
        let first = utf8(low)
        for continuation in 1..<max(first.count, 1) {
            let mask: UInt32 = 1 << (6 * UInt32(continuation)) - 1
            guard low & ~mask != high & ~mask else { continue }
            if low & mask != 0 { return cut(after: low | mask) }
            if high & mask != mask { return cut(after: (high & ~mask) - 1) }
        }
        sequences.append(zip(first, utf8(high)).map { $0...$1 })
    }

    private static func utf8(_ scalar: UInt32) -> [UInt8] {
        Unicode.Scalar(scalar).map { Array(String(Character($0)).utf8) } ?? []
    }
}
