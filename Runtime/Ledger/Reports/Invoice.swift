import FoundationEssentials
import GRDB
import Wire

/// What one key owes for one calendar month (UTC). Lines add up to the total, to the nano-USD.
package struct Invoice: Hashable, Sendable {
    package struct Line: Hashable, Sendable {
        package let description: String
        /// How many units there were.
        package let quantity: Int
        /// `tokens`, `invocations`, `calls`.
        package let unit: String
        /// The price of a million units; `nil` where the amount is no multiple of one.
        package let perMillion: UnitPrice?
        package let amount: NanoUSD
    }

    package let key: APIKey
    package let month: Range<Date>
    package let lines: [Line]
    package let calls: Int
    /// The sum of what the ledger's rows cost.
    package let total: NanoUSD
}

extension Ledger {
    /// The invoice of the key that has this id, or else of the newest one that has this name, for the month that `date` is in.
    ///
    /// It is made from sums per version of each price, so that it is the same whenever it is asked for again.
    /// - Throws: ``LedgerError`` when there is no such key.
    package func invoice(key nameOrID: String, month date: Date) async throws -> Invoice {
        let month = Period.month.interval(containing: date)
        return try await read(awaitingWrites: true) { db in
            guard let key = try Row.fetchOne(
                db, sql: "SELECT * FROM keys WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC, created DESC LIMIT 1", arguments: [nameOrID]
            ).map(APIKey.init(row:)) else {
                throw LedgerError(.notFound, "There is no key '\(nameOrID)'. 'swiftlet keys list' shows all keys.")
            }
            let rows = try Row.fetchAll(
                db, sql: """
                    SELECT function, model, kind, price, SUM(calls) AS calls, SUM(prompt_tokens) AS prompt_tokens,
                        SUM(cached_tokens) AS cached_tokens, SUM(completion_tokens) AS completion_tokens, SUM(cost) AS cost
                    FROM usage_sums JOIN usage_series AS series ON series.id = series
                    WHERE period = 'month' AND start = ? AND key = ?
                    GROUP BY kind = 'fee', model, kind, CASE kind WHEN 'fee' THEN function END, price
                    ORDER BY kind = 'fee', model, kind, 1, price
                    """, arguments: [Int64(month.lowerBound.timeIntervalSince1970), key.id])
            return Invoice(
                key: key, month: month, lines: try rows.flatMap { try Invoice.lines($0, db) },
                calls: rows.reduce(0) { $0 + ($1["kind"] == "fee" ? 0 : $1["calls"]) },
                total: rows.reduce(.zero) { $0 + NanoUSD($1["cost"]) })
        }
    }
}

extension Invoice {
    /// The lines of one model, kind of call and version of its price.
    fileprivate static func lines(_ row: Row, _ db: Database) throws -> [Line] {
        let usage = TokenUsage(row: row)
        guard let kind = UsageRow.Kind(rawValue: row["kind"]) else {
            return [
                Line(
                    description: "Invocations of \(row["function"] as String)", quantity: row["calls"], unit: "invocations",
                    perMillion: nil, amount: usage.cost)
            ]
        }
        let model: String = row["model"]
        let price = try Price.inForce(of: model, at: row["price"], db) ?? Price(model: model, input: .free)
        let parts = [
            ("input", usage.promptTokens - usage.cachedTokens, kind == .embedding ? price.embedding : price.input),
            ("cached input", usage.cachedTokens, price.cachedInput),
            ("output", usage.completionTokens, kind.isCached ? price.cachedOutput : price.output),
        ].filter { $0.1 > 0 }
        let lines = parts.map { part, tokens, price in
            Line(
                description: "\(model), \(kind.description), \(part)", quantity: tokens, unit: "tokens", perMillion: price,
                amount: price.amount(of: tokens))
        }
        // Each call was rounded to whole nano-USD; a price in fractions of them leaves a difference.
        let rounding = usage.cost - lines.reduce(.zero) { $0 + $1.amount }
        guard rounding != .zero else { return lines }
        return lines + [
            Line(
                description: "\(model), \(kind.description), rounding of each call", quantity: row["calls"], unit: "calls", perMillion: nil,
                amount: rounding)
        ]
    }
}

extension UnitPrice {
    /// Rounded half up, to whole nano-USD.
    fileprivate func amount(of count: Int) -> NanoUSD {
        NanoUSD(Int64(clamping: (UInt128(count) * UInt128(nanoUSDPerMillion) + 500_000) / 1_000_000))
    }
}
