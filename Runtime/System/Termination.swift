import Glibc

/// Calls `body` on a thread of its own when the process is asked to end (SIGTERM or SIGINT). Call it before other threads start.
package func onTermination(_ body: @escaping @Sendable () -> Void) {
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    // Threads inherit this, so the signals wait for the thread below.
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    startBlockingThread { [signals] in
        var signals = signals
        var received: Int32 = 0
        sigwait(&signals, &received)
        body()
    }
}
