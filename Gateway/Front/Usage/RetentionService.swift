import FoundationEssentials
import Ledger
import Logging
import ServiceLifecycle

/// Deletes invocations that are older than `ledger.retention_days`, at the start and then every hour, so that the ledger stays bounded.
struct RetentionService: Service {
    private static let interval = Duration.seconds(3600)

    let ledger: Ledger
    let days: Int
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let deleted = try await ledger.prune(before: .now - TimeInterval(days) * 86_400)
                    if deleted > 0 { logger.notice("deleted \(deleted) invocations older than \(days) days; reports keep their sums") }
                } catch {
                    logger.warning("old invocations could not be deleted and will be in an hour: \(error)")
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
