import CFCGI
import Logging
import SwiftletSystem
import Synchronization

/// Runs a handler for every FastCGI request that arrives at a listening socket.
package final class Server: Sendable {
    let handler: Handler
    let environment: WorkerEnvironment
    let logger: Logger
    let acceptor: Acceptor
    /// Signalled once and never reset: threads that wait on a kept connection give it up.
    let stopping = Event()
    private let ended = AsyncStream<Void>.makeStream()
    private let running: Mutex<Int>

    /// libfcgi's own accept cannot be ended without losing a request. Told that a shutdown is pending, it never accepts;
    /// we hand it connections.
    private static let libfcgiIsReady: Void = {
        FCGX_Init()
        FCGX_ShutdownPending()
    }()

    package init(acceptor: Acceptor, environment: WorkerEnvironment, handler: @escaping Handler) {
        self.acceptor = acceptor
        self.environment = environment
        self.handler = handler
        logger = Logger(label: environment.function)
        running = Mutex(environment.concurrency)
    }

    /// Starts one thread for each request that may be handled at once.
    package func start() {
        Server.libfcgiIsReady
        for _ in 0..<environment.concurrency {
            startBlockingThread { [self] in
                RequestLoop(self).run()
                let left = running.withLock {
                    $0 -= 1
                    return $0
                }
                if left == 0 { ended.continuation.finish() }
            }
        }
    }

    /// Accepts nothing more and returns when the requests that run have ended. Call it once.
    package func stop() async {
        stopping.signal()
        startBlockingThread { [acceptor] in acceptor.stop() }
        for await _ in ended.stream {}
    }
}
