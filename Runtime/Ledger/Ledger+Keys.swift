import Crypto
import FoundationEssentials
import GRDB
import Synchronization

/// A key, what its secret hashes to, and until when that may be believed without looking again.
struct RecentKey {
    let key: APIKey
    let hash: Data
    let until: ContinuousClock.Instant
}

extension Ledger {
    /// Makes a key.
    /// - Parameter tenant: 1–64 letters, digits, `.`, `_` or `-`; the key's own id when there is none.
    /// - Returns: The key and its secret, which cannot be had again.
    /// - Throws: ``LedgerError`` when a key in use has that name, or the name or tenant is not usable.
    package func createKey(name: String, tenant: String? = nil) async throws -> (key: APIKey, secret: String) {
        guard Ledger.isName(name) else {
            throw LedgerError(.invalid, "A key's name is 1 to 64 letters, digits, spaces or one of . _ - @ / +.")
        }
        if let tenant, !Ledger.isTenant(tenant) {
            throw LedgerError(.invalid, "A tenant is 1 to 64 ASCII letters, digits, '.', '_' or '-', and begins with a letter or digit.")
        }
        let text = KeyText()
        let key = APIKey(
            id: text.id, name: name, tenant: tenant ?? text.id, created: Date(milliseconds: Milliseconds.now), revoked: nil)
        let hash = Data(text.hash)
        try await write { db in
            guard try Row.fetchOne(db, sql: "SELECT 1 FROM keys WHERE name = ? AND revoked IS NULL", arguments: [name]) == nil else {
                throw LedgerError(.invalid, "There is already a key named '\(name)'. Choose another name, or revoke that key first.")
            }
            try db.execute(
                sql: "INSERT INTO keys (id, hash, name, tenant, created) VALUES (?, ?, ?, ?, ?)",
                arguments: [key.id, hash, key.name, key.tenant, key.created.milliseconds])
        }
        return (key, text.text)
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.count) && name.first != " " && name.last != " "
            && name.allSatisfy { $0.isLetter || $0.isNumber || " ._-@/+".contains($0) }
    }

    /// Tenants become names of folders and tables elsewhere.
    private static func isTenant(_ name: String) -> Bool {
        guard let first = name.first, first.isASCII, first.isLetter || first.isNumber, name.utf8.count <= 64 else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    /// The key whose secret this is, or `nil` when there is none or it was revoked.
    ///
    /// Called for every request. A key that was seen within `keyFreshness` costs one hash; another also one look-up by its public id.
    package func authenticate(_ secret: String) async throws -> APIKey? {
        guard let text = KeyText(secret) else { return nil }
        let recent = recentKeys.withLock { $0[text.id] }
        let found: RecentKey?
        if let recent, recent.until > .now {
            found = recent
        } else {
            found = try await lookUp(text.id)
        }
        // `==` on a digest takes the same time wherever the difference is.
        guard let found, text.hash == found.hash else { return nil }
        return found.key
    }

    private func lookUp(_ id: String) async throws -> RecentKey? {
        let until = ContinuousClock.now + keyFreshness
        let found: RecentKey? = try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM keys WHERE id = ? AND revoked IS NULL")
            return try Row.fetchOne(statement, arguments: [id]).map {
                RecentKey(key: APIKey(row: $0), hash: $0["hash"], until: until)
            }
        }
        recentKeys.withLock { $0[id] = found }
        return found
    }

    /// All keys, the newest first, revoked ones too.
    package func keys() async throws -> [APIKey] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM keys ORDER BY created DESC, id").map(APIKey.init(row:))
        }
    }

    /// Revokes the key that has this id, or else the key in use that has this name. A revoked key stays revoked from when it was.
    /// - Throws: ``LedgerError`` when there is none.
    @discardableResult
    package func revokeKey(_ nameOrID: String) async throws -> APIKey {
        let revoked = try await write { db in
            let id = try String.fetchOne(
                db, sql: "SELECT id FROM keys WHERE id = ?1 OR (name = ?1 AND revoked IS NULL) ORDER BY id = ?1 DESC LIMIT 1",
                arguments: [nameOrID])
            try db.execute(
                sql: "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", arguments: [Milliseconds.now, id])
            guard let row = try Row.fetchOne(db, sql: "SELECT * FROM keys WHERE id = ?", arguments: [id]) else {
                throw LedgerError(.notFound, "There is no key in use named '\(nameOrID)'. 'swiftlet keys list' shows all keys.")
            }
            return APIKey(row: row)
        }
        recentKeys.withLock { $0[revoked.id] = nil }
        return revoked
    }
}

extension APIKey {
    init(row: Row) {
        self.init(
            id: row["id"], name: row["name"], tenant: row["tenant"], created: Date(milliseconds: row["created"]),
            revoked: (row["revoked"] as Int64?).map(Date.init(milliseconds:)))
    }
}
