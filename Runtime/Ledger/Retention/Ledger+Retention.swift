import FoundationEssentials
import GRDB

extension Ledger {
    /// Deletes settled invocations that began before `date`, with their calls. Reports and invoices stay as they are, for sums are
    /// kept apart from what they count, and the ledger can still be verified: the chain then begins where the deleted part ended.
    ///
    /// It goes from the oldest on, in short transactions, and stops at the first that is too young. The file gives the space back.
    /// - Returns: How many invocations were deleted.
    @discardableResult
    package func prune(before date: Date) async throws -> Int {
        var deleted = 0
        while !Task.isCancelled {
            let batch = try await write { db in
                guard let end = try Self.endOfPrefix(before: date.milliseconds, limit: Self.batch, db) else { return 0 }
                return try Self.prune(upTo: end, db)
            }
            if batch == 0 { break }
            deleted += batch
        }
        // A few megabytes at a time, for other writers wait.
        while try await write({ try Self.shrink($0) }), !Task.isCancelled {}
        return deleted
    }

    private static let batch = 2000

    /// The last entry of the chain up to which everything may go; `nil` when nothing may.
    private static func endOfPrefix(before time: Int64, limit: Int, _ db: Database) throws -> Int64? {
        let start = try Int64.fetchOne(db, sql: "SELECT sequence FROM chain_start") ?? 0
        let entries = try Row.fetchAll(
            db, sql: """
                SELECT sequence, started FROM chain LEFT JOIN invocations ON invocations.id = chain.invocation
                WHERE sequence > ? ORDER BY sequence LIMIT ?
                """, arguments: [start, limit])
        let old = entries.prefix { ($0["started"] as Int64?).map { $0 < time } ?? false }
        guard var end = old.last?["sequence"] as Int64? else { return nil }
        // An invocation and the calls that came after its settlement go together.
        while let divided = try Int64.fetchOne(
            db, sql: """
                SELECT MIN(sequence) FROM chain WHERE sequence > ?1 AND sequence <= ?2 AND EXISTS (
                    SELECT 1 FROM chain AS late WHERE late.invocation = chain.invocation AND late.call IS NOT NULL AND late.sequence > ?2)
                """, arguments: [start, end])
        {
            end = divided - 1
        }
        if end > start { return end }
        return old.count == limit ? try endOfPrefix(before: time, limit: limit * 4, db) : nil
    }

    private static func prune(upTo end: Int64, _ db: Database) throws -> Int {
        let pruned = "SELECT invocation FROM chain WHERE sequence <= \(end) AND call IS NULL"
        try Archive.add("invocations.id IN (\(pruned))", db)
        for table in ["usage", "lost_usage", "given_up"] { try db.execute(sql: "DELETE FROM \(table) WHERE invocation IN (\(pruned))") }
        try db.execute(sql: "DELETE FROM invocations WHERE id IN (\(pruned))")
        let count = db.changesCount
        try db.execute(
            sql: "UPDATE chain_start SET sequence = ?1, digest = (SELECT digest FROM chain WHERE sequence = ?1), archive = ?2",
            arguments: [end, Archive.digest(db)])
        try db.execute(sql: "DELETE FROM chain WHERE sequence <= ?", arguments: [end])
        return count
    }

    /// - Returns: Whether there is more to give back.
    private static func shrink(_ db: Database) throws -> Bool {
        let before = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        guard before > 0 else { return false }
        _ = try Row.fetchAll(db, sql: "PRAGMA incremental_vacuum(1000)")
        let after = try Int.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
        // A ledger of an early version does not shrink; its free pages are used again.
        return after > 0 && after < before
    }
}
