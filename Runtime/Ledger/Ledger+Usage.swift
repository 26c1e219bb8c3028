import FoundationEssentials
import GRDB
import Wire

/// The tokens of one model call, as the host counted them.
package struct UsageRow: Hashable, Sendable {
    package enum Kind: String, Hashable, Codable, Sendable {
        case chat, completion, embedding
    }

    package var invocation: UUIDv7
    package var call: UUIDv7
    /// The model's alias.
    package var model: String
    package var kind: Kind
    package var promptTokens: Int
    /// The part of the prompt that was found in a cache.
    package var cachedTokens: Int
    package var completionTokens: Int
    /// `stop`, `length`, `cancelled`, `error`; `nil` for embeddings.
    package var finishReason: String?
    package var started: Date
    package var finished: Date

    package init(
        invocation: UUIDv7, call: UUIDv7 = UUIDv7(), model: String, kind: Kind, promptTokens: Int, cachedTokens: Int = 0,
        completionTokens: Int = 0, finishReason: String? = nil, started: Date, finished: Date = .now
    ) {
        self.invocation = invocation
        self.call = call
        self.model = model
        self.kind = kind
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.completionTokens = completionTokens
        self.finishReason = finishReason
        self.started = started
        self.finished = finished
    }
}

/// What usage can be summed by.
package enum UsageDimension: String, CaseIterable, Sendable {
    case function, route, key, tenant, model, kind

    fileprivate var column: String {
        switch self {
        case .function, .route, .tenant: "invocations.\(rawValue)"
        case .key: "keys.name"
        case .model, .kind: "usage.\(rawValue)"
        }
    }
}

/// A sum over all calls that are alike.
package struct UsageGroup: Hashable, Sendable {
    /// One value per dimension, in the order that was asked for. A key stands under its name.
    package let values: [String]
    package let calls: Int
    package let usage: TokenUsage
}

extension Ledger {
    /// Enters a model call at the price in force when it began, before its caller learns of its end.
    /// A second record of the same call changes nothing.
    /// - Returns: What the ledger holds for the call, from now on for good.
    /// - Throws: ``LedgerError`` when the invocation was never reserved, or nothing could be written: the call is then not billed and must fail.
    package func record(_ row: UsageRow) async throws -> TokenUsage {
        try await write { [path] db in
            let price = try Price.inForce(of: row.model, at: row.started.milliseconds, db) ?? Price(model: row.model, input: .free)
            let cost = try price.cost(
                promptTokens: row.promptTokens, cachedTokens: row.cachedTokens, completionTokens: row.completionTokens)
            let insert = try db.cachedStatement(sql: """
                INSERT INTO usage (invocation, call, model, kind, prompt_tokens, cached_tokens, completion_tokens, cost,
                    finish_reason, started, finished)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (invocation, call) DO NOTHING
                """)
            do {
                try insert.execute(arguments: [
                    row.invocation.description, row.call.description, row.model, row.kind.rawValue, row.promptTokens,
                    row.cachedTokens, row.completionTokens, cost.count, row.finishReason, row.started.milliseconds,
                    row.finished.milliseconds,
                ])
            } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_FOREIGNKEY {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(row.invocation).")
            }
            let select = try db.cachedStatement(sql: "SELECT * FROM usage WHERE invocation = ? AND call = ?")
            guard let entered = try Row.fetchOne(select, arguments: [row.invocation.description, row.call.description]) else {
                throw LedgerError(.storage, "The usage of call \(row.call) was not written.")
            }
            return TokenUsage(row: entered)
        }
    }

    /// Sums all calls that began at `since` or later.
    package func usage(groupBy dimensions: [UsageDimension], since: Date? = nil) async throws -> [UsageGroup] {
        let columns = dimensions.map(\.column).joined(separator: ", ")
        let sql = """
            SELECT \(columns.isEmpty ? "" : columns + ",") COUNT(*) AS calls,
                SUM(prompt_tokens) AS prompt_tokens, SUM(cached_tokens) AS cached_tokens,
                SUM(completion_tokens) AS completion_tokens, SUM(cost) AS cost
            FROM usage JOIN invocations ON invocations.id = usage.invocation JOIN keys ON keys.id = invocations.key
            WHERE usage.started >= ?
            \(columns.isEmpty ? "HAVING COUNT(*) > 0" : "GROUP BY \(columns) ORDER BY \(columns)")
            """
        return try await read { db in
            try Row.fetchAll(db, sql: sql, arguments: [since?.milliseconds ?? .min]).map { row in
                UsageGroup(values: dimensions.indices.map { row[$0] }, calls: row["calls"], usage: TokenUsage(row: row))
            }
        }
    }
}

extension TokenUsage {
    init(row: Row) {
        self.init(
            promptTokens: row["prompt_tokens"], cachedTokens: row["cached_tokens"], completionTokens: row["completion_tokens"],
            cost: NanoUSD(row["cost"]))
    }
}
