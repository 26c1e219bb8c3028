import HTTPTypes
import Hummingbird
import Supervisor
import Synchronization
import Wire

/// A Hummingbird router that is built anew whenever the set of functions changes; requests under way keep the one they came by.
final class LiveRouter: HTTPResponder, Sendable {
    typealias Context = GatewayContext

    private let current: Mutex<any HTTPResponder<GatewayContext>>
    private let keys: KeyMiddleware
    private let system: SystemRoutes
    private let invoker: FunctionInvoker

    init(keys: KeyMiddleware, system: SystemRoutes, invoker: FunctionInvoker) {
        self.keys = keys
        self.system = system
        self.invoker = invoker
        self.current = Mutex(Self.responder(for: [], keys: keys, system: system, invoker: invoker))
    }

    func serve(_ functions: [ServedFunction]) {
        let responder = Self.responder(for: functions, keys: keys, system: system, invoker: invoker)
        current.withLock { $0 = responder }
    }

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        try await current.withLock { $0 }.respond(to: request, context: context)
    }

    private static func responder(
        for functions: [ServedFunction], keys: KeyMiddleware, system: SystemRoutes, invoker: FunctionInvoker
    ) -> any HTTPResponder<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: keys)
        system.add(to: router)
        var methods: [String: (path: String, taken: Set<String>)] = [:]
        for route in SystemRoutes.all { methods[route.shape, default: (route.path, [])].taken.insert(route.method) }
        for function in functions {
            for route in function.routes {
                router.on(.init(route.path), method: .init(route.method)!) { request, context in
                    guard let key = context.caller?.key, let version = function.runner(for: route, key: key) else { throw APIError.internalError }
                    var response: Response
                    do {
                        response = try await invoker.respond(to: request, context: context, function: version, route: route)
                    } catch {
                        response = ErrorMiddleware.response(to: error, request: request, context: context)
                    }
                    response.headers[.functionVersion] = version.version
                    return response
                }
                methods[route.shape, default: (route.path, [])].taken.insert(route.method)
            }
        }
        for (path, taken) in methods.values {
            let allowed = taken.union(taken.contains("GET") ? ["HEAD"] : [])
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] where !allowed.contains(method) {
                router.on(.init(path), method: .init(method)!) { request, _ in
                    var response = ErrorMiddleware.response(
                        for: APIError(
                            status: 405,
                            message: "Not allowed to \(method) on \(request.uri.path); it takes \(allowed.sorted().joined(separator: ", ")).",
                            type: "invalid_request_error", code: "method_not_allowed"))
                    response.headers[.allow] = allowed.sorted().joined(separator: ", ")
                    return response
                }
            }
        }
        return router.buildResponder()
    }
}
