import ArgumentParser

struct LedgerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "Check, export, back up and shorten the ledger; all while the system runs.",
        subcommands: [VerifyLedger.self, ExportUsage.self, BackUpLedger.self, PruneLedger.self])
}
