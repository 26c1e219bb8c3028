import FoundationEssentials
import GRDB
import Wire

/// One call, or one invocation's fee, as a CloudEvent (https://github.com/cloudevents/spec, version 1.0, JSON format), for systems
/// that bill by usage. An event's `id` is the call's or the invocation's, so that one that is sent twice counts once:
/// OpenMeter tells events by `source` and `id`, Stripe by `identifier`.
package struct UsageEvent: Sendable {
    /// The entry of the hash chain that sealed it: events come in this order, and an export goes on after the last one.
    package let sequence: Int64
    /// The event as JSON text.
    package let json: [UInt8]
}

extension Ledger {
    /// Events of the invocations that were settled after entry `sequence` of the chain: at most those of `limit` entries.
    /// An invocation that still runs comes later.
    /// - Parameters:
    ///   - sequence: 0 for the beginning.
    ///   - since: Only invocations that began then or later.
    ///   - source: The events' `source`, a URI reference.
    /// - Returns: The events, and the entry to go on after; `nil` when there is none after `sequence`.
    /// - Throws: ``LedgerError`` when entries after `sequence` were pruned: they cannot be exported any more.
    package func usageEvents(
        after sequence: Int64, since: Date? = nil, source: String, limit: Int = 1000
    ) async throws -> (events: [UsageEvent], next: Int64)? {
        try await read(awaitingWrites: true) { db in
            let pruned = try Int64.fetchOne(db, sql: "SELECT sequence FROM chain_start") ?? 0
            guard sequence == 0 || sequence >= pruned else {
                throw LedgerError(
                    .notFound, "The entries up to \(pruned) were pruned and cannot be exported any more. Go on with --after \(pruned), or keep them longer.")
            }
            let entries = try Row.fetchAll(
                db, sql: "SELECT sequence, invocation, call FROM chain WHERE sequence > ? ORDER BY sequence LIMIT ?", arguments: [sequence, limit])
            guard let next = entries.last?["sequence"] as Int64? else { return nil }
            let events = try entries.flatMap { entry in
                try UsageEvent.events(of: entry, since: since?.milliseconds ?? .min, source: source, db)
            }
            return (events, next)
        }
    }
}

extension UsageEvent {
    fileprivate static func events(of entry: Row, since: Int64, source: String, _ db: Database) throws -> [UsageEvent] {
        let id: String = entry["invocation"], late = entry["call"] as String?
        let select = try db.cachedStatement(sql: """
            SELECT invocations.*, keys.name AS key_name FROM invocations JOIN keys ON keys.id = invocations.key
            WHERE invocations.id = ? AND started >= ?
            """)
        guard let invocation = try Row.fetchOne(select, arguments: [id, since]) else { return [] }
        // A late call has an entry of its own; all others come with their invocation.
        let calls = try Row.fetchAll(
            db.cachedStatement(sql: """
                SELECT * FROM usage WHERE invocation = ?1 AND CASE WHEN ?2 IS NULL
                    THEN NOT EXISTS (SELECT 1 FROM chain WHERE chain.invocation = usage.invocation AND chain.call = usage.call)
                    ELSE call = ?2 END ORDER BY call
                """), arguments: [id, late])
        var charges = calls
        if late == nil, invocation["cost"] as Int64 > 0 { charges.append(invocation) }
        return try charges.map { charge in
            UsageEvent(sequence: entry["sequence"], json: try JSON.encode(event(charge, of: invocation, entry: entry["sequence"], source: source)))
        }
    }

    /// - Parameter charge: A row of `usage`, or the invocation itself for its fee.
    private static func event(_ charge: Row, of invocation: Row, entry: Int64, source: String) -> JSON {
        func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
        let call = charge["call"] as String?
        let cost: Int64 = charge["cost"]
        var data: JSON = [
            "invocation": text(invocation["id"]), "key": text(invocation["key"]), "key_name": text(invocation["key_name"]),
            "tenant": text(invocation["tenant"]), "function": text(invocation["function"]), "version": text(invocation["version"]),
            "route": text(invocation["route"]), "status": text(invocation["status"]), "kind": text(charge["kind"] ?? "fee"),
            "model": text(charge["model"]), "cost_nano_usd": .integer(cost), "cost_usd": .string("\(NanoUSD(cost))"),
        ]
        if call != nil {
            let usage = TokenUsage(row: charge)
            data["prompt_tokens"] = .integer(Int64(usage.promptTokens))
            data["cached_tokens"] = .integer(Int64(usage.cachedTokens))
            data["completion_tokens"] = .integer(Int64(usage.completionTokens))
            data["total_tokens"] = .integer(Int64(usage.totalTokens))
            data["finish_reason"] = text(charge["finish_reason"])
        } else {
            data["duration_ms"] = (invocation["duration_ms"] as Int64?).map(JSON.integer) ?? .null
        }
        return [
            "specversion": "1.0", "type": .string(call == nil ? "swiftlet.invocation" : "swiftlet.call"), "source": .string(source),
            "id": text(call ?? invocation["id"]), "subject": text(invocation["tenant"]),
            "time": .string(Date(milliseconds: charge["started"]).formatted(.iso8601WithMilliseconds)),
            "sequence": .string(String(entry)), "datacontenttype": "application/json", "data": data,
        ]
    }
}

extension FormatStyle where Self == Date.ISO8601FormatStyle {
    fileprivate static var iso8601WithMilliseconds: Self { .init(includingFractionalSeconds: true) }
}
