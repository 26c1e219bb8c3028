import Hummingbird
import Ledger

/// Lets in who shows a valid key.
struct KeyMiddleware: RouterMiddleware {
    let keys: KeyCheck

    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        if request.uri.path == SystemRoutes.healthPath { return try await next(request, context) }
        var context = context
        context.caller = try await keys.caller(showing: request.headers)
        if let parent = context.caller?.parent { context.invocationID = parent.invocation }
        return try await next(request, context)
    }
}
