import FoundationEssentials
import GRDB
import Wire

extension Ledger {
    /// Sums usage. The time this takes grows with the number of periods and kinds of calls, not with the number of calls.
    /// - Returns: Groups in the order of their periods, then of their values.
    package func usage(_ query: UsageQuery) async throws -> [UsageGroup] {
        let (sql, arguments) = query.statement
        return try await read { db in
            try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
                let start = (row["start"] as Int64?).map { Date(timeIntervalSince1970: TimeInterval($0)) }
                return UsageGroup(
                    start: start, values: query.dimensions.indices.map { row[$0 + 1] }, calls: row["calls"], usage: TokenUsage(row: row))
            }
        }
    }
}

extension UsageQuery {
    fileprivate var statement: (sql: String, arguments: StatementArguments) {
        var arguments = StatementArguments()
        let spans = (period ?? .month).spans(of: range).map { span in
            arguments += [span.period.rawValue, span.range.lowerBound.seconds, span.range.upperBound.seconds]
            if period == span.period {
                // A row for each period and series, as the table has them.
                return """
                    SELECT start, series, calls, prompt_tokens, cached_tokens, completion_tokens, cost
                    FROM usage_sums WHERE period = ? AND start >= ? AND start < ?
                    """
            }
            // The sums of one series first, of which there are few, and then what they are called.
            let start = period?.start(ofPeriodWith: "start") ?? "NULL"
            return """
                SELECT \(start) AS start, series, SUM(calls) AS calls, SUM(prompt_tokens) AS prompt_tokens,
                    SUM(cached_tokens) AS cached_tokens, SUM(completion_tokens) AS completion_tokens, SUM(cost) AS cost
                FROM usage_sums WHERE period = ? AND start >= ? AND start < ? GROUP BY 1, 2
                """
        }
        var conditions: [String] = []
        for (dimension, values) in only {
            conditions.append("\(dimension.column) IN (\(values.map { _ in "?" }.joined(separator: ", ")))")
            arguments += StatementArguments(values.sorted())
        }
        let needsKeys = Set(dimensions).union(only.keys).intersection([.key, .tag])
        let columns = ["start"] + dimensions.map(\.column)
        let groups = columns.indices.map { "\($0 + 1)" }.joined(separator: ", ")
        return (
            """
            SELECT \(columns.joined(separator: ", ")), SUM(CASE series.kind WHEN 'fee' THEN 0 ELSE calls END) AS calls,
                SUM(prompt_tokens) AS prompt_tokens, SUM(cached_tokens) AS cached_tokens,
                SUM(completion_tokens) AS completion_tokens, SUM(cost) AS cost
            FROM (\(spans.isEmpty ? Self.nothing : spans.joined(separator: " UNION ALL "))) AS sums
            CROSS JOIN usage_series AS series ON series.id = sums.series
            \(needsKeys.isEmpty ? "" : "JOIN keys ON keys.id = series.key")
            \(needsKeys.contains(.tag) ? "JOIN json_each(CASE keys.tags WHEN '[]' THEN '[\"\"]' ELSE keys.tags END) AS tag" : "")
            \(conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))")
            GROUP BY \(groups) ORDER BY \(groups)
            """,
            arguments
        )
    }

    private static let nothing = """
        SELECT NULL AS start, series, calls, prompt_tokens, cached_tokens, completion_tokens, cost FROM usage_sums WHERE false
        """
}

extension UsageDimension {
    fileprivate var column: String {
        switch self {
        case .key: "keys.name"
        case .keyID: "series.key"
        case .tag: "tag.value"
        case .function, .version, .route, .tenant, .model, .kind: "series.\(rawValue)"
        }
    }
}

extension Period {
    /// SQL for the start of the period that the time in `column` is in.
    fileprivate func start(ofPeriodWith column: String) -> String {
        switch self {
        case .hour: "\(column) / 3600 * 3600"
        case .day: "\(column) / 86400 * 86400"
        case .month: "unixepoch(\(column), 'unixepoch', 'start of month')"
        }
    }
}

extension Date {
    /// Whole Unix seconds.
    fileprivate var seconds: Int64 { Int64(timeIntervalSince1970) }
}
