import Crypto
import FoundationEssentials
import GRDB

/// The sums per hour of what was pruned.
enum Archive {
    /// SHA-256 over all rows; 32 zeros while there are none.
    static func digest(_ db: Database) throws -> Data {
        let rows = try Row.fetchCursor(db, sql: """
            SELECT json_array(start, series, calls, prompt_tokens, cached_tokens, completion_tokens, cost)
            FROM usage_archive ORDER BY start, series
            """)
        var hash = SHA256()
        var isEmpty = true
        while let row = try rows.next() {
            isEmpty = false
            hash.update(data: Data((row[0] as String).utf8))
        }
        return isEmpty ? Data(count: 32) : Data(hash.finalize())
    }

    /// Adds what the invocations that fulfil `condition` cost.
    static func add(_ condition: String, _ db: Database) throws {
        try db.execute(sql: """
            INSERT INTO usage_archive SELECT start, series, calls, prompt_tokens, cached_tokens, completion_tokens, cost
            FROM (\(Version3.expectedSums(of: condition))) WHERE period = 'hour'
            ON CONFLICT (start, series) DO UPDATE SET
                calls = calls + excluded.calls, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
                cached_tokens = cached_tokens + excluded.cached_tokens,
                completion_tokens = completion_tokens + excluded.completion_tokens, cost = cost + excluded.cost
            """)
    }
}
