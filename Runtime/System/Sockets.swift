import SystemPackage

import CSwiftletSystem

/// Unix sockets that are bound before the process that will serve them exists.
package enum UnixSocket {
    /// The longest path that a unix socket's address holds.
    package static let maximumPathLength = 107

    /// Binds and listens at `path`, replacing a socket file that a dead process left.
    ///
    /// The descriptor is blocking (libfcgi needs that in the process that inherits it) and close-on-exec.
    /// - Throws: ``SystemError`` that names the path.
    package static func listen(at path: String, backlog: Int32 = 1024, permissions: FilePermissions = .ownerReadWrite) throws -> FileDescriptor {
        let result = swl_unix_listen(path, backlog, mode_t(permissions.rawValue))
        guard result >= 0 else { throw SystemError("cannot listen on the unix socket \(path)", Errno(rawValue: -result)) }
        return FileDescriptor(rawValue: result)
    }

    /// Closes every connection that waits on `listener`, so that its callers learn at once that nobody serves it.
    package static func refuseWaiting(on listener: FileDescriptor) {
        swl_unix_refuse_waiting(listener.rawValue)
    }
}

extension UnixSocket {
    /// Connects to `path`, sends `question` and reads up to `count` bytes of the answer, on a thread of its own.
    /// - Returns: fewer bytes when the peer closed the connection or `deadline` passed.
    /// - Throws: ``SystemError`` when there is nobody to connect to.
    package static func exchange(
        _ question: [UInt8], at path: String, expecting count: Int, until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let (seconds, attoseconds) = max(.zero, deadline - .now).components
        let milliseconds = Int32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        return try await withCheckedThrowingContinuation { continuation in
            startBlockingThread {
                var answer = [UInt8](repeating: 0, count: count)
                let result = swl_unix_exchange(path, question, question.count, &answer, count, milliseconds)
                continuation.resume(with: result >= 0
                    ? .success(Array(answer.prefix(result)))
                    : .failure(SystemError("cannot reach the unix socket \(path)", Errno(rawValue: CInt(-result)))))
            }
        }
    }

    /// Whether connections can be accepted on `descriptor`.
    package static func isListening(_ descriptor: FileDescriptor) -> Bool { swl_is_listening(descriptor.rawValue) }
}

/// A lock that ends with the process that holds it.
package struct LockFile: ~Copyable {
    private let descriptor: FileDescriptor

    /// - Returns: `nil` when another process holds the lock.
    package init?(at path: String) throws {
        let result = swl_lock_file(path)
        if result == -Errno.wouldBlock.rawValue { return nil }
        guard result >= 0 else { throw SystemError("cannot lock \(path)", Errno(rawValue: -result)) }
        self.descriptor = FileDescriptor(rawValue: result)
    }

    deinit { try? descriptor.close() }
}
