import Foundation
import Ledger
import Testing
import Wire

@Suite struct InvocationTests {
    @Test func `A call counts once, however often it is recorded`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let again = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001", cached: "0.0000005", "0.000002")], from: noon)
        let id = try await ledger.reserved().id
        var row = UsageRow(
            invocation: id, model: "chat", kind: .chat, promptTokens: 10, cachedTokens: 4, completionTokens: 5, finishReason: "stop",
            started: noon)
        let expected = TokenUsage(promptTokens: 10, cachedTokens: 4, completionTokens: 5, cost: NanoUSD(6_000 + 2_000 + 10_000))
        #expect(try await ledger.record(row) == expected)
        // A replay that claims something else changes nothing, nor does one from another process.
        row.completionTokens = 500
        row.started = noon + 60
        #expect(try await ledger.record(row) == expected)
        #expect(try await again.record(row) == expected)
        #expect(try scratch.count("usage") == 1)
    }

    @Test func `An invocation that is entered at its end is as one that was reserved and settled`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let settlement = Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(12), queued: .milliseconds(5))
        let key = try await ledger.createKey(name: "app").key
        var plain = Reservation(key: key.id, tenant: key.tenant, function: "hello", route: "GET /hello", started: noon)
        var called = plain
        (plain.id, called.id) = (UUIDv7(), UUIDv7())
        let before = ledger.commitCounts.commits
        let record = try await ledger.enter(plain, settlement)
        #expect(ledger.commitCounts.commits == before + 1)
        #expect(try await ledger.invocation(plain.id, tenant: key.tenant) == record)
        #expect(record.status == .succeeded && record.durationMilliseconds == 12 && record.started == noon)
        #expect(try scratch.count("chain") == 1)

        // It was reserved meanwhile, for a function that it called.
        try await ledger.reserve(called)
        _ = try await ledger.record(
            UsageRow(invocation: called.id, model: "embed", kind: .embedding, promptTokens: 7, started: noon))
        #expect(try await ledger.enter(called, settlement).usage.promptTokens == 7)
        // Once is enough.
        #expect(try await ledger.enter(called, Settlement(status: .failed, httpStatus: 500, duration: .zero)).status == .succeeded)
        #expect(try await ledger.verify().faults.isEmpty)
    }

    @Test func `An invocation that is entered at its end is charged the fee that was in force when it began`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let another = try Ledger(path: scratch.ledger)
        let fee = try UnitPrice(dollars: "0.00001")
        func costs(_ function: String, _ seconds: [Double]) async throws -> [NanoUSD] {
            var costs: [NanoUSD] = []
            for second in seconds { costs.append(try await ledger.entered(function: function, at: noon + second, milliseconds: 500).cost) }
            return costs
        }
        #expect(try await costs("hello", [0]) == [.zero])
        // As another process does it, and there is nothing that would have to be told.
        try await another.setPrices([], fees: [Fee(function: "*", perSecond: fee)], from: noon + 60)
        #expect(try await costs("hello", [59.999, 60]) == [.zero, NanoUSD(5_000)])
        try await another.setPrices([], fees: [Fee(function: "hello", perInvocation: fee), Fee(function: "*", perSecond: fee)], from: noon + 120)
        #expect(try await costs("hello", [119, 120]) == [NanoUSD(5_000), NanoUSD(10_000)])
        #expect(try await costs("other", [120]) == [NanoUSD(5_000)])
        try await another.setPrices([], fees: [Fee(function: "hello"), Fee(function: "*", perSecond: fee)], from: noon + 180)
        #expect(try await costs("hello", [179, 180]) == [NanoUSD(10_000), .zero])

        // Each once in the budget, in the sums and in the chain.
        let key = try #require(try await ledger.keys().first)
        let total = NanoUSD(5_000 + 5_000 + 10_000 + 5_000 + 10_000)
        #expect(try await ledger.spent(by: key, at: noon) == total)
        #expect(try await ledger.usage(UsageQuery())[0].usage.cost == total)
        #expect(try scratch.count("chain") == 8)
        #expect(try await ledger.verify().faults.isEmpty)
    }

    @Test func `What an invocation is entered for is not charged when nothing of it reached anyone`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await ledger.createKey(name: "app").key
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "hello", route: "GET /hello", started: noon)
        let settlement = Settlement(status: .clientClosed, httpStatus: nil, duration: .milliseconds(3), isGivenUp: true)
        #expect(try await ledger.enter(reservation, settlement).status == .clientClosed)
        // A host that enters what it made only now.
        _ = try await ledger.record(UsageRow(invocation: reservation.id, model: "chat", kind: .chat, promptTokens: 7, started: noon))
        #expect(try scratch.count("usage") == 0 && scratch.count("lost_usage") == 1)
        #expect(try await ledger.verify().faults.isEmpty)
    }

    @Test func `A settled invocation has the sum of its calls and stays as it was first settled`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001", "0.000002"), price("embed", "0.0000001")], from: noon)
        let reservation = try await ledger.reserved()
        try await ledger.reserve(reservation)
        let calls = [UUIDv7(), UUIDv7()]
        _ = try await ledger.record(
            UsageRow(invocation: reservation.id, call: calls[0], model: "embed", kind: .embedding, promptTokens: 7, started: noon))
        _ = try await ledger.record(
            UsageRow(
                invocation: reservation.id, call: calls[1], model: "chat", kind: .chat, promptTokens: 10, completionTokens: 5,
                finishReason: "length", started: noon))
        let settlement = Settlement(
            status: .succeeded, httpStatus: 200, duration: .milliseconds(1234), queued: .milliseconds(5), firstByte: .milliseconds(80))
        let record = try await ledger.settle(reservation.id, settlement)
        #expect(record.usage == TokenUsage(promptTokens: 17, completionTokens: 5, cost: NanoUSD(700 + 10_000 + 10_000)))
        #expect(try await ledger.settle(reservation.id, Settlement(status: .failed, httpStatus: 500, duration: .seconds(9))) == record)
        #expect(try await ledger.invocation(reservation.id, tenant: reservation.tenant) == record)
        #expect(try await ledger.invocation(reservation.id, tenant: "another") == nil)
        #expect(try await ledger.invocation(UUIDv7(), tenant: reservation.tenant) == nil)

        let json = try JSON(parsing: JSON.encode(record))
        #expect(json["id"]?.string == reservation.id.description)
        #expect(json["object"] == "invocation")
        #expect(json["function"] == "generate")
        #expect(json["route"] == "POST /generate")
        #expect(json["status"] == "succeeded")
        #expect(json["http_status"] == 200)
        #expect(json["created"] == 1_800_000_000)
        #expect(json["duration_ms"] == 1234)
        #expect(json["queue_ms"] == 5)
        #expect(json["time_to_first_byte_ms"] == 80)
        #expect(json["usage"]?["total_tokens"] == 22)
        #expect(json["usage"]?["cost"] == 0.0000207)
        let first = try #require(json["calls"]?.array?.first)
        #expect(first["id"]?.string == calls[0].description)
        #expect(first["kind"] == "embedding")
        #expect(first["finish_reason"] == .null)
        #expect(first["usage"]?["prompt_tokens"] == 7)
        #expect(json["calls"]?.array?.last?["finish_reason"] == "length")
    }

    @Test func `Usage of an unknown invocation is refused, and so is its settlement`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let row = UsageRow(invocation: UUIDv7(), model: "chat", kind: .chat, promptTokens: 1, started: noon)
        await #expect(throws: LedgerError.self) { try await ledger.record(row) }
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.settle(row.invocation, Settlement(status: .succeeded, httpStatus: 200, duration: .zero))
        }
        #expect(error?.code == .notFound)
        #expect(try scratch.count("usage") == 0)
    }

    @Test func `What a dead gateway left is settled as failed, once, and what is settled stays`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let settled = try await ledger.reserved()
        let before = try await ledger.settle(settled.id, Settlement(status: .clientClosed, httpStatus: 499, duration: .seconds(1)))
        let left = try await ledger.reserved()
        _ = try await ledger.record(
            UsageRow(invocation: left.id, model: "chat", kind: .chat, promptTokens: 3, started: noon, finished: noon + 2))
        let empty = try await ledger.reserved()

        let restarted = try Ledger(path: scratch.ledger)
        #expect(try await restarted.settleLeftovers().invocations == 2)
        #expect(try await restarted.settleLeftovers().invocations == 0)
        let record = try #require(try await restarted.invocation(left.id, tenant: left.tenant))
        #expect(record.status == .failed)
        #expect(record.httpStatus == nil)
        #expect(record.durationMilliseconds == 2000)
        #expect(record.usage.promptTokens == 3)
        #expect(try await restarted.invocation(empty.id, tenant: empty.tenant)?.status == .failed)
        #expect(try await restarted.invocation(settled.id, tenant: settled.tenant) == before)
    }

    @Test func `A bill is written even when the one who asked has gone`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let id = try await ledger.reserved().id
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await ledger.record(UsageRow(invocation: id, model: "chat", kind: .chat, promptTokens: 3, started: noon))
        }
        #expect(try await cancelled.value.promptTokens == 3)
        #expect(try scratch.count("usage") == 1)
    }
}
