import FoundationEssentials
import GRDB

extension Verification {
    /// Every digest follows from the one before it and from what it seals; everything that was settled is sealed, once.
    mutating func checkChain(_ db: Database) throws {
        guard let start = try Row.fetchOne(db, sql: "SELECT * FROM chain_start") else {
            return add(.chain, "the beginning of the chain is not there")
        }
        if try Data(Archive.digest(db)) != start["archive"] { add(.chain, "the archive of pruned usage has been changed") }
        pruned = start["sequence"]
        var sequence: Int64 = start["sequence"]
        var digest: Data = start["digest"]
        var seals = 0
        let entries = try Row.fetchCursor(db, sql: """
            SELECT sequence, chain.invocation, chain.call, digest, CASE WHEN chain.call IS NULL
                THEN (SELECT CASE WHEN status <> 'reserved' THEN \(Version4.settlement("invocations")) END
                    FROM invocations WHERE id = chain.invocation)
                ELSE (SELECT \(Version4.lateCall("usage")) FROM usage WHERE invocation = chain.invocation AND usage.call = chain.call) END AS text
            FROM chain ORDER BY sequence
            """)
        while let row = try entries.next() {
            let what = "entry \(row["sequence"] as Int64), invocation \(row["invocation"] as String)"
            if row["sequence"] != sequence + 1 {
                add(.chain, "\(what): the \(row["sequence"] as Int64 - sequence - 1) entries before it are missing")
            }
            if let text = row["text"] as String? {
                if Version4.digest(after: digest, of: text) != row["digest"] {
                    add(.chain, "\(what): it was changed after it was settled, or the entry before it was")
                }
            } else {
                add(.chain, "\(what): what it seals is not there any more")
            }
            seals += row["call"] == nil ? 1 : 0
            sequence = row["sequence"]
            // From the digest that is stored, so that one change is one fault and not all that follow.
            digest = row["digest"]
        }
        head = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard seals != invocations else { return }
        let unsealed = try String.fetchAll(db, sql: """
            SELECT id FROM invocations WHERE status <> 'reserved' AND id NOT IN (SELECT invocation FROM chain WHERE call IS NULL) LIMIT 20
            """)
        for id in unsealed { add(.chain, "invocation \(id) is settled and not in the chain") }
        if unsealed.isEmpty { add(.chain, "the chain has \(seals) entries for \(invocations) settled invocations") }
    }
}
