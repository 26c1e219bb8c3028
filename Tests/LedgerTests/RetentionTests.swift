import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct RetentionTests {
    private let day: TimeInterval = 86_400

    /// `count` invocations, one an hour, each with two calls; every tenth has a late one.
    private func fill(_ ledger: Ledger, count: Int) async throws -> [UUIDv7] {
        let fee = Fee(function: "generate", perInvocation: try UnitPrice(dollars: "0.00001"))
        try await ledger.setPrices([price("chat", "0.00000015", "0.0000006")], fees: [fee], from: noon - 50)
        let key = try await ledger.createKey(name: "pruned").key
        var ids: [UUIDv7] = []
        for index in 0..<count {
            let started = noon + Double(index) * 3600
            let reservation = Reservation(key: key.id, tenant: key.tenant, function: "generate", route: "POST /generate", started: started)
            try await ledger.reserve(reservation)
            ids.append(reservation.id)
            let row = { (call: UUIDv7) in
                UsageRow(invocation: reservation.id, call: call, model: "chat", kind: .chat, promptTokens: index, completionTokens: 3, started: started)
            }
            for _ in 0..<2 { _ = try await ledger.record(row(UUIDv7())) }
            try await ledger.settle(reservation.id, Settlement(status: .succeeded, httpStatus: 200, duration: .milliseconds(5)))
            if index % 10 == 0 { _ = try await ledger.record(row(UUIDv7())) }
        }
        return ids
    }

    @Test func `Pruning changes no report and no invoice, and the ledger stays verifiable`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let ids = try await fill(ledger, count: 100)
        let queries = [
            UsageQuery(groupBy: [.function, .model]), UsageQuery(period: .hour), UsageQuery(period: .day, groupBy: [.kind]),
            UsageQuery(since: noon + 7 * 3600, until: noon + 60 * 3600, groupBy: [.key]),
        ]
        var reports: [[UsageGroup]] = []
        for query in queries { reports.append(try await ledger.usage(query)) }
        let invoice = try await ledger.invoice(key: "pruned", month: noon)
        let head = try await ledger.verify().head

        #expect(try await ledger.prune(before: noon + 40.5 * 3600) == 41)
        #expect(try await ledger.prune(before: noon + 40.5 * 3600) == 0)
        #expect(try await ledger.prune(before: noon + 71 * 3600) == 30)
        #expect(try scratch.count("invocations") == 29)
        #expect(try scratch.count("usage") == 29 * 2 + 2)
        for (query, report) in zip(queries, reports) { #expect(try await ledger.usage(query) == report) }
        #expect(try await ledger.invoice(key: "pruned", month: noon) == invoice)

        let after = try await ledger.verify()
        #expect(after.faults == [] && after.head == head && after.pruned == 71 + 8)
        #expect(try await ledger.invocation(ids[70], tenant: "nobody") == nil)
        // Nothing can be added to what is gone.
        await #expect(throws: LedgerError.self) {
            try await ledger.record(UsageRow(invocation: ids[0], model: "chat", kind: .chat, promptTokens: 1, started: noon))
        }
        // And what was archived is sealed, too.
        try scratch.write { try $0.execute(sql: "UPDATE usage_archive SET cost = cost + 1; UPDATE usage_sums SET cost = cost + 1") }
        #expect(try await ledger.verify().faults.contains { $0.kind == .chain })
    }

    @Test func `What still runs stays, and so does what came after it was settled`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        try await ledger.setPrices([price("chat", "0.00000015", "0.0000006")], from: noon - 60)
        let running = try await ledger.reserved()
        _ = try await ledger.record(UsageRow(invocation: running.id, model: "chat", kind: .chat, promptTokens: 1, started: noon))
        _ = try await fill(ledger, count: 1)
        #expect(try await ledger.prune(before: noon + day) == 1)
        #expect(try await ledger.invocation(running.id, tenant: running.tenant)?.calls.count == 1)
        #expect(try await ledger.verify().faults == [])
    }

    @Test func `The file gives back what was deleted`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        func pages() throws -> Int { try DatabaseQueue(path: scratch.ledger).read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 } }
        _ = try await fill(ledger, count: 400)
        let before = try pages()
        try await ledger.prune(before: noon + 400 * 3600)
        #expect(try pages() < before / 2)
        #expect(try await ledger.verify().faults == [])
    }
}
