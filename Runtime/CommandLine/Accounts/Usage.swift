import ArgumentParser
import FoundationEssentials
import Ledger
import Wire

struct Usage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sum the tokens and costs of all model calls.",
        discussion: "Costs are in US dollars. The sums are those of the ledger's rows, to the last nano-dollar.")

    @Option(
        name: .customLong("group-by"), help: "One row for each of these, separated by commas: \(Grouping.choices).")
    var grouping = Grouping(dimensions: [.function, .key, .model])

    @Option(help: "Only calls since then: 30m, 24h or 7d ago, or a day (2026-11-01, UTC) or a time (2026-11-01T08:00:00Z).")
    var since: Since?

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let groups = try await Ledger.existing(in: state.directory).usage(groupBy: grouping.dimensions, since: since?.date)
        let report = Report(
            columns: grouping.dimensions.map(\.rawValue) + ["calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost"],
            rows: groups.map { group in
                let counts = [group.calls, group.usage.promptTokens, group.usage.cachedTokens, group.usage.completionTokens]
                return group.values.map(JSON.string) + counts.map { .integer(Int64($0)) }
                    + [.number(Double(group.usage.cost.count) / 1e9)]
            })
        print(try report.text(as: format.format))
    }
}

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

/// A point in time: so long ago, or a day, or an ISO 8601 time.
struct Since: ExpressibleByArgument {
    let date: Date

    init?(argument: String) {
        if let unit = argument.last, let seconds = ["s": 1, "m": 60, "h": 3600, "d": 86_400][unit],
            let count = Int(argument.dropLast()), (0...1_000_000).contains(count)
        {
            date = .now - TimeInterval(count * seconds)
        } else if let day = try? Date(argument, strategy: Date.ISO8601FormatStyle().year().month().day()) {
            date = day
        } else if let time = try? Date(argument, strategy: .iso8601) {
            date = time
        } else {
            return nil
        }
    }
}
