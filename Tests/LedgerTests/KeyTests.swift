import Foundation
import Ledger
import Testing

@Suite struct KeyTests {
    @Test func `A key opens the door with its whole secret and nothing else`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let (key, secret) = try await ledger.createKey(name: "app", tenant: "acme")
        let (other, otherSecret) = try await ledger.createKey(name: "other")
        #expect(key.tenant == "acme")
        #expect(other.tenant == other.id)
        #expect(secret.hasPrefix("sk-swl-\(key.id)-"))
        #expect(try await ledger.authenticate(secret) == key)
        #expect(try await ledger.authenticate(otherSecret) == other)

        let last = secret.last == "a" ? "b" : "a"
        let crossed = "sk-swl-\(key.id)-" + otherSecret.split(separator: "-")[3]
        for wrong in [
            "", "sk-swl-", "sk-swl--", "sk-swl-\(key.id)", "sk-swl-\(key.id)-", String(secret.dropLast()), secret.dropLast() + last,
            secret + "a", secret + " ", secret.uppercased(), crossed, "sk-swl-nobody-\(secret.suffix(52))", "sk-\(secret)",
            String(repeating: "x", count: 1 << 20), "sk-swl-' OR 1=1 --",
        ] {
            #expect(try await ledger.authenticate(wrong) == nil, "\(wrong.prefix(100))")
        }
    }

    @Test func `The secret is nowhere in the files`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let secret = try await ledger.createKey(name: "app").secret
        let random = Data(secret.suffix(52).utf8)
        for file in try FileManager.default.contentsOfDirectory(atPath: scratch.path) {
            let path = "\(scratch.path)/\(file)"
            #expect(try #require(FileManager.default.contents(atPath: path)).range(of: random) == nil, "\(file)")
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600, "\(file)")
        }
    }

    @Test func `A revoked key is refused, at once here and after the freshness elsewhere`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let elsewhere = try Ledger(path: scratch.ledger, keyFreshness: .zero)
        let byName = try await ledger.createKey(name: "by name")
        let byID = try await ledger.createKey(name: "by id")
        for ledger in [ledger, elsewhere] {
            #expect(try await ledger.authenticate(byName.secret) != nil)
            #expect(try await ledger.authenticate(byID.secret) != nil)
        }
        let revoked = try await ledger.revokeKey("by name")
        #expect(revoked.id == byName.key.id)
        try await ledger.revokeKey(byID.key.id)
        for ledger in [ledger, elsewhere] {
            #expect(try await ledger.authenticate(byName.secret) == nil)
            #expect(try await ledger.authenticate(byID.secret) == nil)
        }
        // Again by id: the same answer. By name: no key in use has it.
        #expect(try await ledger.revokeKey(byName.key.id) == revoked)
        await #expect(throws: LedgerError.self) { try await ledger.revokeKey("by name") }
        #expect(try await ledger.keys().map(\.revoked).allSatisfy { $0 != nil })
    }

    @Test func `Within the freshness a look-up is saved, and no longer`() async throws {
        let scratch = try Scratch()
        let patient = try Ledger(path: scratch.ledger, keyFreshness: .seconds(3600))
        let elsewhere = try Ledger(path: scratch.ledger)
        let (key, secret) = try await elsewhere.createKey(name: "app")
        #expect(try await patient.authenticate(secret) == key)
        try await elsewhere.revokeKey("app")
        #expect(try await patient.authenticate(secret) == key)
        #expect(try await elsewhere.authenticate(secret) == nil)
    }

    @Test func `A name is taken until its key is revoked`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        _ = try await ledger.createKey(name: "app")
        let error = await #expect(throws: LedgerError.self) { try await ledger.createKey(name: "app") }
        #expect(error?.message.contains("already a key named 'app'") == true)
        try await ledger.revokeKey("app")
        _ = try await ledger.createKey(name: "app")
        #expect(try await ledger.keys().count == 2)
    }

    @Test(arguments: ["", " app", "app ", "a\nb", "a\u{0}b", String(repeating: "n", count: 65)])
    func `Unusable names are refused`(name: String) async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        await #expect(throws: LedgerError.self) { try await ledger.createKey(name: name) }
    }

    @Test(arguments: ["", "..", "a/b", "-a", "a b", "ä", String(repeating: "t", count: 65)])
    func `Tenants are safe as names of files`(tenant: String) async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        await #expect(throws: LedgerError.self) { try await ledger.createKey(name: "app", tenant: tenant) }
    }
}
