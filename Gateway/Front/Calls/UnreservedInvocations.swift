import Ledger
import Supervisor
import Synchronization
import Wire

/// Invocations that run and have nothing to hold: no model, no fee, no budget. They are entered in the ledger when they end, in one
/// transaction. One whose function calls another is reserved before that call begins, because it may cost something then.
final class UnreservedInvocations: Sendable {
    private let ledger: Ledger
    private let open = Mutex<[UUIDv7: Reservation]>([:])

    init(ledger: Ledger) {
        self.ledger = ledger
    }

    func begin(_ reservation: Reservation) { open.withLock { $0[reservation.id] = reservation } }

    func end(_ id: UUIDv7) { open.withLock { $0[id] = nil } }

    /// Something that may cost is about to run in the invocation `id`.
    func reserve(_ id: UUIDv7) async throws {
        if let reservation = open.withLock({ $0[id] }) { try await ledger.reserve(reservation) }
    }
}
