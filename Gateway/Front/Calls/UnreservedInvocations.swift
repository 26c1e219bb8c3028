import FastCGI
import Ledger
import Synchronization
import Wire

/// Invocations that run and have nothing to hold: no model, no fee, no budget. They are entered in the ledger when they end, in one
/// transaction, for which their clients do not wait: there is nothing in it that they could be charged. One whose function calls another
/// is reserved before that call begins, because it may cost something then, and settled as any other.
final class UnreservedInvocations: Sendable {
    private struct State {
        /// Those that run.
        var open: [UUIDv7: Reservation] = [:]
        /// How many have ended and are not in the ledger yet, and how many of them could not be written.
        var ended = 0
        var failing = 0
    }

    /// When so many are on their way to the ledger, clients wait for it.
    private static let mostEnded = 1024

    private let ledger: Ledger
    private let state = Mutex(State())

    init(ledger: Ledger) {
        self.ledger = ledger
    }

    func begin(_ reservation: Reservation) { state.withLock { $0.open[reservation.id] = reservation } }

    /// Something that may cost is about to run in the invocation `id`.
    func reserve(_ id: UUIDv7) async throws {
        guard let reservation = state.withLock({ $0.open[id] }) else { return }
        try await ledger.reserve(reservation)
        state.withLock { $0.open[id] = nil }
    }

    /// It runs no more. If it was not reserved meanwhile, follow with ``enter(_:on:)`` or ``forget()``.
    /// - Returns: whether nothing was held for it.
    func end(_ id: UUIDv7) -> Bool {
        state.withLock { state in
            guard state.open.removeValue(forKey: id) != nil else { return false }
            state.ended += 1
            return true
        }
    }

    /// One that has ended is in the ledger, or never will be.
    func forget() { state.withLock { $0.ended -= 1 } }

    /// Enters one that has ended, as soon as the ledger can be written. Who reads the ledger in this process after this finds it.
    /// - Parameter executor: where its line is logged.
    /// - Returns: `false` when the ledger is far behind or cannot be written: then its client is to wait for it.
    func enter(_ bill: Bill, on executor: EventLoopExecutor) -> Bool {
        guard state.withLock({ $0.failing == 0 && $0.ended <= Self.mostEnded }) else { return false }
        Task.immediate(executorPreference: executor) {
            do {
                _ = try await bill.settle(isPatient: true)
            } catch {
                state.withLock { $0.failing += 1 }
                await bill.settleInTheEnd(after: error)
                state.withLock { $0.failing -= 1 }
            }
            forget()
        }
        return true
    }

    /// For the end of the process, whose calls are all over or cancelled.
    /// - Returns: whether all are in the ledger; `false` after `patience`.
    func awaitAll(patience: Duration) async -> Bool {
        let deadline = ContinuousClock.now + patience
        while state.withLock({ !$0.open.isEmpty || $0.ended > 0 }) {
            guard ContinuousClock.now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}
