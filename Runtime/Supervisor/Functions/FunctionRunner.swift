import FoundationEssentials
import Glibc
import Logging
import SwiftletSystem
import Synchronization
import SystemPackage
import Wire

/// Runs the workers of one version of one function: carries out what its ``FunctionPool`` decides.
///
/// Not an actor: every request asks twice, and mostly has its answer at once.
package final class FunctionRunner: Sendable {
    package let manifest: FunctionManifest
    /// Absolute path of the function's folder.
    package let folder: String
    /// Short fingerprint of the folder's content.
    package let version: String

    private let environment: WorkerEnvironment
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var pool: FunctionPool
        var waiters: [FunctionPool.RequestID: Waiter] = [:]
        var processes: [FunctionPool.WorkerID: WorkerProcess] = [:]
        var weights = CallWeights()
        var nextRequest = 0
        var timer: (task: Task<Void, Never>, at: ContinuousClock.Instant)?
        var lastFailure = ""
        /// What is done when the lock is free again.
        var effects: [@Sendable () -> Void] = []
    }

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
        let since: ContinuousClock.Instant
        let invocation: UUIDv7?
        /// One of them comes first.
        var continuation: CheckedContinuation<Lease, any Error>?
        var outcome: Result<Lease, any Error>?
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

        /// - Returns: where it can be asked.
        mutating func begin(_ request: FunctionPool.RequestID, _ invocation: UUIDv7?, at now: ContinuousClock.Instant) -> String {
            if calls.isEmpty { since = now }
            calls[request] = (invocation, now)
            return socket
        }
    }

    init(manifest: FunctionManifest, folder: String, version: String, environment: WorkerEnvironment, logger: Logger) {
        self.manifest = manifest
        self.folder = folder
        self.version = version
        self.environment = environment
        self.logger = logger
        state = Mutex(State(pool: FunctionPool(scale: manifest.scale, maxRequests: manifest.limits.maxRequests)))
    }

    /// Changes the state, then does what that led to. To resume or cancel a task takes a lock of the task's, and whoever cancels one
    /// holds that lock while ``acquire(key:invocation:deadline:)`` takes ours: under it, the two could wait for each other for good.
    private func withState<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        let (value, effects) = state.withLock { state in
            let value = body(&state)
            defer { state.effects = [] }
            return (value, state.effects)
        }
        for effect in effects { effect() }
        return value
    }

    // MARK: Requests

    /// Waits for a worker, starting one if the function's scale allows it.
    /// - Parameters:
    ///   - key: whose request it is: the keys share the workers.
    ///   - invocation: what it is part of, for the status.
    /// - Throws: ``APIError``: 502 when the function cannot run, 429 when too many wait, 504 when `deadline` passes; `CancellationError`.
    package func acquire(key: String, invocation: UUIDv7? = nil, deadline: ContinuousClock.Instant) async throws -> Lease {
        let start = ContinuousClock.now
        let (id, outcome) = withState { state in
            let id = FunctionPool.RequestID(number: state.nextRequest)
            state.nextRequest += 1
            state.waiters[id] = Waiter(since: start, invocation: invocation)
            perform(state.pool.request(id, key: key, weight: state.weights.weight(of: key), deadline: deadline, at: start), &state)
            return (id, takeOutcome(of: id, &state))
        }
        if let outcome { return try outcome.get() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                withState { state in
                    if let outcome = takeOutcome(of: id, &state) {
                        state.effects.append { continuation.resume(with: outcome) }
                    } else {
                        state.waiters[id]?.continuation = continuation
                    }
                }
            }
        } onCancel: {
            withState { state in
                guard state.waiters[id]?.outcome == nil else { return }
                state.pool.abandon(id, at: .now)
                answer(id, .failure(CancellationError()), &state)
            }
        }
    }

    package func release(_ lease: Lease, _ ending: FunctionPool.Ending) {
        withState { state in
            if var process = state.processes.removeValue(forKey: lease.worker) {
                process.calls[lease.request] = nil
                if process.calls.isEmpty { process.since = .now }
                if ending == .broken { process.isBroken = true }
                state.processes[lease.worker] = process
            }
            perform(state.pool.release(lease.request, ending, at: .now), &state)
        }
    }

    /// A call of `key` has used so many tokens: what its next calls are likely to need.
    package func record(tokens: Int, key: String) { withState { $0.weights.record(tokens: tokens, key: key) } }

    private func answer(_ id: FunctionPool.RequestID, _ outcome: Result<Lease, any Error>, _ state: inout State) {
        guard let continuation = state.waiters[id]?.continuation else {
            state.waiters[id]?.outcome = outcome
            return
        }
        state.waiters[id] = nil
        state.effects.append { continuation.resume(with: outcome) }
    }

    private func takeOutcome(of id: FunctionPool.RequestID, _ state: inout State) -> Result<Lease, any Error>? {
        guard let outcome = state.waiters[id]?.outcome else { return nil }
        state.waiters[id] = nil
        return outcome
    }

    // MARK: Life

    /// Starts `scale.min` workers.
    func start() { tick() }

    /// Lets running and late requests finish and stops each worker when it has nothing to do.
    func drain() { withState { perform($0.pool.drain(at: .now), &$0) } }

    /// Stops every worker now and waits until each has ended.
    func stop() async {
        let tasks = withState { state in
            (state.timer.map { [$0.task] } ?? []) + state.processes.values.map(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    package var workerCount: Int { withState(\.pool.workerCount) }
    package var waitingCount: Int { withState(\.pool.waitingCount) }
    /// How the last worker that was not stopped ended; empty while there is none.
    package var lastFailure: String { withState(\.lastFailure) }

    /// What each worker is doing.
    package var workers: [SystemStatus.WorkerStatus] {
        withState(\.processes).sorted { $0.key < $1.key }.map { _, process in
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

    private func perform(_ actions: [FunctionPool.Action], _ state: inout State) {
        for decision in state.pool.takeDecisions() { logger.info("SCALE function=\(manifest.name) \(decision.line)") }
        var started: Set<FunctionPool.WorkerID> = []
        for action in actions {
            switch action {
            case .start(let worker):
                started.insert(worker)
                state.processes[worker] = launch(worker)
            case .stop(let worker):
                state.processes[worker]?.isStopping = true
                state.processes[worker]?.since = .now
                guard let process = state.processes[worker] else { continue }
                state.effects.append { [environment] in
                    // Some servers do not end while a connection is open.
                    environment.closeConnections(process.socket)
                    process.task.cancel()
                }
            case .grant(let request, let worker):
                guard let waiter = state.waiters[request] else { continue }
                let now = ContinuousClock.now
                let lease = Lease(
                    socket: state.processes[worker]?.begin(request, waiter.invocation, at: now) ?? "", waited: waiter.since.duration(to: now), isCold: started.contains(worker),
                    request: request, worker: worker)
                answer(request, .success(lease), &state)
            case .refuse(let request, let refusal):
                answer(request, .failure(error(for: refusal)), &state)
            }
        }
        schedule(&state)
    }

    /// Sets the timer for the pool's next event. One that is due earlier stays: most requests only move that event further away.
    private func schedule(_ state: inout State) {
        guard let next = state.pool.nextEvent else { return }
        if let timer = state.timer, timer.at <= next { return }
        if let timer = state.timer { state.effects.append { timer.task.cancel() } }
        let task = Task {
            try? await Task.sleep(until: next, clock: .continuous)
            if !Task.isCancelled { self.tick() }
        }
        state.timer = (task, next)
    }

    private func tick() {
        withState { state in
            state.timer = nil
            perform(state.pool.tick(at: .now), &state)
        }
    }

    /// The worker's socket is bound when this returns: who is granted the worker can connect to it.
    private func launch(_ worker: FunctionPool.WorkerID) -> WorkerProcess {
        let socket = "\(environment.state.run)/\(manifest.name)-\(environment.nextSerial()).sock"
        let logger = logger
        let child: ChildProcess
        do {
            child = try environment.process(for: manifest, in: folder, socket: socket)
        } catch {
            // The pool hears of it as of any worker that ends, after this event's actions are done.
            return WorkerProcess(socket: socket, task: Task { self.ended(worker, .notStarted("\(error)")) })
        }
        let launcher = environment.programs.launcher
        let task = Task {
            let ending = await child.run(launcher: launcher) { pid in
                logger.debug("started \(child.name)", metadata: ["pid": "\(pid)"])
                self.withState { $0.processes[worker]?.pid = pid }
            }
            self.ended(worker, ending)
        }
        return WorkerProcess(socket: socket, task: task)
    }

    private func ended(_ worker: FunctionPool.WorkerID, _ ending: ChildProcess.Ending) {
        withState { state in
            guard let process = state.processes.removeValue(forKey: worker) else { return }
            unlink(process.socket)
            state.effects.append { [environment] in environment.closeConnections(process.socket) }
            if process.task.isCancelled, !process.isBroken {
                logger.debug("stopped worker \(worker) of \(manifest.name)")
            } else {
                state.lastFailure = "a worker \(ending)"
                logger.warning("worker \(worker) of \(manifest.name) \(ending); see \(environment.logFile(of: manifest.name))")
            }
            perform(state.pool.exited(worker, at: .now), &state)
        }
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
