import Crypto
import FoundationEssentials
import GRDB
import Ledger
import SystemPackage
import Wire

/// Answers that are given again to who asks the same: one SQLite file beside the ledger, bounded per function, the least recently
/// used going first.
///
/// Losing it costs time and no money, so nothing in it waits for the disk, and a file that is damaged is begun anew.
package struct ResponseCache: Sendable {
    private let pool: DatabasePool

    /// An answer, and what it took to make it.
    package struct Entry: Hashable, Sendable {
        package var answer: KeptAnswer
        package var calls: [ReplayedCall]
        /// The invocation that made it.
        package var invocation: UUIDv7

        package init(answer: KeptAnswer, calls: [ReplayedCall], invocation: UUIDv7) {
            (self.answer, self.calls, self.invocation) = (answer, calls, invocation)
        }
    }

    /// Opens the cache at `path`, or makes it. Blocks: for the start of a process.
    /// - Throws: ``LedgerError`` when the file cannot be made.
    package init(path: String) throws {
        do {
            pool = try Self.open(path)
        } catch let error as DatabaseError where [.SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_ERROR].contains(error.resultCode) {
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
            do { pool = try Self.open(path) } catch { throw Self.unusable(path, error) }
        } catch {
            throw Self.unusable(path, error)
        }
    }

    private static func unusable(_ path: String, _ error: any Error) -> LedgerError {
        LedgerError(.permission, "The response cache \(path) cannot be used (\(error)). Check that its folder exists and may be written.")
    }

    private static func open(_ path: String) throws -> DatabasePool {
        // What callers were answered is for nobody else to read; SQLite gives its side files the same permissions.
        try FileDescriptor.open(path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite).close()
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.label = "response-cache"
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA synchronous = OFF") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        try pool.write { db in
            // The version of these tables: another one is begun anew.
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard version == 0 || version == 2 else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
            if version == 0 { try db.execute(sql: schema) }
            try db.execute(sql: "DELETE FROM answers WHERE expires <= ?", arguments: [milliseconds(.now)])
        }
        return pool
    }

    // `used` is when an answer was last given, at most `touchInterval` too early. Times are Unix milliseconds.
    private static let schema = """
        CREATE TABLE answers (
            key BLOB NOT NULL UNIQUE,
            function TEXT NOT NULL,
            status INTEGER NOT NULL,
            headers TEXT NOT NULL,
            body BLOB NOT NULL,
            calls TEXT NOT NULL,
            invocation TEXT NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            used INTEGER NOT NULL,
            size INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX answers_by_use ON answers (function, used);
        CREATE TABLE files (identity TEXT NOT NULL UNIQUE, digest TEXT NOT NULL) STRICT;
        CREATE TABLE totals (function TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TRIGGER added AFTER INSERT ON answers BEGIN
            INSERT INTO totals VALUES (NEW.function, NEW.size) ON CONFLICT (function) DO UPDATE SET size = size + excluded.size;
        END;
        CREATE TRIGGER removed AFTER DELETE ON answers BEGIN
            UPDATE totals SET size = size - OLD.size WHERE function = OLD.function;
        END;
        PRAGMA user_version = 2;
        """

    private static let touchInterval: Int64 = 1000
    /// What a row takes beside its answer.
    private static let overhead = 256

    private static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1000).rounded()) }
}

extension ResponseCache {
    /// The answer under `key`, if it is younger than `ttl`.
    package func find(_ key: [UInt8], ttl: Duration, now: Date = .now) async throws -> Entry? {
        let time = Self.milliseconds(now), key = Data(key)
        let oldest = time - ttl.components.seconds * 1000 - ttl.components.attoseconds / 1_000_000_000_000_000
        let found: (entry: Entry, used: Int64)? = try await pool.read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM answers WHERE key = ? AND created > ? AND created <= ?")
            guard let row = try Row.fetchOne(statement, arguments: [key, oldest, time]), let invocation = UUIDv7(row["invocation"] as String)
            else { return nil }
            let answer = KeptAnswer(
                status: row["status"], headers: try Self.decode([[String]].self, row["headers"]), body: Array(row["body"] as Data))
            return (Entry(answer: answer, calls: try Self.decode([ReplayedCall].self, row["calls"]), invocation: invocation), row["used"])
        }
        guard let found else { return nil }
        if found.used + Self.touchInterval <= time {
            try await pool.write { db in
                try db.cachedStatement(sql: "UPDATE answers SET used = ? WHERE key = ?").execute(arguments: [time, key])
            }
        }
        return found.entry
    }

    /// Keeps an answer in place of an earlier one, and drops what was not used for longest until the function's answers fit.
    /// - Parameters:
    ///   - ttl: for how long it may be given.
    ///   - size: bytes for all answers of the function; one that is larger than that is not kept.
    package func keep(_ entry: Entry, under key: [UInt8], of function: String, ttl: Duration, size: Int, now: Date = .now) async throws {
        guard let body = entry.answer.body else { return }
        let time = Self.milliseconds(now), expires = time + ttl.components.seconds * 1000
        let headers = try Self.encode(entry.answer.headers), calls = try Self.encode(entry.calls)
        let length = body.count + headers.utf8.count + calls.utf8.count + Self.overhead
        guard length <= size else { return }
        try await pool.write { db in
            // Not REPLACE, which deletes without a word to the trigger.
            try db.cachedStatement(sql: "DELETE FROM answers WHERE key = ?").execute(arguments: [Data(key)])
            try db.cachedStatement(sql: """
                INSERT INTO answers (key, function, status, headers, body, calls, invocation, created, expires, used, size)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """).execute(arguments: [
                    Data(key), function, entry.answer.status, headers, Data(body), calls, entry.invocation.description, time, expires, time, length,
                ])
            let total = try db.cachedStatement(sql: "SELECT size FROM totals WHERE function = ?")
            let oldest = try db.cachedStatement(sql: "DELETE FROM answers WHERE rowid = (SELECT rowid FROM answers WHERE function = ? ORDER BY used, rowid LIMIT 1)")
            while try Int.fetchOne(total, arguments: [function]) ?? 0 > size { try oldest.execute(arguments: [function]) }
        }
    }

    // MARK: Files

    /// What ``FileDigests`` knows of a file in one state.
    func digest(ofFile identity: String) async throws -> String? {
        try await pool.read { db in try String.fetchOne(db, sql: "SELECT digest FROM files WHERE identity = ?", arguments: [identity]) }
    }

    func keep(_ digest: String, ofFile identity: String) async throws {
        try await pool.write { db in
            try db.execute(sql: "INSERT INTO files (identity, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", arguments: [identity, digest])
            try db.execute(sql: "DELETE FROM files WHERE rowid <= (SELECT MAX(rowid) FROM files) - ?", arguments: [Self.mostFiles])
        }
    }

    private static let mostFiles = 1000

    private static func encode(_ value: some Encodable) throws -> String { String(decoding: try JSONEncoder().encode(value), as: UTF8.self) }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
