import FoundationEssentials

/// One HTTP request, body included.
public struct Request: Sendable {
    public let method: String
    /// The URL's path as it was sent, without the query.
    public let path: String
    /// The line of `function.yaml` that matched, for example `PUT /collections/{name}/documents`.
    public let route: String
    /// The values of the route's `{name}`s, decoded.
    public let pathParameters: [String: String]
    /// The query, decoded; the last one of equal names.
    public let query: [String: String]
    /// Header fields by lower-case name. The key that the client showed is not among them.
    public let headers: [String: String]
    public let body: [UInt8]

    /// The body as `type`.
    /// - Throws: ``APIError`` with status 400 that names the field at fault.
    public func json<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSON.decode(type, from: body)
    }
}

extension Request {
    /// From CGI variables (RFC 3875) and the gateway's `SWIFTLET_…`.
    package init(parameters: [String: String], body: [UInt8]) {
        method = parameters["REQUEST_METHOD"] ?? "GET"
        let uri = parameters["REQUEST_URI"] ?? parameters["DOCUMENT_URI"] ?? parameters["SCRIPT_NAME"] ?? "/"
        path = String(uri.prefix { $0 != "?" })
        route = parameters["SWIFTLET_ROUTE"] ?? "\(method) \(path)"
        pathParameters = Dictionary(
            Request.parameterNames(of: route).compactMap { name in
                parameters["SWIFTLET_PATH_\(name.uppercased())"].map { (name, $0) }
            }, uniquingKeysWith: { _, last in last })
        query = Request.query(parameters["QUERY_STRING"] ?? "")
        var headers: [String: String] = [:]
        for (name, value) in parameters where name.hasPrefix("HTTP_") {
            headers[name.dropFirst(5).lowercased().replacing("_", with: "-")] = value
        }
        headers["content-type"] = parameters["CONTENT_TYPE"].flatMap { $0.isEmpty ? nil : $0 }
        self.headers = headers
        self.body = body
    }

    /// `["name", "id"]` of `DELETE /collections/{name}/documents/{id}`.
    private static func parameterNames(of route: String) -> [String] {
        route.split(separator: "/").compactMap { part in
            part.hasPrefix("{") && part.hasSuffix("}") ? String(part.dropFirst().dropLast()) : nil
        }
    }

    /// `application/x-www-form-urlencoded`, as the URL standard parses it.
    private static func query(_ text: String) -> [String: String] {
        var values: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            values[decoded(parts[0])] = parts.count > 1 ? decoded(parts[1]) : ""
        }
        return values
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
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
