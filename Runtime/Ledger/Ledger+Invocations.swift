import FoundationEssentials
import GRDB
import Wire

extension Ledger {
    /// Enters an invocation, before any of it runs. A second reservation of the same id changes nothing.
    package func reserve(_ reservation: Reservation) async throws {
        try await write { db in
            let statement = try db.cachedStatement(sql: """
                INSERT INTO invocations (id, key, tenant, function, route, started, status) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO NOTHING
                """)
            try statement.execute(arguments: [
                reservation.id.description, reservation.key, reservation.tenant, reservation.function, reservation.route,
                reservation.started.milliseconds, InvocationStatus.reserved.rawValue,
            ])
        }
    }

    /// Enters how an invocation ended. The first settlement counts, later ones change nothing.
    /// - Returns: The invocation with every call that has been recorded so far.
    /// - Throws: ``LedgerError`` when it was never reserved.
    @discardableResult
    package func settle(_ id: UUIDv7, _ settlement: Settlement) async throws -> InvocationRecord {
        try await write { [path] db in
            let statement = try db.cachedStatement(sql: """
                UPDATE invocations SET status = ?, http_status = ?, duration_ms = ?, queue_ms = ?, first_byte_ms = ?
                WHERE id = ? AND status = 'reserved'
                """)
            try statement.execute(arguments: [
                settlement.status.rawValue, settlement.httpStatus, settlement.duration.milliseconds, settlement.queued.milliseconds,
                settlement.firstByte?.milliseconds, id.description,
            ])
            guard let record = try InvocationRecord.fetch(id, db) else {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(id).")
            }
            return record
        }
    }

    /// The invocation `id` if it belongs to `tenant`; `nil` when there is none or it is another's.
    package func invocation(_ id: UUIDv7, tenant: String) async throws -> InvocationRecord? {
        let record = try await read { db in try InvocationRecord.fetch(id, db) }
        return record?.tenant == tenant ? record : nil
    }

    /// Settles what a gateway that died has left reserved: failed, with the calls that were recorded, ending with the last of them.
    /// For the start of a gateway, before it admits anything.
    /// - Returns: How many there were.
    @discardableResult
    package func settleLeftovers() async throws -> Int {
        try await write { db in
            try db.execute(sql: """
                UPDATE invocations SET status = 'failed', duration_ms =
                    (SELECT MAX(finished) FROM usage WHERE invocation = invocations.id) - started
                WHERE status = 'reserved'
                """)
            return db.changesCount
        }
    }
}

extension InvocationRecord {
    static func fetch(_ id: UUIDv7, _ db: Database) throws -> InvocationRecord? {
        let statement = try db.cachedStatement(sql: "SELECT * FROM invocations WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id.description]) else { return nil }
        let calls = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM usage WHERE invocation = ? ORDER BY call"), arguments: [id.description])
        return InvocationRecord(
            id: id, key: row["key"], tenant: row["tenant"], function: row["function"], route: row["route"],
            status: InvocationStatus(rawValue: row["status"]) ?? .failed, httpStatus: row["http_status"],
            started: Date(milliseconds: row["started"]), durationMilliseconds: row["duration_ms"],
            queueMilliseconds: row["queue_ms"], firstByteMilliseconds: row["first_byte_ms"],
            calls: calls.compactMap(Call.init(row:)))
    }
}

extension InvocationRecord.Call {
    fileprivate init?(row: Row) {
        guard let id = UUIDv7(row["call"] as String), let kind = UsageRow.Kind(rawValue: row["kind"]) else { return nil }
        self.init(id: id, model: row["model"], kind: kind, finishReason: row["finish_reason"], usage: TokenUsage(row: row))
    }
}
