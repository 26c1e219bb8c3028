import Glibc

/// Runs `body` on a thread of its own, for code that blocks in C: Swift's cooperative pool has one thread per core and none to spare.
///
/// SIGPIPE is blocked there, so that a peer that hangs up is an error code and not the end of the process; so are the
/// signals that end a process, so that they interrupt no system call in the middle of a request.
package func startBlockingThread(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    let status = pthread_create(&thread, nil, { argument in
        guard let argument else { return nil }
        let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGPIPE, SIGTERM, SIGINT] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        box.body()
        return nil
    }, box.toOpaque())
    guard status == 0 else { fatalError("The system gives this process no more threads: \(String(cString: strerror(status))).") }
    pthread_detach(thread)
}

/// Blocks the calling thread; never one of Swift's cooperative pool.
package func blockThread(for duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var left = timespec()
    while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
}
