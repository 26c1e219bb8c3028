import Foundation
import Ledger
import Testing
import Wire

@Suite struct GroupCommitTests {
    @Test func `Calls that arrive together share their flushes`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let before = ledger.commitCounts
        try await withThrowingTaskGroup { group in
            for _ in 0..<64 {
                group.addTask {
                    for _ in 0..<10 { try await ledger.run(key) }
                }
            }
            try await group.waitForAll()
        }
        let after = ledger.commitCounts
        #expect(after.transactions - before.transactions == 640 * 3)
        // One at a time they would be 1,280: a usage row and a settlement each. A reservation needs none.
        #expect((1..<640).contains(after.flushes - before.flushes))
        #expect(try scratch.count("usage") == 640)
        #expect(try scratch.count("invocations WHERE status = 'succeeded'") == 640)
    }

    @Test func `What nobody waits for is collected, and seen by who reads`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let before = ledger.commitCounts
        let reservations = (0..<200).map { _ in Reservation(key: key.id, tenant: key.tenant, function: "hello", route: "GET /hello") }
        try await withThrowingTaskGroup { group in
            for reservation in reservations {
                group.addTask {
                    _ = try await ledger.enter(reservation, Settlement(status: .succeeded, httpStatus: 200, duration: .zero), isPatient: true)
                }
            }
            try await group.waitForAll()
        }
        let after = ledger.commitCounts
        // One at a time they would be 200. Only a machine that stands still for many moments makes more than a few of them.
        #expect((1..<100).contains(after.commits - before.commits) && after.flushes == before.flushes)
        #expect(try scratch.count("invocations WHERE status = 'succeeded'") == 200)

        let last = Reservation(key: key.id, tenant: key.tenant, function: "hello", route: "GET /hello")
        // As far as to its wait for the disk, before this goes on.
        let entering = Task.immediate {
            try await ledger.enter(last, Settlement(status: .succeeded, httpStatus: 200, duration: .zero), isPatient: true)
        }
        #expect(try await ledger.invocation(last.id, tenant: key.tenant) != nil)
        _ = try await entering.value
    }

    @Test func `A call alone is flushed twice, and with durability to the process's end never`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let flushes = ledger.commitCounts.flushes
        for _ in 0..<10 { try await ledger.run(key) }
        #expect(ledger.commitCounts.flushes - flushes == 20)

        try await ledger.setDurability(.process)
        let another = try Ledger(path: scratch.ledger)
        for _ in 0..<10 { try await another.run(key) }
        #expect(another.commitCounts.flushes == 0)
        #expect(try scratch.count("usage") == 20)
    }

    @Test func `A transaction that fails is undone as a whole and touches no other`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let failures = await withTaskGroup(of: Int.self) { group in
            for index in 0..<200 {
                group.addTask {
                    do {
                        // The second fails after it has read.
                        if index % 2 == 0 { try await ledger.run(key) } else { _ = try await ledger.createKey(name: "app") }
                        return 0
                    } catch {
                        return 1
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 100)
        #expect(try scratch.count("keys") == 1)
        #expect(try scratch.count("usage") == 100)
    }

    @Test func `An invocation that cannot be entered takes no other with it`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let before = ledger.commitCounts
        let settlement = Settlement(status: .succeeded, httpStatus: 200, duration: .zero)
        let failures = await withTaskGroup(of: Int.self) { group in
            for index in 0..<200 {
                group.addTask {
                    // There is no such key.
                    let payer = index % 2 == 0 ? key.id : "nobody"
                    do {
                        let reservation = Reservation(key: payer, tenant: "t", function: "hello", route: "GET /hello")
                        _ = try await ledger.enter(reservation, settlement, isPatient: true)
                        return 0
                    } catch {
                        return 1
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(failures == 100)
        // Each of them alone would be 100: what fails has failed beside others.
        #expect((1..<100).contains(ledger.commitCounts.commits - before.commits))
        #expect(try scratch.count("invocations") == 100 && scratch.count("chain") == 100)
        #expect(try await ledger.verify().faults.isEmpty)
    }

    @Test func `Several ledgers of one file write at once, and none loses a row`() async throws {
        let scratch = try Scratch()
        let ledgers = try (0..<4).map { _ in try Ledger(path: scratch.ledger) }
        let key = try await ledgers[0].createKey(name: "app").key
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<32 {
                let ledger = ledgers[index % 4]
                group.addTask { for _ in 0..<10 { try await ledger.run(key) } }
            }
            try await group.waitForAll()
        }
        #expect(try scratch.count("usage") == 320)
        #expect(try scratch.count("invocations WHERE status = 'succeeded'") == 320)
    }
}

extension Ledger {
    /// An invocation with one call, from its reservation to its settlement.
    @discardableResult
    func run(_ key: APIKey, model: String = "chat", tokens: Int = 5, at started: Date = noon) async throws -> UUIDv7 {
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "generate", route: "POST /generate", started: started)
        try await reserve(reservation)
        _ = try await record(
            UsageRow(
                invocation: reservation.id, model: model, kind: .chat, promptTokens: 10, completionTokens: tokens, started: started))
        try await settle(reservation.id, Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(1)))
        return reservation.id
    }
}
