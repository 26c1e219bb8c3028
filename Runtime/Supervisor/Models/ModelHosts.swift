import Dispatch
import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import SystemPackage
import Wire

/// Runs the models' hosts: carries out what the ``ModelPool`` decides.
///
/// A model's socket belongs to the supervisor, so a caller only ever connects: what arrives while no host runs waits in the backlog.
actor ModelHosts {
    private let state: StateDirectory
    private let programs: Programs
    private let isolation: Isolation
    private let logger: Logger
    private var pool: ModelPool
    private var models: [String: Model] = [:]
    private var timer: Task<Void, Never>?
    private var isStopping = false
    private var preloads: [String: [CheckedContinuation<Void, any Error>]] = [:]

    private struct Model {
        var entry: ModelCatalog.Entry
        let socket: FileDescriptor
        var watch: (any DispatchSourceRead)?
        var host: Host?
    }

    private struct Host {
        let task: Task<Void, Never>
        var monitor: Task<Void, Never>?
        var pid: pid_t?
        let source: ModelSource
        /// Set when it is asked to end before its process is known.
        var signal: Int32?
        var health = HostHealth()
    }

    /// - Parameter memory: bytes that the models of all hosts together may take.
    init(state: StateDirectory, programs: Programs, isolation: Isolation, memory: Int, logger: Logger) {
        self.isolation = isolation
        self.state = state
        self.programs = programs
        self.logger = logger
        self.pool = ModelPool(budget: memory)
    }

    /// The socket on which the model `alias` answers.
    static func socket(of alias: String, in state: StateDirectory) -> String { "\(state.run)/model-\(alias).sock" }

    /// Serves exactly `wanted` from now on. A host whose file or options changed finishes what it has and is replaced; callers wait meanwhile.
    func serve(_ wanted: [ModelCatalog.Entry]) {
        var settings: [String: ModelPool.Settings] = [:]
        var actions: [ModelPool.Action] = []
        for entry in wanted {
            if let model = models[entry.alias] {
                models[entry.alias]?.entry = entry
                if (model.entry.path, model.entry.hostOptions) != (entry.path, entry.hostOptions) { actions += pool.replace(entry.alias) }
            } else {
                do {
                    let socket = Self.socket(of: entry.alias, in: state)
                    models[entry.alias] = Model(entry: entry, socket: try UnixSocket.listen(at: socket))
                    try isolation.open(socket, of: entry.alias)
                } catch {
                    logger.error("the model '\(entry.alias)' cannot be served: \(error)")
                    continue
                }
            }
            settings[entry.alias] = ModelPool.Settings(
                memory: entry.memory ?? Self.size(of: entry.path), keepWarm: entry.keepWarm, stallTimeout: entry.stallTimeout)
        }
        perform(actions + pool.serve(settings, at: .now))
        forgetRemoved()
    }

    /// Makes the model warm and keeps it so for its time, although nobody has called it yet. Returns when it is.
    /// - Throws: ``UnknownModel``; ``ModelFailed``.
    func preload(_ alias: String) async throws {
        guard let model = models[alias] else { throw UnknownModel(alias: alias) }
        let actions = pool.preload(alias, for: model.entry.keepWarm ?? .seconds(900), at: .now)
        guard pool.phase(of: alias) != .warm else { return perform(actions) }
        try await withCheckedThrowingContinuation { continuation in
            preloads[alias, default: []].append(continuation)
            perform(actions)
        }
    }

    func status() -> [SystemStatus.ModelStatus] {
        models.keys.sorted().compactMap { alias in
            guard let model = models[alias], let phase = pool.phase(of: alias) else { return nil }
            let idle = pool.idleSince(alias).map { $0.duration(to: .now) / .seconds(1) } ?? 0
            return SystemStatus.ModelStatus(
                alias: alias, file: model.entry.file, state: .init(phase), process: model.host?.pid, running: model.host?.health.running ?? 0,
                waiting: model.host?.health.waiting ?? 0, size: model.entry.memory ?? Self.size(of: model.entry.path),
                memory: model.host?.pid.map(ProcessMemory.ofProcess) ?? 0, idle: idle)
        }
    }

    /// What answers as the model `alias`; `nil` when there is no such model.
    func source(of alias: String) -> ModelSource? {
        models[alias].map { $0.host?.source ?? source(of: $0.entry) }
    }

    private func source(of entry: ModelCatalog.Entry) -> ModelSource {
        ModelSource(files: ([entry.path] + entry.adapterPaths + [programs.host]).map(ModelSource.File.init), options: entry.hostOptions)
    }

    /// Stops every host and waits until each has ended.
    func stop() async {
        isStopping = true
        timer?.cancel()
        let hosts = models.values.compactMap(\.host)
        for host in hosts {
            host.monitor?.cancel()
            host.task.cancel()
        }
        for host in hosts { await host.task.value }
        for (alias, model) in models {
            model.watch?.cancel()
            try? model.socket.close()
            unlink(Self.socket(of: alias, in: state))
        }
        models = [:]
    }

    // MARK: Actions

    private func perform(_ actions: [ModelPool.Action]) {
        for action in actions {
            switch action {
            case .start(let alias): start(alias)
            case .retire(let alias):
                logger.info("the host of \(alias) makes room or is not needed any more")
                signal(alias, SIGTERM)
            case .kill(let alias):
                logger.error("the host of \(alias) makes no progress and is replaced; see \(logFile(of: alias))")
                signal(alias, SIGKILL)
            case .refuse(let alias):
                if let socket = models[alias]?.socket { UnixSocket.refuseWaiting(on: socket) }
                settle(alias, .failure(ModelFailed(alias: alias, log: logFile(of: alias))))
            case .listen(let alias): listen(alias)
            }
        }
        timer?.cancel()
        guard let next = pool.nextEvent(after: .now) else { return timer = nil }
        timer = Task {
            try? await Task.sleep(until: next, clock: .continuous)
            if !Task.isCancelled { self.perform(self.pool.tick(at: .now)) }
        }
    }

    private func listen(_ alias: String) {
        guard let socket = models[alias]?.socket else { return }
        models[alias]?.watch?.cancel()
        let watch = DispatchSource.makeReadSource(fileDescriptor: socket.rawValue)
        watch.setEventHandler { [weak self] in
            watch.cancel()
            Task { await self?.connected(alias) }
        }
        models[alias]?.watch = watch
        watch.activate()
    }

    private func connected(_ alias: String) {
        models[alias]?.watch = nil
        perform(pool.wanted(alias, at: .now))
    }

    private func start(_ alias: String) {
        guard let model = models[alias] else { return }
        model.watch?.cancel()
        let child = ChildProcess(
            name: "host of \(alias)", program: programs.host,
            // When it has to go, the pool has time: calls end by their own deadlines.
            arguments: [
                "--model", model.entry.path, "--alias", alias, "--ledger", state.ledger, "--token-key", state.tokenKey,
                "--drain-timeout", "86400",
            ] + model.entry.hostOptions,
            environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"],
            workingDirectory: state.path, input: model.socket, keepsInput: true, logFile: logFile(of: alias), grace: .seconds(10))
        let source = source(of: model.entry)
        let launcher = programs.launcher
        let logger = logger
        let task = Task {
            let ending = await child.run(launcher: launcher) { pid in
                logger.info("started \(child.name)", metadata: ["pid": "\(pid)"])
                Task { await self.started(alias, pid) }
            }
            self.ended(alias, ending)
        }
        models[alias]?.host = Host(task: task, source: source)
    }

    private func started(_ alias: String, _ pid: pid_t) {
        guard models[alias]?.host != nil else { return }
        models[alias]?.host?.pid = pid
        if let signal = models[alias]?.host?.signal { kill(pid, signal) }
        let socket = Self.socket(of: alias, in: state)
        models[alias]?.host?.monitor = Task {
            await HostHealth.watch(socket) { health in await self.heard(alias, health) }
        }
    }

    private func heard(_ alias: String, _ health: HostHealth) {
        models[alias]?.host?.health = health
        if pool.phase(of: alias) == .loading {
            perform(pool.ready(alias, at: .now))
            settle(alias, .success(()))
        }
        perform(pool.report(alias, active: health.running + health.waiting, progress: health.steps, at: .now))
    }

    private func signal(_ alias: String, _ number: Int32) {
        if let pid = models[alias]?.host?.pid { kill(pid, number) } else { models[alias]?.host?.signal = number }
    }

    private func ended(_ alias: String, _ ending: ChildProcess.Ending) {
        let wasTold = isStopping || pool.phase(of: alias) == .closing
        models[alias]?.host?.monitor?.cancel()
        models[alias]?.host = nil
        if wasTold {
            logger.info("the host of \(alias) \(ending)")
        } else {
            logger.warning("the host of \(alias) \(ending); see \(logFile(of: alias))")
        }
        perform(pool.ended(alias, at: .now))
        forgetRemoved()
    }

    /// Lets go of the sockets of models that are not named any more and whose hosts have ended.
    private func forgetRemoved() {
        for (alias, model) in models where pool.phase(of: alias) == nil {
            model.watch?.cancel()
            try? model.socket.close()
            unlink(Self.socket(of: alias, in: state))
            models[alias] = nil
            settle(alias, .failure(UnknownModel(alias: alias)))
        }
    }

    private func settle(_ alias: String, _ result: Result<Void, any Error>) {
        for waiter in preloads.removeValue(forKey: alias) ?? [] { waiter.resume(with: result) }
    }

    private func logFile(of alias: String) -> String { "\(state.log)/model-\(alias).log" }

    private static func size(of path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}

package struct UnknownModel: Error, CustomStringConvertible {
    let alias: String
    package var description: String { "there is no model '\(alias)'; models.yaml names those there are" }
}

package struct ModelFailed: Error, CustomStringConvertible {
    let alias: String
    let log: String
    package var description: String { "the host of '\(alias)' cannot run; see \(log)" }
}

extension SystemStatus.ModelStatus.State {
    init(_ phase: ModelPool.Phase) {
        self = switch phase {
        case .cold: .cold
        case .waiting: .waiting
        case .loading: .loading
        case .warm: .warm
        case .closing: .closing
        }
    }
}
