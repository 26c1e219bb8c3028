/// Why a request to a worker failed.
package struct FastCGIConnectionError: Error, CustomStringConvertible {
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        /// No connection could be made.
        package static let connectFailed = Code(description: "connectFailed")
        /// The connection is in use, or was closed before the request began: the worker has not seen the request.
        package static let notUsable = Code(description: "notUsable")
        /// The worker closed the connection, or ended the request, with nothing of a response received.
        package static let noResponse = Code(description: "noResponse")
        /// The worker closed the connection in the middle of its response.
        package static let responseCutShort = Code(description: "responseCutShort")
        /// Garbage in the place of FastCGI records or of a CGI response head.
        package static let malformedResponse = Code(description: "malformedResponse")
        /// FCGI_OVERLOADED or FCGI_CANT_MPX_CONN: the worker refused to begin the request; another may take it.
        package static let refused = Code(description: "refused")
        /// The worker ended its response with a status other than 0, or refused the role: it says that it failed.
        package static let failed = Code(description: "failed")
        /// The request's body is not as long as its CONTENT_LENGTH.
        package static let bodyLengthMismatch = Code(description: "bodyLengthMismatch")
    }

    package let code: Code
    /// A sentence for the log.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(message) (\($0))" } ?? message
    }
}
