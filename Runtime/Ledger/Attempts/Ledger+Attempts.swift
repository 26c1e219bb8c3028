import GRDB
import Wire

extension Ledger {
    /// Gives up a try, before another is begun or because nothing of it reached anyone: what models made for it is the system's own
    /// loss. It is kept (`lost_usage`), charged to nobody and in no report; and so is what a host enters for it from now on.
    ///
    /// A settled invocation stays as it is.
    package func giveUp(_ attempt: Attempt, of invocation: UUIDv7) async throws {
        try await write { db in
            guard try InvocationRecord.fetch(invocation, db)?.status == .reserved else { return }
            try attempt.giveUp(of: invocation, db)
        }
    }
}

extension Attempt {
    /// For an invocation that is not settled.
    func giveUp(of invocation: UUIDv7, _ db: Database) throws {
        let id = invocation.description
        try db.cachedStatement(sql: "INSERT INTO given_up (invocation, attempt) VALUES (?, ?) ON CONFLICT DO NOTHING").execute(arguments: [id, path])
        let isPart = "invocation = ?1 AND \(Attempt.isPart("attempt", of: "?2"))"
        let rows = try Row.fetchAll(
            db.cachedStatement(sql: """
                SELECT usage.started, usage.cost, invocations.key FROM usage JOIN invocations ON invocations.id = invocation WHERE \(isPart)
                """), arguments: [id, path])
        if !rows.isEmpty {
            let columns = UsageRow.columns
            try db.cachedStatement(sql: "INSERT INTO lost_usage (\(columns)) SELECT \(columns) FROM usage WHERE \(isPart)").execute(arguments: [id, path])
            try db.cachedStatement(sql: "DELETE FROM usage WHERE \(isPart)").execute(arguments: [id, path])
            for row in rows { try Spending.takeBack(NanoUSD(row["cost"]), from: row["key"], since: row["started"], db) }
        }
        try db.cachedStatement(sql: "DELETE FROM holds WHERE \(isPart) AND call <> ''").execute(arguments: [id, path])
    }

    /// The tries at `invocation` that were given up.
    static func givenUp(of invocation: UUIDv7, _ db: Database) throws -> [Attempt] {
        let statement = try db.cachedStatement(sql: "SELECT attempt FROM given_up WHERE invocation = ?")
        return try String.fetchAll(statement, arguments: [invocation.description]).map(Attempt.init(path:))
    }
}
