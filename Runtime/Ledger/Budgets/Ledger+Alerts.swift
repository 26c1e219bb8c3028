import FoundationEssentials
import GRDB
import Wire

/// A key that has passed its soft budget.
package struct BudgetAlert: Hashable, Sendable {
    /// The same however often it is sent.
    package let id: UUIDv7
    package let key: APIKey
    package let softBudget: NanoUSD
    /// When it was passed.
    package let spent: NanoUSD
    package let created: Date
}

extension Ledger {
    /// Alerts that nobody has been told of, the oldest first.
    package func waitingAlerts() async throws -> [BudgetAlert] {
        try await read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT * FROM alerts WHERE delivered IS NULL ORDER BY created LIMIT 100")
            return try rows.compactMap { row in
                guard let id = UUIDv7(row["id"] as String) else { return nil }
                return BudgetAlert(
                    id: id, key: try APIKey.find(row["key"], db), softBudget: NanoUSD(row["soft_budget"]), spent: NanoUSD(row["spent"]),
                    created: Date(milliseconds: row["created"]))
            }
        }
    }

    /// Enters that an alert was delivered.
    package func delivered(_ alert: BudgetAlert, at time: Date = .now) async throws {
        try await write { db in
            try db.execute(
                sql: "UPDATE alerts SET delivered = ? WHERE id = ?", arguments: [time.milliseconds, alert.id.description])
        }
    }
}
