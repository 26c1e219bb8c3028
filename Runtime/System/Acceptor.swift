import Glibc
import Synchronization

/// A listening socket that was inherited, on which several threads accept until one says stop.
///
/// Other processes may hold the same socket, so it can neither be shut down nor made non-blocking to wake those threads:
/// a signal does it (SIGUSR1, with which web servers have always told FastCGI programs to end). It is unblocked only around
/// `accept`, so that it interrupts nothing else and no connection is lost.
package final class Acceptor: Sendable {
    private struct State {
        var isStopped = false
        var waiting: Set<pthread_t> = []
    }

    private let descriptor: Int32
    private let state = Mutex(State())

    /// - Returns: `nil` when `descriptor` is not a listening socket.
    package init?(descriptor: Int32) {
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0, isListening == 1 else { return nil }
        self.descriptor = descriptor
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in }
        sigaction(SIGUSR1, &action, nil)
    }

    /// Blocks until there is a connection.
    /// - Returns: its descriptor, for the caller to close; `nil` after ``stop()``.
    package func accept() -> Int32? {
        let mayWait = state.withLock {
            if !$0.isStopped { $0.waiting.insert(pthread_self()) }
            return !$0.isStopped
        }
        guard mayWait else { return nil }
        defer { _ = state.withLock { $0.waiting.remove(pthread_self()) } }
        while true {
            mask(SIG_UNBLOCK)
            let connection = Glibc.accept(descriptor, nil, nil)
            let failure = errno
            mask(SIG_BLOCK)
            if connection >= 0 {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                return connection
            }
            if state.withLock({ $0.isStopped }) { return nil }
            // No descriptors or no memory left (or a listener that is not to block): they may come back.
            if ![EINTR, ECONNABORTED].contains(failure) { usleep(10_000) }
        }
    }

    /// Returns when no thread waits for connections any more. Blocks for some milliseconds.
    package func stop() {
        var isWaiting = true
        while isWaiting {
            isWaiting = state.withLock {
                $0.isStopped = true
                // Under the lock a thread in the set is alive. One that was not yet in `accept` is reached the next time.
                for thread in $0.waiting { pthread_kill(thread, SIGUSR1) }
                return !$0.waiting.isEmpty
            }
            if isWaiting { usleep(1000) }
        }
    }

    private func mask(_ how: Int32) {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGUSR1)
        pthread_sigmask(how, &signals, nil)
    }
}
