import ArgumentParser
import FoundationEssentials
import SwiftletSystem

/// `--state DIR`, shared by every command that touches a system.
struct StateOption: ParsableArguments {
    @Option(name: .customLong("state"), help: "The system's state directory (default: $SWIFTLET_STATE, or .swiftlet).")
    private var path: String?

    var directory: StateDirectory {
        StateDirectory(path ?? ProcessInfo.processInfo.environment["SWIFTLET_STATE"] ?? ".swiftlet")
    }
}

/// `--format table|csv|json`, shared by every command that prints data.
struct FormatOption: ParsableArguments {
    @Option(help: "How to print: table, csv or json.")
    var format: ReportFormat = .table
}
