import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct KeySettingsTests {
    private var all: KeySettings {
        var settings = KeySettings()
        settings.owner = "me"
        settings.tags = ["a", "b \"quoted\""]
        settings.expires = noon
        settings.functions = ["generate"]
        settings.models = []
        settings.isAdmin = true
        settings.maxBudget = NanoUSD(250_000_000)
        settings.budgetDuration = .month
        settings.softBudget = NanoUSD(1)
        settings.rpmLimit = 1
        settings.tpmLimit = 2
        settings.maxParallelRequests = 3
        return settings
    }

    @Test func `Settings are stored as they are, and changed one by one`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let made = try await ledger.createKey(name: "app", settings: all).key
        #expect(try await ledger.key("app") == made)
        #expect(made.settings == all && made.isAdmin)
        let changed = try await ledger.updateKey("app") { $0.maxBudget = nil }
        var expected = all
        expected.maxBudget = nil
        #expect(changed.settings == expected)
        try await ledger.revokeKey("app")
        await #expect(throws: LedgerError.self) { try await ledger.updateKey(made.id) { $0.owner = nil } }
    }

    @Test(arguments: [
        { $0.rpmLimit = 0 }, { $0.tpmLimit = -1 }, { $0.maxParallelRequests = 0 }, { $0.maxBudget = NanoUSD(-1) },
        { $0.softBudget = NanoUSD(2); $0.maxBudget = NanoUSD(1) }, { $0.tags = ["a,b"] }, { $0.tags = [""] }, { $0.owner = "" },
    ] as [@Sendable (inout KeySettings) -> Void])
    func `Settings that make no sense are refused`(change: @Sendable (inout KeySettings) -> Void) async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        var changed = KeySettings()
        change(&changed)
        let settings = changed
        await #expect(throws: LedgerError.self) { try await ledger.createKey(name: "app", settings: settings) }
        #expect(try scratch.count("keys") == 0)
    }

    @Test func `A key opens until it expires`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        var settings = KeySettings()
        settings.expires = noon
        let (key, secret) = try await ledger.createKey(name: "app", settings: settings)
        #expect(try await ledger.authenticate(secret, now: noon - 1) == key)
        #expect(try await ledger.authenticate(secret, now: noon) == nil)
        // A clock that is set back opens it again; it is the only one there is.
        #expect(try await ledger.authenticate(secret, now: noon - 1) == key)
    }

    @Test func `After a rotation both secrets open for a while, then the new one`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let (key, old) = try await ledger.createKey(name: "app")
        let (rotated, new) = try await ledger.rotateKey("app", grace: .seconds(60), now: noon)
        #expect(rotated.id == key.id && old != new)
        #expect(try await ledger.authenticate(new, now: noon)?.id == key.id)
        #expect(try await ledger.authenticate(old, now: noon + 59)?.id == key.id)
        #expect(try await ledger.authenticate(old, now: noon + 60) == nil)
        // Rotated twice, the first secret is gone at once.
        _ = try await ledger.rotateKey("app", grace: .seconds(60), now: noon)
        #expect(try await ledger.authenticate(old, now: noon) == nil)
        #expect(try await ledger.authenticate(new, now: noon + 59)?.id == key.id)
    }

    @Test func `A broken hash and texts that look like SQL open nothing`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger, keyFreshness: .zero)
        let secret = try await ledger.createKey(name: "app").secret
        for text in ["sk-swl-' OR '1'='1-x", "sk-swl-x'; DROP TABLE keys; ---", "sk-swl--", "", "sk-swl-%-%"] {
            #expect(try await ledger.authenticate(text) == nil)
        }
        for hash in ["x''", "x'00'", "zeroblob(31)", "zeroblob(33)", "zeroblob(100000)"] {
            try await DatabaseQueue(path: scratch.ledger).write { try $0.execute(sql: "UPDATE keys SET hash = \(hash)") }
            #expect(try await ledger.authenticate(secret) == nil)
        }
        try await DatabaseQueue(path: scratch.ledger).write {
            try $0.execute(sql: "UPDATE keys SET functions = 'no JSON', tags = '{', budget_duration = 'x'")
        }
        // A list that cannot be read allows nothing.
        #expect(try await ledger.key("app").settings.functions == [])
    }
}
