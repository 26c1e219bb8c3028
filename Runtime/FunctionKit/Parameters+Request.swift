/// What CGI variables (RFC 3875) and the gateway's `SWIFTLET_…` say about a request.
extension Parameters {
    var method: String { self["REQUEST_METHOD"] ?? "GET" }

    var path: String {
        let uri = self["REQUEST_URI"] ?? self["DOCUMENT_URI"] ?? self["SCRIPT_NAME"] ?? "/"
        return String(decoding: uri.utf8.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    }

    var route: String { self["SWIFTLET_ROUTE"] ?? "\(method) \(path)" }

    var pathParameters: [String: String] {
        Dictionary(
            Parameters.names(in: route).compactMap { name in self["SWIFTLET_PATH_\(name.uppercased())"].map { (name, $0) } },
            uniquingKeysWith: { _, last in last })
    }

    /// `application/x-www-form-urlencoded`, as the URL standard parses it.
    var query: [String: String] {
        var values: [String: String] = [:]
        for pair in (self["QUERY_STRING"] ?? "").utf8.split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            values[Parameters.decoded(name)] = Parameters.decoded(pair[name.endIndex...].dropFirst())
        }
        return values
    }

    var headers: [String: String] {
        var headers: [String: String] = [:]
        for (name, value) in withPrefix("HTTP_") { headers[name.lowercased().replacing("_", with: "-")] = value }
        headers["content-type"] = self["CONTENT_TYPE"].flatMap { $0.isEmpty ? nil : $0 }
        return headers
    }

    /// `["name", "id"]` of `DELETE /collections/{name}/documents/{id}`.
    private static func names(in route: String) -> [String] {
        route.split(separator: "/").compactMap { part in
            part.hasPrefix("{") && part.hasSuffix("}") ? String(part.dropFirst().dropLast()) : nil
        }
    }

    private static func decoded(_ text: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = hexadecimal(rest.prefix(2)) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ digits: Substring.UTF8View) -> UInt8? {
        guard digits.count == 2, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
