import FastCGI
import NIOCore
import Synchronization

/// Work was cut off because its time was over.
package struct DeadlinePassed: Error, Hashable {
    package enum Limit: Sendable {
        /// For all of the work.
        case total
        /// For one wait within it.
        case idle
    }

    package let limit: Limit

    package init(limit: Limit) { self.limit = limit }
}

/// Cuts work off at its deadline, or when one of its waits takes too long.
///
/// The timer is the event loop's and is moved only when it goes off: limits that are not reached cost next to nothing.
package final class TimeLimit: Sendable {
    private struct State {
        var task: Task<Void, any Error>?
        var timer: Scheduled<Void>?
        var waitingSince: ContinuousClock.Instant?
        var passed: DeadlinePassed?
        var isOver = false
    }

    private let deadline: ContinuousClock.Instant
    private let idle: Duration?
    private let executor: EventLoopExecutor
    private let state = Mutex(State())

    /// - Parameters:
    ///   - idle: how long the work may wait between ``beginWait()`` and ``endWait()``.
    ///   - executor: where the work runs.
    package init(deadline: ContinuousClock.Instant, idle: Duration? = nil, on executor: EventLoopExecutor) {
        self.deadline = deadline
        self.idle = idle
        self.executor = executor
    }

    /// Whether the work was cut off.
    package var hasPassed: Bool { state.withLock { $0.passed != nil } }

    package func beginWait() { if idle != nil { state.withLock { $0.waitingSince = .now } } }
    package func endWait() { if idle != nil { state.withLock { $0.waitingSince = nil } } }

    /// Runs `operation` and cancels it when a limit is reached. Call it once.
    /// - Throws: ``DeadlinePassed``, or what `operation` throws.
    package func run(_ operation: @escaping @Sendable () async throws -> Void) async throws {
        let task = Task.immediate(executorPreference: executor) { try await operation() }
        state.withLock { $0.task = task }
        check()
        defer {
            let timer = state.withLock { state in
                state.isOver = true
                state.task = nil
                return state.timer
            }
            timer?.cancel()
        }
        do {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            throw state.withLock { $0.passed } ?? error
        }
    }

    private func check() {
        let now = ContinuousClock.now
        state.withLock { state in
            if state.isOver { return }
            let idleEnd = idle.map { (state.waitingSince ?? now) + $0 }
            if deadline <= now || idleEnd.map({ $0 <= now }) ?? false {
                state.passed = DeadlinePassed(limit: deadline <= now ? .total : .idle)
                state.task?.cancel()
            } else {
                let next = min(deadline, idleEnd ?? deadline)
                state.timer = executor.eventLoop.scheduleTask(in: TimeAmount(now.duration(to: next))) { self.check() }
            }
        }
    }
}
