/// SentencePiece's `precompiled_charsmap`: which characters, or runs of them, a text's normalization replaces by what.
///
/// Four bytes with the length of a trie, the trie as a double array, then the replacements, each behind the one before it with a
/// zero byte at its end. A unit of the trie, 32 bits: the label or, in a leaf, where the replacement begins; bit 8, whether a leaf
/// is among the children; bits 10 to 30, how far the children are, in steps of 256 if bit 9 is set.
/// Source: `normalizer.cc` in https://github.com/google/sentencepiece and https://github.com/s-yata/darts-clone
struct CharacterMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// Without a map, text stays as it is.
    init() {
        (units, replacements) = ([], [])
    }

    /// - Returns: `nil` if the bytes are not such a map.
    init?(_ bytes: [UInt8]) {
        func word(_ offset: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) } }
        guard bytes.count > 4, Int(word(0)) % 4 == 0, Int(word(0)) <= bytes.count - 4 else { return nil }
        let end = 4 + Int(word(0))
        units = stride(from: 4, to: end, by: 4).map(word)
        replacements = Array(bytes[end...])
    }

    /// What the text goes on with at `position`, normalized, and how many of its bytes that stands for.
    func prefix(of text: [UInt8], at position: Int) -> (normalized: ArraySlice<UInt8>, length: Int) {
        var (found, length) = (0, 0)
        if let root = units.first {
            var node = CharacterMap.offset(root)
            for place in position..<text.count {
                let byte = UInt32(text[place])
                node ^= Int(byte)
                guard byte != 0, node < units.count, units[node] & 0x8000_00ff == byte else { break }
                let unit = units[node]
                node ^= CharacterMap.offset(unit)
                guard unit & 0x100 != 0, node < units.count else { continue }
                (found, length) = (Int(units[node] & 0x7fff_ffff), place + 1 - position)
            }
        }
        if length > 0, found < replacements.count {
            let end = replacements[found...].firstIndex(of: 0) ?? replacements.endIndex
            return (replacements[found..<end], length)
        }
        let character = text.scalar(at: position).length
        return (text[position..<position + character], character)
    }

    private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }
}
