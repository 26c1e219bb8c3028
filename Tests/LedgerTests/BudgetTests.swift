import Foundation
import Ledger
import Testing
import Wire

@Suite struct BudgetTests {
    private func budgeted(_ ledger: Ledger, _ budget: Int64, _ duration: BudgetDuration = .total) async throws -> APIKey {
        // 1,000 nano-USD for a token of input, 2,000 for one of output.
        try await ledger.setPrices([price("chat", "0.000001", "0.000002"), price("embed", "0.000001")], from: noon - 1_000_000)
        var settings = KeySettings()
        settings.maxBudget = NanoUSD(budget)
        settings.budgetDuration = duration
        return try await ledger.createKey(name: "app", settings: settings).key
    }

    /// A call from reservation to settlement that makes all it may.
    private func spend(_ ledger: Ledger, _ key: APIKey, prompt: Int = 10, maximum: Int = 5, at time: Date = noon) async throws -> NanoUSD {
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "POST /f", started: time)
        try await ledger.reserve(reservation)
        let call = UUIDv7()
        do {
            let allowed = try await ledger.hold(
                CallRequest(
                    invocation: reservation.id, call: call, key: key.id, model: "chat", kind: .chat, promptTokens: prompt,
                    maximumTokens: maximum, started: time))
            let usage = try await ledger.record(
                UsageRow(
                    invocation: reservation.id, call: call, model: "chat", kind: .chat, promptTokens: prompt,
                    completionTokens: allowed, started: time))
            try await ledger.settle(reservation.id, Settlement(status: .succeeded, httpStatus: 200, duration: .zero))
            return usage.cost
        } catch {
            try await ledger.settle(reservation.id, Settlement(status: .failed, httpStatus: 402, duration: .zero))
            throw error
        }
    }

    @Test func `Of 64 callers on a budget for 10 calls exactly 10 succeed, over several processes, and nothing stays held`() async throws {
        let scratch = try Scratch()
        let ledgers = try (0..<3).map { _ in try Ledger(path: scratch.ledger) }
        let key = try await budgeted(ledgers[0], 10 * 20_000)
        let outcomes = await withTaskGroup(of: Result<NanoUSD, any Error>.self) { group in
            for index in 0..<64 {
                group.addTask {
                    do { return .success(try await spend(ledgers[index % 3], key)) } catch { return .failure(error) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { (try? $0.get()) == NanoUSD(20_000) } == 10)
        #expect(outcomes.count { if case .failure(let error as LedgerError) = $0 { error.code == .insufficientQuota } else { false } } == 54)
        #expect(try scratch.sum("cost", of: "usage") == 200_000)
        #expect(try scratch.sum("cost", of: "spending") == 200_000)
        #expect(try scratch.count("holds") == 0)
    }

    @Test func `What is held and not used is free again`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await budgeted(ledger, 30_000)
        let reservation = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "POST /f", started: noon)
        try await ledger.reserve(reservation)
        func request(_ maximum: Int) -> CallRequest {
            CallRequest(
                invocation: reservation.id, call: UUIDv7(), key: key.id, model: "chat", kind: .chat, promptTokens: 10,
                maximumTokens: maximum, started: noon)
        }
        let first = request(10)
        #expect(try await ledger.hold(first) == 10)
        await #expect(throws: LedgerError.self) { try await ledger.hold(request(1)) }
        _ = try await ledger.record(
            UsageRow(
                invocation: reservation.id, call: first.call, model: "chat", kind: .chat, promptTokens: 10, completionTokens: 1,
                started: noon))
        // 18,000 are left: 10 tokens in and 4 out.
        let second = request(500)
        #expect(try await ledger.hold(second) == 4)
        try await ledger.release(invocation: reservation.id, call: second.call)
        #expect(try await ledger.hold(request(3)) == 3)
    }

    @Test func `A call that begins may not cost more than was held, whatever is cached`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await budgeted(ledger, 50_000)
        try await ledger.setPrices([price("chat", "0.000001", cached: "0.000009")], from: noon)
        let id = try await ledger.reserved().id
        let request = CallRequest(
            invocation: id, call: UUIDv7(), key: key.id, model: "chat", kind: .chat, promptTokens: 10, maximumTokens: 1, started: noon)
        await #expect(throws: LedgerError.self) { try await ledger.hold(request) }
    }

    @Test func `A budget is whole again when its period ends, and not when the clock goes back`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await budgeted(ledger, 20_000, .day)
        #expect(try await spend(ledger, key) == NanoUSD(20_000))
        await #expect(throws: LedgerError.self) { try await spend(ledger, key, at: noon + 60) }
        #expect(try await spend(ledger, key, at: noon + 86_400) == NanoUSD(20_000))
        await #expect(throws: LedgerError.self) { try await spend(ledger, key, at: noon + 60) }
        await #expect(throws: LedgerError.self) { try await spend(ledger, key, at: noon - 86_400) }
        #expect(try scratch.sum("cost", of: "spending") == 40_000)
    }

    // Expected with Python's datetime.
    @Test(arguments: [
        (.day, 20_778, 20_778), (.week, 20_778, 20_773), (.week, 20_773, 20_773), (.week, 20_772, 20_766),
        (.month, 20_778, 20_758), (.month, 20_757, 20_727), (.month, 19_782, 19_754), (.month, 19_783, 19_783), (.month, 0, 0),
        (.month, -1, -31), (.week, 0, -3), (.total, 5, Int64.min),
    ] as [(BudgetDuration, Int64, Int64)])
    func `Periods begin at midnight, on Mondays and on the first`(duration: BudgetDuration, day: Int64, start: Int64) {
        #expect(duration.start(of: day) == start)
    }

    @Test func `A fee is held at its worst and charged as it came`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await budgeted(ledger, 10_000)
        try await ledger.setPrices(
            [], fees: [Fee(function: "*", perInvocation: try UnitPrice(dollars: "0.000001"), perSecond: try UnitPrice(dollars: "0.000004"))],
            from: noon)
        let first = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "GET /f", started: noon, timeout: .seconds(2))
        let second = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "GET /f", started: noon, timeout: .seconds(2))
        try await ledger.reserve(first)
        await #expect(throws: LedgerError.self) { try await ledger.reserve(second) }
        #expect(try scratch.count("invocations") == 1)
        let record = try await ledger.settle(first.id, Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(500)))
        #expect(record.fee == NanoUSD(3000))
        #expect(record.cost == NanoUSD(3000))
        await #expect(throws: LedgerError.self) { try await ledger.reserve(second) }
        let brief = Reservation(key: key.id, tenant: key.tenant, function: "f", route: "GET /f", started: noon, timeout: .seconds(1))
        try await ledger.reserve(brief)
        // What fails costs nothing.
        #expect(try await ledger.settle(brief.id, Settlement(status: .failed, httpStatus: 500, duration: .seconds(1))).cost == .zero)
        #expect(try scratch.sum("cost", of: "spending") == 3000)
        #expect(try scratch.count("holds") == 0)
    }

    @Test func `Passing a soft budget is noted once in each period`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let key = try await budgeted(ledger, 1_000_000, .day)
        try await ledger.updateKey("app") { $0.softBudget = NanoUSD(40_000) }
        _ = try await spend(ledger, key)
        #expect(try scratch.count("alerts") == 0)
        for _ in 0..<3 { _ = try await spend(ledger, key) }
        #expect(try scratch.count("alerts") == 1)
        for _ in 0..<2 { _ = try await spend(ledger, key, at: noon + 86_400) }
        #expect(try scratch.count("alerts") == 2)
    }
}
