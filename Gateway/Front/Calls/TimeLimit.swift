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

/// Cuts work off at its deadline, or when one of its waits takes too long: it interrupts whatever the work waits for then.
///
/// The timer is the event loop's and is moved only when it goes off: limits that are not reached cost next to nothing.
package final class TimeLimit: Sendable {
    private struct State {
        var timer: Scheduled<Void>?
        var waitingSince: ContinuousClock.Instant?
        var interrupt: (@Sendable () -> Void)?
        var passed: DeadlinePassed?
        var isOver = false
    }

    private let deadline: ContinuousClock.Instant
    private let idle: Duration?
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    /// - Parameter idle: how long the work may wait between ``beginWait()`` and ``endWait()``.
    package init(deadline: ContinuousClock.Instant, idle: Duration? = nil, on eventLoop: any EventLoop) {
        self.deadline = deadline
        self.idle = idle
        self.eventLoop = eventLoop
    }

    /// What cut the work off: then, what it fails with means no more than this.
    package var passed: DeadlinePassed? { state.withLock { $0.passed } }

    package func beginWait() { if idle != nil { state.withLock { $0.waitingSince = .now } } }
    package func endWait() { if idle != nil { state.withLock { $0.waitingSince = nil } } }

    package func begin() { check() }

    package func end() {
        let timer = state.withLock { state in
            state.isOver = true
            state.interrupt = nil
            return state.timer
        }
        timer?.cancel()
    }

    /// Says what ends the work's wait with an error from now on, in the place of what was said before. It is called once, on any
    /// thread: at once, if a limit has passed.
    package func onPassing(_ interrupt: @escaping @Sendable () -> Void) {
        let hasPassed = state.withLock { state in
            state.interrupt = interrupt
            return state.passed != nil
        }
        if hasPassed { interrupt() }
    }

    private func check() {
        let now = ContinuousClock.now
        let interrupt = state.withLock { state -> (@Sendable () -> Void)? in
            if state.isOver { return nil }
            let idleEnd = idle.map { (state.waitingSince ?? now) + $0 }
            if deadline <= now || idleEnd.map({ $0 <= now }) ?? false {
                state.passed = DeadlinePassed(limit: deadline <= now ? .total : .idle)
                return state.interrupt
            }
            let next = min(deadline, idleEnd ?? deadline)
            state.timer = eventLoop.scheduleTask(in: TimeAmount(now.duration(to: next))) { self.check() }
            return nil
        }
        interrupt?()
    }
}
