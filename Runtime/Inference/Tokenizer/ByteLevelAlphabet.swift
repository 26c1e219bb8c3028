/// GPT-2's way to write bytes as printable characters, in which byte-level vocabularies are stored.
///
/// Bytes that print stand for themselves; the others become U+0100, U+0101 … in order, so that a space is `Ġ`.
/// Source: `bytes_to_unicode` in https://github.com/openai/gpt-2/blob/master/src/encoder.py
enum ByteLevelAlphabet {
    /// The byte for each scalar below U+0144, or -1.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        var next = 0x100
        for byte in 0...255 {
            switch byte {
            case 0x21...0x7e, 0xa1...0xac, 0xae...0xff: bytes[byte] = Int16(byte)
            default:
                bytes[next] = Int16(byte)
                next += 1
            }
        }
        return bytes
    }()

    /// The bytes that `text` (UTF-8) stands for; `nil` where a character is not of the alphabet.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let lead = rest.next() {
            var scalar = Int(lead)
            if lead >= 0x80 {
                // The alphabet needs no more than two UTF-8 bytes.
                guard lead & 0xe0 == 0xc0, let trail = rest.next(), trail & 0xc0 == 0x80 else { return nil }
                scalar = Int(lead & 0x1f) << 6 | Int(trail & 0x3f)
            }
            guard scalar < bytes.count, bytes[scalar] >= 0 else { return nil }
            decoded.append(UInt8(bytes[scalar]))
        }
        return decoded
    }
}
