import FoundationEssentials
import GRDB
import Wire

extension Ledger {
    /// Enters an invocation, before any of it runs, and holds its fee. A second reservation of the same id changes nothing.
    /// - Returns: What the invocation is charged beside its calls.
    /// - Throws: ``LedgerError`` with `insufficientQuota` when the key's budget is used up or held.
    @discardableResult
    package func reserve(_ reservation: Reservation) async throws -> Fee {
        try await write(durably: false) { db in try reservation.enter(db) }
    }

    /// Enters how an invocation ended. The first settlement counts, later ones change nothing.
    /// - Parameters:
    ///   - durably: return only when the settlement survives what ``Durability`` promises.
    ///   - answering: the idempotent request that it ran for, and what it was answered.
    /// - Returns: The invocation with every call that has been recorded so far.
    /// - Throws: ``LedgerError`` when it was never reserved.
    @discardableResult
    package func settle(
        _ id: UUIDv7, _ settlement: Settlement, durably: Bool = true,
        answering: (request: IdempotentRequest, answer: KeptAnswer)? = nil
    ) async throws -> InvocationRecord {
        try await write(durably: durably || answering != nil) { [path] db in
            if let answering { try answering.answer.keep(for: answering.request, db) }
            guard let record = try settlement.enter(for: id, db) else {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(id).")
            }
            return record
        }
    }

    /// Enters an invocation when it has ended, in one step in the place of ``reserve(_:)`` and ``settle(_:_:durably:answering:)``: for one
    /// that had nothing to hold. If it was reserved meanwhile, it is settled.
    /// - Parameter isPatient: Whether nobody waits for it: it may be entered some milliseconds later. Who reads it by this ledger finds it.
    /// - Returns: as ``settle(_:_:durably:answering:)``. Power that fails may take it back.
    package func enter(_ reservation: Reservation, _ settlement: Settlement, isPatient: Bool = false) async throws -> InvocationRecord {
        // Nearly always this is all that a call costs here.
        if !settlement.isGivenUp,
            let record = try await write(durably: false, isPatient: isPatient, isOneStatement: true, { db in try settlement.enter(ifNewAndFree: reservation, db) })
        {
            return record
        }
        return try await write(durably: false) { [path] db in
            _ = try reservation.insert(db)
            guard let record = try settlement.enter(for: reservation.id, db) else {
                throw LedgerError(.notFound, "The ledger \(path) knows no invocation \(reservation.id).")
            }
            return record
        }
    }

    /// The invocation `id` if it belongs to `tenant`; `nil` when there is none or it is another's.
    package func invocation(_ id: UUIDv7, tenant: String) async throws -> InvocationRecord? {
        let record = try await read(awaitingWrites: true) { db in try InvocationRecord.fetch(id, db) }
        return record?.tenant == tenant ? record : nil
    }

    /// What ``settleLeftovers()`` found.
    package struct Leftovers: Hashable, Sendable {
        package var invocations = 0
        /// Their calls, and what those cost.
        package var calls = 0
        package var usage = TokenUsage()

        /// For the log.
        package var line: String {
            "settled \(invocations) invocations that the last run left open: \(calls) calls, \(usage.promptTokens) tokens in and \(usage.completionTokens) out, \(usage.cost) USD"
        }
    }

    /// Settles what a gateway that died has left reserved: failed, with the calls that were recorded, ending with the last of them.
    /// Nothing is held afterwards. For the start of a gateway, when no host of the last one runs and before it admits anything.
    @discardableResult
    package func settleLeftovers() async throws -> Leftovers {
        try await write { db in
            var leftovers = Leftovers()
            let rows = try Row.fetchAll(db, sql: """
                SELECT id, started, (SELECT MAX(finished) FROM usage WHERE invocation = invocations.id) AS finished
                FROM invocations WHERE status = 'reserved'
                """)
            for row in rows {
                guard let id = UUIDv7(row["id"] as String) else { continue }
                let duration = (row["finished"] as Int64?).map { $0 - row["started"] }
                let settlement = Settlement(status: .failed, httpStatus: nil, duration: .milliseconds(max(0, duration ?? 0)))
                guard let record = try settlement.enter(for: id, db) else { continue }
                leftovers.invocations += 1
                leftovers.calls += record.calls.count
                leftovers.usage += record.usage
            }
            try db.execute(sql: "DELETE FROM holds")
            // What nobody was answered may be asked again.
            try db.execute(sql: "DELETE FROM idempotency WHERE status IS NULL")
            return leftovers
        }
    }
}

extension Reservation {
    /// - Returns: What the invocation is charged beside its calls.
    @discardableResult
    func enter(_ db: Database) throws -> Fee {
        let time = started.milliseconds
        let isNew = try insert(db)
        let fee = try Fee.inForce(of: function, at: time, db)
        guard isNew, let budget = try Budget(of: key, at: time, db) else { return fee }
        let worst = try fee.cost(milliseconds: timeout.milliseconds)
        guard budget.available > .zero, worst <= budget.available else { throw budget.refusal }
        if worst > .zero { try Budget.hold(worst, for: key, invocation: id, call: nil, db) }
        return fee
    }

    /// - Returns: whether there was none with this id.
    fileprivate func insert(_ db: Database) throws -> Bool {
        let statement = try db.cachedStatement(sql: """
            INSERT INTO invocations (id, key, tenant, function, version, route, started, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO NOTHING
            """)
        try statement.execute(
            binding: id.description, key, tenant, function, version, route, started.milliseconds, InvocationStatus.reserved.rawValue, in: db)
        return db.changesCount > 0
    }
}

extension Settlement {
    /// - Returns: `nil` when there is no such invocation.
    func enter(for id: UUIDv7, _ db: Database) throws -> InvocationRecord? {
        guard var record = try InvocationRecord.fetch(id, db), record.status == .reserved else { return try InvocationRecord.fetch(id, db) }
        try enter(into: &record, db)
        try Budget.release(invocation: id, call: nil, db)
        return record
    }

    /// Enters an invocation that has ended, in one statement.
    /// - Returns: `nil` when it was reserved before or has a fee; nothing is entered then.
    fileprivate func enter(ifNewAndFree reservation: Reservation, _ db: Database) throws -> InvocationRecord? {
        guard try Fee.inForce(of: reservation.function, at: reservation.started.milliseconds, db).isFree else { return nil }
        let record = InvocationRecord(reservation, self)
        return try record.insert(db) ? record : nil
    }

    private func enter(into record: inout InvocationRecord, _ db: Database) throws {
        if isGivenUp {
            try Attempt.whole.giveUp(of: record.id, db)
            record.calls = []
        }
        // What failed and made nothing costs nothing.
        let isCharged = status == .succeeded || !record.calls.isEmpty
        let started = record.started.milliseconds
        set(&record, fee: isCharged ? try Fee.inForce(of: record.function, at: started, db).cost(milliseconds: duration.milliseconds) : .zero)
        // In one statement, because the hash chain seals what it leaves.
        let statement = try db.cachedStatement(sql: """
            UPDATE invocations SET status = ?, http_status = ?, duration_ms = ?, queue_ms = ?, cold_start_ms = ?, first_byte_ms = ?, cost = ?
            WHERE id = ?
            """)
        try statement.execute(
            binding: status.rawValue, httpStatus, record.durationMilliseconds, record.queueMilliseconds, record.coldStartMilliseconds,
            record.firstByteMilliseconds, record.fee.count, record.id.description, in: db)
        if record.fee > .zero { try Spending.add(record.fee, to: record.key, at: started, db) }
    }

    fileprivate func set(_ record: inout InvocationRecord, fee: NanoUSD) {
        record.fee = fee
        record.status = status
        record.httpStatus = httpStatus
        record.durationMilliseconds = duration.milliseconds
        record.queueMilliseconds = queued.milliseconds
        record.coldStartMilliseconds = coldStart?.milliseconds
        record.firstByteMilliseconds = firstByte?.milliseconds
    }
}

extension InvocationRecord {
    /// One that has ended, made no calls and has no fee.
    package init(_ reservation: Reservation, _ settlement: Settlement) {
        self.init(
            id: reservation.id, key: reservation.key, tenant: reservation.tenant, function: reservation.function,
            version: reservation.version, route: reservation.route, status: .reserved, started: Date(milliseconds: reservation.started.milliseconds),
            fee: .zero, calls: [])
        settlement.set(&self, fee: .zero)
    }

    /// Enters an invocation that has ended and costs nothing.
    /// - Returns: whether there was none with this id.
    fileprivate func insert(_ db: Database) throws -> Bool {
        let statement = try db.cachedStatement(sql: """
            INSERT INTO invocations (
                id, key, tenant, function, version, route, started, status, http_status, duration_ms, queue_ms, cold_start_ms, first_byte_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
            """)
        try statement.execute(
            binding: id.description, key, tenant, function, version, route, started.milliseconds, status.rawValue, httpStatus,
            durationMilliseconds, queueMilliseconds, coldStartMilliseconds, firstByteMilliseconds, in: db)
        return db.changesCount > 0
    }

    static func fetch(_ id: UUIDv7, _ db: Database) throws -> InvocationRecord? {
        // By position: every settlement reads a row, and names cost more than the query.
        let statement = try db.cachedStatement(sql: """
            SELECT key, tenant, function, version, route, status, http_status, started, duration_ms, queue_ms, cold_start_ms, first_byte_ms, cost
            FROM invocations WHERE id = ?
            """)
        guard let row = try Row.fetchOne(statement, arguments: [id.description]) else { return nil }
        let calls = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT * FROM usage WHERE invocation = ? ORDER BY call"), arguments: [id.description])
        return InvocationRecord(
            id: id, key: row[0], tenant: row[1], function: row[2], version: row[3], route: row[4],
            status: InvocationStatus(rawValue: row[5]) ?? .failed, httpStatus: row[6], started: Date(milliseconds: row[7]),
            durationMilliseconds: row[8], queueMilliseconds: row[9], coldStartMilliseconds: row[10], firstByteMilliseconds: row[11],
            fee: NanoUSD(row[12]), calls: calls.compactMap(Call.init(row:)))
    }
}

extension InvocationRecord.Call {
    fileprivate init?(row: Row) {
        guard let id = UUIDv7(row["call"] as String), let kind = UsageRow.Kind(rawValue: row["kind"]) else { return nil }
        self.init(id: id, model: row["model"], kind: kind, finishReason: row["finish_reason"], usage: TokenUsage(row: row),
            started: Date(milliseconds: row["started"]), firstTokenMilliseconds: row["first_token_ms"], loadMilliseconds: row["load_ms"])
    }
}
