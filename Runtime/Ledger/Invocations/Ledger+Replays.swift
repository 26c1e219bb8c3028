import FoundationEssentials
import GRDB
import Wire

/// A model call whose answer is given again from the response cache.
package struct ReplayedCall: Hashable, Codable, Sendable {
    package var model: String
    /// What it was when the model answered.
    package var kind: UsageRow.Kind
    package var promptTokens: Int
    package var completionTokens: Int
    package var finishReason: String?

    package init(model: String, kind: UsageRow.Kind, promptTokens: Int, completionTokens: Int, finishReason: String?) {
        self.model = model
        self.kind = kind
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.finishReason = finishReason
    }
}

extension Ledger {
    /// Admits, bills and settles an invocation that is answered from the response cache: in one transaction, so that it is billed
    /// whole or not at all and no budget is exceeded. Its calls count all their input as cached.
    /// - Parameter answering: the idempotent request that it runs for, and what it is answered, given what it costs.
    /// - Throws: ``LedgerError`` with `insufficientQuota` when the key's budget has no room; nothing is entered then.
    package func replay(
        _ reservation: Reservation, _ calls: [ReplayedCall], _ settlement: Settlement,
        answering: (request: IdempotentRequest, answer: @Sendable (InvocationRecord) throws -> KeptAnswer)? = nil
    ) async throws -> InvocationRecord {
        let rows = calls.map { call in
            UsageRow(
                invocation: reservation.id, model: call.model, kind: call.kind.cached, promptTokens: call.promptTokens,
                cachedTokens: call.promptTokens, completionTokens: call.completionTokens, finishReason: call.finishReason,
                started: reservation.started)
        }
        return try await write { [path] db in
            try reservation.enter(db)
            for row in rows {
                let price = try Price.inForce(of: row.model, at: row.started.milliseconds, db) ?? Price(model: row.model, input: .free)
                let cost = try price.cost(
                    of: row.kind, promptTokens: row.promptTokens, cachedTokens: row.cachedTokens, completionTokens: row.completionTokens)
                // What was spent by the call before is in the budget already.
                if let budget = try Budget(of: reservation.key, at: row.started.milliseconds, db), cost > budget.available {
                    throw budget.refusal
                }
                _ = try row.enter(db)
            }
            guard let record = try settlement.enter(for: reservation.id, db) else {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(reservation.id).")
            }
            if let answering { try answering.answer(record).keep(for: answering.request, db) }
            return record
        }
    }
}
