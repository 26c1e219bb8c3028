import Foundation
import GRDB
import Ledger
import Testing
import Wire

@Suite struct ReportTests {
    /// Calls at random moments of two years, and what each of them must be found under.
    private struct Sample {
        let started: Date
        let function: String
        let key: String
        let model: String
        let usage: TokenUsage
    }

    private let start = Date(timeIntervalSince1970: 1_789_000_000)

    private func fill(_ ledger: Ledger, count: Int = 300) async throws -> [Sample] {
        try await ledger.setPrices([price("chat", "0.00000015", "0.0000006"), price("embed", "0.00000002")], from: start)
        try await ledger.setPrices([price("chat", "0.00000025", "0.0000006"), price("embed", "0.00000002")], from: start + 9e6)
        var random = SystemRandomNumberGenerator()
        var samples: [Sample] = []
        for index in 0..<count {
            let function = index % 2 == 0 ? "generate" : "retrieve", key = "app \(index % 3)", model = index % 5 == 0 ? "embed" : "chat"
            let id = try await ledger.reserved(function: function, keyName: key).id
            for _ in 0...index % 2 {
                // Some are at the first and the last millisecond of an hour.
                let hour = (start + .random(in: 0...5e7, using: &random)).timeIntervalSince1970 / 3600
                let started = switch index % 4 {
                case 0: Date(timeIntervalSince1970: hour.rounded(.down) * 3600)
                case 1: Date(timeIntervalSince1970: hour.rounded(.up) * 3600 - 0.001)
                default: Date(timeIntervalSince1970: hour * 3600)
                }
                let usage = try await ledger.record(
                    UsageRow(
                        invocation: id, model: model, kind: .chat, promptTokens: .random(in: 0...900, using: &random),
                        completionTokens: .random(in: 0...900, using: &random), started: started))
                samples.append(Sample(started: started, function: function, key: key, model: model, usage: usage))
            }
        }
        return samples
    }

    private func sum(_ samples: [Sample]) -> TokenUsage { samples.reduce(into: TokenUsage()) { $0 += $1.usage } }

    @Test func `Reports equal the sum of the calls, whatever they are grouped by and over any range`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let samples = try await fill(ledger)
        for dimensions in [[], [.function], [.function, .key, .model], UsageDimension.allCases] as [[UsageDimension]] {
            let groups = try await ledger.usage(UsageQuery(groupBy: dimensions))
            #expect(groups.reduce(into: TokenUsage()) { $0 += $1.usage } == sum(samples))
            #expect(groups.reduce(0) { $0 + $1.calls } == samples.count)
            #expect(Set(groups.map(\.values)).count == groups.count)
        }
        for _ in 0..<60 {
            let bounds = [Double.random(in: -1e6...6e7), .random(in: -1e6...6e7)].sorted()
            let hours = bounds.map { ((start + $0).timeIntervalSince1970 / 3600).rounded() * 3600 }.map(Date.init(timeIntervalSince1970:))
            let query = UsageQuery(since: hours[0], until: hours[1], groupBy: [.function, .key], only: [.model: ["chat"]])
            let expected = Dictionary(
                grouping: samples.filter { $0.model == "chat" && hours[0] <= $0.started && $0.started < hours[1] }
            ) { [$0.function, $0.key] }
            let groups = try await ledger.usage(query)
            #expect(Dictionary(uniqueKeysWithValues: groups.map { ($0.values, $0.usage) }) == expected.mapValues(sum))
            #expect(groups.map(\.values) == groups.map(\.values).sorted { $0.lexicographicallyPrecedes($1) })
        }
    }

    @Test(arguments: Period.allCases) func `Periods are those of the calendar, and those at the edges are cut`(period: Period) async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let samples = try await fill(ledger, count: 120)
        // Foundation's formatter as the independent calendar.
        let digits = [Period.hour: 13, .day: 10, .month: 7][period]!
        let since = Date(timeIntervalSince1970: 1_795_010_400), until = since + 3600 * 9000
        let expected = Dictionary(grouping: samples.filter { since <= $0.started && $0.started < until }) {
            String($0.started.ISO8601Format().prefix(digits))
        }
        let groups = try await ledger.usage(UsageQuery(since: since, until: until, period: period))
        let found = groups.compactMap { group in group.start.map { (String($0.ISO8601Format().prefix(digits)), group.usage) } }
        #expect(Dictionary(uniqueKeysWithValues: found) == expected.mapValues(sum))
        #expect(groups.compactMap(\.start) == groups.compactMap(\.start).sorted())
        for start in groups.compactMap(\.start) { #expect(period.interval(containing: start).lowerBound == start) }
    }

    @Test func `Without a beginning, a report by the hour has a day, one by the day a week and one by the month a year`() {
        let now = Date(timeIntervalSince1970: 1_796_040_061)  // 2026-11-30T12:01:01Z
        #expect(Period.hour.usualStart(before: now).ISO8601Format() == "2026-11-29T13:00:00Z")
        #expect(Period.day.usualStart(before: now).ISO8601Format() == "2026-11-24T00:00:00Z")
        #expect(Period.month.usualStart(before: now).ISO8601Format() == "2025-12-01T00:00:00Z")
        // A bound that is the beginning of a period is none of it.
        let midnight = Period.day.interval(containing: now).lowerBound
        #expect(Period.day.usualStart(before: midnight).ISO8601Format() == "2026-11-23T00:00:00Z")
    }

    @Test func `A key with two tags counts under both, and once where they are not told apart`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let id = try await ledger.reserved(keyName: "tagged").id
        try await ledger.updateKey("tagged") { $0.tags = ["a", "b"] }
        _ = try await ledger.record(UsageRow(invocation: id, model: "chat", kind: .chat, promptTokens: 1, started: noon))
        let other = try await ledger.reserved(keyName: "plain").id
        _ = try await ledger.record(UsageRow(invocation: other, model: "chat", kind: .chat, promptTokens: 1, started: noon))
        #expect(try await ledger.usage(UsageQuery(groupBy: [.tag])).map(\.values) == [[""], ["a"], ["b"]])
        #expect(try await ledger.usage(UsageQuery(groupBy: [.key], only: [.tag: ["a", "b"]])).map(\.calls) == [1])
    }

    @Test func `Bounds within an hour take in the whole hour`() async throws {
        let scratch = try Scratch()
        let ledger = try Ledger(path: scratch.ledger)
        let id = try await ledger.reserved().id
        let hour = Date(timeIntervalSince1970: 1_800_000_000)
        for offset in [-0.001, 0, 1800, 3599.999, 3600] {
            _ = try await ledger.record(UsageRow(invocation: id, model: "chat", kind: .chat, promptTokens: 1, started: hour + offset))
        }
        for (since, until, calls) in [(0, 3600, 3), (1800, 1801, 3), (3599, 3600, 3), (0, 3601, 4), (-1, 0, 1), (3600, 3600, 0)] as [(Double, Double, Int)] {
            let groups = try await ledger.usage(UsageQuery(since: hour + since, until: hour + until))
            #expect(groups.reduce(0) { $0 + $1.calls } == calls, "\(since)..<\(until)")
        }
    }

    @Test func `What was written before there were sums is summed`() async throws {
        let scratch = try Scratch()
        var samples: [Sample] = []
        do {
            let ledger = try Ledger(path: scratch.ledger)
            samples = try await fill(ledger, count: 50)
        }
        try scratch.write { db in
            let triggers = try String.fetchAll(db, sql: "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%summed'")
            for trigger in triggers { try db.execute(sql: "DROP TRIGGER \(trigger)") }
            try db.execute(sql: """
                DROP TABLE usage_sums; DROP TABLE usage_series;
                DELETE FROM grdb_migrations WHERE identifier = 'usage per hour, day and month';
                """)
        }
        let ledger = try Ledger(path: scratch.ledger)
        let before = try await ledger.usage(UsageQuery(groupBy: [.model, .key]))
        #expect(before.reduce(into: TokenUsage()) { $0 += $1.usage } == sum(samples))
    }
}

extension Scratch {
    /// Changes the ledger behind its back.
    func write(_ body: @escaping @Sendable (Database) throws -> Void) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        try DatabaseQueue(path: ledger, configuration: configuration).write(body)
    }
}
