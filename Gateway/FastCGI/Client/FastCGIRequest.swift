import HTTPTypes

/// What a worker is asked: CGI parameters; the body is sent beside them.
package struct FastCGIRequest: Sendable {
    package var parameters: [FastCGIParameters.Pair]

    package init(parameters: [FastCGIParameters.Pair]) {
        self.parameters = parameters
    }

    /// The same request with CONTENT_LENGTH stated.
    package func with(contentLength: Int) -> FastCGIRequest {
        if self.contentLength == contentLength { return self }
        var request = self
        request.parameters.removeAll { $0.name == "CONTENT_LENGTH" }
        request.parameters.append(("CONTENT_LENGTH", "\(contentLength)"))
        return request
    }

    /// CONTENT_LENGTH, if it is stated.
    var contentLength: Int? {
        parameters.last { $0.name == "CONTENT_LENGTH" && !$0.value.isEmpty }.flatMap { HTTPRequest.contentLength($0.value) }
    }
}

extension FastCGIRequest {
    /// The CGI parameters of an HTTP request (RFC 3875 §4.1, and REQUEST_URI and DOCUMENT_URI as nginx sends them).
    ///
    /// Left out are fields that a worker must not or cannot use: `Authorization`, because the caller's key is no business
    /// of a function; `Proxy`, because as HTTP_PROXY it would configure HTTP clients (https://httpoxy.org); those about the
    /// connection; and names with underscores, which would pass for other names.
    package init(_ request: HTTPRequest) {
        let uri = request.path ?? "/"
        let path = String(uri.prefix { $0 != "?" })
        let host = request.authority ?? ""
        let server = Self.split(authority: host)
        parameters = [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_SOFTWARE", "swiftlet"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_NAME", server.name),
            ("SERVER_PORT", server.port ?? (request.scheme == "https" ? "443" : "80")),
            ("REQUEST_METHOD", request.method.rawValue),
            ("REQUEST_SCHEME", request.scheme ?? "http"),
            ("REQUEST_URI", uri),
            ("SCRIPT_NAME", Self.percentDecoded(path)),
            ("DOCUMENT_URI", Self.percentDecoded(path)),
            ("QUERY_STRING", String(uri.dropFirst(path.count + 1))),
            ("REMOTE_ADDR", request.headerFields[.remoteAddress] ?? ""),
            ("CONTENT_TYPE", request.headerFields[.contentType] ?? ""),
            // Without it, only these two have no body for sure.
            ("CONTENT_LENGTH", request.headerFields[.contentLength] ?? (request.method == .get || request.method == .head ? "0" : "")),
            ("HTTP_HOST", host),
        ]
        var names: [String] = []
        var values: [String: String] = [:]
        for field in request.headerFields where Self.isForWorkers(field.name) {
            let name = Self.parameterName(of: field.name)
            if let value = values[name] {
                values[name] = value + (field.name == .cookie ? "; " : ", ") + field.value
            } else {
                names.append(name)
                values[name] = field.value
            }
        }
        parameters += names.map { ($0, values[$0] ?? "") }
    }

    private static let notForWorkers: Set<HTTPField.Name> = HTTPField.Name.hopByHop.union([
        .authorization, .contentType, .contentLength, .remoteAddress, HTTPField.Name("host")!, HTTPField.Name("proxy")!,
    ])

    private static func isForWorkers(_ name: HTTPField.Name) -> Bool {
        !notForWorkers.contains(name) && !name.canonicalName.utf8.contains(UInt8(ascii: "_"))
    }

    /// `accept-language` → `HTTP_ACCEPT_LANGUAGE`.
    private static func parameterName(of field: HTTPField.Name) -> String {
        var name: [UInt8] = Array("HTTP_".utf8)
        for byte in field.canonicalName.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): name.append(byte - 32)
            case UInt8(ascii: "-"): name.append(UInt8(ascii: "_"))
            default: name.append(byte)
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// `[::1]:8080` → `[::1]` and `8080`.
    private static func split(authority: String) -> (name: String, port: String?) {
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else { return (authority, nil) }
        return (String(authority[..<colon]), String(authority[colon...].dropFirst()))
    }

    /// CGI's paths are decoded. A path that would hold a NUL stays as it is: CGI programs take parameters as C strings.
    package static func percentDecoded(_ path: String) -> String {
        guard path.utf8.contains(UInt8(ascii: "%")) else { return path }
        var bytes: [UInt8] = []
        var rest = path.utf8[...]
        while let byte = rest.popFirst() {
            let digits = byte == UInt8(ascii: "%") ? rest.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue } : []
            if digits.count == 2 {
                if digits == [0, 0] { return path }
                bytes.append(UInt8(digits[0] << 4 | digits[1]))
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
