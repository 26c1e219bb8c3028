/// A JSON value whose objects keep the order of their members: for schemas and templates, where the order shows in the result.
///
/// Integers that fit stay integers; other numbers are `Double`. Of two members with one name the last counts, in the first's place.
package enum OrderedJSON: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([OrderedJSON])
    case object([Member])

    package struct Member: Sendable, Hashable {
        package let name: String
        package let value: OrderedJSON

        package init(_ name: String, _ value: OrderedJSON) {
            (self.name, self.value) = (name, value)
        }
    }

    /// Parses UTF-8 JSON text (RFC 8259), nested 500 deep at most.
    /// - Parameter uniqueNames: whether two members with one name are an error.
    /// - Throws: ``APIError`` with status 400 that says where the text goes wrong.
    package init(parsing bytes: some Sequence<UInt8>, uniqueNames: Bool = false) throws(APIError) {
        var parser = OrderedJSONParser(Array(bytes), uniqueNames: uniqueNames)
        self = try parser.document()
    }

    /// The member `name` of an object; `nil` for every other value and for a missing member.
    package subscript(name: String) -> OrderedJSON? {
        members?.first { $0.name == name }?.value
    }

    package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    package var array: [OrderedJSON]? { if case .array(let values) = self { values } else { nil } }
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

private struct OrderedJSONParser {
    private let bytes: [UInt8]
    private var place = 0
    private var depth = 0
    private let uniqueNames: Bool
    private static let deepest = 500

    init(_ bytes: [UInt8], uniqueNames: Bool) { (self.bytes, self.uniqueNames) = (bytes, uniqueNames) }

    mutating func document() throws(APIError) -> OrderedJSON {
        let value = try value()
        skipSpace()
        guard place == bytes.count else { throw wrong("there is something behind its end") }
        return value
    }

    private func wrong(_ what: String) -> APIError {
        let line = bytes[..<min(place, bytes.count)].count { $0 == UInt8(ascii: "\n") } + 1
        return .invalidRequest("The text is not valid JSON: \(what) (line \(line), byte \(place + 1)).")
    }

    private mutating func skipSpace() {
        while place < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[place]) { place += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func value() throws(APIError) -> OrderedJSON {
        skipSpace()
        guard place < bytes.count else { throw wrong("it ends too early") }
        switch bytes[place] {
        case UInt8(ascii: "{"): return try nested { parser throws(APIError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { parser throws(APIError) in try parser.elements() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func nested(_ body: (inout Self) throws(APIError) -> OrderedJSON) throws(APIError) -> OrderedJSON {
        guard depth < Self.deepest else { throw wrong("it is nested more than \(Self.deepest) deep") }
        depth += 1
        place += 1
        let value = try body(&self)
        depth -= 1
        return value
    }

    private mutating func word(_ text: StaticString, _ value: OrderedJSON) throws(APIError) -> OrderedJSON {
        let isThere = text.withUTF8Buffer { bytes[place...].starts(with: $0) }
        guard isThere else { throw wrong("a value is expected") }
        place += text.utf8CodeUnitCount
        return value
    }

    private mutating func object() throws(APIError) -> OrderedJSON {
        var members: [OrderedJSON.Member] = []
        var places: [String: Int] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        repeat {
            skipSpace()
            guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { throw wrong("a member's name in quotes is expected") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw wrong("a colon is expected") }
            let member = OrderedJSON.Member(name, try value())
            if let earlier = places[name] {
                guard !uniqueNames else { throw wrong("a member is there twice") }
                members[earlier] = member
            } else {
                places[name] = members.count
                members.append(member)
            }
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw wrong("a comma or a closing brace is expected") }
        return .object(members)
    }

    private mutating func elements() throws(APIError) -> OrderedJSON {
        var values: [OrderedJSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        repeat {
            values.append(try value())
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw wrong("a comma or a closing bracket is expected") }
        return .array(values)
    }

    private mutating func number() throws(APIError) -> OrderedJSON {
        let start = place
        var isInteger = true
        _ = take(UInt8(ascii: "-"))
        let digits = skipDigits()
        let hasLeadingZero = digits > 1 && bytes[place - digits] == UInt8(ascii: "0")
        guard digits > 0, !hasLeadingZero else { throw wrong("a value is expected") }
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard skipDigits() > 0 else { throw wrong("digits are expected") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard skipDigits() > 0 else { throw wrong("digits are expected") }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw wrong("a number is too large") }
        return .number(value)
    }

    /// How many there were.
    private mutating func skipDigits() -> Int {
        let start = place
        while place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) { place += 1 }
        return place - start
    }

    private mutating func string() throws(APIError) -> String {
        place += 1
        var text: [UInt8] = []
        while true {
            guard place < bytes.count else { throw wrong("a string has no end") }
            let byte = bytes[place]
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw wrong("a string is not UTF-8") }
                return string
            case UInt8(ascii: "\\"):
                place += 1
                text += try escaped()
            case ..<0x20:
                throw wrong("a string holds a control character")
            default:
                text.append(byte)
                place += 1
            }
        }
    }

    private mutating func escaped() throws(APIError) -> [UInt8] {
        guard place < bytes.count else { throw wrong("a string has no end") }
        let byte = bytes[place]
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
        default: throw wrong("a string holds an unknown escape")
        }
    }

    /// A character in hexadecimal, or two that are a surrogate pair; half a pair becomes U+FFFD.
    private mutating func scalar() throws(APIError) -> Unicode.Scalar {
        let first = try fourHexadecimalDigits()
        guard (0xd800..<0xdc00).contains(first), bytes[place...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
            return Unicode.Scalar(first) ?? "\u{fffd}"
        }
        let after = place
        place += 2
        let second = try fourHexadecimalDigits()
        guard (0xdc00..<0xe000).contains(second) else {
            place = after
            return "\u{fffd}"
        }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) ?? "\u{fffd}"
    }

    private mutating func fourHexadecimalDigits() throws(APIError) -> UInt32 {
        guard place + 4 <= bytes.count, bytes[place..<place + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
        else { throw wrong("four hexadecimal digits are expected") }
        place += 4
        return value
    }
}
