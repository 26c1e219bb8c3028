import ArgumentParser
import Ledger

struct BackUpLedger: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the ledger as it is now to a file, while the system runs.")

    @Argument(help: "The file to make. It appears when it is whole.")
    var file: String

    @Flag(help: "Replace the file if it exists.")
    var replace = false

    @OptionGroup var state: StateOption

    func run() throws {
        try Ledger.existing(in: state.directory).backUp(to: file, replacing: replace)
        print("Wrote \(file). 'swiftlet ledger verify --file \(file)' checks it.")
    }
}
