import FoundationEssentials
import Logging
import SwiftletSystem

/// Takes versions of functions from the functions folder, and runs those that have traffic.
///
/// A version is copied, started and proven before a request reaches it. One that is refused changes nothing: what served before serves on.
actor Deployments {
    private let state: StateDirectory
    private let store: VersionStore
    private let environment: WorkerEnvironment
    private let reservedRoutes: [Route]
    private let prove: FunctionProof
    private let logger: Logger
    private let changed: @Sendable ([ServedFunction]) -> Void

    /// By the name of the folder.
    private var functions: [String: Function] = [:]
    /// Since when each folder looks as it does.
    private var looks: [String: (folder: FunctionFolder, since: ContinuousClock.Instant)] = [:]
    private var models: Set<String> = []
    /// Runners without traffic that still have workers.
    private var draining: [(function: String, number: Int, runner: FunctionRunner)] = []

    private struct Function {
        var history: FunctionHistory
        var runners: [Int: FunctionRunner] = [:]
        var refusal: Refusal?
        /// A deployment that is under way.
        var deployment: Task<Void, Never>?
    }

    /// Why a version was not taken; tried again when the folder or the models change.
    private struct Refusal {
        let stamp: String
        let models: Set<String>
        let reason: String
    }

    /// How long a folder must look the same before it is taken: a copy that is under way is not.
    static let settleTime = Duration.milliseconds(250)

    /// - Parameter changed: gets all functions that serve, whenever that set changes.
    init(
        environment: WorkerEnvironment, reservedRoutes: [Route], prove: @escaping FunctionProof, logger: Logger,
        changed: @escaping @Sendable ([ServedFunction]) -> Void
    ) {
        state = environment.state
        store = VersionStore(state: environment.state)
        self.environment = environment
        self.reservedRoutes = reservedRoutes
        self.prove = prove
        self.logger = logger
        self.changed = changed
    }

    // MARK: The functions folder

    /// Serves what the last run served, takes what lies in the functions folder, and returns when all of it serves or is refused.
    func start(models: Set<String>) async {
        self.models = models
        for folder in FunctionFolder.list(state.functions) {
            let history = store.history(of: folder.name)
            store.removeAll(of: folder.name, but: history.versions.map(\.number))
            functions[folder.name] = Function(history: history)
            // What lies there at start is settled.
            looks[folder.name] = (folder, .now - Self.settleTime)
            if history.newest != nil { await activate(folder.name) }
        }
        look(models: models)
        for function in functions.values { await function.deployment?.value }
        publish()
    }

    /// Looks at the functions folder, and begins to deploy what is new and settled.
    /// - Returns: whether something is not settled yet.
    @discardableResult
    func look(models: Set<String>) -> Bool {
        self.models = models
        let now = ContinuousClock.now
        let folders = FunctionFolder.list(state.functions)
        var unsettled = false
        for folder in folders {
            if looks[folder.name]?.folder != folder { looks[folder.name] = (folder, now) }
            guard let since = looks[folder.name]?.since, since + Self.settleTime <= now else {
                unsettled = true
                continue
            }
            var function = functions[folder.name] ?? Function(history: store.history(of: folder.name))
            if function.deployment == nil, function.history.stamp != folder.stamp, !isRefused(function, folder) {
                function.deployment = Task { await self.takeOver(folder) }
                functions[folder.name] = function
            }
            unsettled = unsettled || function.deployment != nil
        }
        for name in looks.keys where !folders.contains(where: { $0.name == name }) {
            looks[name] = nil
            remove(name)
        }
        return unsettled
    }

    /// Tries again what was refused.
    func forgetRefusals() {
        for name in functions.keys { functions[name]?.refusal = nil }
    }

    private func isRefused(_ function: Function, _ folder: FunctionFolder) -> Bool {
        function.refusal.map { $0.stamp == folder.stamp && $0.models == models } ?? false
    }

    private func takeOver(_ folder: FunctionFolder) async {
        do {
            try await take(folder.name, from: folder.path, stamp: folder.stamp)
        } catch is FolderChanged {
            // It is looked at again.
        } catch {
            refuse(folder.name, folder.stamp, "\(error)")
        }
        functions[folder.name]?.deployment = nil
        if looks[folder.name] == nil { remove(folder.name) }
    }

    private func refuse(_ name: String, _ stamp: String, _ reason: String) {
        functions[name]?.refusal = Refusal(stamp: stamp, models: models, reason: reason)
        logger.error("\(reason)\(functions[name]?.runners.isEmpty == false ? "; the version before it goes on serving" : "")")
    }

    private func remove(_ name: String) {
        guard var function = functions[name], function.deployment == nil else { return }
        logger.info("removing \(name)")
        for (number, runner) in function.runners { retire(runner, number, of: name) }
        store.removeAll(of: name, but: Array(function.runners.keys))
        function.history.removeAll()
        if function.history.nextNumber > 1 { try? store.save(function.history, of: name) }
        functions[name] = nil
        publish()
    }

    // MARK: Commands

    /// Deploys the folder `staged` as the function `name` and puts it into the functions folder.
    /// - Returns: the version that has all traffic now.
    /// - Throws: why it was refused; then nothing has changed.
    func deploy(_ name: String, from staged: String) async throws -> FunctionHistory.Version {
        while let running = functions[name]?.deployment { await running.value }
        if functions[name] == nil { functions[name] = Function(history: store.history(of: name)) }
        let result = Task {
            try await take(name, from: staged, stamp: FunctionFolder(name: name, path: staged).stamp)
            try exchange(staged, with: "\(state.functions)/\(name)")
            let placed = FunctionFolder(name: name, path: "\(state.functions)/\(name)")
            looks[name] = (placed, .now)
            functions[name]?.history.stamp = placed.stamp
            try save(name)
        }
        functions[name]?.deployment = Task { _ = await result.result }
        defer {
            functions[name]?.deployment = nil
            // A function that was not there goes again with its refusal.
            if functions[name]?.history.newest == nil, looks[name] == nil { functions[name] = nil }
        }
        do {
            try await result.value
        } catch {
            logger.error("the deployment of '\(name)' was refused: \(error)")
            throw error
        }
        guard let newest = functions[name]?.history.newest else { throw FolderChanged() }
        return newest
    }

    /// Gives the traffic to the version before.
    func rollback(_ name: String) async throws -> FunctionHistory.Version {
        let folder = try folderName(of: name)
        var history = functions[folder]?.history ?? FunctionHistory()
        let version = try history.rollback()
        try await route(folder, history)
        return version
    }

    /// Splits the traffic.
    /// - Parameter shares: percent by version number.
    func split(_ name: String, _ shares: [Int: Int]) async throws {
        let folder = try folderName(of: name)
        var history = functions[folder]?.history ?? FunctionHistory()
        try history.split(shares)
        try await route(folder, history)
    }

    private func route(_ name: String, _ history: FunctionHistory) async throws {
        for number in history.traffic.keys { try claims(but: name).check(manifest(name, number), file: store.folder(of: name, number)) }
        functions[name]?.history = history
        try save(name)
        await activate(name)
        publish()
        let shares = history.traffic.sorted { $0.key < $1.key }.map { "v\($0.key)=\($0.value)" }.joined(separator: " ")
        logger.info("the traffic of \(name) is \(shares)")
    }

    private func folderName(of name: String) throws -> String {
        if functions[name] != nil { return name }
        let named = functions.first { $0.value.runners.values.contains { $0.manifest.name == name } }
        guard let named else { throw UnknownFunction(name: name) }
        return named.key
    }

    // MARK: Looking at it

    func status() async -> [SystemStatus.FunctionStatus] {
        var all: [SystemStatus.FunctionStatus] = []
        for (name, function) in functions.sorted(by: { $0.key < $1.key }) {
            let manifest = function.runners.max { $0.key < $1.key }?.value.manifest
            var versions: [SystemStatus.VersionStatus] = []
            for version in function.history.versions.reversed() {
                let gone = draining.last { $0.function == name && $0.number == version.number }?.runner
                let runner = function.runners[version.number]
                let state: SystemStatus.VersionStatus.State = runner != nil ? .serving : gone != nil ? .draining : .kept
                versions.append(SystemStatus.VersionStatus(
                    version: version.name, fingerprint: version.fingerprint, accepted: version.accepted.timeIntervalSince1970, state: state,
                    traffic: function.history.traffic[version.number] ?? 0, waiting: (runner ?? gone)?.waitingCount ?? 0,
                    workers: (runner ?? gone)?.workers ?? []))
            }
            all.append(SystemStatus.FunctionStatus(
                name: manifest?.name ?? name, routes: manifest?.routes.map(\.description) ?? [], handler: manifest?.handler.description,
                models: manifest?.models ?? [], versions: versions, problem: function.refusal?.reason))
        }
        return all
    }

    // MARK: Versions

    private func take(_ name: String, from source: String, stamp: String) async throws {
        let folder = FunctionFolder(name: name, path: source)
        let told = try folder.manifest(models: models)
        try claims(but: name).check(told, file: "\(source)/function.yaml")
        guard let number = functions[name]?.history.nextNumber else { throw FolderChanged() }
        let fingerprint = try await store.copy(source, as: number, of: name)
        guard FunctionFolder(name: name, path: source).stamp == stamp else {
            store.remove(number, of: name)
            throw FolderChanged()
        }
        if functions[name]?.history.newest?.fingerprint == fingerprint {
            // Written anew, and the same.
            store.remove(number, of: name)
        } else {
            do {
                let runner = try await proven(name, number)
                let gone = functions[name]?.history.accept(fingerprint: fingerprint, at: .now) ?? []
                functions[name]?.runners[number] = runner
                for version in gone where !draining.contains(where: { $0.function == name && $0.number == version.number }) {
                    store.remove(version.number, of: name)
                }
            } catch {
                store.remove(number, of: name)
                throw error
            }
            logger.info("serving \(told.name) v\(number)", metadata: ["routes": "\(told.routes.map(\.description).joined(separator: ", "))"])
        }
        functions[name]?.history.stamp = stamp
        functions[name]?.refusal = nil
        try save(name)
        await activate(name)
        publish()
    }

    /// Starts the version and returns when it has shown that it works.
    private func proven(_ name: String, _ number: Int) async throws -> FunctionRunner {
        let runner = try makeRunner(name, number)
        do {
            try await prove(runner)
            // Meanwhile another function may have come.
            try claims(but: name).check(runner.manifest, file: "\(state.functions)/\(name)/function.yaml")
            return runner
        } catch {
            await runner.stop()
            throw error
        }
    }

    private func manifest(_ name: String, _ number: Int) throws -> FunctionManifest {
        try FunctionFolder(name: name, path: store.folder(of: name, number)).manifest(models: models)
    }

    private func makeRunner(_ name: String, _ number: Int) throws -> FunctionRunner {
        FunctionRunner(
            manifest: try manifest(name, number), folder: store.folder(of: name, number), version: "v\(number)",
            environment: environment, logger: logger)
    }

    /// Lets exactly the versions with traffic run.
    private func activate(_ name: String) async {
        guard let function = functions[name] else { return }
        for (number, runner) in function.runners where function.history.traffic[number] == nil {
            functions[name]?.runners[number] = nil
            retire(runner, number, of: name)
        }
        for number in function.history.traffic.keys where function.runners[number] == nil {
            do {
                functions[name]?.runners[number] = try makeRunner(name, number)
            } catch {
                refuse(name, function.history.stamp, "v\(number) of '\(name)' cannot run: \(error)")
            }
        }
        for runner in functions[name]?.runners.values.map({ $0 }) ?? [] { runner.start() }
    }

    private func retire(_ runner: FunctionRunner, _ number: Int, of name: String) {
        draining.append((name, number, runner))
        runner.drain()
    }

    private func claims(but name: String) -> Claims {
        var claims = Claims(reserved: reservedRoutes)
        for (other, function) in functions where other != name {
            for runner in function.runners.values { claims.take(runner.manifest, for: other) }
        }
        return claims
    }

    private func save(_ name: String) throws {
        if let history = functions[name]?.history { try store.save(history, of: name) }
    }

    private func publish() {
        changed(functions.sorted { $0.key < $1.key }.compactMap { name, function in
            guard let runner = function.runners.values.first else { return nil }
            let versions = function.runners.sorted { $0.key < $1.key }.map { ($0.value, function.history.traffic[$0.key] ?? 0) }
            return ServedFunction(name: runner.manifest.name, versions: versions)
        })
    }

    /// Forgets versions whose last worker has ended, and removes from the disk those that are not kept.
    func forgetDrained() async {
        for drained in draining where drained.runner.workerCount == 0 {
            draining.removeAll { $0.runner === drained.runner }
            let kept = functions[drained.function]?.history[drained.number] != nil
            if !kept { store.remove(drained.number, of: drained.function) }
        }
    }

    /// Stops every worker and waits until each has ended.
    func stop() async {
        for function in functions.values { function.deployment?.cancel() }
        let runners = functions.values.flatMap(\.runners.values) + draining.map(\.runner)
        await withDiscardingTaskGroup { group in
            for runner in runners { group.addTask { await runner.stop() } }
        }
    }
}

/// Starts a worker of a new version and returns when it has answered.
/// - Throws: why it did not, for a person.
package typealias FunctionProof = @Sendable (FunctionRunner) async throws -> Void

/// The folder changed while it was read, so what was read may be half of it.
private struct FolderChanged: Error, CustomStringConvertible {
    let description = "the folder changed while it was read"
}

/// A command named a function that is not there.
package struct UnknownFunction: Error, CustomStringConvertible {
    let name: String
    package var description: String { "there is no function '\(name)'; 'swiftlet functions' lists those there are" }
}
