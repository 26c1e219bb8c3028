import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct OpeningTests {
    @Test func `Many openers make one ledger`() throws {
        for _ in 0..<10 {
            let scratch = try Scratch()
            let path = scratch.ledger
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                #expect(throws: Never.self) { try Ledger(path: path) }
            }
            #expect(try scratch.count("grdb_migrations") > 1)
        }
    }

    @Test func `Several processes write at once and no row is lost or doubled`() async throws {
        let scratch = try Scratch()
        let ledgers = try (0..<4).map { _ in try Ledger(path: scratch.ledger) }
        try await ledgers[0].setPrices([price("chat", "0.000001")], from: noon)
        let id = try await ledgers[0].reserved().id
        let calls = (0..<200).map { _ in UUIDv7() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for ledger in ledgers {
                group.addTask {
                    for call in calls.shuffled() {
                        let usage = try await ledger.record(
                            UsageRow(invocation: id, call: call, model: "chat", kind: .chat, promptTokens: 2, started: noon))
                        #expect(usage == TokenUsage(promptTokens: 2, cost: NanoUSD(2_000)))
                    }
                }
                group.addTask {
                    for _ in 0..<50 {
                        let own = try await ledger.reserved().id
                        try await ledger.settle(own, Settlement(status: .succeeded, httpStatus: 200, duration: .zero))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await ledgers[3].usage(UsageQuery())[0].usage == TokenUsage(promptTokens: 400, cost: NanoUSD(400_000)))
        #expect(try scratch.count("invocations WHERE status = 'succeeded'") == 200)
    }

    @Test func `A writer waits for another process that holds the ledger`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let other = try DatabaseQueue(path: scratch.ledger)
        let (locked, hold) = AsyncStream.makeStream(of: Void.self)
        let release = DispatchSemaphore(value: 0)
        let holder = Task {
            try await other.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    hold.finish()
                    release.wait()
                    return .commit
                }
            }
        }
        for await _ in locked {}
        async let reserved = ledger.reserve(Reservation(key: key.id, tenant: "t", function: "f", route: "POST /f"))
        release.signal()
        _ = try await reserved
        try await holder.value
        #expect(try scratch.count("invocations") == 1)
    }

    @Test func `A file that is no ledger is told apart and left alone`() throws {
        let scratch = try Scratch()
        let text = String(repeating: "This is not a database. ", count: 1000)
        try text.write(toFile: scratch.ledger, atomically: true, encoding: .utf8)
        let error = #expect(throws: LedgerError.self) { try Ledger(path: scratch.ledger) }
        #expect(error?.code == .damaged)
        #expect(error?.message.contains(scratch.ledger) == true)
        #expect(try String(contentsOfFile: scratch.ledger, encoding: .utf8) == text)
    }

    @Test func `A damaged page is an error, not a crash and not an empty answer`() async throws {
        let scratch = try Scratch()
        do {
            let ledger = try Ledger(path: scratch.ledger)
            for index in 0..<100 { _ = try await ledger.createKey(name: "key \(index)") }
        }
        // All of it into the file, also while the first connection is still being closed.
        var patient = Configuration()
        patient.busyMode = .timeout(5)
        try await DatabaseQueue(path: scratch.ledger, configuration: patient).writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: scratch.ledger))
        let length = try file.seekToEnd()
        try file.seek(toOffset: 4096)
        try file.write(contentsOf: Data(repeating: 0xa5, count: Int(length) - 4096))
        try file.close()
        let error = await #expect(throws: LedgerError.self) {
            let ledger = try Ledger(path: scratch.ledger)
            _ = try await ledger.keys()
        }
        #expect(error?.code == .damaged)
    }

    @Test func `A ledger of a newer version is refused untouched`() throws {
        let scratch = try Scratch()
        _ = try Ledger(path: scratch.ledger)
        try DatabaseQueue(path: scratch.ledger).write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('budgets')") }
        let error = #expect(throws: LedgerError.self) { try Ledger(path: scratch.ledger) }
        #expect(error?.code == .newerSchema)
        #expect(error?.message.contains("newer Swiftlet") == true)
    }

    @Test func `A ledger from before invocations were entered at their end goes on, and is whole`() async throws {
        let scratch = try Scratch()
        let fixture = Bundle.module.bundleURL.appendingPathComponent("Fixtures/ledger-version-6.sql")
        let older = try String(contentsOf: fixture, encoding: .utf8)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        try DatabaseQueue(path: scratch.ledger, configuration: configuration).inDatabase { try $0.execute(sql: older) }
        #expect(try scratch.count("chain") == 4)

        let ledger = try Ledger(path: scratch.ledger)
        #expect(try await ledger.verify().faults == [])
        // Its tables and triggers are those of a new one, but for how their text is set.
        let new = try Scratch()
        _ = try Ledger(path: new.ledger)
        #expect(try scratch.schema() == new.schema())
        #expect(try await ledger.settleLeftovers().invocations == 1)

        let entered = try await ledger.entered()
        _ = try await ledger.record(UsageRow(invocation: entered.id, model: "chat", kind: .chat, promptTokens: 3, started: noon))
        try await ledger.settle(ledger.reserved().id, Settlement(status: .succeeded, httpStatus: 200, duration: .zero))
        #expect(try scratch.count("chain") == 4 + 4)
        #expect(try await ledger.verify().faults == [])
        // Of the older ones the first two may go, with a late call.
        #expect(try await ledger.prune(before: noon + 1.5 * 3600) == 2)
        let after = try await ledger.verify()
        #expect(after.faults == [] && after.pruned == 3)
    }

    @Test func `A missing folder and a missing ledger are told apart`() throws {
        let scratch = try Scratch()
        #expect(throws: LedgerError.self) { try Ledger(path: "\(scratch.path)/no/such/ledger.sqlite") }
        let missing = #expect(throws: LedgerError.self) { try Ledger(path: scratch.ledger, creating: false) }
        #expect(missing?.code == .missing)
        #expect(!FileManager.default.fileExists(atPath: scratch.ledger))
    }
}

extension Scratch {
    /// Every table, index and trigger, with the words of what made it.
    fileprivate func schema() throws -> [[String]] {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: ledger, configuration: configuration).read { db in
            let made = try Row.fetchAll(db, sql: "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            return made.map { row in [row["name"]] + (row["sql"] as String).split { $0.isWhitespace || "\",;()".contains($0) }.map(String.init) }
        }
    }
}
