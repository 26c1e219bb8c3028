import Crypto
import FoundationEssentials
import Wire

/// What makes a request the same as another: who asks what of which version and models.
///
/// White space and the order of the body's own members make no difference; the order within them does, because schemas and
/// templates show it in the answer.
package struct RequestDigest: Sendable {
    private let body: OrderedJSON
    private let parts: [String]

    /// - Parameters:
    ///   - body: of the request.
    ///   - parts: everything else that an answer depends on, in a fixed order.
    /// - Returns: `nil` for a body that is no JSON object, and for one that could be answered differently each time or has an effect:
    ///   it names `tools`, or a temperature above zero and no seed.
    package init?(body: some Sequence<UInt8>, _ parts: [String]) {
        guard let body = try? OrderedJSON(parsing: body), let members = body.members else { return nil }
        if let tools = body["tools"], tools.array != [] , tools != .null { return nil }
        if let functions = body["functions"], functions.array != [], functions != .null { return nil }
        if let temperature = body["temperature"], temperature != .null, temperature.number != 0, !Self.hasSeed(body) { return nil }
        self.body = .object(members.sorted { $0.name < $1.name })
        self.parts = parts
    }

    /// Whether the request itself asks for the one answer: temperature 0, or a seed.
    package var asksForOneAnswer: Bool { body["temperature"]?.number == 0 || Self.hasSeed(body) }

    private static func hasSeed(_ body: OrderedJSON) -> Bool { body["seed"]?.integer != nil }

    /// SHA-256 over all of it.
    package var bytes: [UInt8] {
        var hash = SHA256()
        for part in parts + [Self.text(body)] { hash.update(data: Data("\(part.utf8.count) \(part)".utf8)) }
        return Array(hash.finalize())
    }

    /// Not JSON, and as unambiguous: lengths before everything that varies.
    private static func text(_ value: OrderedJSON) -> String {
        switch value {
        case .null: "n"
        case .bool(let flag): flag ? "t" : "f"
        case .integer(let number): "i\(number);"
        case .number(let number): number == number.rounded() && abs(number) < 1e15 ? "i\(Int64(number));" : "d\(number);"
        case .string(let text): "s\(text.utf8.count):\(text)"
        case .array(let values): "a\(values.count):" + values.map(Self.text).joined()
        case .object(let members): "o\(members.count):" + members.map { "\($0.name.utf8.count):\($0.name)" + Self.text($0.value) }.joined()
        }
    }
}
