import ArgumentParser
import FoundationEssentials
import Ledger
import SwiftletSystem

struct VerifyLedger: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that every balance and sum equals its rows, every row its price, and that nothing settled was changed.",
        discussion: """
            Ends with code 1 and a line for each fault when something is wrong. The digest that is printed stands for everything that \
            was settled: note it down somewhere else, and later changes show even where someone made them all fit.
            """)

    @Option(help: "Check this file, such as a backup, and not the system's ledger.")
    var file: String?

    @OptionGroup var state: StateOption

    func run() async throws {
        let ledger = try file.map { try Ledger(path: $0, creating: false) } ?? Ledger.existing(in: state.directory)
        let found = try await ledger.verify()
        for fault in found.faults { Terminal.writeError("\(fault)\n") }
        for (kind, count) in found.unlisted { Terminal.writeError("\(kind.rawValue): and \(count) more\n") }
        guard found.faults.isEmpty else {
            Terminal.writeError("The ledger \(ledger.path) does not add up. Restore a backup that does ('swiftlet ledger verify --file BACKUP').\n")
            throw ExitCode.failure
        }
        let pruned = found.pruned > 0 ? " (and \(found.pruned) entries that were pruned)" : ""
        print("\(found.invocations) settled invocations and \(found.calls) calls add up\(pruned).")
        if found.losses.calls > 0 {
            print("\(found.losses.calls) calls for attempts that were given up were charged to nobody; they would have cost \(found.losses.cost) USD.")
        }
        print("Digest \(found.head)")
    }
}
