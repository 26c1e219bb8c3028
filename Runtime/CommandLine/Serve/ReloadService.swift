import Front
import Ledger
import Logging
import ServiceLifecycle
import SwiftletSystem
import UnixSignals

/// Reads the configuration anew when `serve` gets SIGHUP: models, prices, and functions that were refused.
struct ReloadService: Service {
    let gateway: Gateway
    let ledger: Ledger
    let state: StateDirectory
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            do {
                try await PriceFile.reload(from: state, into: ledger)
            } catch {
                logger.error("\(error); the prices stay as they were")
            }
            await gateway.reload()
            logger.info("read models, prices and functions anew")
        }
    }
}
