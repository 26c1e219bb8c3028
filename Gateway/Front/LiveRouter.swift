import HTTPTypes
import Hummingbird
import Ledger
import Logging
import Supervisor
import Synchronization
import Wire

/// Which function a request calls, by which of its routes.
typealias FunctionMatch = RouteTable<ServedFunction>.Match

/// Where requests go, built anew whenever the set of functions changes: calls of functions to the ``FunctionInvoker``, all others to a
/// Hummingbird router.
final class LiveRouter: HTTPResponder, Sendable {
    typealias Context = GatewayContext

    private struct Routes {
        let functions: RouteTable<ServedFunction>
        let others: any HTTPResponder<GatewayContext>
    }

    private let current: Mutex<Routes>
    private let keys: KeyCheck
    private let system: SystemRoutes
    private let invoker: FunctionInvoker
    let logger: Logger

    init(keys: KeyCheck, system: SystemRoutes, invoker: FunctionInvoker, logger: Logger) {
        self.keys = keys
        self.system = system
        self.invoker = invoker
        self.logger = logger
        self.current = Mutex(Routes(functions: RouteTable([]), others: Self.responder(beside: [], keys: keys, system: system)))
    }

    func serve(_ functions: [ServedFunction]) {
        let routes = Routes(
            functions: RouteTable(functions.flatMap { function in function.routes.map { ($0, function) } }, beside: SystemRoutes.all),
            others: Self.responder(beside: functions, keys: keys, system: system))
        current.withLock { $0 = routes }
    }

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        try await current.withLock { $0.others }.respond(to: request, context: context)
    }

    /// The function that a request calls, if it calls one.
    func match(_ request: HTTPRequest) -> FunctionMatch? { current.withLock { $0.functions }.match(request) }

    /// Answers a call of a function.
    func call(_ match: FunctionMatch, for client: ClientExchange) async {
        do {
            let caller = try await keys.caller(showing: client.request.headerFields)
            if let parent = caller.parent { client.belongs(to: parent.invocation) }
            guard let runner = match.target.runner(for: match.route, key: caller.key) else { throw APIError.internalError }
            client.setVersion(runner.version)
            try await invoker.call(runner, match, for: caller, client)
        } catch {
            await client.fail(error)
        }
    }

    /// - Parameter functions: whose paths are known, but not with all methods.
    private static func responder(
        beside functions: [ServedFunction], keys: KeyCheck, system: SystemRoutes
    ) -> any HTTPResponder<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: KeyMiddleware(keys: keys))
        system.add(to: router)
        var methods: [String: (path: String, taken: Set<String>)] = [:]
        for route in SystemRoutes.all { methods[route.shape, default: (route.path, [])].taken.insert(route.method) }
        for function in functions {
            for route in function.routes { methods[route.shape, default: (route.path, [])].taken.insert(route.method) }
        }
        for (path, taken) in methods.values {
            let allowed = taken.union(taken.contains("GET") ? ["HEAD"] : [])
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] where !allowed.contains(method) {
                router.on(.init(path), method: .init(method)!) { request, _ in
                    var response = Response(WholeAnswer(
                        to: APIError(
                            status: 405,
                            message: "Not allowed to \(method) on \(request.uri.path); it takes \(allowed.sorted().joined(separator: ", ")).",
                            type: "invalid_request_error", code: "method_not_allowed")))
                    response.headers[.allow] = allowed.sorted().joined(separator: ", ")
                    return response
                }
            }
        }
        return router.buildResponder()
    }
}
