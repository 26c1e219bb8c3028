import FoundationEssentials
import GRDB
import Wire

/// A request that carries an `Idempotency-Key`.
package struct IdempotentRequest: Hashable, Sendable {
    /// The id of the API key, whose tokens are its own.
    package var key: String
    /// What the client sent as `Idempotency-Key`.
    package var token: String
    /// A digest of all that was asked for.
    package var fingerprint: [UInt8]
    /// The invocation that runs for it if it is new.
    package var invocation: UUIDv7

    package init(key: String, token: String, fingerprint: [UInt8], invocation: UUIDv7) {
        self.key = key
        self.token = token
        self.fingerprint = fingerprint
        self.invocation = invocation
    }
}

/// A response that is kept for whoever asks again.
package struct KeptAnswer: Hashable, Sendable {
    package var status: Int
    /// Name and value of each header.
    package var headers: [[String]]
    /// `nil` when it was too large to be kept.
    package var body: [UInt8]?

    package init(status: Int, headers: [[String]], body: [UInt8]?) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What is known of an idempotent request.
package enum IdempotencyClaim: Hashable, Sendable {
    /// Nobody has asked before: it runs now.
    case new
    /// It was asked before and is not answered yet.
    case running
    /// It was answered, by this invocation.
    case answered(KeptAnswer, invocation: UUIDv7)
    /// Something else was asked under the same token.
    case different
}

extension Ledger {
    /// For how long answers are kept.
    private static let idempotencyLifetime: Int64 = 24 * 3600 * 1000

    /// Claims a request's token, for one caller of all that ask at once. Whoever gets `new` settles with the answer
    /// (``settle(_:_:durably:answering:)``), or lets the token go.
    package func claim(_ request: IdempotentRequest, now: Date = .now) async throws -> IdempotencyClaim {
        try await write(durably: false) { db in
            let time = now.milliseconds
            let insert = try db.cachedStatement(sql: """
                INSERT INTO idempotency (key, token, fingerprint, invocation, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """)
            let purge = try db.cachedStatement(sql: "DELETE FROM idempotency WHERE created < ? AND status IS NOT NULL")
            try purge.execute(arguments: [time - Self.idempotencyLifetime])
            try insert.execute(arguments: [
                request.key, request.token, Data(request.fingerprint), request.invocation.description, time,
            ])
            if db.changesCount > 0 { return .new }
            let select = try db.cachedStatement(sql: "SELECT * FROM idempotency WHERE key = ? AND token = ?")
            guard let row = try Row.fetchOne(select, arguments: [request.key, request.token]) else { return .running }
            guard row["fingerprint"] == Data(request.fingerprint) else { return .different }
            guard let status = row["status"] as Int?, let invocation = UUIDv7(row["invocation"] as String) else { return .running }
            let headers = try JSONDecoder().decode([[String]].self, from: Data((row["headers"] as String? ?? "[]").utf8))
            let body = (row["body"] as Data?).map(Array.init)
            return .answered(KeptAnswer(status: status, headers: headers, body: body), invocation: invocation)
        }
    }

    /// Lets a token go whose request was not carried out, so that it may be asked again.
    package func unclaim(_ request: IdempotentRequest) async throws {
        try await write(durably: false) { db in
            try db.execute(
                sql: "DELETE FROM idempotency WHERE key = ? AND token = ? AND invocation = ? AND status IS NULL",
                arguments: [request.key, request.token, request.invocation.description])
        }
    }
}

extension KeptAnswer {
    /// In the transaction that settles: the request is billed and answered, or neither.
    func keep(for request: IdempotentRequest, _ db: Database) throws {
        let headers = String(decoding: try JSONEncoder().encode(headers), as: UTF8.self)
        try db.execute(
            sql: "UPDATE idempotency SET status = ?, headers = ?, body = ? WHERE key = ? AND token = ? AND invocation = ?",
            arguments: [status, headers, body.map { Data($0) }, request.key, request.token, request.invocation.description])
    }
}
