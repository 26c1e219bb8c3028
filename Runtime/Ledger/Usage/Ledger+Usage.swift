import FoundationEssentials
import GRDB
import Wire

/// The tokens of one model call, as the host counted them.
package struct UsageRow: Hashable, Sendable {
    package enum Kind: String, Hashable, Codable, Sendable {
        case chat, completion, embedding
        // The same, answered from the response cache: no model has worked for them.
        case cachedChat = "cached_chat"
        case cachedCompletion = "cached_completion"
        case cachedEmbedding = "cached_embedding"

        /// The kind of a call whose answer is given again without asking the model.
        package var cached: Kind {
            switch self {
            case .chat, .cachedChat: .cachedChat
            case .completion, .cachedCompletion: .cachedCompletion
            case .embedding, .cachedEmbedding: .cachedEmbedding
            }
        }

        package var isCached: Bool { self == cached }
        /// Whether there is one right answer, whatever the request says of sampling.
        package var isEmbedding: Bool { cached == .cachedEmbedding }
        /// For an invoice.
        package var description: String {
            switch self {
            case .chat, .completion, .embedding: rawValue
            case .cachedChat: "chat from the response cache"
            case .cachedCompletion: "completion from the response cache"
            case .cachedEmbedding: "embedding from the response cache"
            }
        }
    }

    package var invocation: UUIDv7
    package var call: UUIDv7
    /// The model's alias; with an adapter, `alias:adapter`.
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
    /// From the call's arrival to its first token.
    package var firstToken: Duration?
    /// How long the host took to be ready, when it was started for this call.
    package var load: Duration?
    /// The try that it was made for.
    package var attempt: Attempt

    package init(
        invocation: UUIDv7, call: UUIDv7 = UUIDv7(), model: String, kind: Kind, promptTokens: Int, cachedTokens: Int = 0,
        completionTokens: Int = 0, finishReason: String? = nil, started: Date, finished: Date = .now, firstToken: Duration? = nil,
        load: Duration? = nil, attempt: Attempt = .whole
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
        self.firstToken = firstToken
        self.load = load
        self.attempt = attempt
    }
}

extension Ledger {
    /// Enters a model call at the price in force when it began, before its caller learns of its end. It takes the place of what
    /// was held for it. A second record of the same call changes nothing. One for an attempt that was given up is charged to nobody.
    /// - Returns: What the ledger holds for the call, from now on for good.
    /// - Throws: ``LedgerError`` when the invocation was never reserved, or nothing could be written: the call is then not billed.
    package func record(_ row: UsageRow) async throws -> TokenUsage {
        try await write { [path] db in
            guard let usage = try row.enter(db) else {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(row.invocation).")
            }
            return usage
        }
    }
}

extension UsageRow {
    /// Of a row in `usage` or `lost_usage`.
    static let columns = """
        invocation, call, model, kind, prompt_tokens, cached_tokens, completion_tokens, cost, finish_reason, started, finished, \
        first_token_ms, load_ms, attempt
        """

    /// - Returns: What the ledger holds for the call; `nil` when there is no such invocation.
    func enter(_ db: Database) throws -> TokenUsage? {
        let owner = try db.cachedStatement(sql: "SELECT key, \(Attempt.isGivenUp("?2", of: "id")) FROM invocations WHERE id = ?1")
        guard let row = try Row.fetchOne(owner, arguments: [invocation.description, attempt.path]) else { return nil }
        let (key, isLost) = (row[0], row[1]) as (String, Bool)
        try Price.inherit(for: model, db)
        let price = try Price.inForce(of: model, at: started.milliseconds, db) ?? Price(model: model, input: .free)
        let cost = try price.cost(
            of: kind, promptTokens: promptTokens, cachedTokens: cachedTokens, completionTokens: completionTokens)
        let insert = try db.cachedStatement(sql: """
            INSERT INTO \(isLost ? "lost_usage" : "usage") (\(Self.columns))
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """)
        try insert.execute(arguments: [
            invocation.description, call.description, model, kind.rawValue, promptTokens, cachedTokens, completionTokens, cost.count,
            finishReason, started.milliseconds, finished.milliseconds, firstToken?.milliseconds, load?.milliseconds,
            attempt.path,
        ])
        if !isLost, db.changesCount > 0 { try Spending.add(cost, to: key, at: started.milliseconds, db) }
        try Budget.release(invocation: invocation, call: call, db)
        guard !isLost else {
            return TokenUsage(promptTokens: promptTokens, cachedTokens: cachedTokens, completionTokens: completionTokens, cost: .zero)
        }
        let select = try db.cachedStatement(sql: "SELECT * FROM usage WHERE invocation = ? AND call = ?")
        return try Row.fetchOne(select, arguments: [invocation.description, call.description]).map(TokenUsage.init(row:))
    }
}

extension TokenUsage {
    init(row: Row) {
        self.init(
            promptTokens: row["prompt_tokens"], cachedTokens: row["cached_tokens"], completionTokens: row["completion_tokens"],
            cost: NanoUSD(row["cost"]))
    }
}
