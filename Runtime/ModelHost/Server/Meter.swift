import FoundationEssentials
import Ledger
import Logging
import Synchronization
import Wire

/// Writes each call's usage to the ledger, and owns every entry until it is written: also when the caller has gone.
final class Meter: Sendable {
    private let ledger: Ledger
    private let logger: Logger
    private let open = Mutex<[UUIDv7: Task<TokenUsage, any Error>]>([:])
    let metrics = Metrics()

    init(ledger: Ledger, logger: Logger) {
        self.ledger = ledger
        self.logger = logger
    }

    /// Enters the call `id` as soon as `usage` is known. Await the result's value before the caller learns of the call's end.
    func charge(_ id: UUIDv7, _ usage: @escaping @Sendable () async -> UsageRow) -> Task<TokenUsage, any Error> {
        open.withLock { open in
            let entry = Task {
                defer { forget(id) }
                let row = await usage()
                do {
                    let usage = try await ledger.record(row)
                    metrics.count(row)
                    return usage
                } catch {
                    logger.error("call \(id) of invocation \(row.invocation) is not billed: \(error)")
                    throw error
                }
            }
            open[id] = entry
            return entry
        }
    }

    private func forget(_ id: UUIDv7) {
        open.withLock { $0[id] = nil }
    }

    /// Waits until everything that was charged is written.
    func settle() async {
        for entry in open.withLock({ Array($0.values) }) { _ = await entry.result }
    }
}
