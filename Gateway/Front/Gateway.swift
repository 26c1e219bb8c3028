import FastCGI
import Hummingbird
import HummingbirdCore
import Identity
import Ledger
import Logging
import NIOCore
import NIOPosix
import ResponseCache
import ServiceLifecycle
import Supervisor
import SwiftletSystem

/// The front door: takes requests by FastCGI from nginx, and by HTTP on a private socket from functions that call functions.
package struct Gateway: Sendable {
    private let clients: LiveRouter
    private let functions: LiveRouter
    private let supervisor: Supervisor
    private let unreserved: UnreservedInvocations
    private let state: StateDirectory
    private let alerts: AlertService?
    private let retention: RetentionService?
    private let logger: Logger

    /// - Parameters:
    ///   - settings: of the whole system.
    ///   - ledger: keys and bills.
    ///   - modelMemory: bytes that the models of all hosts together may take; `nil` for three quarters of the machine's.
    ///   - tokens: signs what functions show to hosts and to the private socket.
    package init(
        state: StateDirectory, programs: Programs, settings: Settings, ledger: Ledger, tokens: TokenKey, modelMemory: Int?, logger: Logger
    ) {
        let connections = WorkerConnections(logger: logger)
        let supervisor = Supervisor(
            state: state, programs: programs, reservedRoutes: SystemRoutes.all, modelMemory: modelMemory, logger: logger,
            prove: WorkerProof(connections: connections).prove, closeConnections: { connections.forget($0) })
        let invoker = FunctionInvoker(
            ledger: ledger, tokens: tokens, limiter: RateLimiter(), connections: connections,
            answers: Self.answers(in: state, supervisor, logger), logger: logger)
        let system = SystemRoutes(ledger: ledger, models: { await supervisor.models }, status: { await supervisor.status() }, isReady: { await supervisor.isReady })
        let identities = settings.jwt.map { TokenVerifier($0.expectations, keys: $0.keys) }
        clients = LiveRouter(keys: KeyCheck(ledger: ledger, tokens: nil, identities: identities), system: system, invoker: invoker, logger: logger)
        functions = LiveRouter(keys: KeyCheck(ledger: ledger, tokens: tokens, identities: nil), system: system, invoker: invoker, logger: logger)
        self.supervisor = supervisor
        unreserved = invoker.unreserved
        alerts = settings.webhook.map { AlertService(ledger: ledger, webhook: $0, logger: logger) }
        retention = settings.retentionDays.map { RetentionService(ledger: ledger, days: $0, logger: logger) }
        self.state = state
        self.logger = logger
    }

    /// Without a place for it, every call runs.
    private static func answers(in state: StateDirectory, _ supervisor: Supervisor, _ logger: Logger) -> AnswerCache? {
        do {
            return AnswerCache(
                store: try ResponseCache(path: state.responseCache), sources: { await supervisor.sources(of: $0) }, logger: logger)
        } catch {
            logger.error("no answers are kept: \(error)")
            return nil
        }
    }

    static let serverName = "swiftlet"

    /// Routes that the gateway answers itself and no function can have.
    package static var reservedRoutes: [Route] { SystemRoutes.all }

    /// What nginx connects to.
    package static func socket(in state: StateDirectory) -> String { "\(state.run)/gateway.sock" }

    /// Everything that runs, in the order of starting; it is stopped in reverse, so that requests end before what serves them.
    /// - Parameters:
    ///   - httpPort: also serve plain HTTP on this port of the loopback interface, for development without nginx.
    ///   - nginx: the user that nginx's workers run as, where that is another one than we are.
    package func services(httpPort: Int?, nginx: Account?) -> [any Service] {
        let (internalSocket, clientSocket) = ("\(state.run)/internal.sock", Self.socket(in: state))
        let (supervisor, controlSocket) = (supervisor, state.controlSocket)
        let (clients, functions) = (clients, functions)
        var fastCGI = FastCGIChannel.Configuration()
        fastCGI.additionalHandlers = { [FunctionGate(clients, isHTTP: false)] }
        var services: [any Service] = [
            SupervisorService(supervisor: supervisor, routers: [clients, functions]),
            application(
                ControlRoutes(supervisor: supervisor).responder, server: .http1(), address: .unixDomainSocket(path: controlSocket)
            ) { try supervisor.closeToFunctions(controlSocket) },
            application(
                functions, server: .http1(configuration: .init(additionalChannelHandlers: [CloseOnHangUp(), FunctionGate(functions, isHTTP: true)])),
                address: .unixDomainSocket(path: internalSocket)
            ) { try supervisor.openToFunctions(internalSocket) },
            application(clients, server: .fastCGI(configuration: fastCGI), address: .unixDomainSocket(path: clientSocket)) { try nginx?.own(clientSocket) },
        ]
        if let alerts { services.append(alerts) }
        if let retention { services.append(retention) }
        if let httpPort {
            services.append(application(
                clients, server: .http1(configuration: .init(additionalChannelHandlers: [CloseOnHangUp(), FunctionGate(clients, isHTTP: true)])),
                address: .hostname("127.0.0.1", port: httpPort)))
        }
        return services
    }

    /// For the end, when no service runs any more: returns when all that was answered is in the ledger, or cannot be written to it.
    package func finish() async {
        let patience = Duration.seconds(Ledger.busyTimeout + 5)
        if await !unreserved.awaitAll(patience: patience) {
            logger.error("the ledger lacks invocations that cost nothing: it could not be written for \(patience)")
        }
    }

    /// Reads `models.yaml` anew and tries again what was refused.
    package func reload() async { await supervisor.reload() }

    /// The calls that have a worker or wait for one, by function.
    package func runningCalls() async -> [String: Int] {
        let running = await supervisor.status().functions.map { function in
            (function.name, function.versions.reduce(0) { $0 + $1.waiting + $1.workers.reduce(0) { $0 + $1.running } })
        }
        return Dictionary(running.filter { $0.1 > 0 }, uniquingKeysWith: +)
    }

    /// - Parameter listening: called when the address is bound.
    private func application(
        _ router: some HTTPResponder<GatewayContext>, server: HTTPServerBuilder, address: BindAddress,
        listening: @escaping @Sendable () throws -> Void = {}
    ) -> some Service {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .notice)
        return Application(
            responder: router, server: server,
            configuration: .init(address: address, serverName: Self.serverName, backlog: 4096),
            onServerRunning: { [logger] _ in
                do { try listening() } catch { logger.error("\(error)") }
            }, logger: quiet)
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
