import ArgumentParser
import FoundationEssentials
import Ledger
import SwiftletSystem
import Wire

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list and revoke the API keys that callers show.",
        subcommands: [CreateKey.self, ListKeys.self, RevokeKey.self])
}

struct CreateKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a key. Its secret is printed once and is not kept.")

    @Option(help: "What the key is for; no two keys in use have the same name.")
    var name: String

    @Option(help: "Whose documents and bills the key's are. Keys of the same tenant share them (default: a tenant of its own).")
    var tenant: String?

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        try StateLayout.prepare(state.directory)
        let (key, secret) = try await Ledger(path: state.directory.ledger).createKey(name: name, tenant: tenant)
        let report = Report(
            columns: ["key", "id", "name", "tenant"], rows: [[secret, key.id, key.name, key.tenant].map(JSON.string)])
        switch format.format {
        case .table:
            print("\(secret)\n\nThis is the only time the key is shown: keep it in a safe place. Send it as 'Authorization: Bearer <key>'.")
        case .csv:
            print(try report.text(as: .csv))
        case .json:
            // One key is one object.
            print(try report.text(as: .json).dropFirst().dropLast())
        }
    }
}

struct ListKeys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List all keys, the newest first, revoked ones too.")

    @OptionGroup var state: StateOption
    @OptionGroup var format: FormatOption

    func run() async throws {
        let keys = try await Ledger.existing(in: state.directory).keys()
        let report = Report(
            columns: ["id", "name", "tenant", "created", "revoked"],
            rows: keys.map { key in
                [
                    .string(key.id), .string(key.name), .string(key.tenant), .string(key.created.ISO8601Format()),
                    key.revoked.map { .string($0.ISO8601Format()) } ?? .null,
                ]
            })
        print(try report.text(as: format.format))
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
