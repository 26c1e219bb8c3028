import Glibc

/// Calls `body` on a thread of its own when the process is asked to end (SIGTERM or SIGINT).
///
/// A handler and a pipe, because `sigwait` does not do here: Swift's main thread sleeps with every signal unblocked.
package func onTermination(_ body: @escaping @Sendable () -> Void) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { fatalError("The system gives this process no more descriptors: \(String(cString: strerror(errno))).") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    terminationPipe = ends[1]
    var action = sigaction()
    action.sa_flags = SA_RESTART
    action.__sigaction_handler.sa_handler = { _ in
        let saved = errno
        var byte: UInt8 = 1
        _ = write(terminationPipe, &byte, 1)
        errno = saved
    }
    sigaction(SIGTERM, &action, nil)
    sigaction(SIGINT, &action, nil)
    startBlockingThread { [reader = ends[0]] in
        var byte: UInt8 = 0
        while read(reader, &byte, 1) < 0, errno == EINTR {}
        body()
    }
}

nonisolated(unsafe) private var terminationPipe: Int32 = -1  // set once, before the handler that reads it is there
