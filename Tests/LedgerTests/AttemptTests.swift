import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct AttemptTests {
    /// 1,000 nano-USD for a token of input, 2,000 for one of output; 50,000 for an invocation.
    private func opened(_ scratch: Scratch) async throws -> Ledger {
        let ledger = try Ledger(path: scratch.ledger)
        let fee = Fee(function: "*", perInvocation: try UnitPrice(dollars: "0.00005"), perSecond: .free)
        try await ledger.setPrices([price("chat", "0.000001", "0.000002")], fees: [fee], from: noon - 1000)
        return ledger
    }

    private func row(_ invocation: UUIDv7, _ attempt: Attempt, call: UUIDv7 = UUIDv7(), made: Int = 5) -> UsageRow {
        UsageRow(
            invocation: invocation, call: call, model: "chat", kind: .chat, promptTokens: 10, completionTokens: made, finishReason: "stop",
            started: noon, attempt: attempt)
    }

    private func succeed(_ id: UUIDv7, _ ledger: Ledger) async throws -> InvocationRecord {
        try await ledger.settle(id, Settlement(status: .succeeded, httpStatus: 200, duration: .seconds(1)))
    }

    @Test func `An invocation that is tried twice is charged for the try that was answered`() async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let reservation = try await ledger.reserved()
        let (first, second) = (Attempt.whole.next(), Attempt.whole.next())
        let late = UUIDv7()
        #expect(try await ledger.record(row(reservation.id, first)).cost == NanoUSD(20_000))
        try await ledger.giveUp(first, of: reservation.id)
        #expect(try scratch.sum("cost", of: "spending") == 0)
        #expect(try scratch.count("usage_sums") == 0)
        _ = try await ledger.record(row(reservation.id, second, made: 7))
        // What the first one's host still made counts for nobody, and neither does a replay of it.
        for _ in 0..<2 { #expect(try await ledger.record(row(reservation.id, first, call: late)).cost == .zero) }

        let record = try await succeed(reservation.id, ledger)
        #expect(record.usage == TokenUsage(promptTokens: 10, completionTokens: 7, cost: NanoUSD(24_000)) && record.calls.count == 1)
        #expect(record.cost == NanoUSD(74_000))
        #expect(try scratch.sum("cost", of: "spending") == 74_000)
        #expect(try await ledger.usage(UsageQuery(groupBy: [.model], only: [.model: ["chat"]])).map(\.usage.cost) == [NanoUSD(24_000)])
        #expect(try await ledger.spent(by: ledger.keys()[0], at: noon) == NanoUSD(74_000))
        let verification = try await ledger.verify()
        #expect(verification.faults == [] && verification.calls == 1)
        #expect(verification.losses.calls == 2 && verification.losses.cost == NanoUSD(40_000))
        // Once settled, nothing can be given up.
        try await ledger.giveUp(second, of: reservation.id)
        #expect(try await ledger.invocation(reservation.id, tenant: reservation.tenant) == record)
        #expect(try await ledger.verify() == verification)
    }

    @Test func `What fails before any of its answer is out costs nothing, also what is entered afterwards`() async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let reservation = try await ledger.reserved()
        _ = try await ledger.record(row(reservation.id, Attempt.whole.next()))
        _ = try await ledger.record(row(reservation.id, .whole))
        let record = try await ledger.settle(
            reservation.id, Settlement(status: .failed, httpStatus: 502, duration: .seconds(1), isGivenUp: true))
        #expect(record.cost == .zero && record.calls == [] && record.billedMilliseconds == 0)
        _ = try await ledger.record(row(reservation.id, .whole))
        #expect(try await ledger.invocation(reservation.id, tenant: reservation.tenant) == record)
        #expect(try scratch.sum("cost", of: "spending") == 0)
        #expect(try await ledger.usage(UsageQuery()).allSatisfy { $0.calls == 0 && $0.usage == TokenUsage() })
        let verification = try await ledger.verify()
        #expect(verification.faults == [] && verification.losses.calls == 3)
        // It is exported as what it is: nothing.
        #expect(try await ledger.usageEvents(after: 0, source: "test")?.events.count == 0)
    }

    @Test func `Giving up a try gives up what it called, and nothing beside it`() async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let id = try await ledger.reserved().id
        let outer = Attempt.whole.next()
        let (inner, again) = (outer.next(), outer.next())
        for attempt in [.whole, outer, inner, again] { _ = try await ledger.record(row(id, attempt)) }
        try await ledger.giveUp(inner, of: id)
        #expect(try scratch.count("usage") == 3)
        #expect(try await ledger.record(row(id, inner.next())).cost == .zero)
        try await ledger.giveUp(outer, of: id)
        #expect(try scratch.count("usage") == 1)
        #expect(try await ledger.record(row(id, again.next())).cost == .zero)
        #expect(try await succeed(id, ledger).usage.cost == NanoUSD(20_000))
        #expect(try await ledger.verify().faults == [])
    }

    @Test func `A second try has the budget that the first one held or spent, and the first one gets no more of it`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001", "0.000002")], from: noon - 1000)
        let reservation = try await ledger.reserved()
        try await ledger.updateKey("app") { $0.maxBudget = NanoUSD(40_000) }
        func request(_ attempt: Attempt) -> CallRequest {
            CallRequest(
                invocation: reservation.id, call: UUIDv7(), key: reservation.key, model: "chat", kind: .chat, promptTokens: 10,
                maximumTokens: 5, fewestTokens: 5, started: noon, attempt: attempt)
        }
        let (first, second) = (Attempt.whole.next(), Attempt.whole.next())
        _ = try await ledger.record(row(reservation.id, first))
        let running = request(first)
        #expect(try await ledger.hold(running) == 5)
        await #expect(throws: LedgerError.self, "The budget is spent and held.") { try await ledger.hold(request(second)) }
        try await ledger.giveUp(first, of: reservation.id)
        #expect(try scratch.count("holds") == 0)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.hold(request(first)) }?.code == .givenUp)
        for _ in 0..<2 { #expect(try await ledger.hold(request(second)) == 5) }
        #expect(try await ledger.record(row(reservation.id, first, call: running.call)).cost == .zero)
        #expect(try scratch.count("holds") == 2)
    }

    @Test func `Spending that was counted on a later day is taken back from there`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.000001", "0.000002")], from: noon - 1000)
        let (early, other) = (try await ledger.reserved(), try await ledger.reserved())
        var tomorrow = row(other.id, .whole)
        tomorrow.started = noon + 86_400
        _ = try await ledger.record(tomorrow)
        let attempt = Attempt.whole.next()
        // The clock has gone back, the key's day has not.
        _ = try await ledger.record(row(early.id, attempt))
        #expect(try scratch.count("spending") == 1)
        try await ledger.giveUp(attempt, of: early.id)
        #expect(try scratch.sum("cost", of: "spending") == 20_000)
        #expect(try await ledger.verify().faults == [])
    }

    @Test func `A killed host's tally knows what each call was made for`() async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let id = try await ledger.reserved().id
        let (first, second) = (Attempt.whole.next(), Attempt.whole.next().next())
        func request(_ attempt: Attempt) -> CallRequest {
            CallRequest(
                invocation: id, call: UUIDv7(), key: "", model: "chat:adapter", kind: .chat, promptTokens: 10, maximumTokens: 100, started: noon,
                attempt: attempt)
        }
        do {
            let tally = try Tally(for: ledger, model: "chat")
            let entries = try [first, second].map { try tally.open(request($0)) }
            entries[0].add(3)
            entries[1].add(4)
            #expect(try await ledger.awaitCalls(of: id, patience: .zero) == false)
            try await ledger.giveUp(first, of: id)
            #expect(try await ledger.awaitCalls(of: id, patience: .zero) == false)
            let other = try tally.open(request(first))
            entries[1].close()
            #expect(try await ledger.awaitCalls(of: id, patience: .zero), "Nobody waits for what is given up.")
            other.close()
            try tally.open(request(second)).add(4)
        }
        #expect(try await ledger.collectTallies().calls == 2)
        #expect(try scratch.sum("completion_tokens", of: "usage") == 4)
        #expect(try scratch.sum("completion_tokens", of: "lost_usage") == 3)
        // A start settles what a dead gateway left: the second try's calls.
        #expect(try await ledger.settleLeftovers().usage.completionTokens == 4)
        #expect(try await ledger.verify().faults == [])
    }

    @Test func `What was lost goes with its invocation when that is pruned`() async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let id = try await ledger.reserved().id
        let attempt = Attempt.whole.next()
        _ = try await ledger.record(row(id, attempt))
        try await ledger.giveUp(attempt, of: id)
        _ = try await ledger.record(row(id, .whole))
        _ = try await succeed(id, ledger)
        let before = try await ledger.usage(UsageQuery())
        #expect(try await ledger.prune(before: noon + 1) == 1)
        for table in ["usage", "lost_usage", "given_up", "invocations"] { #expect(try scratch.count(table) == 0) }
        #expect(try await ledger.usage(UsageQuery()) == before)
        #expect(try await ledger.verify().faults == [])
    }

    @Test(arguments: [
        "INSERT INTO given_up SELECT invocation, attempt FROM usage",
        "DELETE FROM given_up",
        "UPDATE lost_usage SET attempt = 'another/'",
    ]) func `A charge that is called a loss by hand is found, and so is a loss that is none`(sql: String) async throws {
        let scratch = try Scratch()
        let ledger = try await opened(scratch)
        let id = try await ledger.reserved().id
        let attempt = Attempt.whole.next()
        _ = try await ledger.record(row(id, attempt))
        try await ledger.giveUp(attempt, of: id)
        _ = try await ledger.record(row(id, Attempt.whole.next()))
        _ = try await succeed(id, ledger)
        try await DatabaseQueue(path: scratch.ledger).write { try $0.execute(sql: sql) }
        #expect(try await ledger.verify().faults.contains { $0.kind == .cost })
    }
}
