import GRDB
import Wire

extension Verification {
    /// Sums per hour, day and month are those of the rows that are there and of those that were archived.
    mutating func checkSums(_ db: Database) throws {
        try compareSums(db, found: "SELECT * FROM usage_sums", expected: Version4.expectedSums)
    }

    /// What each key has spent per day is the sum of its rows; what is held belongs to invocations that run.
    mutating func checkBalances(_ db: Database) throws {
        let rows = try Row.fetchAll(db, sql: """
            SELECT key, day, SUM(found) AS found, SUM(expected) AS expected FROM (
                SELECT key, day, cost AS found, 0 AS expected FROM spending
                UNION ALL
                SELECT series.key, start / 86400, 0, cost FROM usage_sums JOIN usage_series AS series ON series.id = series WHERE period = 'day')
            GROUP BY key, day HAVING SUM(found) <> SUM(expected)
            """)
        for row in rows {
            add(.balance, "key \(row["key"] as String) has spent \(NanoUSD(row["expected"])) USD on \(Period.day.name(row["day"] * 86_400)) and is charged \(NanoUSD(row["found"])) USD")
        }
        let holds = try Row.fetchAll(db, sql: """
            SELECT holds.invocation, holds.amount FROM holds LEFT JOIN invocations ON invocations.id = holds.invocation
            WHERE invocations.status IS NOT 'reserved'
            """)
        for row in holds {
            add(.balance, "\(NanoUSD(row["amount"])) USD are held for invocation \(row["invocation"] as String), which does not run")
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
