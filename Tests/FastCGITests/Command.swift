import Foundation
import Glibc
import Synchronization

/// A program that runs beside the test. Nothing here blocks a thread of Swift's pool, on which the servers under test run.
///
/// Not Foundation's `Process`: with that, programs inherit one another's pipes, and a signal mask that keeps SIGTERM out.
struct Command: Sendable {
    /// What it prints, as it prints it.
    let output: AsyncStream<Data>
    private let exit: AsyncStream<Int32>
    private let identifier: pid_t

    /// - Parameter input: file descriptor 0, `/dev/null` by default.
    init(_ command: [String], input: Int32? = nil) throws {
        (identifier, output) = try Self.starting.withLock { _ in try Self.start(command, input: input) }
        exit = Self.wait(identifier)
    }

    /// Held from the making of a pipe until no other program can inherit it.
    private static let starting = Mutex(())

    private static func start(_ command: [String], input: Int32?) throws -> (pid_t, AsyncStream<Data>) {
        var pipe: [Int32] = [0, 0]
        guard Glibc.pipe(&pipe) == 0 else { throw POSIXError(.EMFILE) }
        defer { close(pipe[1]) }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }

        // Threads of the concurrency runtime block signals, and NIO ignores SIGPIPE; programs would inherit both.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)

        var arguments = (["env"] + command).map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var identifier: pid_t = 0
        guard posix_spawn(&identifier, "/usr/bin/env", &actions, &attributes, &arguments, environ) == 0 else { throw POSIXError(.ENOENT) }
        return (identifier, read(pipe[0]))
    }

    private static func read(_ descriptor: Int32) -> AsyncStream<Data> {
        let (stream, continuation) = AsyncStream<Data>.makeStream()
        Thread.detachNewThread {
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            while case let data = handle.availableData, !data.isEmpty { continuation.yield(data) }
            continuation.finish()
        }
        return stream
    }

    private static func wait(_ identifier: pid_t) -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            continuation.yield(status & 0x7f == 0 ? (status >> 8) & 0xff : -1)
            continuation.finish()
        }
        return stream
    }

    /// Everything it prints until it ends.
    func allOutput() async -> Data {
        var all = Data()
        for await data in output { all += data }
        return all
    }

    /// The exit status; -1 after a signal.
    @discardableResult func ended() async -> Int32 {
        for await status in exit { return status }
        return -1
    }

    func kill(_ signal: Int32 = SIGKILL) { Glibc.kill(identifier, signal) }
}

/// For conditions of suites, before any test runs.
func succeeds(_ command: String) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
}
