import ArgumentParser
import FoundationEssentials
import Ledger
import Wire

struct Usage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sum the tokens and costs of all model calls.",
        discussion: """
            Costs are in US dollars. The sums are those of the ledger's rows, to the last nano-dollar. Times are UTC, and ranges are \
            whole hours: a bound within an hour takes in that hour.
            """)

    @Option(
        name: .customLong("group-by"), help: "One row for each of these, separated by commas: \(Grouping.choices).")
    var grouping = Grouping(dimensions: [.function, .key, .model])

    @Option(help: "Also one row for each hour, day or month: of the last 24 hours, 7 days or 12 months, unless --since says otherwise.")
    var per: Period?

    @Option(help: "Only calls since then: 30m, 24h or 7d ago, or a day (2026-11-01) or a time (2026-11-01T08:00:00Z).")
    var since: PointInTime?

    @Option(help: "Only calls before then, written in the same ways.")
    var until: PointInTime?

    @Option(help: "Only this function's calls (may be given again).")
    var function: [String] = []

    @Option(help: "Only the calls of keys with this name (may be given again).")
    var key: [String] = []

    @Option(help: "Only the calls of keys with this tag (may be given again).")
    var tag: [String] = []

    @Option(help: "Only calls of this model (may be given again).")
    var model: [String] = []

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let chosen: [UsageDimension: [String]] = [.function: function, .key: key, .tag: tag, .model: model]
        // As `GET /v1/usage` has it: nobody means every hour there ever was.
        let end = until?.date ?? .now
        let usual = per?.usualStart(before: end)
        if per == .hour, let since, min(end, .now).timeIntervalSince(since.date) > 32 * 86_400 {
            throw CommandError("--per hour reaches 31 days at most. Ask for a shorter time with --since and --until, or for --per day.")
        }
        let query = UsageQuery(
            since: since?.date ?? usual, until: until?.date, period: per, groupBy: grouping.dimensions,
            only: chosen.filter { !$0.value.isEmpty }.mapValues(Set.init))
        let groups = try await Ledger.existing(in: state.directory).usage(query)
        var named: (start: Date, name: String)?
        // Groups come in the order of their periods, many of each.
        func name(_ start: Date, _ per: Period) -> String {
            if let named, named.start == start { return named.name }
            let name = per.name(Int64(start.timeIntervalSince1970))
            named = (start, name)
            return name
        }
        let report = Report(
            columns: (per.map { [$0.rawValue] } ?? []) + grouping.dimensions.map(\.rawValue)
                + ["calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost"],
            rows: groups.map { group in
                let start = group.start.flatMap { start in per.map { [name(start, $0)] } } ?? []
                let counts = [group.calls, group.usage.promptTokens, group.usage.cachedTokens, group.usage.completionTokens]
                return (start + group.values).map(JSON.string) + counts.map { .integer(Int64($0)) }
                    + [.number(Double(group.usage.cost.count) / 1e9)]
            })
        print(try report.text(as: format.format))
    }
}

extension Period: ExpressibleByArgument {}

/// `function,key,model`
struct Grouping: ExpressibleByArgument {
    let dimensions: [UsageDimension]

    init(dimensions: [UsageDimension]) { self.dimensions = dimensions }

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        dimensions = names.compactMap(UsageDimension.init(rawValue:))
        guard dimensions.count == names.count, Set(dimensions).count == names.count else { return nil }
    }

    static var choices: String { UsageDimension.allCases.map(\.rawValue).joined(separator: ", ") }

    var defaultValueDescription: String { dimensions.map(\.rawValue).joined(separator: ",") }
}
