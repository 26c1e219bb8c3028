import ArgumentParser
import FoundationEssentials
import Ledger
import Wire

/// What a key may do and spend, as `keys create` and `keys update` take it. What is not given stays as it is; `none` removes it.
struct KeyOptions: ParsableArguments {
    @Option(help: "Who answers for the key: a name or an address.")
    var owner: Setting<String>?

    @Option(help: "Words to sum usage by, separated by commas.")
    var tags: Setting<Words>?

    @Option(help: "When the key expires: in 30d or 12h, or a day (2026-12-31, UTC) or a time (2026-12-31T08:00:00Z).")
    var expires: Setting<Expiry>?

    @Option(help: "The functions it may call, separated by commas (default: all).")
    var functions: Setting<Words>?

    @Option(help: "The models that functions may call for it, separated by commas (default: all).")
    var models: Setting<Words>?

    @Flag(inversion: .prefixedNo, help: "Whether the key may see what all keys do and use.")
    var admin: Bool?

    @Option(name: .customLong("max-budget"), help: "US dollars that it may spend and never exceeds, for example 0.25.")
    var maxBudget: Setting<Dollars>?

    @Option(name: .customLong("budget-duration"), help: "How long a budget lasts before it is whole again: day, week, month or total (UTC).")
    var budgetDuration: BudgetDuration?

    @Option(name: .customLong("soft-budget"), help: "US dollars that it may spend before the webhook in swiftlet.yaml is told.")
    var softBudget: Setting<Dollars>?

    @Option(name: .customLong("rpm-limit"), help: "Requests per minute.")
    var rpmLimit: Setting<Int>?

    @Option(name: .customLong("tpm-limit"), help: "Tokens per minute.")
    var tpmLimit: Setting<Int>?

    @Option(name: .customLong("max-parallel-requests"), help: "Requests at once.")
    var maxParallelRequests: Setting<Int>?

    func apply(to settings: inout KeySettings) {
        if let owner { settings.owner = owner.value }
        if let tags { settings.tags = tags.value?.words ?? [] }
        if let expires { settings.expires = expires.value?.date }
        if let functions { settings.functions = functions.value?.words }
        if let models { settings.models = models.value?.words }
        if let admin { settings.isAdmin = admin }
        if let maxBudget { settings.maxBudget = maxBudget.value?.amount }
        if let budgetDuration { settings.budgetDuration = budgetDuration }
        if let softBudget { settings.softBudget = softBudget.value?.amount }
        if let rpmLimit { settings.rpmLimit = rpmLimit.value }
        if let tpmLimit { settings.tpmLimit = tpmLimit.value }
        if let maxParallelRequests { settings.maxParallelRequests = maxParallelRequests.value }
    }
}

/// A value, or `none`.
struct Setting<Value: ExpressibleByArgument & Sendable>: ExpressibleByArgument {
    let value: Value?

    init?(argument: String) {
        guard argument != "none" else {
            value = nil
            return
        }
        guard let value = Value(argument: argument) else { return nil }
        self.value = value
    }
}

/// `one,two`
struct Words: ExpressibleByArgument {
    let words: [String]

    init?(argument: String) {
        words = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard words.allSatisfy({ !$0.isEmpty }) else { return nil }
    }
}

/// `0.25`: at most nine decimals, so that it is exact.
struct Dollars: ExpressibleByArgument {
    let amount: NanoUSD

    init?(argument: String) {
        let parts = argument.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : "0"
        guard argument.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e }), (1...9).contains(fraction.count), parts[0].count <= 9,
            let whole = Int64(parts[0]), let nano = Int64(fraction + String(repeating: "0", count: 9 - fraction.count))
        else { return nil }
        amount = NanoUSD(whole * 1_000_000_000 + nano)
    }
}

/// A point in time to come: in so long, or a day, or an ISO 8601 time.
struct Expiry: ExpressibleByArgument {
    let date: Date

    init?(argument: String) {
        if let unit = argument.last, let seconds = ["s": 1, "m": 60, "h": 3600, "d": 86_400][unit],
            let count = Int(argument.dropLast()), (0...1_000_000).contains(count)
        {
            date = .now + TimeInterval(count * seconds)
        } else if let time = PointInTime(argument: argument) {
            date = time.date
        } else {
            return nil
        }
    }
}

extension BudgetDuration: ExpressibleByArgument {}
