import FunctionKit
import GRDB

/// One thing that was said about an invocation.
struct Entry: Codable, Sendable {
    var id: String
    var invocationID: String
    var name: String
    var value: JSON
    var comment: String?
    var correction: String?
    /// Unix seconds.
    var created: Int64

    enum CodingKeys: String, CodingKey {
        case invocationID = "invocation_id"
        case id, name, value, comment, correction, created
    }
}

/// All tenants' feedback in one SQLite file, which any number of workers may have open.
struct Store: Sendable {
    private let database: DatabasePool

    /// - Throws: what SQLite says when the file cannot be opened.
    init(folder: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        database = try DatabasePool(path: "\(folder)/feedback.sqlite", configuration: configuration)
        try database.write {
            try $0.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS feedback (
                        id TEXT PRIMARY KEY,
                        tenant TEXT NOT NULL,
                        invocation TEXT NOT NULL,
                        name TEXT NOT NULL,
                        value TEXT NOT NULL,  -- JSON
                        comment TEXT,
                        correction TEXT,
                        created INTEGER NOT NULL
                    );
                    CREATE INDEX IF NOT EXISTS feedback_by_invocation ON feedback (tenant, invocation);
                    """)
        }
    }

    func add(_ entry: Entry, of tenant: String) async throws {
        let value = String(decoding: try JSON.encode(entry.value) as [UInt8], as: UTF8.self)
        try await database.write {
            try $0.execute(
                sql: "INSERT INTO feedback (id, tenant, invocation, name, value, comment, correction, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                arguments: [entry.id, tenant, entry.invocationID, entry.name, value, entry.comment, entry.correction, entry.created])
        }
    }

    /// In the order in which it was said.
    func entries(about invocation: String, of tenant: String) async throws -> [Entry] {
        try await database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM feedback WHERE tenant = ? AND invocation = ? ORDER BY rowid", arguments: [tenant, invocation])
                .map { row in
                    let value: String = row["value"]
                    return Entry(
                        id: row["id"], invocationID: row["invocation"], name: row["name"], value: try JSON(parsing: value.utf8),
                        comment: row["comment"], correction: row["correction"], created: row["created"])
                }
        }
    }
}
