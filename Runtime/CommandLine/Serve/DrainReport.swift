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

    /// Reports from the moment the end begins until the task is cancelled.
    func report() async {
        for await _ in begin.stream {}
        guard !Task.isCancelled else { return }
        for second in 0..<timeout {
            let running = await gateway.runningCalls()
            guard !running.isEmpty else { return logger.info("stopping; no calls run") }
            logger.notice("stopping: \(Self.text(running)) to finish within \(timeout - second) s")
            // The last word comes just before the time is over and everything is cut off.
            try? await Task.sleep(for: second + 1 < timeout ? .seconds(1) : .milliseconds(900))
            if Task.isCancelled { return }
        }
        let running = await gateway.runningCalls()
        if !running.isEmpty { logger.warning("stopping: \(Self.text(running)) cut off after \(timeout) s") }
    }

    private static func text(_ running: [String: Int]) -> String {
        let count = running.values.reduce(0, +)
        return "\(count) \(count == 1 ? "call" : "calls") (\(running.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")))"
    }
}
