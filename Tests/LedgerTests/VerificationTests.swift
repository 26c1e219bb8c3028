import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct VerificationTests {
    /// A ledger with settled, failed and running invocations, a late call, prices that changed and fees.
    private func filled(_ scratch: Scratch) async throws -> (ledger: Ledger, ids: [UUIDv7]) {
        let ledger = try Ledger(path: scratch.ledger)
        let fee = Fee(function: "generate", perInvocation: try UnitPrice(dollars: "0.00001"), perSecond: try UnitPrice(dollars: "0.0001"))
        try await ledger.setPrices([price("chat", "0.00000015", cached: "0.00000005", "0.0000006")], fees: [fee], from: noon - 60)
        try await ledger.setPrices([price("chat", "0.00000025", "0.0000006")], fees: [fee], from: noon + 3)
        var ids: [UUIDv7] = []
        for index in 0..<12 {
            let id = try await ledger.reserved(function: index % 2 == 0 ? "generate" : "embed").id
            ids.append(id)
            for _ in 0..<index % 3 { try await record(id, in: ledger, at: Double(index)) }
            if index == 11 { break }
            try await ledger.settle(id, Settlement(status: index == 9 ? .failed : .succeeded, httpStatus: 200, duration: .milliseconds(100 * index)))
        }
        try await record(ids[4], in: ledger, at: 5)
        ids.append(try await ledger.entered(at: noon + 20).id)
        return (ledger, ids)
    }

    private func record(_ id: UUIDv7, in ledger: Ledger, at offset: Double) async throws {
        _ = try await ledger.record(
            UsageRow(
                invocation: id, model: "chat", kind: .chat, promptTokens: 10, cachedTokens: 4, completionTokens: 7, finishReason: "stop",
                started: noon + offset))
    }

    @Test func `A ledger that nobody touched is whole`() async throws {
        let scratch = try Scratch()
        let (ledger, _) = try await filled(scratch)
        let verification = try await ledger.verify()
        #expect(verification.faults == [])
        #expect(verification.invocations == 12 && verification.calls == 13)
        #expect(try scratch.count("chain") == 13)
        // The same ledger has the same digest, and one more settlement another.
        #expect(try await ledger.verify().head == verification.head && verification.head.count == 64)
        try await ledger.settle(try await ledger.reserved().id, Settlement(status: .failed, httpStatus: 500, duration: .zero))
        #expect(try await ledger.verify().head != verification.head)
    }

    /// What a hand on the file may do, and what must be found.
    private static let tamperings: [(String, Verification.Fault.Kind)] = [
        ("UPDATE usage SET cost = cost + 1 WHERE rowid_is(4)", .cost),
        ("UPDATE usage SET completion_tokens = 1 WHERE rowid_is(4)", .cost),
        ("UPDATE usage SET completion_tokens = 1 WHERE rowid_is(4)", .sum),
        ("UPDATE usage SET completion_tokens = 1 WHERE rowid_is(4)", .chain),
        ("UPDATE usage SET finish_reason = 'length' WHERE rowid_is(4)", .chain),
        ("UPDATE prices SET output = output + 1000000", .cost),
        ("UPDATE fees SET per_second = 0", .cost),
        ("UPDATE invocations SET cost = 0 WHERE id = :settled", .cost),
        ("DROP TRIGGER settlements_are_chained; UPDATE invocations SET status = 'failed' WHERE id = :settled", .chain),
        ("UPDATE invocations SET duration_ms = duration_ms + 1 WHERE id = :settled", .chain),
        ("UPDATE invocations SET tenant = 'another' WHERE id = :settled", .sum),
        ("UPDATE invocations SET http_status = 500 WHERE id = :entered", .chain),
        ("DELETE FROM invocations WHERE id = :entered", .chain),
        ("DELETE FROM usage WHERE rowid_is(4)", .sum),
        ("DELETE FROM usage WHERE rowid_is(4)", .chain),
        ("DELETE FROM usage WHERE call = (SELECT call FROM chain WHERE call IS NOT NULL)", .chain),
        ("DELETE FROM usage WHERE invocation = :settled; DELETE FROM invocations WHERE id = :settled", .chain),
        ("DELETE FROM chain WHERE sequence = 3", .chain),
        ("DELETE FROM chain WHERE invocation = :settled", .chain),
        ("DELETE FROM chain WHERE sequence = (SELECT MAX(sequence) - 1 FROM chain)", .chain),
        ("UPDATE chain SET digest = zeroblob(32) WHERE sequence = 5", .chain),
        ("INSERT INTO usage_archive SELECT start, series, 0, 0, 0, 0, 0 FROM usage_sums LIMIT 1", .chain),
        ("UPDATE usage_sums SET calls = calls + 1 WHERE period = 'day'", .sum),
        ("UPDATE usage_sums SET cost = cost - 1 WHERE period = 'hour'", .sum),
        ("DELETE FROM usage_sums WHERE period = 'month'", .sum),
        ("UPDATE spending SET cost = cost - 1", .balance),
        ("DELETE FROM spending", .balance),
        ("INSERT INTO holds (invocation, key, amount) SELECT 'nobody', key, 5 FROM invocations LIMIT 1", .balance),
        ("DELETE FROM invocations WHERE id = :running", .file),
        ("DROP TRIGGER usage_is_summed", .file),
        ("DROP TRIGGER entered_settlements_are_chained", .file),
    ]

    @Test(arguments: tamperings.indices) func `Whatever is changed by hand is found`(index: Int) async throws {
        let (sql, kind) = Self.tamperings[index]
        let scratch = try Scratch()
        let (ledger, ids) = try await filled(scratch)
        #expect(try await ledger.verify().faults == [])
        try scratch.write { db in
            let statements = sql.replacing(":settled", with: "'\(ids[2])'").replacing(":running", with: "'\(ids[11])'")
                .replacing(":entered", with: "'\(ids[12])'")
                .replacing("rowid_is(4)", with: "call = (SELECT call FROM usage ORDER BY invocation, call LIMIT 1 OFFSET 4)")
            try db.execute(sql: statements)
        }
        let faults = try await ledger.verify().faults
        #expect(faults.contains { $0.kind == kind }, "\(sql): \(faults)")
    }

    @Test func `A backup is whole, and is the ledger as it was`() async throws {
        let scratch = try Scratch()
        let (ledger, _) = try await filled(scratch)
        let head = try await ledger.verify().head
        let target = "\(scratch.path)/backup.sqlite"
        try ledger.backUp(to: target)
        try await ledger.settle(try await ledger.reserved().id, Settlement(status: .failed, httpStatus: 500, duration: .zero))
        let copy = try await Ledger(path: target, creating: false).verify()
        #expect(copy.faults == [] && copy.head == head)
        // It is as private as the ledger, and nothing else stays.
        #expect(try FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? Int == 0o600)
        #expect(try !FileManager.default.contentsOfDirectory(atPath: scratch.path).contains { $0.contains("partial") })

        #expect(throws: LedgerError.self) { try ledger.backUp(to: target) }
        try ledger.backUp(to: target, replacing: true)
        #expect(throws: LedgerError.self) { try ledger.backUp(to: ledger.path, replacing: true) }
        #expect(throws: LedgerError.self) { try ledger.backUp(to: "\(scratch.path)/missing/backup.sqlite") }
        #expect(try await ledger.verify().faults == [])
    }
}
