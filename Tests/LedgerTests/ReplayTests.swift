import Foundation
import Ledger
import Testing
import Wire

@Suite struct ReplayTests {
    private let call = ReplayedCall(model: "chat", kind: .chat, promptTokens: 10, completionTokens: 4, finishReason: "stop")
    private let settlement = Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(2))

    /// 1,000 nano-USD for input, 300 for cached input, 2,000 for output and 7 for cached output.
    private func open(_ scratch: Scratch) async throws -> Ledger {
        let ledger = try Ledger(path: scratch.ledger)
        let unit = { try UnitPrice(dollars: $0) }
        let price = Price(
            model: "chat", input: try unit("0.000001"), cachedInput: try unit("0.0000003"), output: try unit("0.000002"),
            cachedOutput: try unit("0.000000007"))
        try await ledger.setPrices([price], from: noon - 1_000_000)
        return ledger
    }

    private func reservation(of key: APIKey) -> Reservation {
        Reservation(key: key.id, tenant: key.tenant, function: "generate", route: "POST /generate", started: noon)
    }

    @Test func `What is given again is billed at the cached price, wherever it is looked at`() async throws {
        let scratch = try Scratch()
        let ledger = try await open(scratch)
        let key = try await ledger.createKey(name: "app").key
        let record = try await ledger.replay(reservation(of: key), [call, call], settlement)
        #expect(record.cost == NanoUSD(2 * (10 * 300 + 4 * 7)) && record.status == .succeeded && record.isCached)
        #expect(record.calls.map(\.kind) == [.cachedChat, .cachedChat] && record.usage.cachedTokens == 20)
        #expect(try await ledger.invocation(record.id, tenant: key.tenant) == record)
        let groups = try await ledger.usage(UsageQuery(groupBy: [.kind]))
        #expect(groups.map(\.values) == [["cached_chat"]] && groups[0].usage == record.usage)
        let invoice = try await ledger.invoice(key: "app", month: noon)
        #expect(invoice.total == record.cost)
        #expect(invoice.lines.map(\.description) == ["chat, chat from the response cache, cached input", "chat, chat from the response cache, output"])
        #expect(invoice.lines.map(\.amount) == [NanoUSD(6000), NanoUSD(56)])
        let verification = try await ledger.verify()
        #expect(verification.faults.isEmpty && verification.calls == 2 && verification.invocations == 1)
    }

    @Test func `A budget that has no room for all of it refuses it whole`() async throws {
        let scratch = try Scratch()
        let ledger = try await open(scratch)
        var settings = KeySettings()
        settings.maxBudget = NanoUSD(2 * 3028 - 1)
        let key = try await ledger.createKey(name: "app", settings: settings).key
        let refused = await #expect(throws: LedgerError.self) { try await ledger.replay(reservation(of: key), [call, call], settlement) }
        #expect(refused?.code == .insufficientQuota)
        #expect(try await ledger.spent(by: key, at: noon) == .zero && scratch.count("invocations") == 0)
        _ = try await ledger.replay(reservation(of: key), [call], settlement)
        #expect(try await ledger.spent(by: key, at: noon) == NanoUSD(3028) && scratch.count("holds") == 0)
    }

    @Test func `An idempotent request keeps the answer that is billed`() async throws {
        let scratch = try Scratch()
        let ledger = try await open(scratch)
        let reservation = reservation(of: try await ledger.createKey(name: "app").key)
        let request = IdempotentRequest(key: reservation.key, token: "t", fingerprint: [1], invocation: reservation.id)
        #expect(try await ledger.claim(request) == .new)
        _ = try await ledger.replay(reservation, [call], settlement, answering: (request, { record in
            KeptAnswer(status: 200, headers: [], body: Array("\(record.cost)".utf8))
        }))
        #expect(try await ledger.claim(request) == .answered(KeptAnswer(status: 200, headers: [], body: Array("0.000003028".utf8)), invocation: reservation.id))
    }
}
