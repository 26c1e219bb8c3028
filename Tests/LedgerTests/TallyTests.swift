import Foundation
import Ledger
import Testing
import Wire

@Suite struct TallyTests {
    private func request(_ invocation: UUIDv7, _ kind: UsageRow.Kind = .chat, prompt: Int = 10) -> CallRequest {
        CallRequest(
            invocation: invocation, call: UUIDv7(), key: "", model: "chat", kind: kind, promptTokens: prompt, maximumTokens: 100,
            started: noon)
    }

    @Test func `A host's death in the middle leaves nothing uncounted and nothing held`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001", "0.000002")], from: noon)
        let reservation = try await ledger.reserved()
        try await ledger.updateKey("app") { $0.maxBudget = NanoUSD(1_000_000) }
        var unbegun = request(reservation.id)
        var running = request(reservation.id)
        (unbegun.key, running.key) = (reservation.key, reservation.key)
        do {
            let tally = try Tally(for: ledger, model: "chat")
            _ = try tally.open(unbegun)
            let entry = try tally.open(running)
            _ = try await ledger.hold(unbegun)
            _ = try await ledger.hold(running)
            entry.add(3)
            entry.add(4)
            let ended = try tally.open(request(reservation.id))
            ended.add(9)
            ended.close()
            ended.add(9)
            #expect(try await ledger.awaitCalls(of: reservation.id, patience: .milliseconds(5)) == false, "its host lives")
            #expect(try await ledger.collectTallies().calls == 0)
        }
        #expect(try scratch.count("holds") == 2)
        // Whoever settles finds it.
        #expect(try await ledger.awaitCalls(of: reservation.id, patience: .zero))
        #expect(try await ledger.collectTallies().calls == 0)
        let record = try await ledger.settle(reservation.id, Settlement(status: .failed, httpStatus: 502, duration: .zero))
        #expect(record.calls.map(\.id) == [running.call])
        #expect(record.usage == TokenUsage(promptTokens: 10, completionTokens: 7, cost: NanoUSD(24_000)))
        #expect(try scratch.count("holds") == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(scratch.ledger)-tallies").isEmpty)
    }

    @Test func `Of a call that is in the ledger and in a dead host's tally, the ledger is right`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let id = try await ledger.reserved().id
        let call = request(id)
        do {
            let tally = try Tally(for: ledger, model: "chat")
            try tally.open(call).add(4)
            _ = try await ledger.record(
                UsageRow(invocation: id, call: call.call, model: "chat", kind: .chat, promptTokens: 10, completionTokens: 6, started: noon))
        }
        try await ledger.collectTallies()
        #expect(try scratch.sum("completion_tokens", of: "usage") == 6)
        #expect(try scratch.count("usage") == 1)
    }

    @Test func `A tally has room for a thousand calls, and says when it is full`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let tally = try Tally(for: ledger, model: "chat")
        let entries = try (0..<1024).map { _ in try tally.open(request(UUIDv7())) }
        #expect(entries.count == 1024)
        #expect(throws: LedgerError.self) { try tally.open(request(UUIDv7())) }
        entries[500].close()
        _ = try tally.open(request(UUIDv7()))
    }

    @Test func `A call runs once at a time, and is billed once`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let id = try await ledger.reserved().id
        let call = request(id)
        let tally = try Tally(for: ledger, model: "chat")
        let entry = try tally.open(call)
        #expect(throws: LedgerError.self) { try tally.open(call) }
        entry.close()
        // Its host died before it was billed: it may be made again, and then is billed.
        try tally.open(call).close()
        _ = try await ledger.hold(call)
        let row = UsageRow(invocation: id, call: call.call, model: "chat", kind: .chat, promptTokens: 10, completionTokens: 6, started: noon)
        _ = try await ledger.record(row)
        let refused = await #expect(throws: LedgerError.self) { try await ledger.hold(call) }
        #expect(refused?.code == .repeated)
        // Another invocation's call is another.
        var other = call
        other.invocation = try await ledger.reserved().id
        _ = try await ledger.hold(other)
    }

    @Test func `Files that are no tally harm nothing`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let folder = "\(scratch.ledger)-tallies"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, size) in [("empty", 0), ("short", 100), ("noise", 1025 * 128), ("huge", 1 << 20)] {
            let bytes = Data((0..<size).map { _ in UInt8.random(in: 0...255) })
            try bytes.write(to: URL(filePath: "\(folder)/\(name).tally"))
        }
        #expect(try await ledger.collectTallies().calls == 0)
        #expect(try await ledger.awaitCalls(of: UUIDv7(), patience: .zero))
    }
}
