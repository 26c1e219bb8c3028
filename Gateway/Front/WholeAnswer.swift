import HTTPTypes
import Hummingbird
import Ledger
import Logging
import NIOCore
import Wire

/// A response that is known as a whole.
struct WholeAnswer: Sendable {
    var head: HTTPResponse
    var body: ByteBuffer
}

extension WholeAnswer {
    /// What a client is told of an error.
    init(to error: any Error, _ request: HTTPRequest, invocation: UUIDv7, logger: Logger) {
        if let error = error as? ResponseError {
            self.init(to: error.error)
            head.headerFields.append(contentsOf: error.headers)
        } else {
            self.init(to: Self.apiError(error, request, invocation, logger))
        }
    }

    init(to error: APIError) {
        let body = (try? JSON.encode(error)) ?? []
        var headers: HTTPFields = [.contentType: "application/json", .contentLength: "\(body.count)"]
        if error.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
        if let wait = error.retryAfter {
            let milliseconds = max(1, Int((wait / .milliseconds(1)).rounded(.up)))
            headers[.retryAfter] = "\((milliseconds + 999) / 1000)"
            headers[.retryAfterMilliseconds] = "\(milliseconds)"
        }
        self.init(head: HTTPResponse(status: .init(integerLiteral: error.status), headerFields: headers), body: ByteBuffer(bytes: body))
    }

    private static func apiError(_ error: any Error, _ request: HTTPRequest, _ invocation: UUIDv7, _ logger: Logger) -> APIError {
        switch error {
        case let error as APIError:
            return error
        case let error as LedgerError where error.code == .insufficientQuota:
            return .insufficientQuota(error.message)
        case let error as LedgerError:
            logger.error("invocation \(invocation): \(error)")
            return .overloaded("The ledger cannot be written at the moment, so nothing is served that could not be billed.")
        case let error as HTTPError where error.status == .notFound:
            let path = (request.path ?? "/").prefix { $0 != "?" }
            return .notFound("Unknown request URL: \(request.method.rawValue) \(path).", code: "unknown_url")
        case let error as any HTTPResponseError:
            return APIError(
                status: error.status.code, message: "\(error.status.reasonPhrase).", type: "invalid_request_error")
        case is CancellationError:
            return APIError(status: 499, message: "The client closed the request.", type: "server_error", code: "client_closed")
        default:
            logger.error("invocation \(invocation) failed: \(error)")
            return .internalError
        }
    }
}
