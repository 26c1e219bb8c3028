extension [UInt8] {
    /// Appends `text` as a JSON string. Most need no escapes and no encoder.
    package mutating func append(jsonString text: String) throws {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) else {
            self += try JSON.encode(text)
            return
        }
        append(UInt8(ascii: "\""))
        self += text.utf8
        append(UInt8(ascii: "\""))
    }
}
