import Crypto
import FoundationEssentials
import GRDB
import GRDBSQLite

/// A hash chain over everything that was settled, kept by triggers in the transactions that settle, so that what was changed or
/// taken away afterwards is found (``Ledger/verify()``).
///
/// Digest n = SHA-256(digest n-1, text), the text being a JSON array of the invocation and its calls. A call that is recorded after
/// its invocation was settled gets an entry of its own.
enum Version4 {
    static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("hash chain and archive", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: """
                CREATE TABLE chain (
                    sequence INTEGER PRIMARY KEY,
                    invocation TEXT NOT NULL,
                    call TEXT,
                    digest BLOB NOT NULL
                ) STRICT;
                CREATE INDEX chain_late ON chain (invocation, call) WHERE call IS NOT NULL;

                -- The last entry that was pruned, and a digest of what was archived then: what the chain now begins with.
                CREATE TABLE chain_start (
                    id INTEGER PRIMARY KEY CHECK (id = 0),
                    sequence INTEGER NOT NULL,
                    digest BLOB NOT NULL,
                    archive BLOB NOT NULL
                ) STRICT;
                INSERT INTO chain_start VALUES (0, 0, zeroblob(32), zeroblob(32));

                -- The sums per hour of what was pruned.
                CREATE TABLE usage_archive (
                    start INTEGER NOT NULL,
                    series INTEGER NOT NULL REFERENCES usage_series (id),
                    calls INTEGER NOT NULL,
                    prompt_tokens INTEGER NOT NULL,
                    cached_tokens INTEGER NOT NULL,
                    completion_tokens INTEGER NOT NULL,
                    cost INTEGER NOT NULL,
                    PRIMARY KEY (start, series)
                ) STRICT, WITHOUT ROWID;

                CREATE TRIGGER settlements_are_chained AFTER UPDATE OF status ON invocations
                WHEN OLD.status = 'reserved' AND NEW.status <> 'reserved' BEGIN
                    \(appending("NEW.id", call: "NULL", text: settlement("NEW")))
                END;
                CREATE TRIGGER late_calls_are_chained AFTER INSERT ON usage
                WHEN (SELECT status FROM invocations WHERE id = NEW.invocation) <> 'reserved' BEGIN
                    \(appending("NEW.invocation", call: "NEW.call", text: lateCall("NEW")))
                END;
                """)
            let settled = try String.fetchAll(db, sql: "SELECT id FROM invocations WHERE status <> 'reserved' ORDER BY id")
            let append = try db.makeStatement(sql: appending("invocations.id", call: "NULL", text: settlement("invocations"), from: "FROM invocations WHERE id = ?"))
            for id in settled { try append.execute(arguments: [id]) }
        }
    }

    private static func appending(_ invocation: String, call: String, text: String, from source: String = "") -> String {
        """
        INSERT INTO chain (sequence, invocation, call, digest)
        SELECT 1 + COALESCE((SELECT MAX(sequence) FROM chain), (SELECT sequence FROM chain_start)), \(invocation), \(call),
            sha256(COALESCE((SELECT digest FROM chain ORDER BY sequence DESC LIMIT 1), (SELECT digest FROM chain_start)), \(text))
        \(source);
        """
    }

    /// What an entry says of the settled invocation `row`. Its late calls have entries of their own.
    static func settlement(_ row: String) -> String {
        settlement(row, calls: """
            (SELECT json_group_array(json(\(call("usage")))) FROM (SELECT * FROM usage WHERE invocation = \(row).id ORDER BY call) AS usage
                WHERE NOT EXISTS (SELECT 1 FROM chain WHERE chain.invocation = usage.invocation AND chain.call = usage.call))
            """)
    }

    /// - Parameter calls: SQL for the JSON array of its calls.
    static func settlement(_ row: String, calls: String) -> String {
        """
        json_array(\(row).id, \(row).key, \(row).tenant, \(row).function, \(row).version, \(row).route, \(row).started, \(row).status,
            \(row).http_status, \(row).duration_ms, \(row).queue_ms, \(row).cold_start_ms, \(row).first_byte_ms, \(row).cost, \(calls))
        """
    }

    /// What an entry says of the call `row`.
    static func lateCall(_ row: String) -> String { "json_array(\(row).invocation, \(call(row)))" }

    private static func call(_ row: String) -> String {
        """
        json_array(\(row).call, \(row).model, \(row).kind, \(row).prompt_tokens, \(row).cached_tokens, \(row).completion_tokens,
            \(row).cost, \(row).finish_reason, \(row).started, \(row).finished)
        """
    }

    /// Adds SQL's `sha256(previous, text)`, which every connection to a ledger needs. Straight to SQLite, for GRDB copies each value twice.
    static func addDigest(to db: Database) throws {
        let code = sqlite3_create_function_v2(
            db.sqliteConnection, "sha256", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil, { context, _, values in
                guard let previous = values?[0], let text = values?[1] else { return }
                let digest = Version4.digest(
                    after: UnsafeRawBufferPointer(start: sqlite3_value_blob(previous), count: Int(sqlite3_value_bytes(previous))),
                    of: UnsafeRawBufferPointer(start: sqlite3_value_text(text), count: Int(sqlite3_value_bytes(text))))
                let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                digest.withUnsafeBytes { sqlite3_result_blob(context, $0.baseAddress, CInt($0.count), copies) }
            }, nil, nil, nil)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), message: db.lastErrorMessage) }
    }

    static func digest(after previous: Data, of text: String) -> Data {
        previous.withUnsafeBytes { previous in Data(Array(text.utf8).withUnsafeBytes { digest(after: previous, of: $0) }) }
    }

    private static func digest(after previous: UnsafeRawBufferPointer, of text: UnsafeRawBufferPointer) -> SHA256.Digest {
        var hash = SHA256()
        hash.update(bufferPointer: previous)
        hash.update(bufferPointer: text)
        return hash.finalize()
    }

    /// What `usage_sums` must hold: what is there, and what was pruned.
    static let expectedSums = """
        \(Version3.expectedSums)
        UNION ALL SELECT period.name, CASE period.name
                WHEN 'hour' THEN start WHEN 'day' THEN start / 86400 * 86400 ELSE unixepoch(start, 'unixepoch', 'start of month') END,
            series, calls, prompt_tokens, cached_tokens, completion_tokens, cost
        FROM usage_archive CROSS JOIN (SELECT 'hour' AS name UNION ALL SELECT 'day' UNION ALL SELECT 'month') AS period
        """
}
