import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import Synchronization
import SystemPackage
import Wire

/// Runs the workers of one version of one function: carries out what its ``FunctionPool`` decides.
package actor FunctionRunner {
    package nonisolated let manifest: FunctionManifest
    /// Absolute path of the function's folder.
    package nonisolated let folder: String
    /// Short fingerprint of the folder's content.
    package nonisolated let version: String

    private let environment: WorkerEnvironment
    private let logger: Logger
    private var pool: FunctionPool
    private var waiters: [FunctionPool.RequestID: Waiter] = [:]
    private var processes: [FunctionPool.WorkerID: WorkerProcess] = [:]
    private var weights = CallWeights()
    private var nextRequest = 0
    private var timer: (task: Task<Void, Never>, at: ContinuousClock.Instant)?
    /// How the last worker that was not stopped ended; empty while there is none.
    package private(set) var lastFailure = ""

    /// One request's claim on a worker. Ends with ``FunctionRunner/release(_:_:)``.
    package struct Lease: Sendable {
        /// The worker's unix socket; no other worker ever has this path.
        package let socket: String
        /// How long the request waited for it.
        package let waited: Duration
        /// Whether the worker's process was started for this request.
        package let isCold: Bool
        fileprivate let request: FunctionPool.RequestID
        fileprivate let worker: FunctionPool.WorkerID
    }

    private struct Waiter {
        let continuation: CheckedContinuation<Lease, any Error>
        let since: ContinuousClock.Instant
        let invocation: UUIDv7?
    }

    private struct WorkerProcess {
        let socket: String
        let task: Task<Void, Never>
        var pid: pid_t?
        /// What it works on, and since when.
        var calls: [FunctionPool.RequestID: (invocation: UUIDv7?, since: ContinuousClock.Instant)] = [:]
        var isStopping = false
        var isBroken = false
        /// Since when it works or does not.
        var since = ContinuousClock.now
    }

    init(manifest: FunctionManifest, folder: String, version: String, environment: WorkerEnvironment, logger: Logger) {
        self.manifest = manifest
        self.folder = folder
        self.version = version
        self.environment = environment
        self.logger = logger
        self.pool = FunctionPool(scale: manifest.scale, maxRequests: manifest.limits.maxRequests)
    }

    // MARK: Requests

    /// Waits for a worker, starting one if the function's scale allows it.
    /// - Parameters:
    ///   - key: whose request it is: the keys share the workers.
    ///   - invocation: what it is part of, for the status.
    /// - Throws: ``APIError``: 502 when the function cannot run, 429 when too many wait, 504 when `deadline` passes; `CancellationError`.
    package func acquire(key: String, invocation: UUIDv7? = nil, deadline: ContinuousClock.Instant) async throws -> Lease {
        let id = FunctionPool.RequestID(number: nextRequest)
        nextRequest += 1
        let start = ContinuousClock.now
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                waiters[id] = Waiter(continuation: continuation, since: start, invocation: invocation)
                perform(pool.request(id, key: key, weight: weights.weight(of: key), deadline: deadline, at: start))
            }
        } onCancel: {
            Task { await self.abandon(id) }
        }
    }

    package func release(_ lease: Lease, _ ending: FunctionPool.Ending) {
        ended(lease)
        if ending == .broken { processes[lease.worker]?.isBroken = true }
        perform(pool.release(lease.request, ending, at: .now))
    }

    /// A call of `key` has used so many tokens: what its next calls are likely to need.
    package func record(tokens: Int, key: String) { weights.record(tokens: tokens, key: key) }

    private func ended(_ lease: Lease) {
        guard var process = processes[lease.worker] else { return }
        process.calls[lease.request] = nil
        if process.calls.isEmpty { process.since = .now }
        processes[lease.worker] = process
    }

    private func abandon(_ id: FunctionPool.RequestID) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        pool.abandon(id, at: .now)
        waiter.continuation.resume(throwing: CancellationError())
    }

    // MARK: Life

    /// Starts `scale.min` workers.
    func start() { perform(pool.tick(at: .now)) }

    /// Lets running and late requests finish and stops each worker when it has nothing to do.
    func drain() { perform(pool.drain(at: .now)) }

    /// Stops every worker now and waits until each has ended.
    func stop() async {
        timer?.task.cancel()
        let tasks = processes.values.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    package var workerCount: Int { pool.workerCount }
    package var waitingCount: Int { pool.waitingCount }

    /// What each worker is doing.
    package var workers: [SystemStatus.WorkerStatus] {
        processes.sorted { $0.key < $1.key }.map { _, process in
            let state: SystemStatus.WorkerStatus.State =
                process.isStopping ? .stopping : process.pid == nil ? .starting : process.calls.isEmpty ? .idle : .busy
            let calls = process.calls.sorted { $0.value.since < $1.value.since }.map { _, call in
                SystemStatus.CallStatus(invocation: call.invocation?.description, since: call.since.duration(to: .now) / .seconds(1))
            }
            return SystemStatus.WorkerStatus(
                process: process.pid ?? 0, state: state, since: process.since.duration(to: .now) / .seconds(1), running: calls.count,
                calls: calls, memory: process.pid.map(ProcessMemory.ofProcess) ?? 0)
        }
    }

    // MARK: Actions

    private func perform(_ actions: [FunctionPool.Action]) {
        for decision in pool.takeDecisions() { logger.info("SCALE function=\(manifest.name) \(decision.line)") }
        var started = Set<FunctionPool.WorkerID>()
        for action in actions {
            switch action {
            case .start(let worker):
                started.insert(worker)
                launch(worker)
            case .stop(let worker):
                processes[worker]?.isStopping = true
                processes[worker]?.since = .now
                guard let process = processes[worker] else { continue }
                // Some servers do not end while a connection is open.
                environment.closeConnections(process.socket)
                process.task.cancel()
            case .grant(let request, let worker):
                guard let waiter = waiters.removeValue(forKey: request) else { continue }
                let now = ContinuousClock.now
                if processes[worker]?.calls.isEmpty ?? false { processes[worker]?.since = now }
                processes[worker]?.calls[request] = (waiter.invocation, now)
                let lease = Lease(
                    socket: processes[worker]?.socket ?? "", waited: waiter.since.duration(to: now), isCold: started.contains(worker),
                    request: request, worker: worker)
                waiter.continuation.resume(returning: lease)
            case .refuse(let request, let refusal):
                waiters.removeValue(forKey: request)?.continuation.resume(throwing: error(for: refusal))
            }
        }
        schedule()
    }

    /// Sets the timer for the pool's next event. One that is due earlier stays: most requests only move that event further away.
    private func schedule() {
        guard let next = pool.nextEvent else { return }
        if let timer, timer.at <= next { return }
        timer?.task.cancel()
        let task = Task {
            try? await Task.sleep(until: next, clock: .continuous)
            if !Task.isCancelled { self.tick() }
        }
        timer = (task, next)
    }

    private func tick() {
        timer = nil
        perform(pool.tick(at: .now))
    }

    private func launch(_ worker: FunctionPool.WorkerID) {
        let socket = "\(environment.state.run)/\(manifest.name)-\(environment.nextSerial()).sock"
        let logger = logger
        let child: ChildProcess
        do {
            child = try environment.process(for: manifest, in: folder, socket: socket)
        } catch {
            // The pool hears of it as of any worker that ends, after this event's actions are done.
            processes[worker] = WorkerProcess(socket: socket, task: Task { self.ended(worker, .notStarted("\(error)")) })
            return
        }
        let launcher = environment.programs.launcher
        let task = Task {
            let ending = await child.run(launcher: launcher) { pid in
                logger.debug("started \(child.name)", metadata: ["pid": "\(pid)"])
                Task { await self.started(worker, pid) }
            }
            self.ended(worker, ending)
        }
        processes[worker] = WorkerProcess(socket: socket, task: task)
    }

    private func started(_ worker: FunctionPool.WorkerID, _ pid: pid_t) { processes[worker]?.pid = pid }

    private func ended(_ worker: FunctionPool.WorkerID, _ ending: ChildProcess.Ending) {
        guard let process = processes.removeValue(forKey: worker) else { return }
        unlink(process.socket)
        environment.closeConnections(process.socket)
        if process.task.isCancelled, !process.isBroken {
            logger.debug("stopped worker \(worker) of \(manifest.name)")
        } else {
            lastFailure = "a worker \(ending)"
            logger.warning("worker \(worker) of \(manifest.name) \(ending); see \(environment.logFile(of: manifest.name))")
        }
        perform(pool.exited(worker, at: .now))
    }

    private func error(for refusal: FunctionPool.Refusal) -> APIError {
        switch refusal {
        case .deadlinePassed: .timeout("No worker of '\(manifest.name)' became free before the request's deadline.")
        case .failing: .badGateway("The function '\(manifest.name)' cannot run at the moment: its workers end before they answer.")
        case .busy(let retryAfter):
            .busy("Too many requests wait for '\(manifest.name)'. Try again later.", retryAfter: retryAfter)
        }
    }
}
