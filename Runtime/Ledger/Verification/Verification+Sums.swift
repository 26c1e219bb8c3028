import GRDB
import Wire

extension Verification {
    /// Sums per hour, day and month are those of the rows that are there and of those that were archived.
    mutating func checkSums(_ db: Database) throws {
        try compareSums(db, found: "SELECT * FROM usage_sums", expected: Version4.expectedSums)
    }

    /// What each key has spent is the sum of its rows; what is held belongs to an invocation.
    mutating func checkBalances(_ db: Database) throws {
        // Not day by day: what ends after midnight may count for the day in which it ended.
        let rows = try Row.fetchAll(db, sql: """
            SELECT key, SUM(found) AS found, SUM(expected) AS expected FROM (
                SELECT key, cost AS found, 0 AS expected FROM spending
                UNION ALL
                SELECT series.key, 0, cost FROM usage_sums JOIN usage_series AS series ON series.id = series WHERE period = 'month')
            GROUP BY key HAVING SUM(found) <> SUM(expected)
            """)
        for row in rows {
            add(.balance, "the budget of key \(row["key"] as String) is charged \(NanoUSD(row["found"])) USD, and its rows cost \(NanoUSD(row["expected"])) USD")
        }
        let holds = try Row.fetchAll(db, sql: "SELECT * FROM holds WHERE invocation NOT IN (SELECT id FROM invocations)")
        for row in holds {
            add(.balance, "\(NanoUSD(row["amount"])) USD are held for invocation \(row["invocation"] as String), which does not exist")
        }
    }

    private mutating func compareSums(_ db: Database, found: String, expected: String) throws {
        let rows = try Row.fetchAll(db, sql: """
            SELECT period, start, series, series_name.key, series_name.function, series_name.model,
                SUM(side * calls) AS calls, SUM(side * cost) AS cost
            FROM (SELECT 1 AS side, * FROM (\(found)) UNION ALL SELECT -1, * FROM (\(expected))) AS sums
            LEFT JOIN usage_series AS series_name ON series_name.id = series
            GROUP BY period, start, series
            HAVING SUM(side * calls) <> 0 OR SUM(side * prompt_tokens) <> 0 OR SUM(side * cached_tokens) <> 0
                OR SUM(side * completion_tokens) <> 0 OR SUM(side * cost) <> 0
            """)
        for row in rows {
            let period = Period(rawValue: row["period"]) ?? .hour
            add(.sum, """
                the \(period.rawValue) \(period.name(row["start"])), key \(row["key"] ?? "?"), function \(row["function"] ?? "?"), \
                model '\(row["model"] ?? "?")' differs from its rows by \(row["calls"] as Int64) calls and \(NanoUSD(row["cost"])) USD
                """)
        }
    }
}
