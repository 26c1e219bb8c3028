import Front
import Logging
import ServiceLifecycle

/// Says what is still running when `serve` is asked to end, every second, and what is cut off when the time is over.
struct DrainReport: Service {
    let gateway: Gateway
    let timeout: Int
    let logger: Logger
    private let begin = AsyncStream.makeStream(of: Void.self)

    init(gateway: Gateway, timeout: Int, logger: Logger) {
        self.gateway = gateway
        self.timeout = timeout
        self.logger = logger
    }

    /// Services are asked to end one after the other; this one only passes on that it has begun.
    func run() async throws {
        try? await gracefulShutdown()
        begin.continuation.finish()
    }

    /// Reports from the moment the end begins until the time is over.
    /// - Throws: `CancellationError` when everything has ended before.
    func report() async throws {
        for await _ in begin.stream {}
        let start = ContinuousClock.now
        for second in 0..<timeout {
            try Task.checkCancellation()
            let running = await gateway.runningCalls()
            if running.isEmpty {
                logger.info("stopping; no calls run")
                return try await Task.sleep(until: start + .seconds(timeout))
            }
            logger.notice("stopping: \(Self.text(running)) to finish within \(timeout - second) s")
            try await Task.sleep(until: start + .seconds(second + 1))
        }
        try Task.checkCancellation()
        let running = await gateway.runningCalls()
        if !running.isEmpty { logger.warning("stopping: \(Self.text(running)) cut off after \(timeout) s") }
    }

    private static func text(_ running: [String: Int]) -> String {
        let count = running.values.reduce(0, +)
        return "\(count) \(count == 1 ? "call" : "calls") (\(running.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")))"
    }
}
