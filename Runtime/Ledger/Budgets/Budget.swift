import FoundationEssentials
import GRDB
import Wire

/// How a key's hard budget stands, inside the transaction that asks.
///
/// What was spent and what running calls may still cost are together never above the limit: whoever wants to run holds its
/// worst case first, in the transaction that looked, and what it really cost takes the place of what was held.
struct Budget {
    let limit: NanoUSD
    let duration: BudgetDuration
    /// In the period that runs.
    let spent: NanoUSD
    /// By everything that runs.
    let held: NanoUSD

    var available: NanoUSD { max(.zero, limit - spent - held) }

    /// The budget of `key`; `nil` when it has none.
    init?(of key: String, at time: Int64, _ db: Database) throws {
        let statement = try db.cachedStatement(sql: "SELECT max_budget, budget_duration FROM keys WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [key]), let limit = row["max_budget"] as Int64? else { return nil }
        self.limit = NanoUSD(limit)
        duration = BudgetDuration(rawValue: row["budget_duration"]) ?? .total
        spent = try Spending.sum(of: key, in: duration, at: time, db)
        let holds = try db.cachedStatement(sql: "SELECT SUM(amount) FROM holds WHERE key = ?")
        held = NanoUSD(try Int64.fetchOne(holds, arguments: [key]) ?? 0)
    }

    /// Keeps `amount` for a call, or for the invocation's own fee where `call` is empty.
    static func hold(_ amount: NanoUSD, for key: String, invocation: UUIDv7, call: UUIDv7?, attempt: Attempt = .whole, _ db: Database) throws {
        let statement = try db.cachedStatement(sql: """
            INSERT INTO holds (invocation, call, key, amount, attempt) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """)
        try statement.execute(arguments: [invocation.description, call?.description ?? "", key, amount.count, attempt.path])
    }

    static func release(invocation: UUIDv7, call: UUIDv7?, _ db: Database) throws {
        let statement = try db.cachedStatement(sql: "DELETE FROM holds WHERE invocation = ? AND call = ?")
        try statement.execute(arguments: [invocation.description, call?.description ?? ""])
    }

    /// What the caller is told when there is no room.
    var refusal: LedgerError {
        let period = duration == .total ? "" : " per \(duration.rawValue)"
        let waiting = held > .zero ? " and \(held) USD held for calls that run" : ""
        return LedgerError(
            .insufficientQuota,
            "You exceeded your current quota: of this key's budget of \(limit) USD\(period), \(spent) USD are spent\(waiting), which leaves too little for this call.")
    }
}

/// What keys have spent, by day (UTC). A key's day never goes back, so that a clock that does opens no budget of the past again.
enum Spending {
    static func day(_ milliseconds: Int64) -> Int64 { milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds + 1) / 86_400_000 - 1 }

    private static func day(of key: String, at time: Int64, _ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT MAX(day) FROM spending WHERE key = ?")
        return max(day(time), try Int64.fetchOne(statement, arguments: [key]) ?? .min)
    }

    static func sum(of key: String, in duration: BudgetDuration, at time: Int64, _ db: Database) throws -> NanoUSD {
        let start = duration.start(of: try day(of: key, at: time, db))
        let statement = try db.cachedStatement(sql: "SELECT SUM(cost) FROM spending WHERE key = ? AND day >= ?")
        return NanoUSD(try Int64.fetchOne(statement, arguments: [key, start]) ?? 0)
    }

    /// Takes back what was added for something that began at `time`: from that day's spending, or from a later one's where a clock
    /// that went back had it counted there.
    static func takeBack(_ cost: NanoUSD, from key: String, since time: Int64, _ db: Database) throws {
        var rest = cost.count
        let days = try db.cachedStatement(sql: "SELECT day, cost FROM spending WHERE key = ? AND day >= ? ORDER BY day")
        for row in try Row.fetchAll(days, arguments: [key, day(time)]) where rest > 0 {
            let part = min(rest, row["cost"])
            try db.cachedStatement(sql: "UPDATE spending SET cost = cost - ? WHERE key = ? AND day = ?").execute(arguments: [part, key, row["day"]])
            rest -= part
        }
    }

    /// Adds `cost`, and notes when that takes the key past its soft budget, once in each period.
    static func add(_ cost: NanoUSD, to key: String, at time: Int64, _ db: Database) throws {
        guard cost > .zero else { return }
        let day = try day(of: key, at: time, db)
        let insert = try db.cachedStatement(sql: """
            INSERT INTO spending (key, day, cost) VALUES (?, ?, ?) ON CONFLICT (key, day) DO UPDATE SET cost = cost + excluded.cost
            """)
        try insert.execute(arguments: [key, day, cost.count])
        let select = try db.cachedStatement(sql: "SELECT soft_budget, budget_duration FROM keys WHERE id = ? AND soft_budget IS NOT NULL")
        guard let row = try Row.fetchOne(select, arguments: [key]) else { return }
        let duration = BudgetDuration(rawValue: row["budget_duration"]) ?? .total
        let spent = try sum(of: key, in: duration, at: time, db)
        let softBudget = NanoUSD(row["soft_budget"])
        guard spent >= softBudget else { return }
        try db.execute(
            sql: """
                INSERT INTO alerts (id, key, period, soft_budget, spent, created) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (key, period, soft_budget) DO NOTHING
                """,
            arguments: [UUIDv7().description, key, duration.start(of: day), softBudget.count, spent.count, time])
    }
}

extension Ledger {
    /// What `key` has spent in the period of its budget that runs.
    package func spent(by key: APIKey, at now: Date = .now) async throws -> NanoUSD { try await spent(by: [key], at: now)[0] }

    /// What each of `keys` has spent in the period of its budget that runs, in their order.
    package func spent(by keys: [APIKey], at now: Date = .now) async throws -> [NanoUSD] {
        try await read { db in
            try keys.map { try Spending.sum(of: $0.id, in: $0.settings.budgetDuration, at: now.milliseconds, db) }
        }
    }
}
