import GRDB
import Wire

extension Verification {
    /// Nothing is charged for an attempt that was given up, and nothing else is lost.
    mutating func checkLosses(_ db: Database) throws {
        let charged = try Row.fetchAll(db, sql: """
            SELECT usage.invocation, call FROM given_up CROSS JOIN usage
            WHERE usage.invocation = given_up.invocation AND \(Attempt.isPart("usage.attempt", of: "given_up.attempt"))
            """)
        for row in charged {
            add(.cost, "call \(row["call"] as String) of invocation \(row["invocation"] as String) is charged, and was made for an attempt that was given up")
        }
        let lost = try Row.fetchCursor(db, sql: """
            SELECT invocation, call, cost, \(Attempt.isGivenUp("lost_usage.attempt", of: "lost_usage.invocation")) AS is_given_up FROM lost_usage
            """)
        while let row = try lost.next() {
            losses.calls += 1
            losses.cost += NanoUSD(row["cost"])
            guard !(row["is_given_up"] as Bool) else { continue }
            add(.cost, "call \(row["call"] as String) of invocation \(row["invocation"] as String) is not charged, and its attempt was not given up")
        }
    }
}
