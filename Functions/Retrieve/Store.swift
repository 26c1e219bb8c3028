import FoundationEssentials
import FunctionKit
import GRDB
import RetrieveSearch

/// The documents of all tenants in one SQLite file, which any number of workers may have open.
struct Store: Sendable {
    private let database: DatabasePool

    /// - Throws: what SQLite says when the file cannot be opened.
    init(folder: String) throws {
        var configuration = Configuration()
        // Workers write in turn, each for some milliseconds.
        configuration.busyMode = .timeout(30)
        database = try DatabasePool(path: "\(folder)/collections.sqlite", configuration: configuration)
        try database.write { try $0.execute(sql: Store.schema) }
    }

    static func noCollection(_ name: String) -> APIError {
        .notFound("There is no collection '\(name)'. PUT /collections/\(name)/documents makes it.", parameter: "collection")
    }

    // MARK: Writing

    /// Puts all of `documents` or none, each in place of the one with its id.
    /// - Parameter chunks: of each document.
    /// - Parameter vectors: of all chunks, in their order.
    func put(_ documents: [Document], _ chunks: [[String]], _ vectors: [Vector], into collection: String, of tenant: String) async throws {
        let dimensions = vectors.first?.values.count ?? 0
        try await database.write { db in
            try db.execute(
                sql: "INSERT INTO collection (tenant, name, dimensions) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                arguments: [tenant, collection, dimensions])
            guard let row = try Row.fetchOne(db, sql: "SELECT id, dimensions FROM collection WHERE tenant = ? AND name = ?", arguments: [tenant, collection])
            else { throw Store.noCollection(collection) }
            let (id, expected): (Int64, Int) = (row["id"], row["dimensions"])
            guard dimensions == expected else { throw Store.otherModel(collection, expected, dimensions) }
            var next = vectors.makeIterator()
            for (document, texts) in zip(documents, chunks) {
                try db.execute(sql: "DELETE FROM document WHERE collection = ? AND name = ?", arguments: [id, document.id])
                try db.execute(
                    sql: "INSERT INTO document (collection, name, metadata) VALUES (?, ?, ?)",
                    arguments: [id, document.id, String(decoding: JSON.encode(document.metadata ?? .null) as [UInt8], as: UTF8.self)])
                let documentID = db.lastInsertedRowID
                for (position, text) in texts.enumerated() {
                    guard let vector = next.next() else { throw APIError.internalError }
                    try db.execute(
                        sql: "INSERT INTO chunk (document, position, text, vector) VALUES (?, ?, ?, ?)",
                        arguments: [documentID, position, text, Data(vector.bytes)])
                }
            }
        }
    }

    func delete(document: String, from collection: String, of tenant: String) async throws {
        try await database.write { db in
            guard let id = try Store.id(of: collection, tenant, db) else { throw Store.noCollection(collection) }
            try db.execute(sql: "DELETE FROM document WHERE collection = ? AND name = ?", arguments: [id, document])
            guard db.changesCount > 0 else {
                throw APIError.notFound("There is no document '\(document)' in the collection '\(collection)'.", parameter: "id")
            }
        }
    }

    func delete(collection: String, of tenant: String) async throws {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM collection WHERE tenant = ? AND name = ?", arguments: [tenant, collection])
            guard db.changesCount > 0 else { throw Store.noCollection(collection) }
        }
    }

    // MARK: Reading

    struct Collection: Encodable, Sendable {
        var name: String
        var documents: Int
        var chunks: Int
    }

    func collections(of tenant: String) async throws -> [Collection] {
        try await database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT collection.name AS name, COUNT(DISTINCT document.id) AS documents, COUNT(chunk.id) AS chunks
                    FROM collection LEFT JOIN document ON document.collection = collection.id LEFT JOIN chunk ON chunk.document = document.id
                    WHERE tenant = ? GROUP BY collection.id ORDER BY collection.name
                    """, arguments: [tenant]
            ).map { Collection(name: $0["name"], documents: $0["documents"], chunks: $0["chunks"]) }
        }
    }

    func holds(_ collection: String, of tenant: String) async throws -> Bool {
        try await database.read { try Store.id(of: collection, tenant, $0) != nil }
    }

    /// The best chunks by cosine and by bm25, joined.
    func search(_ query: Query, _ vector: Vector, of tenant: String) async throws -> [Hit] {
        let depth = max(50, query.topK)
        return try await database.read { db in
            guard let id = try Store.id(of: query.collection, tenant, db) else { throw Store.noCollection(query.collection) }
            let rankings = [
                try Store.nearest(to: vector, in: id, query.collection, count: depth, db),
                try Store.matching(query.query, in: id, count: depth, db),
            ]
            return try fused(rankings, count: query.topK).map { try Store.hit($0.id, score: $0.score, db) }
        }
    }

    private static func id(of collection: String, _ tenant: String, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT id FROM collection WHERE tenant = ? AND name = ?", arguments: [tenant, collection])
    }

    /// Every vector of the collection is compared: some milliseconds for ten thousand.
    private static func nearest(to vector: Vector, in collection: Int64, _ name: String, count: Int, _ db: Database) throws -> [Int64] {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT chunk.id, vector FROM chunk JOIN document ON document.id = chunk.document WHERE collection = ?",
            arguments: [collection])
        var found: [(id: Int64, cosine: Float)] = []
        while let row = try rows.next() {
            let cosine = try row.withUnsafeData(atIndex: 1) { stored in
                try stored?.withUnsafeBytes { bytes in
                    guard let cosine = vector.cosine(with: bytes) else { throw otherModel(name, bytes.count / 4, vector.values.count) }
                    return cosine
                }
            }
            if let cosine { found.append((row[0], cosine)) }
        }
        return found.sorted { ($1.cosine, $0.id) < ($0.cosine, $1.id) }.prefix(count).map(\.id)
    }

    private static func matching(_ text: String, in collection: Int64, count: Int, _ db: Database) throws -> [Int64] {
        guard let query = fullTextQuery(text) else { return [] }
        return try Int64.fetchAll(
            db,
            sql: """
                SELECT chunk.id FROM chunk_text JOIN chunk ON chunk.id = chunk_text.rowid JOIN document ON document.id = chunk.document
                WHERE chunk_text MATCH ? AND collection = ? ORDER BY bm25(chunk_text), chunk.id LIMIT ?
                """, arguments: [query, collection, count])
    }

    private static func hit(_ chunk: Int64, score: Double, _ db: Database) throws -> Hit {
        let sql = "SELECT name, position, text, metadata FROM chunk JOIN document ON document.id = chunk.document WHERE chunk.id = ?"
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [chunk]) else { throw APIError.internalError }
        let metadata: String = row["metadata"]
        return Hit(document: row["name"], chunk: row["position"], text: row["text"], score: score, metadata: try JSON(parsing: metadata.utf8))
    }

    private static func otherModel(_ collection: String, _ expected: Int, _ dimensions: Int) -> APIError {
        APIError(
            status: 409,
            message: "The collection '\(collection)' holds vectors of \(expected) dimensions, and the embedding model now makes \(dimensions). "
                + "Delete the collection and put its documents again.",
            type: "invalid_request_error", parameter: "collection", code: "other_embedding_model")
    }
}
