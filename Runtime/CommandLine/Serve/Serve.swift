import ArgumentParser
import FoundationEssentials
import Front
import Glibc
import Ledger
import Logging
import ServiceLifecycle
import Supervisor
import Wire
import SwiftletSystem
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the system: gateway, functions, model hosts, and nginx in front.",
        discussion: "Ctrl-C or SIGTERM lets running calls finish, then stops everything. SIGHUP reads models.yaml and prices.yaml anew.")

    @OptionGroup var state: StateOption

    @OptionGroup var listen: ListenOption

    @Flag(inversion: .prefixedNo, help: "Run nginx. Without it, point your own at the gateway ('swiftlet nginx-config').")
    var nginx = true

    @Option(name: .customLong("http-port"), help: "Also serve plain HTTP on this port of 127.0.0.1, for development.")
    var httpPort: Int?

    @Option(name: .customLong("drain-timeout"), help: "Seconds that running calls have to finish at the end.")
    var drainTimeout: Int = 10

    @Option(name: .customLong("model-memory"), help: "What the models of all hosts together may take, such as 8GiB (default: three quarters of the memory).")
    var modelMemory: ByteSize?

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    func run() async throws {
        let logger = bootstrapLogging()
        if nginx { try listen.address.requireFree() }
        OpenFiles.raiseLimit()
        let directory = state.directory
        let programs = try Programs()
        _ = try ModelCatalog(of: directory)
        let settings = try Settings.read(in: directory)
        try StateLayout.prepare(directory)
        guard let lock = try LockFile(at: "\(directory.path)/serve.lock") else {
            throw CommandError("Another 'swiftlet serve' runs on \(directory.path). Stop it first, or use another --state.")
        }
        try StateLayout.clearSockets(directory)
        for function in BuiltInFunction.all(beside: programs) { try function.install(in: directory.functions) }

        let ledger = try await openLedger(directory, settings, logger)
        let gateway = Gateway(
            state: directory, programs: programs, settings: settings, ledger: ledger,
            tokens: try TokenKey.loadOrCreate(at: directory.tokenKey), modelMemory: modelMemory?.bytes, logger: logger)
        var services = gateway.services(httpPort: httpPort, nginx: NginxService.account(for: directory))
        services.append(ReloadService(gateway: gateway, ledger: ledger, state: directory, logger: logger))
        if nginx {
            services.append(
                NginxService(state: directory, programs: programs, listen: listen.address, drainTimeout: .seconds(drainTimeout), logger: logger))
        }
        let drain = DrainReport(gateway: gateway, timeout: drainTimeout, logger: logger)
        services.append(drain)
        var configuration = ServiceGroupConfiguration(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumCancellationDuration = .seconds(15)
        defer { try? FileManager.default.removeItem(atPath: directory.run) }
        let group = ServiceGroup(configuration: configuration)
        let running = Task { try await group.run() }
        // It says what is cut off, and only then is it.
        let end = Task {
            try await drain.report()
            running.cancel()
        }
        defer { end.cancel() }
        do {
            try await running.value
        } catch {
            await gateway.finish()
            throw error
        }
        await gateway.finish()
        logger.info("stopped")
        _ = consume lock
    }

    private func bootstrapLogging() -> Logger {
        // Without it, the C library looks at the file of the time zone for every line.
        setenv("TZ", ":/etc/localtime", 0)
        let level = logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "swiftlet")
    }

    private func openLedger(_ state: StateDirectory, _ settings: Settings, _ logger: Logger) async throws -> Ledger {
        let ledger = try Ledger(path: state.ledger)
        try await ledger.setDurability(settings.durability)
        try await PriceFile.reload(from: state, into: ledger)
        // The last run's hosts have ended with it, or are just about to.
        let collected = try await ledger.collectTallies(patience: .seconds(2))
        if collected.calls > 0 { logger.notice("\(collected.line)") }
        let left = try await ledger.settleLeftovers()
        if left.invocations > 0 { logger.notice("\(left.line)") }
        return ledger
    }
}

/// An amount such as `512MiB`.
struct ByteSize: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let bytes = ByteCount(argument)?.count, bytes > 0 else { return nil }
        self.bytes = bytes
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
