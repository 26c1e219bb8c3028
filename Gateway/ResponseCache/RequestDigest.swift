import Crypto
import FoundationEssentials
import Wire

/// What makes a request the same as another: who asks what of which version and models.
///
/// A body counts as what it says and not as it is written, in the spirit of RFC 8785: white space, the order of members at any depth,
/// escapes in strings and the form of numbers (`1`, `1.0`, `1e0`) make no difference. Members stay in their order where an answer
/// shows it: in schemas, and in what chat templates are given.
package struct RequestDigest: Sendable {
    private let body: OrderedJSON
    private let text: String
    private let parts: [String]

    /// - Parameters:
    ///   - body: of the request.
    ///   - parts: everything else that an answer depends on, in a fixed order.
    /// - Returns: `nil` for a body that is no JSON object or may be read in two ways: it has two members of one name, or a number that
    ///   a double does not hold; and for one that could be answered differently each time or has an effect: it names `tools`, or a
    ///   temperature above zero and no seed.
    package init?(body: some Sequence<UInt8>, _ parts: [String]) {
        guard let body = try? OrderedJSON(parsing: body, uniqueNames: true), let members = body.members else { return nil }
        if let tools = body["tools"], tools.array != [] , tools != .null { return nil }
        if let functions = body["functions"], functions.array != [], functions != .null { return nil }
        if let temperature = body["temperature"], temperature != .null, temperature.number != 0, !Self.hasSeed(body) { return nil }
        var writer = CanonicalWriter()
        writer.write(members.sorted { $0.name < $1.name }) { Self.ordered.contains($0) }
        guard writer.isExact else { return nil }
        self.body = body
        self.text = writer.text
        self.parts = parts
    }

    /// Members of a request in which the order of members shows in the answer.
    private static let ordered: Set = ["response_format", "json_schema", "chat_template_kwargs"]

    /// Whether the request itself asks for the one answer: temperature 0, or a seed.
    package var asksForOneAnswer: Bool { body["temperature"]?.number == 0 || Self.hasSeed(body) }

    private static func hasSeed(_ body: OrderedJSON) -> Bool { body["seed"]?.integer != nil }

    /// SHA-256 over all of it.
    package var bytes: [UInt8] {
        var hash = SHA256()
        for part in parts + [text] { hash.update(data: Data("\(part.utf8.count) \(part)".utf8)) }
        return Array(hash.finalize())
    }
}

/// Writes a value in the one way that equal values have. Not JSON, and as unambiguous: lengths before everything that varies.
private struct CanonicalWriter {
    private(set) var text = ""
    /// Whether every number was what its text says.
    private(set) var isExact = true
    /// From here on doubles do not hold every integer, so that two that differ may look alike.
    private static let firstInexact = 0x1p53

    mutating func write(_ members: [OrderedJSON.Member], keepingOrderIn isOrdered: (String) -> Bool) {
        text += "o\(members.count):"
        for member in members {
            text += "\(member.name.utf8.count):\(member.name)"
            write(member.value, sorted: !isOrdered(member.name))
        }
    }

    private mutating func write(_ value: OrderedJSON, sorted: Bool) {
        switch value {
        case .null: text += "n"
        case .bool(let flag): text += flag ? "t" : "f"
        case .integer(let number): text += "i\(number);"
        case .number(let number):
            isExact = isExact && abs(number) < Self.firstInexact
            text += isExact && number == number.rounded() ? "i\(Int64(number));" : "d\(number);"
        case .string(let string): text += "s\(string.utf8.count):\(string)"
        case .array(let values):
            text += "a\(values.count):"
            for value in values { write(value, sorted: sorted) }
        case .object(let members):
            write(sorted ? members.sorted { $0.name < $1.name } : members) { _ in !sorted }
        }
    }
}
