import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import Wire

/// Decides what runs: the functions in the functions folder, their workers, and the hosts of the models.
package actor Supervisor {
    /// All functions that serve, whenever that set changes.
    package nonisolated let functions: AsyncStream<[ServedFunction]>
    let deployments: Deployments
    let hosts: ModelHosts
    private let isolation: Isolation
    private let state: StateDirectory
    private let logger: Logger
    private let functionsChanged: AsyncStream<[ServedFunction]>.Continuation
    private let wake: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let started = ContinuousClock.now
    private var modelsText: Data?
    private var modelEntries: [ModelCatalog.Entry] = []
    /// Whether everything that lay in the functions folder at the start serves or was refused.
    package private(set) var isReady = false

    /// How often the folders are looked at where no change is reported: some file systems report none.
    static let lookInterval = Duration.seconds(2)

    /// - Parameters:
    ///   - reservedRoutes: routes that no function can have.
    ///   - modelMemory: bytes that the models of all hosts together may take; `nil` for three quarters of the machine's.
    ///   - prove: lets a new version show that it works.
    ///   - closeConnections: gets the socket of a worker that takes no more requests.
    package init(
        state: StateDirectory, programs: Programs, reservedRoutes: [Route], modelMemory: Int?, logger: Logger, prove: @escaping FunctionProof,
        closeConnections: @escaping @Sendable (_ socket: String) -> Void
    ) {
        self.state = state
        self.logger = logger
        (functions, functionsChanged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        wake = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        isolation = Isolation(state: state, programs: programs, logger: logger)
        hosts = ModelHosts(
            state: state, programs: programs, isolation: isolation, memory: modelMemory ?? sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / 4 * 3,
            logger: logger)
        deployments = Deployments(
            environment: WorkerEnvironment(isolation: isolation, state: state, programs: programs, memoryGroups: MemoryGroups(logger: logger), closeConnections: closeConnections),
            reservedRoutes: reservedRoutes, prove: prove, logger: logger,
            changed: { [functionsChanged] in functionsChanged.yield($0) })
    }

    /// Watches the functions and the models until the task is cancelled; then stops every process and returns when all have ended.
    package func run() async {
        await loadModels()
        await deployments.start(models: aliases)
        isReady = true
        let watch = makeWatch()
        wake.continuation.yield()
        for await _ in wake.stream {
            await loadModels()
            watch?.add(state.path)
            watch?.add(state.functions)
            for folder in FunctionFolder.list(state.functions) { watch?.add(folder.path) }
            let unsettled = await deployments.look(models: aliases)
            await deployments.forgetDrained()
            lookAgain(after: unsettled ? .milliseconds(50) : Self.lookInterval)
        }
        functionsChanged.finish()
        await withDiscardingTaskGroup { group in
            group.addTask { await self.deployments.stop() }
            group.addTask { await self.hosts.stop() }
        }
    }

    private var nextLook: Task<Void, Never>?

    private func lookAgain(after pause: Duration) {
        nextLook?.cancel()
        nextLook = Task { [wake] in
            try? await Task.sleep(for: pause)
            if !Task.isCancelled { wake.continuation.yield() }
        }
    }

    private func makeWatch() -> DirectoryWatch? {
        do {
            return try DirectoryWatch { [wake] in wake.continuation.yield() }
        } catch {
            logger.notice("\(error); they are looked at every \(Self.lookInterval)")
            return nil
        }
    }

    /// Opens the gateway's socket for functions that call functions.
    package nonisolated func openToFunctions(_ socket: String) throws { try isolation.openInternal(socket) }

    /// Closes a socket to everyone but us.
    package nonisolated func closeToFunctions(_ socket: String) throws { try isolation.close(socket) }

    /// Reads `models.yaml` anew and tries again what was refused.
    package func reload() async {
        modelsText = nil
        await deployments.forgetRefusals()
        wake.continuation.yield()
    }

    // MARK: Models

    /// The names of the models, as `models.yaml` has them, each with those of its adapters behind it.
    package var models: [ModelName] {
        modelEntries.flatMap { entry in
            ([nil] + entry.adapters).map { ModelName(alias: entry.alias, adapter: $0) }
        }
    }

    private var aliases: Set<String> { Set(modelEntries.map(\.alias)) }

    /// What answers as each of these models; `nil` when there is none of one of them.
    package nonisolated func sources(of models: [String]) async -> [ModelSource]? {
        var sources: [ModelSource] = []
        for model in models {
            guard let source = await hosts.source(of: model) else { return nil }
            sources.append(source)
        }
        return sources
    }

    private func loadModels() async {
        let text = FileManager.default.contents(atPath: state.modelsFile) ?? Data()
        guard text != modelsText else { return }
        modelsText = text
        do {
            modelEntries = try ModelCatalog(of: state).entries
            await hosts.serve(modelEntries)
        } catch {
            logger.error("\(error); the models stay as they were")
        }
    }
}

// MARK: Commands

extension Supervisor {
    package func status() async -> SystemStatus {
        SystemStatus(
            process: getpid(), uptime: started.duration(to: .now) / .seconds(1), memory: ProcessMemory.ofProcess(getpid()),
            functions: await deployments.status(), models: await hosts.status())
    }
}

extension Supervisor {
    /// Deploys the prepared folder `staged`, beside the functions folder's others, as the function `name`.
    /// - Returns: the name of the version that has all traffic now, such as `v4`.
    /// - Throws: why it was refused; then nothing has changed.
    package func deploy(_ name: String, from staged: String) async throws -> String {
        try await deployments.deploy(name, from: staged).name
    }

    /// Gives a function's traffic to the version before.
    /// - Returns: the version's name.
    package func rollback(_ name: String) async throws -> String { try await deployments.rollback(name).name }

    /// Makes a model warm, and returns when it is.
    package func preload(_ model: String) async throws { try await hosts.preload(model) }

    /// Splits a function's traffic.
    /// - Parameter shares: percent by version number.
    package func split(_ name: String, _ shares: [Int: Int]) async throws { try await deployments.split(name, shares) }
}
