import ArgumentParser
import FoundationEssentials
import Ledger
import SwiftletSystem
import Wire

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list, change and revoke the API keys that callers show.",
        subcommands: [CreateKey.self, ListKeys.self, ShowKey.self, UpdateKey.self, RotateKey.self, RevokeKey.self])
}

struct CreateKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a key. Its secret is printed once and is not kept.")

    @Option(help: "What the key is for; no two keys in use have the same name.")
    var name: String

    @Option(help: "Whose documents and bills the key's are. Keys of the same tenant share them (default: a tenant of its own).")
    var tenant: String?

    @OptionGroup var options: KeyOptions
    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        try StateLayout.prepare(state.directory)
        var settings = KeySettings()
        options.apply(to: &settings)
        let made = try await Ledger(path: state.directory.ledger).createKey(name: name, tenant: tenant, settings: settings)
        try made.key.show(secret: made.secret, as: format.format)
    }
}

extension APIKey {
    /// Prints a secret, the only time that it is shown.
    fileprivate func show(secret: String, as format: ReportFormat) throws {
        let report = Report(columns: ["key", "id", "name", "tenant"], rows: [[secret, id, name, tenant].map(JSON.string)])
        switch format {
        case .table:
            print("\(secret)\n\nThis is the only time the key is shown: keep it in a safe place. Send it as 'Authorization: Bearer <key>'.")
        case .csv:
            print(try report.text(as: .csv))
        case .json:
            // One key is one object.
            print(try report.text(as: .json).dropFirst().dropLast())
        }
    }

    /// What it may do and spend, by the names of the options that set it, and what it has spent in the period that runs.
    fileprivate func fields(spent: NanoUSD) -> [(name: String, value: JSON)] {
        func words(_ list: [String]?) -> JSON { list.map { .string($0.joined(separator: ",")) } ?? .null }
        func dollars(_ amount: NanoUSD?) -> JSON { amount.map { .number(Double($0.count) / 1e9) } ?? .null }
        func integer(_ value: Int?) -> JSON { value.map { .integer(Int64($0)) } ?? .null }
        func time(_ date: Date?) -> JSON { date.map { .string($0.ISO8601Format()) } ?? .null }
        return [
            ("id", .string(id)), ("name", .string(name)), ("tenant", .string(tenant)), ("state", .string(state())), ("created", time(created)),
            ("revoked", time(revoked)), ("owner", settings.owner.map(JSON.string) ?? .null),
            ("tags", settings.tags.isEmpty ? .null : words(settings.tags)), ("expires", time(settings.expires)),
            ("functions", words(settings.functions)), ("models", words(settings.models)), ("admin", .bool(settings.isAdmin)),
            ("max_budget", dollars(settings.maxBudget)), ("budget_duration", .string(settings.budgetDuration.rawValue)),
            ("soft_budget", dollars(settings.softBudget)), ("spent", dollars(spent)), ("rpm_limit", integer(settings.rpmLimit)),
            ("tpm_limit", integer(settings.tpmLimit)), ("max_parallel_requests", integer(settings.maxParallelRequests)),
        ]
    }
}

extension APIKey {
    /// Whether it opens anything now.
    fileprivate func state(at now: Date = .now) -> String {
        if revoked != nil { return "revoked" }
        return settings.expires.map { $0 <= now } ?? false ? "expired" : "active"
    }

    /// `0.25 per month`
    fileprivate var budget: String {
        guard let budget = settings.maxBudget else { return "-" }
        return settings.budgetDuration == .total ? "\(budget)" : "\(budget) per \(settings.budgetDuration.rawValue)"
    }

    /// `60 rpm, 1000 tpm, 4 at once`
    fileprivate var limits: String {
        let limits = [(settings.rpmLimit, "rpm"), (settings.tpmLimit, "tpm"), (settings.maxParallelRequests, "at once")]
        let set = limits.compactMap { limit, unit in limit.map { "\($0) \(unit)" } }
        return set.isEmpty ? "-" : set.joined(separator: ", ")
    }
}

struct ListKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List all keys, the newest first, revoked ones too, with what they have spent of their budgets.")

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let ledger = try Ledger.existing(in: state.directory)
        let keys = try await ledger.keys()
        let spent = try await ledger.spent(by: keys)
        switch format.format {
        case .table:
            let rows = zip(keys, spent).map { key, spent in
                [
                    key.name, key.id, key.tenant, key.state(), "\(spent)", key.budget, key.limits,
                    key.settings.expires?.ISO8601Format() ?? "never", key.created.ISO8601Format(),
                ].map(JSON.string)
            }
            let columns = ["name", "id", "tenant", "state", "spent", "budget", "limits", "expires", "created"]
            print(try Report(columns: columns, rows: rows).text(as: .table))
        case .csv, .json:
            let fields = zip(keys, spent).map { key, spent in key.fields(spent: spent) }
            let columns = fields.first?.map(\.name) ?? ["id", "name"]
            print(try Report(columns: columns, rows: fields.map { $0.map(\.value) }).text(as: format.format))
        }
    }
}

struct ShowKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a key may do and spend, and what it has spent in the period that runs.")

    @Argument(help: "The key's name or id.")
    var key: String

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let ledger = try Ledger.existing(in: state.directory)
        let key = try await ledger.key(key)
        let fields = key.fields(spent: try await ledger.spent(by: key))
        switch format.format {
        case .table:
            let set = fields.filter { $0.value != .null }
            print(try Report(columns: ["setting", "value"], rows: set.map { [.string($0.name), $0.value] }).text(as: .table))
        case .csv, .json:
            let report = try Report(columns: fields.map(\.name), rows: [fields.map(\.value)]).text(as: format.format)
            print(format.format == .json ? String(report.dropFirst().dropLast()) : report)
        }
    }
}

struct UpdateKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Change what a key may do and spend: from a second later, also where it is in use.",
        discussion: "What is not given stays as it is; the value 'none' removes a limit.")

    @Argument(help: "The key's name or id.")
    var key: String

    @OptionGroup var options: KeyOptions
    @OptionGroup var state: StateOption

    func run() async throws {
        let options = options
        let changed = try await Ledger.existing(in: state.directory).updateKey(key) { options.apply(to: &$0) }
        print("Updated '\(changed.name)' (\(changed.id)).")
    }
}

struct RotateKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Give a key another secret, which is printed once. Its id, settings and usage stay.")

    @Argument(help: "The key's name or id.")
    var key: String

    @Option(help: "For how long the secret before is still valid, in seconds.")
    var grace: Int = 3600

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func validate() throws {
        if !(0...31_536_000).contains(grace) { throw ValidationError("--grace is 0 to 31536000 seconds.") }
    }

    func run() async throws {
        let made = try await Ledger.existing(in: state.directory).rotateKey(key, grace: .seconds(grace))
        try made.key.show(secret: made.secret, as: format.format)
    }
}

struct RevokeKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revoke a key: from a second later it opens nothing. Its usage stays in the ledger.")

    @Argument(help: "The key's name or id.")
    var key: String

    @OptionGroup var state: StateOption

    func run() async throws {
        let revoked = try await Ledger.existing(in: state.directory).revokeKey(key)
        print("Revoked '\(revoked.name)' (\(revoked.id)).")
    }
}

extension Ledger {
    /// The ledger of a system that has been used before.
    static func existing(in state: StateDirectory) throws -> Ledger {
        do {
            return try Ledger(path: state.ledger, creating: false)
        } catch let error as LedgerError where error.code == .missing {
            throw LedgerError(
                .missing,
                "\(error.message) 'swiftlet keys create --name NAME' or 'swiftlet serve' makes one; --state names another state directory.")
        }
    }
}
