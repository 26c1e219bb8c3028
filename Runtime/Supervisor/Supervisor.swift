import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem

/// Decides what runs: the functions in the functions folder, their workers, and the hosts of the models.
package actor Supervisor {
    private let state: StateDirectory
    private let logger: Logger
    private let environment: WorkerEnvironment
    private let hosts: ModelHosts
    private let reservedRoutes: [Route]
    /// All functions that serve, whenever that set changes.
    package nonisolated let functions: AsyncStream<[FunctionRunner]>
    private let functionsChanged: AsyncStream<[FunctionRunner]>.Continuation
    private var serving: [String: FunctionRunner] = [:]
    /// Replaced or removed versions that still have workers.
    private var draining: [FunctionRunner] = []
    private var lastScan: [String: String] = [:]
    private var reported: [String: ManifestError] = [:]
    private var modelsText: Data?
    private var modelEntries: [(alias: String, file: String)] = []

    /// How often the folders are looked at. A change is taken when two looks in a row see the same, so within two of them.
    static let scanInterval = Duration.milliseconds(250)

    /// - Parameters:
    ///   - reservedRoutes: routes that no function can have.
    ///   - closeConnections: gets the socket of a worker that takes no more requests.
    package init(
        state: StateDirectory, programs: Programs, reservedRoutes: [Route], logger: Logger,
        closeConnections: @escaping @Sendable (_ socket: String) -> Void
    ) {
        self.state = state
        self.logger = logger
        self.environment = WorkerEnvironment(state: state, programs: programs, closeConnections: closeConnections)
        self.hosts = ModelHosts(state: state, programs: programs, logger: logger)
        self.reservedRoutes = reservedRoutes
        (functions, functionsChanged) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Watches the functions and the models until the task is cancelled; then stops every process and returns when all have ended.
    package func run() async {
        await loadModels()
        // What lies there at start is settled.
        lastScan = Dictionary(folders().map { ($0.path, $0.fingerprint) }) { $1 }
        while !Task.isCancelled {
            await scan()
            try? await Task.sleep(for: Self.scanInterval)
            await loadModels()
        }
        functionsChanged.finish()
        let runners = Array(serving.values) + draining
        await withDiscardingTaskGroup { group in
            for runner in runners { group.addTask { await runner.stop() } }
            group.addTask { await self.hosts.stop() }
        }
    }

    /// The models there are, as `models.yaml` names them.
    package var models: [(alias: String, file: String)] { modelEntries }

    // MARK: Functions

    private func scan() async {
        let folders = folders()
        let settled = folders.filter { lastScan[$0.path] == $0.fingerprint }
        lastScan = Dictionary(folders.map { ($0.path, $0.fingerprint) }) { $1 }
        var changed = false

        for folder in settled where serving[folder.path]?.version != folder.fingerprint {
            switch folder.manifest {
            case .success(let manifest):
                reported[folder.path] = nil
                await retire(folder.path)
                let runner = FunctionRunner(
                    manifest: manifest, folder: folder.path, version: folder.fingerprint, environment: environment, logger: logger)
                serving[folder.path] = runner
                await runner.start()
                changed = true
                logger.info("serving \(manifest.name)", metadata: ["routes": "\(manifest.routes.map(\.description).joined(separator: ", "))"])
            case .failure(let error) where reported[folder.path] != error:
                reported[folder.path] = error
                logger.error("\(error)\(serving[folder.path] == nil ? "" : "; the version before it goes on serving")")
            case .failure: break
            }
        }
        for path in serving.keys where !folders.contains(where: { $0.path == path }) {
            logger.info("removing \(serving[path]?.manifest.name ?? path)")
            await retire(path)
            changed = true
        }
        if changed { functionsChanged.yield(serving.values.sorted { $0.manifest.name < $1.manifest.name }) }
        await forgetDrained()
    }

    private func folders() -> [FunctionFolder] {
        FunctionFolder.scan(state.functions, reserved: reservedRoutes, models: Set(modelEntries.map(\.alias)))
    }

    private func retire(_ path: String) async {
        guard let runner = serving.removeValue(forKey: path) else { return }
        draining.append(runner)
        await runner.drain()
    }

    private func forgetDrained() async {
        var left: [FunctionRunner] = []
        for runner in draining where await runner.workerCount > 0 { left.append(runner) }
        draining = left
    }

    // MARK: Models

    private func loadModels() async {
        let text = FileManager.default.contents(atPath: state.modelsFile)
        guard text != modelsText else { return }
        modelsText = text
        do {
            let catalog = try ModelCatalog(of: state)
            modelEntries = catalog.entries.map { ($0.alias, $0.path) }
            await hosts.serve(Dictionary(modelEntries) { $1 })
        } catch {
            logger.error("\(error); the models stay as they were")
        }
    }
}
