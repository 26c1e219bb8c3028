/// `▁`, U+2581, as which SentencePiece writes a space in its vocabularies. In memory our tokens have the space itself.
enum SpaceMark {
    static let utf8 = Array("▁".utf8)

    /// `text` with spaces in place of marks, which mean the same to a vocabulary that is written so.
    static func spaces(in text: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        for byte in text {
            bytes.append(byte)
            // No other character's UTF-8 ends with these three bytes.
            if byte == utf8[2], bytes.suffix(3).elementsEqual(utf8) {
                bytes.removeLast(3)
                bytes.append(UInt8(ascii: " "))
            }
        }
        return bytes
    }
}

extension ArraySlice<UInt8> {
    /// Calls `body` with the UTF-8 of each character (scalar) of valid UTF-8.
    func forEachCharacter(_ body: (ArraySlice<UInt8>) -> Void) {
        var start = startIndex
        while start < endIndex {
            var end = start + 1
            while end < endIndex, self[end] & 0xc0 == 0x80 { end += 1 }
            body(self[start..<end])
            start = end
        }
    }
}
