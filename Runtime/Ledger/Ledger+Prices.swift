import FoundationEssentials
import GRDB

extension Ledger {
    /// Puts a price list in force from `date` on. It is the whole list: a model that it does not name is free.
    /// A price that has not changed gets no new version, so that reading the same file again changes nothing.
    package func setPrices(_ list: [Price], from date: Date = .now) async throws {
        let prices = Dictionary(list.map { ($0.model, $0) }) { _, last in last }
        try await write { db in
            let known = try String.fetchAll(db, sql: "SELECT DISTINCT model FROM prices")
            for model in prices.keys.sorted() + known.filter({ prices[$0] == nil }) {
                let price = prices[model] ?? Price(model: model, input: .free)
                guard try Price.inForce(of: model, at: date.milliseconds, db) != price else { continue }
                try db.execute(
                    sql: "INSERT OR REPLACE INTO prices (model, valid_from, input, cached_input, output) VALUES (?, ?, ?, ?, ?)",
                    arguments: [
                        model, date.milliseconds, price.input.nanoUSDPerMillionTokens, price.cachedInput.nanoUSDPerMillionTokens,
                        price.output.nanoUSDPerMillionTokens,
                    ])
            }
        }
    }

    /// The price of `model` that was in force at `date`; `nil` when it had none, and so was free.
    package func price(of model: String, at date: Date = .now) async throws -> Price? {
        try await read { db in try Price.inForce(of: model, at: date.milliseconds, db) }
    }
}

extension Price {
    static func inForce(of model: String, at time: Int64, _ db: Database) throws -> Price? {
        let statement = try db.cachedStatement(
            sql: "SELECT input, cached_input, output FROM prices WHERE model = ? AND valid_from <= ? ORDER BY valid_from DESC LIMIT 1")
        return try Row.fetchOne(statement, arguments: [model, time]).map {
            Price(
                model: model, input: TokenPrice(stored: $0["input"]), cachedInput: TokenPrice(stored: $0["cached_input"]),
                output: TokenPrice(stored: $0["output"]))
        }
    }
}
