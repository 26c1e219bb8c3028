import Glibc

/// A request's CGI parameters as they came: taken over in one piece, and made into strings only where somebody asks.
struct Parameters: Sendable {
    /// A parameter's place among the bytes: its name, one byte between them, its value.
    private struct Field {
        var name: Range<Int>
        var end: Int
    }

    private let bytes: [UInt8]
    private let fields: [Field]

    /// - Parameter entries: C strings `NAME=VALUE`, as libfcgi has them; the last one is null.
    init(copying entries: UnsafePointer<UnsafeMutablePointer<CChar>?>?) {
        var bytes: [UInt8] = []
        var fields: [Field] = []
        // What most requests come to.
        bytes.reserveCapacity(1500)
        fields.reserveCapacity(32)
        var next = entries
        while let entry = next?.pointee {
            if let equals = strchr(entry, CInt(UInt8(ascii: "="))) {
                let (name, start) = (equals - entry, bytes.count)
                bytes.append(contentsOf: UnsafeRawBufferPointer(start: entry, count: name + strlen(equals)))
                fields.append(Field(name: start..<(start + name), end: bytes.count))
            }
            next = next?.successor()
        }
        (self.bytes, self.fields) = (bytes, fields)
    }

    /// The value, with U+FFFD for what is not UTF-8; of equal names the last one's.
    subscript(name: String) -> String? {
        var name = name
        return name.withUTF8 { name in
            bytes.withUnsafeBufferPointer { bytes in
                let found = fields.last { $0.name.count == name.count && UnsafeBufferPointer(rebasing: bytes[$0.name]).elementsEqual(name) }
                return found.map(value)
            }
        }
    }

    /// The parameters whose names begin with `prefix`, without it.
    func withPrefix(_ prefix: String) -> [(name: String, value: String)] {
        fields.compactMap { field in
            let name = bytes[field.name]
            return name.starts(with: prefix.utf8) ? (String(decoding: name.dropFirst(prefix.utf8.count), as: UTF8.self), value(of: field)) : nil
        }
    }

    private func value(of field: Field) -> String { String(decoding: bytes[(field.name.upperBound + 1)..<field.end], as: UTF8.self) }
}
