import FoundationEssentials
import GRDB
import Synchronization

extension Ledger {
    /// Makes a key.
    /// - Parameter tenant: 1–64 letters, digits, `.`, `_` or `-`; the key's own id when there is none.
    /// - Returns: The key and its secret, which cannot be had again.
    /// - Throws: ``LedgerError`` when a key in use has that name, or the name, the tenant or a setting is not usable.
    package func createKey(
        name: String, tenant: String? = nil, settings: KeySettings = KeySettings()
    ) async throws -> (key: APIKey, secret: String) {
        guard Ledger.isName(name) else {
            throw LedgerError(.invalid, "A key's name is 1 to 64 letters, digits, spaces or one of . _ - @ / +.")
        }
        if let tenant, !Ledger.isTenant(tenant) {
            throw LedgerError(.invalid, "A tenant is 1 to 64 ASCII letters, digits, '.', '_' or '-', and begins with a letter or digit.")
        }
        try settings.validate()
        let text = KeyText()
        let key = APIKey(
            id: text.id, name: name, tenant: tenant ?? text.id, created: Date(milliseconds: Milliseconds.now), revoked: nil,
            settings: settings)
        let hash = Data(text.hash)
        try await write { db in
            guard try Row.fetchOne(db, sql: "SELECT 1 FROM keys WHERE name = ? AND revoked IS NULL", arguments: [name]) == nil else {
                throw LedgerError(.invalid, "There is already a key named '\(name)'. Choose another name, or revoke that key first.")
            }
            try db.execute(
                sql: "INSERT INTO keys (id, hash, name, tenant, created) VALUES (?, ?, ?, ?, ?)",
                arguments: [key.id, hash, key.name, key.tenant, key.created.milliseconds])
            try settings.store(for: key.id, db)
        }
        return (key, text.text)
    }

    /// Changes a key's settings; running processes obey within `keyFreshness`.
    /// - Throws: ``LedgerError`` when there is no such key in use or a setting is not usable.
    @discardableResult
    package func updateKey(_ nameOrID: String, _ change: @escaping @Sendable (inout KeySettings) -> Void) async throws -> APIKey {
        try await changeKey(nameOrID) { key, db in
            var settings = key.settings
            change(&settings)
            try settings.validate()
            try settings.store(for: key.id, db)
        }
    }

    /// Gives a key another secret; the one before is valid for `grace` more.
    /// - Returns: The key and its new secret, which cannot be had again.
    /// - Throws: ``LedgerError`` when there is no such key in use.
    package func rotateKey(_ nameOrID: String, grace: Duration, now: Date = .now) async throws -> (key: APIKey, secret: String) {
        let text = KeyText(id: try await key(nameOrID).id)
        let hash = Data(text.hash)
        let until = now.milliseconds + grace.milliseconds
        let key = try await changeKey(text.id) { key, db in
            try db.execute(
                sql: "UPDATE keys SET previous_hash = hash, previous_until = ?, hash = ? WHERE id = ?", arguments: [until, hash, key.id])
        }
        return (key, text.text)
    }

    private func changeKey(_ nameOrID: String, _ change: @escaping @Sendable (APIKey, Database) throws -> Void) async throws -> APIKey {
        let key = try await write { db in
            let key = try APIKey.find(nameOrID, db)
            guard key.revoked == nil else { throw LedgerError(.invalid, "The key '\(key.name)' (\(key.id)) was revoked and stays so.") }
            try change(key, db)
            return try APIKey.find(key.id, db)
        }
        recentKeys.withLock { $0[key.id] = nil }
        return key
    }

    /// Revokes the key that has this id, or else the key in use that has this name. A revoked key stays revoked from when it was.
    /// - Throws: ``LedgerError`` when there is none.
    @discardableResult
    package func revokeKey(_ nameOrID: String) async throws -> APIKey {
        let revoked = try await write { db in
            let key = try APIKey.find(nameOrID, db)
            try db.execute(
                sql: "UPDATE keys SET revoked = ? WHERE id = ? AND revoked IS NULL", arguments: [Milliseconds.now, key.id])
            return try APIKey.find(key.id, db)
        }
        recentKeys.withLock { $0[revoked.id] = nil }
        return revoked
    }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.count) && name.first != " " && name.last != " "
            && name.allSatisfy { $0.isLetter || $0.isNumber || " ._-@/+".contains($0) }
    }

    /// Tenants become names of folders and tables elsewhere.
    static func isTenant(_ name: String) -> Bool {
        guard let first = name.first, first.isASCII, first.isLetter || first.isNumber, name.utf8.count <= 64 else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }
}
