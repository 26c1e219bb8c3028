import FoundationEssentials
import GRDB
import Wire

/// A model call that is about to begin, its prompt counted.
package struct CallRequest: Hashable, Sendable {
    package var invocation: UUIDv7
    package var call: UUIDv7
    /// The id of the API key that pays.
    package var key: String
    package var model: String
    package var kind: UsageRow.Kind
    package var promptTokens: Int
    /// The most that it may make, by what the caller asked for and the context has room for.
    package var maximumTokens: Int
    /// With fewer it is not worth beginning.
    package var fewestTokens: Int
    package var started: Date
    /// The try that it is made for.
    package var attempt: Attempt

    package init(
        invocation: UUIDv7, call: UUIDv7, key: String, model: String, kind: UsageRow.Kind, promptTokens: Int, maximumTokens: Int = 0,
        fewestTokens: Int = 1, started: Date, attempt: Attempt = .whole
    ) {
        self.invocation = invocation
        self.call = call
        self.key = key
        self.model = model
        self.kind = kind
        self.promptTokens = promptTokens
        self.maximumTokens = maximumTokens
        self.fewestTokens = fewestTokens
        self.started = started
        self.attempt = attempt
    }
}

extension Ledger {
    /// Holds what a call may cost at most, if a hard budget is over it. ``record(_:)`` puts what it cost in its place.
    /// - Returns: How many tokens it may make: all that it wants, or what the budget has room for, if that is `fewestTokens` at least.
    /// - Throws: ``LedgerError`` with `insufficientQuota` when the budget has no room, `repeated` when the call was billed already, by
    ///   a host that died before its answer was out, `givenUp` when nobody waits for it any more; nothing is held then.
    package func hold(_ request: CallRequest) async throws -> Int {
        let time = request.started.milliseconds
        let (hasBudget, isBilled, isGivenUp) = try await read { db in
            let statement = try db.cachedStatement(sql: """
                SELECT EXISTS (SELECT 1 FROM keys WHERE id = ?1 AND max_budget IS NOT NULL),
                    EXISTS (SELECT 1 FROM usage WHERE invocation = ?2 AND call = ?3), \(Attempt.isGivenUp("?4", of: "?2"))
                """)
            let row = try Row.fetchOne(
                statement,
                arguments: [request.key, request.invocation.description, request.call.description, request.attempt.path])
            return (row?[0] ?? false, row?[1] ?? false, row?[2] ?? false) as (Bool, Bool, Bool)
        }
        guard !isBilled else { throw LedgerError(.repeated, "The call \(request.call) was billed already.") }
        let givenUp = LedgerError(.givenUp, "The call \(request.call) is part of an attempt that was given up.")
        guard !isGivenUp else { throw givenUp }
        guard hasBudget else { return request.maximumTokens }
        return try await write(durably: false) { db in
            // Who gave it up since has freed what it held, and what it would hold now nobody would.
            guard try !Attempt.givenUp(of: request.invocation, db).contains(where: request.attempt.isPart) else { throw givenUp }
            guard let budget = try Budget(of: request.key, at: time, db) else { return request.maximumTokens }
            try Price.inherit(for: request.model, db)
            let price = try Price.inForce(of: request.model, at: time, db) ?? Price(model: request.model, input: .free)
            func cost(_ tokens: Int) throws -> NanoUSD {
                try price.worstCost(of: request.kind, promptTokens: request.promptTokens, completionTokens: tokens)
            }
            var tokens = request.maximumTokens
            if try cost(tokens) > budget.available {
                // The largest number that fits is between these.
                var (fits, tooMany) = (min(request.fewestTokens, tokens), tokens)
                guard fits < tooMany, try cost(fits) <= budget.available else { throw budget.refusal }
                while tooMany - fits > 1 {
                    let middle = fits + (tooMany - fits) / 2
                    if try cost(middle) <= budget.available { fits = middle } else { tooMany = middle }
                }
                tokens = fits
            }
            try Budget.hold(
                cost(tokens), for: request.key, invocation: request.invocation, call: request.call, attempt: request.attempt, db)
            return tokens
        }
    }

    /// Gives back what a call held that is not charged for anything.
    package func release(invocation: UUIDv7, call: UUIDv7) async throws {
        try await write(durably: false) { db in try Budget.release(invocation: invocation, call: call, db) }
    }
}
