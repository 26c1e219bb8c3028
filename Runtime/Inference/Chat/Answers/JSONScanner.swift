/// Finds where JSON values end, in text that may not be all there yet.
enum JSONScanner {
    /// The end of the object or array that begins at `start`; `nil` if it has not come yet.
    static func end(of bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        var depth = 0
        var place = start
        while place < bytes.endIndex {
            switch bytes[place] {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return place + 1 }
            case UInt8(ascii: "\""):
                guard let end = endOfString(bytes, from: place) else { return nil }
                place = end - 1
            default: break
            }
            place += 1
        }
        return nil
    }

    /// The members of the object that `bytes` is, each with its value as it is written.
    static func members(of bytes: ArraySlice<UInt8>) -> [(name: String, value: ArraySlice<UInt8>)] {
        var members: [(name: String, value: ArraySlice<UInt8>)] = []
        var place = bytes.startIndex + 1
        while let quote = bytes[place...].firstIndex(of: UInt8(ascii: "\"")), let end = endOfString(bytes, from: quote),
            let colon = bytes[end...].firstIndex(of: UInt8(ascii: ":"))
        {
            let start = skipSpace(bytes, from: colon + 1)
            guard start < bytes.endIndex else { break }
            let stop: Int? =
                switch bytes[start] {
                case UInt8(ascii: "{"), UInt8(ascii: "["): self.end(of: bytes, from: start)
                case UInt8(ascii: "\""): endOfString(bytes, from: start)
                default: bytes[start...].firstIndex { [UInt8(ascii: ","), UInt8(ascii: "}")].contains($0) }
                }
            guard let stop else { break }
            members.append((String(decoding: bytes[quote + 1..<end - 1], as: UTF8.self), bytes[start..<stop]))
            place = stop
        }
        return members
    }

    static func skipSpace(_ bytes: ArraySlice<UInt8>, from start: Int) -> Int {
        bytes[start...].firstIndex { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } ?? bytes.endIndex
    }

    private static func endOfString(_ bytes: ArraySlice<UInt8>, from quote: Int) -> Int? {
        var place = quote + 1
        while place < bytes.endIndex {
            if bytes[place] == UInt8(ascii: "\"") { return place + 1 }
            place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }
}
