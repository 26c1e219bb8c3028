import HTTPTypes
import Hummingbird
import Supervisor
import Wire

/// The CGI/1.1 parameters (RFC 3875 §4.1) that tell a worker of one request, and what Swiftlet adds to them.
struct CGIParameters {
    private(set) var list: [(name: String, value: String)] = []

    /// - Throws: ``APIError`` 400 when the path is not percent-encoded UTF-8.
    init(
        _ request: Request, parameters: Parameters, function: FunctionRunner, route: Route, invocation: Invocation, remoteAddress: String
    ) throws {
        let path = try Self.decoded(request.uri.path)
        add("GATEWAY_INTERFACE", "CGI/1.1")
        add("SERVER_SOFTWARE", "swiftlet")
        add("SERVER_PROTOCOL", "HTTP/1.1")
        add("SERVER_NAME", request.head.authority ?? "")
        add("REQUEST_METHOD", request.method.rawValue)
        add("REQUEST_URI", request.uri.string)
        add("DOCUMENT_URI", request.uri.path)
        add("QUERY_STRING", request.uri.query ?? "")
        add("SCRIPT_NAME", "")
        add("PATH_INFO", path)
        if let script = function.manifest.script {
            add("SCRIPT_FILENAME", "\(function.folder)/\(script)")
            // php-cgi serves nothing without it when it was built to expect a web server's redirect.
            add("REDIRECT_STATUS", "200")
        }
        add("REMOTE_ADDR", remoteAddress)
        add("CONTENT_TYPE", request.headers[.contentType] ?? "")
        add("CONTENT_LENGTH", request.headers[.contentLength] ?? "")
        for field in request.headers where !Self.withheld.contains(field.name) && !field.name.canonicalName.hasPrefix("x-swiftlet-") {
            add("HTTP_" + String(field.name.canonicalName.map { $0 == "-" ? "_" : $0 }).uppercased(), field.value)
        }
        if let authority = request.head.authority { add("HTTP_HOST", authority) }

        add("SWIFTLET_INVOCATION_ID", invocation.id)
        add("SWIFTLET_INVOCATION_TOKEN", invocation.token)
        add("SWIFTLET_DEADLINE", "\(invocation.deadlineMilliseconds)")
        add("SWIFTLET_TENANT", invocation.caller.tenant)
        add("SWIFTLET_ROUTE", route.description)
        for name in route.parameterNames {
            add("SWIFTLET_PATH_\(name.uppercased())", try Self.decoded(parameters.get(name) ?? ""))
        }
    }

    private mutating func add(_ name: String, _ value: String) { list.append((name, value)) }

    /// The key stays with the gateway, `Proxy` would become `HTTP_PROXY` (CVE-2016-5385), and the rest has parameters of its own
    /// or concerns one connection only.
    private static let withheld: Set<HTTPField.Name> = [
        .authorization, .contentType, .contentLength, .connection, .transferEncoding, .te, .upgrade, .proxyAuthorization,
        .init("proxy")!, .init("keep-alive")!, .init("host")!,
    ]

    private static func decoded(_ text: String) throws -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2, value != 0 else {
                throw APIError.invalidRequest("The URL's path has a '%' that is not followed by two hexadecimal digits.")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw APIError.invalidRequest("The URL's path is not UTF-8.")
        }
        return decoded
    }
}
