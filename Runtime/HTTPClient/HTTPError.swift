import CCurl

/// Why a transfer failed, before or after the response began.
package struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The URL, a header or an option is not usable; nothing was sent.
        case invalidRequest
        /// No connection: unknown host, refused, no such socket, TLS failed.
        case unreachable
        case timedOut
        /// The peer closed the connection before the response was complete.
        case closed
        /// Not HTTP, or more than the caller takes.
        case badResponse
        /// A download was answered with this HTTP status.
        case status(Int)
        /// A local file could not be read or written.
        case file
        /// libcurl is missing.
        case unavailable
    }

    package var code: Code
    /// A sentence for a person, ending with a full stop.
    package var message: String
    package var description: String { message }

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter detail: libcurl's own words about this failure, where it has any.
    init(_ result: CURLcode, of request: HTTPClient.Request, detail: String) {
        let detail = detail.isEmpty ? String(cString: ccurl_easy_strerror(result)) : detail
        let code: Code =
            switch result {
            case CURLE_OPERATION_TIMEDOUT: .timedOut
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
                CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
                .unreachable
            case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR: .closed
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT: .invalidRequest
            case CURLE_FILE_COULDNT_READ_FILE: .file
            // A file shorter than the offset: what a server says with this status.
            case CURLE_BAD_DOWNLOAD_RESUME: .status(416)
            default: .badResponse
            }
        let failure =
            switch code {
            case .timedOut: "took too long"
            case .unreachable: "cannot be reached"
            case .closed: "closed the connection before its response was complete"
            case .invalidRequest: "is not an address that can be called"
            case .file: "cannot be read"
            default: "did not answer properly"
            }
        self.init(code, "\(request.target) \(failure): \(detail).")
    }
}
