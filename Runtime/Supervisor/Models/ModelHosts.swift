import Dispatch
import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import SystemPackage

/// Starts a model's host when someone connects to its socket, and again after it ended.
///
/// The socket belongs to the supervisor, so a caller only ever connects: what arrives while no host runs waits in the backlog.
actor ModelHosts {
    private let state: StateDirectory
    private let programs: Programs
    private let logger: Logger
    private var models: [String: Model] = [:]

    private struct Model {
        let file: String
        let socket: FileDescriptor
        var watch: (any DispatchSourceRead)?
        var host: Task<Void, Never>?
        var deaths = 0
    }

    init(state: StateDirectory, programs: Programs, logger: Logger) {
        self.state = state
        self.programs = programs
        self.logger = logger
    }

    /// The socket on which the model `alias` answers.
    static func socket(of alias: String, in state: StateDirectory) -> String { "\(state.run)/model-\(alias).sock" }

    /// Serves exactly `wanted` (alias → file) from now on. A host whose file changed finishes what it has and is replaced.
    func serve(_ wanted: [String: String]) async {
        for (alias, model) in models where wanted[alias] != model.file { await remove(alias) }
        for (alias, file) in wanted.sorted(by: { $0.key < $1.key }) where models[alias] == nil {
            do {
                models[alias] = Model(file: file, socket: try UnixSocket.listen(at: Self.socket(of: alias, in: state)))
                awaitConnection(alias)
            } catch {
                logger.error("the model '\(alias)' cannot be served: \(error)")
            }
        }
    }

    /// Stops every host and waits until each has ended.
    func stop() async {
        for alias in models.keys { await remove(alias) }
    }

    private func remove(_ alias: String) async {
        guard let model = models.removeValue(forKey: alias) else { return }
        model.watch?.cancel()
        model.host?.cancel()
        await model.host?.value
        try? model.socket.close()
        unlink(Self.socket(of: alias, in: state))
    }

    private func awaitConnection(_ alias: String) {
        guard let socket = models[alias]?.socket else { return }
        let watch = DispatchSource.makeReadSource(fileDescriptor: socket.rawValue)
        watch.setEventHandler { [weak self] in
            watch.cancel()
            Task { await self?.start(alias) }
        }
        models[alias]?.watch = watch
        watch.activate()
    }

    private func start(_ alias: String) {
        guard let model = models[alias], model.host == nil else { return }
        let child = ChildProcess(
            name: "host of \(alias)", program: programs.host,
            arguments: ["--model", model.file, "--alias", alias, "--ledger", state.ledger, "--token-key", state.tokenKey],
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"],
            workingDirectory: state.path, input: model.socket, keepsInput: true, logFile: "\(state.log)/model-\(alias).log",
            grace: .seconds(10))
        let launcher = programs.launcher
        let logger = logger
        models[alias]?.host = Task {
            let begun = ContinuousClock.now
            let ending = await child.run(launcher: launcher) { pid in
                logger.info("started \(child.name)", metadata: ["pid": "\(pid)"])
            }
            await self.ended(alias, ending, after: begun.duration(to: .now), log: child.logFile)
        }
    }

    private func ended(_ alias: String, _ ending: ChildProcess.Ending, after lifetime: Duration, log: String) async {
        guard var model = models[alias] else { return }
        model.host = nil
        model.deaths = lifetime < .seconds(10) ? model.deaths + 1 : 0
        models[alias] = model
        logger.warning("the host of \(alias) \(ending); see \(log)")
        // A host that cannot start: who waits is told, and the next caller may try after a growing pause.
        if model.deaths > 1 {
            UnixSocket.refuseWaiting(on: model.socket)
            try? await Task.sleep(for: min(.milliseconds(100) * (1 << min(model.deaths - 2, 7)), .seconds(10)))
        }
        if models[alias] != nil { awaitConnection(alias) }
    }
}
