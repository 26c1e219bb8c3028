import FastCGI
import Ledger
import Supervisor
import Synchronization
import Wire

/// Invocations that run and have nothing to hold: no model, no fee, no budget. They are entered in the ledger when they end, in one
/// transaction, for which their clients do not wait: there is nothing in it that they could be charged. One whose function calls another
/// is reserved before that call begins, because it may cost something then, and settled as any other.
final class UnreservedInvocations: Sendable {
    private struct State {
        var open: [UUIDv7: Reservation] = [:]
        /// How many have ended and are not in the ledger yet.
        var entering = 0
        var waitingForAll: [CheckedContinuation<Void, Never>] = []
    }

    /// When so many are on their way to the ledger, clients wait for it.
    private static let mostEntering = 1024

    private let ledger: Ledger
    private let state = Mutex(State())

    init(ledger: Ledger) {
        self.ledger = ledger
    }

    func begin(_ reservation: Reservation) { state.withLock { $0.open[reservation.id] = reservation } }

    /// - Returns: whether nothing was held for it meanwhile.
    func end(_ id: UUIDv7) -> Bool { state.withLock { $0.open.removeValue(forKey: id) != nil } }

    /// Something that may cost is about to run in the invocation `id`.
    func reserve(_ id: UUIDv7) async throws {
        guard let reservation = state.withLock({ $0.open[id] }) else { return }
        try await ledger.reserve(reservation)
        state.withLock { $0.open[id] = nil }
    }

    /// Enters one that has ended. Who reads the ledger in this process after this finds it.
    /// - Parameter executor: where its line is logged.
    /// - Returns: `false` when the ledger is far behind: it is not entered then.
    func enter(_ bill: Bill, on executor: EventLoopExecutor) -> Bool {
        let hasRoom = state.withLock { state in
            guard state.entering < Self.mostEntering else { return false }
            state.entering += 1
            return true
        }
        guard hasRoom else { return false }
        Task.immediate(executorPreference: executor) {
            do {
                _ = try await bill.settle(isPatient: true)
            } catch {
                bill.settleLater(error, answering: nil)
            }
            let waiting = state.withLock { state in
                state.entering -= 1
                guard state.entering == 0 else { return [] as [CheckedContinuation<Void, Never>] }
                defer { state.waitingForAll = [] }
                return state.waitingForAll
            }
            for continuation in waiting { continuation.resume() }
        }
        return true
    }

    /// Returns when all that have ended are in the ledger, or cannot be written, which SQLite says after ``Ledger/busyTimeout``.
    func awaitAll() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.entering > 0 { state.waitingForAll.append(continuation) }
                return state.entering == 0
            }
            if isDone { continuation.resume() }
        }
    }
}
