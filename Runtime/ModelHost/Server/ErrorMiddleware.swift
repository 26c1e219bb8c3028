import HTTPTypes
import Hummingbird
import Inference
import Ledger
import Logging
import NIOCore
import NIOHTTP1
import Wire

/// Turns every error into OpenAI's error object with its status.
struct ErrorMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: HostContext, next: (Request, HostContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPParserError {
            // Not HTTP, or cut off: the channel answers and closes.
            throw error
        } catch {
            let error = APIError(error, logger: context.logger)
            return try Response.json(error, status: .init(code: error.status))
        }
    }
}

extension APIError {
    /// What a caller is told of `error`; what it must not know goes to the log.
    init(_ error: any Error, logger: Logger) {
        switch error {
        case let error as APIError:
            self = error
        case let error as InferenceError:
            self.init(error, logger: logger)
        case let error as LedgerError where error.code == .insufficientQuota:
            self = .insufficientQuota(error.message)
        case let error as LedgerError where error.code == .repeated:
            // Its caller repeats it because the connection broke: made again, it would be billed again.
            self.init(status: 409, message: "\(error.message) Make a new one.", type: "invalid_request_error", code: "call_repeated")
        case let error as LedgerError where error.code == .givenUp:
            self.init(status: 409, message: error.message, type: "invalid_request_error", code: "attempt_given_up")
        case let error as LedgerError where error.code == .busy:
            self = .overloaded(error.message)
        case is LedgerError:
            // The meter has logged it, with the call's id.
            self = .overloaded("The ledger cannot be written at the moment, so nothing is served that could not be billed.")
        case let error as HTTPError where error.status == .notFound:
            self = .notFound("This model host has no such route.", code: "unknown_url")
        case let error as any HTTPResponseError:
            self.init(status: error.status.code, message: "\(error.status.reasonPhrase).", type: "invalid_request_error")
        case is CancellationError:
            self.init(status: 499, message: "The client closed the request.", type: "server_error", code: "client_closed")
        default:
            logger.error("failed: \(error)")
            self = .internalError
        }
    }

    private init(_ error: InferenceError, logger: Logger) {
        switch error.code {
        case .contextLengthExceeded(let limit, let requested):
            self = .contextLengthExceeded(limit: limit, requested: requested)
        case .invalidRequest:
            self = .invalidRequest(error.message)
        case .invalidFile, .unsupported, .system:
            logger.error("\(error)")
            self = .internalError
        }
    }

    /// The same error, with another request field at fault.
    func at(_ parameter: String) -> APIError {
        var error = self
        error.parameter = parameter
        return error
    }
}

extension Response {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try JSON.encode(value))))
    }
}
