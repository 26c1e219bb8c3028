import HTTPTypes
import Hummingbird
import Ledger
import Logging
import NIOCore
import Wire

/// Turns every error into OpenAI's error object with its status, and names the invocation in every response.
struct ErrorMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch {
            response = Response(WholeAnswer(to: error, request.head, invocation: context.invocationID, logger: context.logger))
        }
        if response.headers[.invocationID] == nil { response.headers[.invocationID] = "\(context.invocationID)" }
        return response
    }
}

extension Response {
    init(_ answer: WholeAnswer) {
        self.init(status: answer.head.status, headers: answer.head.headerFields, body: .init(byteBuffer: answer.body))
    }
}
