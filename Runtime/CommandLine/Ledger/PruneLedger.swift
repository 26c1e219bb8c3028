import ArgumentParser
import FoundationEssentials
import Ledger

struct PruneLedger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Delete old invocations and calls. Reports, invoices and budgets stay as they are.",
        discussion: "Export or back up first what you want to keep call by call.")

    @Option(name: .customLong("older-than"), help: "Delete what is older, for example 90d.")
    var age: Age

    @OptionGroup var state: StateOption

    func run() async throws {
        let deleted = try await Ledger.existing(in: state.directory).prune(before: .now - age.seconds)
        print("Deleted \(deleted) invocations with their calls.")
    }
}
