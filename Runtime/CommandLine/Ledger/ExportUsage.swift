import ArgumentParser
import FoundationEssentials
import Glibc
import Ledger

struct ExportUsage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print every settled call as a CloudEvent, one JSON object a line.",
        discussion: """
            An event's id is its call's, so that a system that bills by usage counts it once however often it is sent. Events have a \
            'sequence'; --after with the last one that has arrived goes on from there, and misses nothing.
            """)

    @Option(help: "Only what comes after this sequence number.")
    var after: Int64 = 0

    @Option(help: "Only invocations that began since then: 24h or 7d ago, or a day (2026-11-01) or a time (2026-11-01T08:00:00Z).")
    var since: PointInTime?

    @Option(help: "The events' source, the same for all exports of this system.")
    var source = "swiftlet"

    @OptionGroup var state: StateOption

    func validate() throws {
        guard after >= 0 else { throw ValidationError("--after takes a sequence number of an earlier export, or 0.") }
    }

    func run() async throws {
        let ledger = try Ledger.existing(in: state.directory)
        var position = after
        while let (events, next) = try await ledger.usageEvents(after: position, since: since?.date, source: source) {
            try write(events.flatMap { $0.json + [UInt8(ascii: "\n")] })
            position = next
        }
    }

    /// Blocks while the reader is slow, so that no more is in memory than one page of events.
    private func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw CommandError("The export broke off: \(String(cString: strerror(errno))).") }
            rest = rest.dropFirst(written)
        }
    }
}
