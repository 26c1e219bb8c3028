import Crypto
import FoundationEssentials
import GRDB
import Synchronization

/// A key, what its secrets hash to, and until when that may be believed without looking again.
struct RecentKey {
    let key: APIKey
    let hash: Data
    /// The secret before the last rotation, while it is still valid.
    let previous: (hash: Data, until: Date)?
    let until: ContinuousClock.Instant
    /// The secret whose hash that was, once it was shown: it need not be hashed for every request.
    var secret: String?

    /// `==` on a digest takes the same time wherever the difference is, and is false where the other is no digest.
    func isOpened(by digest: SHA256Digest, at now: Date) -> Bool {
        if digest == hash { return true }
        guard let previous, now < previous.until else { return false }
        return digest == previous.hash
    }
}

/// The keys that were looked up lately, by public id.
struct RecentKeys {
    private var keys: [String: RecentKey] = [:]
    private var nextSweep = ContinuousClock.now

    subscript(id: String) -> RecentKey? {
        get { keys[id] }
        set { keys[id] = newValue }
    }

    /// Forgets the others, and their secrets with them.
    mutating func keepFresh() {
        let now = ContinuousClock.now
        guard nextSweep <= now else { return }
        keys = keys.filter { $0.value.until > now }
        nextSweep = now + .seconds(1)
    }
}

extension Ledger {
    /// The key whose secret this is, or `nil` when there is none or it was revoked or has expired.
    ///
    /// Called for every request. A key that was seen within `keyFreshness` costs a comparison; another one look-up by its public id and
    /// one hash.
    package func authenticate(_ secret: String, now: Date = .now) async throws -> APIKey? {
        guard let text = KeyText(secret) else { return nil }
        let recent = recentKeys.withLock { $0[text.id] }
        let found: RecentKey?
        if let recent, recent.until > .now {
            found = recent
        } else {
            found = try await lookUp(text.id)
        }
        guard let found else { return nil }
        if found.secret.map({ Self.areSame($0, secret) }) != true {
            let hash = text.hash
            guard found.isOpened(by: hash, at: now) else { return nil }
            // Another secret may be the key's by now.
            if hash == found.hash { recentKeys.withLock { if $0[text.id]?.hash == found.hash { $0[text.id]?.secret = secret } } }
        }
        if let expires = found.key.settings.expires, now >= expires { return nil }
        return found.key
    }

    /// In the same time wherever the difference is.
    private static func areSame(_ one: String, _ other: String) -> Bool {
        var (one, other) = (one, other)
        return one.withUTF8 { one in
            other.withUTF8 { other in
                guard one.count == other.count else { return false }
                var difference: UInt8 = 0
                for index in one.indices { difference |= one[index] ^ other[index] }
                return difference == 0
            }
        }
    }

    /// The key that stands for a tenant whom another issuer vouches for: `jwt-<tenant>`, made when it is first asked for. No secret
    /// opens it; it has settings, a budget and a bill as any other.
    /// - Returns: `nil` when it was revoked or has expired.
    /// - Throws: ``LedgerError`` when it is no name for a tenant.
    package func key(ofTenant tenant: String, now: Date = .now) async throws -> APIKey? {
        guard Ledger.isTenant(tenant) else {
            throw LedgerError(.invalid, "'\(tenant)' cannot be a tenant: 1 to 64 ASCII letters, digits, '.', '_' or '-', beginning with a letter or digit.")
        }
        let id = "jwt-\(tenant)"
        let recent = recentKeys.withLock { $0[id] }
        let found: RecentKey?
        if let recent, recent.until > .now {
            found = recent
        } else {
            try await write(durably: false) { db in
                try db.execute(
                    sql: "INSERT INTO keys (id, hash, name, tenant, created) SELECT ?1, x'', 'jwt:' || ?2, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM keys WHERE id = ?1)",
                    arguments: [id, tenant, now.milliseconds])
            }
            found = try await lookUp(id)
        }
        guard let found else { return nil }
        if let expires = found.key.settings.expires, now >= expires { return nil }
        return found.key
    }

    private func lookUp(_ id: String) async throws -> RecentKey? {
        let until = ContinuousClock.now + keyFreshness
        let found: RecentKey? = try await read { db in
            let statement = try db.cachedStatement(sql: "SELECT * FROM keys WHERE id = ? AND revoked IS NULL")
            return try Row.fetchOne(statement, arguments: [id]).map { row in
                let previous = (row["previous_hash"] as Data?).flatMap { hash in
                    (row["previous_until"] as Int64?).map { (hash, Date(milliseconds: $0)) }
                }
                return RecentKey(key: APIKey(row: row), hash: row["hash"], previous: previous, until: until)
            }
        }
        recentKeys.withLock { recent in
            recent.keepFresh()
            recent[id] = found
        }
        return found
    }

    /// All keys, the newest first, revoked ones too.
    package func keys() async throws -> [APIKey] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM keys ORDER BY created DESC, id").map(APIKey.init(row:))
        }
    }

    /// The key that has this id, or else the key in use that has this name.
    /// - Throws: ``LedgerError`` when there is none.
    package func key(_ nameOrID: String) async throws -> APIKey {
        try await read { db in try APIKey.find(nameOrID, db) }
    }
}

extension APIKey {
    static func find(_ nameOrID: String, _ db: Database) throws -> APIKey {
        let row = try Row.fetchOne(
            db, sql: "SELECT * FROM keys WHERE id = ?1 OR (name = ?1 AND revoked IS NULL) ORDER BY id = ?1 DESC LIMIT 1",
            arguments: [nameOrID])
        guard let row else {
            throw LedgerError(.notFound, "There is no key in use named '\(nameOrID)'. 'swiftlet keys list' shows all keys.")
        }
        return APIKey(row: row)
    }

    init(row: Row) {
        self.init(
            id: row["id"], name: row["name"], tenant: row["tenant"], created: Date(milliseconds: row["created"]),
            revoked: (row["revoked"] as Int64?).map(Date.init(milliseconds:)), settings: KeySettings(row: row))
    }
}
