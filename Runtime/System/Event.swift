import Glibc

/// A flag that threads can wait for beside sockets: a pipe that holds a byte while it is up.
package final class Event: Sendable {
    /// Readable while the flag is up.
    let descriptor: Int32
    private let writer: Int32

    package init() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { fatalError("The system gives this process no more descriptors: \(String(cString: strerror(errno))).") }
        (descriptor, writer) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            // A full pipe is a flag that is up.
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    package func signal() {
        var byte: UInt8 = 1
        _ = write(writer, &byte, 1)
    }

    package func reset() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(descriptor, &bytes, bytes.count) == bytes.count {}
    }
}

/// What a thread that waits on a connection was woken by.
package struct SocketNews: Sendable {
    package var isReadable = false
    /// The peer has closed its side; bytes it sent before may still be there.
    package var isClosed = false
    package var isSignalled = false
    package var isTimedOut: Bool { !isReadable && !isClosed && !isSignalled }
}

/// Blocks until something happens on `socket`, `event` is signalled, or the time is over.
/// - Parameter socket: -1 to wait for the event alone.
/// - Parameter reading: whether bytes to read count.
/// - Parameter timeout: `nil` waits without a limit.
package func waitForNews(on socket: Int32, reading: Bool, or event: Event, timeout: Duration? = nil) -> SocketNews {
    let deadline = timeout.map { ContinuousClock.now + $0 }
    return withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { watched in
        watched.initializeElement(at: 0, to: pollfd(fd: socket, events: Int16(reading ? POLLIN : 0) | Int16(POLLRDHUP_), revents: 0))
        watched.initializeElement(at: 1, to: pollfd(fd: event.descriptor, events: Int16(POLLIN), revents: 0))
        while true {
            let left = deadline.map { max(.zero, $0 - .now) }
            // Rounded up, so that a wait that ends is over.
            let milliseconds = left.map { Int32(clamping: $0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000 + 1) } ?? -1
            let count = poll(watched.baseAddress, nfds_t(watched.count), left == .zero ? 0 : milliseconds)
            if count < 0, errno == EINTR { continue }
            let socket = Int32(watched[0].revents)
            return SocketNews(
                isReadable: socket & POLLIN != 0, isClosed: socket & (POLLRDHUP_ | POLLHUP | POLLERR | POLLNVAL) != 0,
                isSignalled: watched[1].revents != 0)
        }
    }
}

/// `POLLRDHUP`, which Glibc's headers show only to `_GNU_SOURCE`.
private let POLLRDHUP_: Int32 = 0x2000

/// The next bytes of `socket`, left where they are and without waiting; empty when the peer has closed or nothing is there.
package func peek(_ socket: Int32, count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let received = recv(socket, &bytes, count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return Array(bytes.prefix(max(0, received)))
}

/// Makes reads and writes on `socket` fail after `seconds` without progress.
package func limitBlocking(_ socket: Int32, seconds: Int) {
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
}
