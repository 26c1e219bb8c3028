import FastCGI
import Hummingbird
import HummingbirdCore
import Identity
import Ledger
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Supervisor
import SwiftletSystem

/// The front door: takes requests by FastCGI from nginx, and by HTTP on a private socket from functions that call functions.
package struct Gateway: Sendable {
    private let clients: LiveRouter
    private let functions: LiveRouter
    private let supervisor: Supervisor
    private let state: StateDirectory
    private let alerts: AlertService?
    private let retention: RetentionService?
    private let logger: Logger

    /// - Parameters:
    ///   - settings: of the whole system.
    ///   - ledger: keys and bills.
    ///   - tokens: signs what functions show to hosts and to the private socket.
    package init(
        state: StateDirectory, programs: Programs, settings: Settings, ledger: Ledger, tokens: TokenKey, logger: Logger
    ) {
        let connections = WorkerConnections(logger: logger)
        let supervisor = Supervisor(
            state: state, programs: programs, reservedRoutes: SystemRoutes.all, logger: logger,
            closeConnections: { connections.forget($0) })
        let invoker = FunctionInvoker(
            ledger: ledger, tokens: tokens, limiter: RateLimiter(), connections: connections, logger: logger)
        let system = SystemRoutes(ledger: ledger, models: { await supervisor.models.map(\.alias) })
        clients = LiveRouter(keys: KeyMiddleware(
                ledger: ledger, tokens: nil, identities: settings.jwt.map { TokenVerifier($0.expectations, keys: $0.keys) }), system: system, invoker: invoker)
        functions = LiveRouter(keys: KeyMiddleware(ledger: ledger, tokens: tokens, identities: nil), system: system, invoker: invoker)
        self.supervisor = supervisor
        alerts = settings.webhook.map { AlertService(ledger: ledger, webhook: $0, logger: logger) }
        retention = settings.retentionDays.map { RetentionService(ledger: ledger, days: $0, logger: logger) }
        self.state = state
        self.logger = logger
    }

    /// Routes that the gateway answers itself and no function can have.
    package static var reservedRoutes: [Route] { SystemRoutes.all }

    /// What nginx connects to.
    package static func socket(in state: StateDirectory) -> String { "\(state.run)/gateway.sock" }

    /// Everything that runs, in the order of starting; it is stopped in reverse, so that requests end before what serves them.
    /// - Parameter httpPort: also serve plain HTTP on this port of the loopback interface, for development without nginx.
    package func services(httpPort: Int?) -> [any Service] {
        var services: [any Service] = [
            SupervisorService(supervisor: supervisor, routers: [clients, functions]),
            application(
                functions, server: .http1(configuration: .init(additionalChannelHandlers: [CloseOnHangUp()])), address: .unixDomainSocket(path: "\(state.run)/internal.sock")),
            application(
                clients, server: .fastCGI(), address: .unixDomainSocket(path: Self.socket(in: state))),
        ]
        if let alerts { services.append(alerts) }
        if let retention { services.append(retention) }
        if let httpPort {
            services.append(application(clients, server: .http1(), address: .hostname("127.0.0.1", port: httpPort)))
        }
        return services
    }

    private func application(_ router: LiveRouter, server: HTTPServerBuilder, address: BindAddress) -> some Service {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .notice)
        return Application(
            responder: router, server: server,
            configuration: .init(address: address, serverName: "swiftlet", backlog: 4096), logger: quiet)
    }
}

/// Keeps the processes and the routes to them.
private struct SupervisorService: Service {
    let supervisor: Supervisor
    let routers: [LiveRouter]

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await supervisor.run() }
                for await functions in supervisor.functions {
                    for router in routers { router.serve(functions) }
                }
            }
        }
    }
}
