import FoundationEssentials
import GRDB
import GRDBSQLite
import Wire

extension Ledger {
    /// Sums usage. The time this takes grows with the number of periods and kinds of calls, not with the number of calls.
    /// - Returns: Groups in the order of their periods, then of their values.
    package func usage(_ query: UsageQuery) async throws -> [UsageGroup] {
        try await read(awaitingWrites: true) { db in try UsageSummation(query, db).groups(db) }
    }
}

/// Adds up the table of sums, which has a row for each period and series. While it reads, a series is a number: what it is called would
/// cost more than everything else.
private struct UsageSummation {
    private let query: UsageQuery
    /// The values of each group, sorted.
    private var values: [[String]] = []
    /// The groups that the series `id` counts in are `members[offsets[id]..<offsets[id + 1]]`: none, one, or one for each tag of its key.
    private var offsets: [Int] = []
    private var members: [Int] = []
    /// Fees are money and no calls.
    private var isFee: [Bool] = []

    init(_ query: UsageQuery, _ db: Database) throws {
        self.query = query
        let (sql, arguments) = query.series
        var groupOf: [[String]: Int] = [:]
        var groups: [Int: Set<Int>] = [:]
        isFee = Array(repeating: false, count: 1 + (try Int.fetchOne(db, sql: "SELECT MAX(id) FROM usage_series") ?? 0))
        for row in try Row.fetchAll(db, sql: sql, arguments: arguments) {
            let series: Int = row[0]
            isFee[series] = row[1]
            let values: [String] = query.dimensions.indices.map { row[$0 + 2] }
            if groupOf[values] == nil {
                groupOf[values] = self.values.count
                self.values.append(values)
            }
            groups[series, default: []].insert(groupOf[values] ?? 0)
        }
        // Numbered in the order in which they are told.
        let order = values.indices.sorted { values[$0].lexicographicallyPrecedes(values[$1]) }
        var rank = order
        for (place, group) in order.enumerated() { rank[group] = place }
        values = order.map { values[$0] }
        for series in isFee.indices {
            offsets.append(members.count)
            members += (groups[series] ?? []).map { rank[$0] }
        }
        offsets.append(members.count)
    }

    /// What one group has in one period.
    private struct Sum {
        var rows = 0
        var calls: Int64 = 0
        var promptTokens: Int64 = 0
        var cachedTokens: Int64 = 0
        var completionTokens: Int64 = 0
        var cost: Int64 = 0
    }

    func groups(_ db: Database) throws -> [UsageGroup] {
        var found: [UsageGroup] = []
        var sums = [Sum](repeating: Sum(), count: values.count)
        // In seconds: the period that is added up.
        var period: Range<Int64>?
        func finish() {
            guard let ended = period else { return }
            let start = query.period.map { _ in Date(timeIntervalSince1970: TimeInterval(ended.lowerBound)) }
            for (group, sum) in sums.enumerated() where sum.rows > 0 {
                let usage = TokenUsage(
                    promptTokens: Int(sum.promptTokens), cachedTokens: Int(sum.cachedTokens), completionTokens: Int(sum.completionTokens),
                    cost: NanoUSD(sum.cost))
                found.append(UsageGroup(start: start, values: values[group], calls: Int(sum.calls), usage: usage))
                sums[group] = Sum()
            }
        }
        for span in (query.period ?? .month).spans(of: query.range) {
            let statement = try db.cachedStatement(sql: """
                SELECT start, series, calls, prompt_tokens, cached_tokens, completion_tokens, cost
                FROM usage_sums WHERE period = ? AND start >= ? AND start < ? ORDER BY start
                """)
            try statement.setArguments([
                span.period.rawValue, Int64(span.range.lowerBound.timeIntervalSince1970), Int64(span.range.upperBound.timeIntervalSince1970),
            ])
            // Straight from SQLite: over a million sums, GRDB's rows take three times as long.
            let rows = statement.sqliteStatement
            defer { sqlite3_reset(rows) }
            while try statement.step(in: db) {
                let start = sqlite3_column_int64(rows, 0)
                if period?.contains(start) != true {
                    finish()
                    period = query.period.map { $0.seconds(around: start) } ?? .min..<(.max)
                }
                let series = Int(sqlite3_column_int64(rows, 1))
                // Nothing is relied on in a file that may be damaged.
                guard isFee.indices.contains(series) else { continue }
                let place = offsets[series]..<offsets[series + 1]
                if place.isEmpty { continue }
                let calls = isFee[series] ? 0 : sqlite3_column_int64(rows, 2)
                let (prompt, cached) = (sqlite3_column_int64(rows, 3), sqlite3_column_int64(rows, 4))
                let (completion, cost) = (sqlite3_column_int64(rows, 5), sqlite3_column_int64(rows, 6))
                for group in members[place] {
                    sums[group].rows += 1
                    sums[group].calls += calls
                    sums[group].promptTokens += prompt
                    sums[group].cachedTokens += cached
                    sums[group].completionTokens += completion
                    sums[group].cost += cost
                }
            }
        }
        finish()
        return found
    }
}

extension UsageQuery {
    /// SQL for every series that counts, with its values: a row for each of its key's tags where those are asked for.
    fileprivate var series: (sql: String, arguments: StatementArguments) {
        var arguments = StatementArguments()
        var conditions: [String] = []
        for (dimension, values) in only {
            conditions.append("\(dimension.column) IN (\(values.map { _ in "?" }.joined(separator: ", ")))")
            arguments += StatementArguments(values.sorted())
        }
        let needsKeys = Set(dimensions).union(only.keys).intersection([.key, .tag])
        return (
            """
            SELECT \((["series.id", "series.kind = 'fee'"] + dimensions.map(\.column)).joined(separator: ", "))
            FROM usage_series AS series
            \(needsKeys.isEmpty ? "" : "JOIN keys ON keys.id = series.key")
            \(needsKeys.contains(.tag) ? "JOIN json_each(CASE keys.tags WHEN '[]' THEN '[\"\"]' ELSE keys.tags END) AS tag" : "")
            \(conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))")
            """,
            arguments
        )
    }
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
    /// The period that the moment `time` is in, both in Unix seconds.
    fileprivate func seconds(around time: Int64) -> Range<Int64> {
        let interval = interval(containing: Date(timeIntervalSince1970: TimeInterval(time)))
        return Int64(interval.lowerBound.timeIntervalSince1970)..<Int64(interval.upperBound.timeIntervalSince1970)
    }
}
