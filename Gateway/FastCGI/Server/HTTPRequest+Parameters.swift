import HTTPTypes

extension HTTPField.Name {
    /// The address of the HTTP client, from the Web server's REMOTE_ADDR. ``FastCGIChannel`` sets it and drops any
    /// that the client sent, so an application behind FastCGI can rely on it.
    package static let remoteAddress = HTTPField.Name("x-swiftlet-remote-addr")!

    /// Fields about the connection between client and Web server (RFC 9110 §7.6.1): FastCGI has its own framing, and a
    /// client's `Connection: close` must not end the Web server's connection to us.
    package var isHopByHop: Bool {
        // Most fields are known by their first letters not to be.
        guard let first = canonicalName.utf8.first, "cktup".utf8.contains(first) else { return false }
        return switch canonicalName {
        case "connection", "te", "trailer", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection": true
        default: false
        }
    }
}

extension HTTPRequest {
    /// The request that CGI parameters describe (RFC 3875 §4.1, and REQUEST_URI and REQUEST_SCHEME as nginx sends them).
    ///
    /// HTTP_HOST becomes the authority and HTTP_* header fields, except for those about the connection; empty values
    /// count as absent, and names that HTTP does not allow are dropped.
    ///
    /// - Throws: ``FastCGIProtocolError`` when method or path are missing, or CONTENT_LENGTH is not a number.
    package init(parameters: [FastCGIParameters.Pair]) throws(FastCGIProtocolError) {
        var method: Method?
        var path: String?
        var scheme: String?
        var isSecure = false
        var authority: String?
        var fields = HTTPFields()
        fields.reserveCapacity(parameters.count)
        var (address, type, length): (String?, String?, String?)
        for (name, value) in parameters where !value.isEmpty {
            if name.utf8.starts(with: "HTTP_".utf8) {
                switch name {
                case "HTTP_HOST": authority = value
                // nginx sends these two in both forms.
                case "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH": break
                default:
                    guard let field = Self.fieldName(ofParameter: name), field != .remoteAddress else { break }
                    fields.append(HTTPField(name: field, value: value))
                }
                continue
            }
            switch name {
            case "REQUEST_METHOD": method = Method(rawValue: value)
            case "REQUEST_URI": path = value
            case "REQUEST_SCHEME": scheme = value
            case "HTTPS": isSecure = value.lowercased() != "off"
            case "REMOTE_ADDR": address = value
            case "CONTENT_TYPE": type = value
            case "CONTENT_LENGTH": length = value
            default: break
            }
        }
        guard let method else {
            throw FastCGIProtocolError("REQUEST_METHOD is missing or not a method: the Web server must send the CGI parameters")
        }
        guard let path else {
            throw FastCGIProtocolError("REQUEST_URI is missing: the Web server must send it beside the CGI parameters")
        }
        if let length, Self.decimal(length) == nil {
            throw FastCGIProtocolError("CONTENT_LENGTH is not a number of bytes")
        }
        for (name, value) in [(HTTPField.Name.remoteAddress, address), (.contentType, type), (.contentLength, length)] {
            if let value { fields.append(HTTPField(name: name, value: value)) }
        }
        self.init(
            method: method, scheme: scheme ?? (isSecure ? "https" : "http"), authority: authority, path: path, headerFields: fields)
    }

    /// The length of its body as it is stated, or "0" where none can follow: without a length, only GET and HEAD have no body for sure.
    package var bodyLength: String? { headerFields.first(.contentLength) ?? (method == .get || method == .head ? "0" : nil) }

    /// A number in digits only: `Int` would also take a sign.
    static func decimal(_ text: String) -> Int? {
        text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? Int(text) : nil
    }

    /// `HTTP_ACCEPT_LANGUAGE` → `accept-language`; `nil` for what is no field, or is about the connection.
    private static func fieldName(ofParameter name: String) -> HTTPField.Name? {
        let text = name.utf8.dropFirst(5)
        let field = String(unsafeUninitializedCapacity: text.count) { bytes in
            var length = 0
            for byte in text {
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"): bytes[length] = byte + 32
                case UInt8(ascii: "_"): bytes[length] = UInt8(ascii: "-")
                default: bytes[length] = byte
                }
                length += 1
            }
            return length
        }
        guard let field = HTTPField.Name(field), !field.isHopByHop else { return nil }
        return field
    }
}
