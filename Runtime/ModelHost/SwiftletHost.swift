import ArgumentParser
import Hummingbird
import Inference
import Ledger
import Logging
import NIOCore
import ServiceLifecycle
import SwiftletSystem
import SystemPackage
import UnixSignals
import Wire

/// Serves one model over HTTP/1.1 on the listening unix socket that is its standard input.
@main
struct SwiftletHost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "swiftlet-host",
        abstract: "Serve one model on the listening socket that is standard input. 'swiftlet serve' starts it when a model is called.")

    @Option(help: "The model's GGUF file.")
    var model: String

    @Option(help: "The name that callers use for it.")
    var alias: String

    @Option(help: "The ledger that usage is written to.")
    var ledger: String

    @Option(name: .customLong("token-key"), help: "The file with the key that signs invocation tokens.")
    var tokenKey: String

    @Option(name: .customLong("adapter"), help: "A LoRA adapter, NAME=FILE, that callers choose as ALIAS:NAME; can be given several times.")
    var adapters: [NamedFile] = []

    @Option(help: "Threads that compute (default: one per core).")
    var threads: Int?

    @Option(name: .customLong("kv-cache"), help: "How attention's keys and values are kept: f16, q8_0 (half the memory) or f32.")
    var cacheType: Engine.Configuration.CacheType = .f16

    @Option(name: .customLong("kv-cache-size"), help: "Memory for them, such as 4GiB (default: what 16 sequences need, or an eighth of the machine's).")
    var cacheSize: ByteCount?

    @Option(name: .customLong("draft-max"), help: "How many tokens of an answer are guessed at once, at most, from what came before them, and then verified; answers are the same with 0. Models that make embeddings have no use for it.")
    var draftMaximum: Int = 15

    @Option(name: .customLong("drain-timeout"), help: "Seconds that running sequences have to finish after SIGTERM.")
    var drainTimeout: Int = 8

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1.") }
        guard Engine.Configuration.draftRange.contains(draftMaximum) else { throw ValidationError("--draft-max must be from 0 to 15.") }
        if drainTimeout < 0 { throw ValidationError("--drain-timeout must not be negative.") }
    }

    func run() async throws {
        let started = ContinuousClock.now
        guard UnixSocket.isListening(.standardInput) else {
            throw ValidationError("Standard input is not a listening socket. 'swiftlet serve' starts hosts; by hand, bind a unix socket and pass it as descriptor 0.")
        }
        // One thread for all connections: the cores belong to the model.
        NIOSingletons.groupLoopCountSuggestion = 1
        let logger = makeLogger()
        var configuration = Engine.Configuration()
        if let threads { configuration.threads = threads }
        (configuration.cacheType, configuration.cacheBytes) = (cacheType, cacheSize?.count)
        configuration.draftMaximum = draftMaximum
        configuration.adapters = Dictionary(adapters.map { ($0.name, $0.path) }) { _, last in last }
        async let openedLedger = openLedger(logger)
        let engine = try Engine(path: model, configuration: configuration)
        if engine.description.contextLength < engine.description.trainedContextLength {
            logger.warning("the cache has room for \(engine.description.contextLength) of the model's \(engine.description.trainedContextLength) tokens of context; --kv-cache-size, or kv_cache_size in models.yaml, makes it larger")
        }
        for (name, problem) in engine.adapterProblems.sorted(by: { $0.key < $1.key }) {
            logger.error("the adapter '\(name)' can't be used: \(problem)")
        }
        if case .memory(let reason) = engine.pack?.storage {
            logger.warning("the weights are packed in this process's memory, which costs time at each start: \(reason)")
        }
        async let template = chatTemplate(of: engine, logger)
        let ledger = try await openedLedger
        let meter = Meter(ledger: ledger, tally: try Tally(for: ledger, model: alias), logger: logger)
        let host = Host(
            alias: alias, engine: engine, chatTemplate: await template,
            tokenKey: try TokenKey(contentsOf: tokenKey), meter: meter, load: LoadTime(since: started), grammars: Grammars(engine.tokenizer),
            logger: logger)

        let server = HostServer(responder: host.router.buildResponder(), logger: logger)
        var group = ServiceGroupConfiguration(services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(drainTimeout)
        logger.info("serving \(engine.description.name) after \(started.duration(to: .now))")
        try await ServiceGroup(configuration: group).run()
        await meter.settle()
        engine.shutdown()
        logger.info("stopped")
    }

    /// What a host before this one had made and could not enter is entered first.
    private func openLedger(_ logger: Logger) async throws -> Ledger {
        let ledger = try Ledger(path: ledger, creating: false)
        let collected = try await ledger.collectTallies()
        if collected.calls > 0 { logger.notice("\(collected.line)") }
        return ledger
    }

    /// A model whose template is broken still completes text; who asks it to chat is told why not.
    private func chatTemplate(of engine: Engine, _ logger: Logger) -> Result<ChatTemplate, any Error> {
        let template = Result { try ChatTemplate(engine.file.metadata) }
        if engine.description.canGenerate, case .failure(let error) = template { logger.warning("\(alias) cannot chat: \(error)") }
        return template
    }

    private func makeLogger() -> Logger {
        let level = logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        return Logger(label: "host.\(alias)")
    }
}

/// `NAME=FILE`
struct NamedFile: ExpressibleByArgument {
    let name, path: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        (name, path) = (String(parts[0]), String(parts[1]))
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension Engine.Configuration.CacheType: ExpressibleByArgument {}

extension ByteCount: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
