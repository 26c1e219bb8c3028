import GRDB
import Wire

extension Verification {
    /// Every call costs price × tokens at the price that was in force when it began, every invocation its fee.
    mutating func checkCosts(_ db: Database) throws {
        let usage = try Row.fetchCursor(db, sql: """
            SELECT invocation, call, model, kind, prompt_tokens, cached_tokens, completion_tokens, cost, started FROM usage
            """)
        while let row = try usage.next() {
            calls += 1
            let call = "call \(row["call"] as String) of invocation \(row["invocation"] as String)"
            guard let kind = UsageRow.Kind(rawValue: row["kind"]) else {
                add(.cost, "\(call) is of a kind that is not known, '\(row["kind"] as String)'")
                continue
            }
            let price = try Price.inForce(of: row["model"], at: row["started"], db) ?? Price(model: row["model"], input: .free)
            let expected = try? price.cost(
                of: kind, promptTokens: row["prompt_tokens"], cachedTokens: row["cached_tokens"], completionTokens: row["completion_tokens"])
            if expected?.count != row["cost"] {
                add(.cost, "\(call) costs \(NanoUSD(row["cost"])) USD and not \(expected.map { "\($0)" } ?? "anything")")
            }
        }
        let settled = try Row.fetchCursor(db, sql: """
            SELECT id, function, started, duration_ms, cost,
                status = 'succeeded' OR EXISTS (SELECT 1 FROM usage WHERE invocation = invocations.id) AS is_charged
            FROM invocations WHERE status <> 'reserved'
            """)
        while let row = try settled.next() {
            invocations += 1
            let fee = try Fee.inForce(of: row["function"], at: row["started"], db)
            let expected = row["is_charged"] ? try? fee.cost(milliseconds: row["duration_ms"] ?? 0) : .zero
            if expected?.count != row["cost"] {
                add(.cost, "the fee of invocation \(row["id"] as String) is \(NanoUSD(row["cost"])) USD and not \(expected.map { "\($0)" } ?? "anything")")
            }
        }
    }
}
