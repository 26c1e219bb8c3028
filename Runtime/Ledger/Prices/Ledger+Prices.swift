import FoundationEssentials
import GRDB
import GRDBSQLite
import Synchronization
import Wire

/// A price that holds from a date on.
package struct PriceChange: Hashable, Sendable {
    package var price: Price
    package var date: Date

    package init(_ price: Price, from date: Date) { (self.price, self.date) = (price, date) }
}

extension Ledger {
    /// Puts a price list in force from `date` on. It is the whole list: a model or function that it does not name is free.
    /// A price that has not changed gets no new version, so that reading the same file again changes nothing. What was in force
    /// before stays as it was, also when the clock has been set back: a new version is never older than the last one, nor than what was
    /// charged already.
    /// - Parameters:
    ///   - changes: prices that models of the list get later. Those of an earlier list that are still to come are taken back.
    ///   - date: `nil` for the moment in which they are written.
    package func setPrices(_ list: [Price], changes: [PriceChange] = [], fees: [Fee] = [], from date: Date? = nil) async throws {
        let prices = Dictionary(list.map { ($0.model, $0) }) { _, last in last }
        let changes = Dictionary(grouping: changes.sorted { $0.date < $1.date }, by: \.price.model)
        let fees = Dictionary(fees.map { ($0.function, $0) }) { _, last in last }
        recentFees.withLock { $0.beginChange() }
        defer { recentFees.withLock { $0.endChange() } }
        try await write { db in
            let date = date ?? .now
            let lastCall = try Int64.fetchOne(db, sql: "SELECT MAX(started) FROM usage") ?? -1
            let lastInvocation = try Int64.fetchOne(db, sql: "SELECT started FROM invocations ORDER BY id DESC LIMIT 1") ?? -1
            let time = date.milliseconds
            for model in Set(prices.keys).union(try String.fetchAll(db, sql: "SELECT DISTINCT model FROM prices")).sorted() {
                try Price.takeBack(of: model, after: time, db)
                // An adapter that is not named costs what its model does.
                let source = prices[model] == nil ? ModelName(model).alias : model
                let changes = prices[source] == nil ? [] : changes[source, default: []]
                let current = changes.last { $0.date <= date }?.price ?? prices[source] ?? Price(model: model, input: .free)
                try current.of(model).store(from: max(time, lastCall + 1), db)
                for change in changes where change.date > date {
                    try change.price.of(model).store(from: change.date.milliseconds, isScheduled: true, db)
                }
            }
            for function in Set(fees.keys).union(try String.fetchAll(db, sql: "SELECT DISTINCT function FROM fees")).sorted() {
                // One that is named no more costs what all do.
                let common = fees["*"] ?? Fee(function: function)
                let fee = fees[function] ?? Fee(function: function, perInvocation: common.perInvocation, perSecond: common.perSecond)
                try fee.store(from: max(time, lastInvocation + 1), db)
            }
        }
    }

    /// What an invocation of `function` is charged beside its calls. Like a key, it is looked up again after `keyFreshness`.
    ///
    /// For an invocation that began before this is called, it is no less than what its settlement will find.
    package func fee(of function: String) async throws -> Fee {
        let (recent, generation, isChanging) = recentFees.withLock { ($0.fees[function], $0.generation, $0.changes > 0) }
        if let recent, recent.until > .now { return recent.fee }
        let until = ContinuousClock.now + keyFreshness
        let lookUp = { @Sendable (db: Database) in try Fee.inForce(of: function, at: Date.now.milliseconds, db) }
        // Behind the change that is on its way.
        let fee = isChanging ? try await write(durably: false, isOneStatement: true, lookUp) : try await read(lookUp)
        recentFees.withLock { if $0.generation == generation { $0.fees[function] = (fee, until) } }
        return fee
    }
}

/// Fees that were looked up, while this process changes none.
struct RecentFees {
    var fees: [String: (fee: Fee, until: ContinuousClock.Instant)] = [:]
    /// Another one at each beginning and end of a change.
    private(set) var generation = 0
    private(set) var changes = 0

    mutating func beginChange() { step(1) }
    mutating func endChange() { step(-1) }

    private mutating func step(_ difference: Int) {
        changes += difference
        generation += 1
        fees = [:]
    }
}

extension Price {
    /// The same for another model.
    fileprivate func of(_ model: String) -> Price {
        var price = self
        price.model = model
        return price
    }

    /// Lets an adapter that has no price of its own cost what its model does, from the beginning on.
    static func inherit(for model: String, _ db: Database) throws {
        let name = ModelName(model)
        guard name.adapter != nil else { return }
        let statement = try db.cachedStatement(sql: """
            INSERT INTO prices (model, valid_from, input, cached_input, output, embedding, cached_output, scheduled)
            SELECT ?, valid_from, input, cached_input, output, embedding, cached_output, scheduled FROM prices
            WHERE model = ? AND NOT EXISTS (SELECT 1 FROM prices WHERE model = ?)
            """)
        try statement.execute(arguments: [model, name.alias, model])
    }

    package static func inForce(of model: String, at time: Int64, _ db: Database) throws -> Price? {
        let statement = try db.cachedStatement(
            sql: "SELECT * FROM prices WHERE model = ? AND valid_from <= ? ORDER BY valid_from DESC LIMIT 1")
        return try Row.fetchOne(statement, arguments: [model, time]).map { row in
            Price(
                model: model, input: UnitPrice(stored: row["input"]), cachedInput: UnitPrice(stored: row["cached_input"]),
                output: UnitPrice(stored: row["output"]), embedding: (row["embedding"] as Int64?).map(UnitPrice.init(stored:)),
                cachedOutput: UnitPrice(stored: row["cached_output"]))
        }
    }

    /// Deletes the prices that were to come, but for one that has been charged: then the clock was set back.
    fileprivate static func takeBack(of model: String, after time: Int64, _ db: Database) throws {
        try db.execute(
            sql: """
                DELETE FROM prices WHERE model = ? AND scheduled AND valid_from > ?
                    AND NOT EXISTS (SELECT 1 FROM usage_series WHERE usage_series.model = prices.model AND price = valid_from)
                """, arguments: [model, time])
    }

    fileprivate func store(from time: Int64, isScheduled: Bool = false, _ db: Database) throws {
        let last = try Int64.fetchOne(db, sql: "SELECT MAX(valid_from) FROM prices WHERE model = ?", arguments: [model])
        guard try last.map({ try Price.inForce(of: model, at: $0, db) }) != self else { return }
        try db.execute(
            sql: """
                INSERT INTO prices (model, valid_from, input, cached_input, output, embedding, cached_output, scheduled)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                model, max(time, last.map { $0 + 1 } ?? time), input.nanoUSDPerMillion, cachedInput.nanoUSDPerMillion,
                output.nanoUSDPerMillion, embedding.nanoUSDPerMillion, cachedOutput.nanoUSDPerMillion, isScheduled,
            ])
    }
}

extension Fee {
    /// A function's own fee, or else the one for all.
    package static func inForce(of function: String, at time: Int64, _ db: Database) throws -> Fee {
        // Two look-ups in the index, the second if the first finds none: ordering both takes SQLite five times as long.
        let statement = try db.cachedStatement(sql: """
            SELECT * FROM (SELECT per_invocation, per_second FROM fees WHERE function = ?1 AND valid_from <= ?2 ORDER BY valid_from DESC LIMIT 1)
            UNION ALL
            SELECT * FROM (SELECT per_invocation, per_second FROM fees WHERE function = '*' AND valid_from <= ?2 ORDER BY valid_from DESC LIMIT 1)
            LIMIT 1
            """)
        let prices = try statement.first(binding: function, time, in: db) { row in
            (UnitPrice(stored: sqlite3_column_int64(row, 0)), UnitPrice(stored: sqlite3_column_int64(row, 1)))
        }
        return prices.map { Fee(function: function, perInvocation: $0, perSecond: $1) } ?? Fee(function: function)
    }

    fileprivate func store(from time: Int64, _ db: Database) throws {
        let last = try Row.fetchOne(
            db, sql: "SELECT * FROM fees WHERE function = ? ORDER BY valid_from DESC LIMIT 1", arguments: [function])
        if let last, last["per_invocation"] == perInvocation.nanoUSDPerMillion, last["per_second"] == perSecond.nanoUSDPerMillion { return }
        let next = (last?["valid_from"] as Int64?).map { $0 + 1 } ?? time
        try db.execute(
            sql: "INSERT INTO fees (function, valid_from, per_invocation, per_second) VALUES (?, ?, ?, ?)",
            arguments: [function, max(time, next), perInvocation.nanoUSDPerMillion, perSecond.nanoUSDPerMillion])
    }
}
