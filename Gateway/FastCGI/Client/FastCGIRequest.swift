import HTTPTypes
import NIOCore

/// What a worker is asked: CGI parameters; the body is sent beside them.
package struct FastCGIRequest: Sendable {
    /// As they go over the wire, so that they are written once.
    private(set) var encoded = ByteBuffer()
    /// CONTENT_LENGTH, if it is stated.
    private(set) var contentLength: Int?

    package init(parameters: [FastCGIParameters.Pair]) {
        self.parameters = parameters
    }

    package var parameters: [FastCGIParameters.Pair] {
        get { (try? FastCGIParameters.decode(encoded)) ?? [] }
        set {
            (encoded, contentLength) = (ByteBuffer(), nil)
            for pair in newValue { append(pair.name, pair.value) }
        }
    }

    package mutating func append(_ name: String, _ value: String) {
        if name == Self.lengthName, !value.isEmpty { contentLength = HTTPRequest.decimal(value) }
        encoded.write((name, value))
    }

    /// The same request with CONTENT_LENGTH stated.
    package func with(contentLength: Int) -> FastCGIRequest {
        if self.contentLength == contentLength { return self }
        var request = FastCGIRequest(parameters: parameters.filter { $0.name != Self.lengthName })
        request.append(Self.lengthName, "\(contentLength)")
        return request
    }

    private static let lengthName = "CONTENT_LENGTH"
}

extension FastCGIRequest {
    /// The CGI parameters of an HTTP request (RFC 3875 §4.1, and REQUEST_URI and DOCUMENT_URI as nginx sends them).
    ///
    /// Left out are fields that a worker must not or cannot use: `Authorization`, because the caller's key is no business
    /// of a function; `Proxy`, because as HTTP_PROXY it would configure HTTP clients (https://httpoxy.org); those about the
    /// connection; and names with underscores, which would pass for other names.
    /// - Parameter isMountedAtRoot: the path is no script's name but all PATH_INFO.
    package init(_ request: HTTPRequest, isMountedAtRoot: Bool = false) {
        let uri = request.path ?? "/"
        let mark = uri.utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = Self.percentDecoded(mark.map { String(uri[..<$0]) } ?? uri)
        let host = request.authority ?? ""
        let server = Self.split(authority: host)
        let length = request.bodyLength ?? ""
        var (type, address) = ("", "")
        var merged: [(name: HTTPField.Name, value: String)] = []
        var places: [HTTPField.Name: Int] = [:]
        for field in request.headerFields {
            switch field.name {
            case .contentLength: break
            case .contentType: type = field.value
            case .remoteAddress: address = field.value
            case let name where !Self.isForWorkers(name): break
            case let name:
                if let place = places[name] {
                    merged[place].value += (name == .cookie ? "; " : ", ") + field.value
                } else {
                    places[name] = merged.count
                    merged.append((name, field.value))
                }
            }
        }
        encoded.reserveCapacity(2048)
        append("GATEWAY_INTERFACE", "CGI/1.1")
        append("SERVER_SOFTWARE", "swiftlet")
        append("SERVER_PROTOCOL", "HTTP/1.1")
        append("SERVER_NAME", server.name)
        append("SERVER_PORT", server.port ?? (request.scheme == "https" ? "443" : "80"))
        append("REQUEST_METHOD", request.method.rawValue)
        append("REQUEST_SCHEME", request.scheme ?? "http")
        append("REQUEST_URI", uri)
        append("SCRIPT_NAME", isMountedAtRoot ? "" : path)
        if isMountedAtRoot { append("PATH_INFO", path) }
        append("DOCUMENT_URI", path)
        append("QUERY_STRING", mark.map { String(uri[uri.utf8.index(after: $0)...]) } ?? "")
        append("REMOTE_ADDR", address)
        append("CONTENT_TYPE", type)
        append(Self.lengthName, length)
        append("HTTP_HOST", host)
        for (name, value) in merged { append(Self.parameterName(of: name), value) }
    }

    private static func isForWorkers(_ name: HTTPField.Name) -> Bool {
        switch name.canonicalName {
        case "authorization", "host", "proxy": false
        default: !name.isHopByHop && !name.canonicalName.utf8.contains(UInt8(ascii: "_"))
        }
    }

    /// `accept-language` → `HTTP_ACCEPT_LANGUAGE`.
    private static func parameterName(of field: HTTPField.Name) -> String {
        let prefix: StaticString = "HTTP_"
        let name = field.canonicalName.utf8
        return String(unsafeUninitializedCapacity: prefix.utf8CodeUnitCount + name.count) { text in
            var length = 0
            for byte in UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount) {
                text[length] = byte
                length += 1
            }
            for byte in name {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"): text[length] = byte - 32
                case UInt8(ascii: "-"): text[length] = UInt8(ascii: "_")
                default: text[length] = byte
                }
                length += 1
            }
            return length
        }
    }

    /// `[::1]:8080` → `[::1]` and `8080`.
    private static func split(authority: String) -> (name: String, port: String?) {
        let bytes = authority.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), !bytes[colon...].contains(UInt8(ascii: "]")) else { return (authority, nil) }
        return (String(authority[..<colon]), String(authority[bytes.index(after: colon)...]))
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
