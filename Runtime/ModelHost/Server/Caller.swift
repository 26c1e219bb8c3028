import NIOCore
import Synchronization

/// The other end of a connection: it may hang up while something runs for it, and is let go when the host stops.
///
/// Hummingbird has both, but its watch for hang-ups ends the connection with each request, and its shutdown closes connections
/// before a slow reader has been sent everything.
final class Caller: Sendable {
    private struct State {
        var isBusy = false
        var isLeaving = false
        var hasGone = false
        var hangUp: (@Sendable () -> Void)?
    }

    private let channel: any Channel
    private let state = Mutex(State())

    init(channel: any Channel) {
        self.channel = channel
        channel.closeFuture.whenComplete { [weak self] _ in self?.hasHungUp() }
    }

    // MARK: Hanging up

    /// Runs `body`, and calls `hangUp` if the connection is closed before it has ended. A connection has one request at a time.
    func whilePresent<Value>(hangUp: @escaping @Sendable () -> Void, _ body: () async throws -> Value) async rethrows -> Value {
        let hasGone = state.withLock {
            $0.hangUp = hangUp
            return $0.hasGone
        }
        if hasGone { hangUp() }
        defer { state.withLock { $0.hangUp = nil } }
        return try await body()
    }

    /// Runs `body` in a task that is cancelled if the connection is closed.
    func cancellingOnHangUp<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let work = Task(operation: body)
        return try await whilePresent(hangUp: { work.cancel() }) {
            try await withTaskCancellationHandler { try await work.value } onCancel: { work.cancel() }
        }
    }

    private func hasHungUp() {
        let hangUp = state.withLock {
            $0.hasGone = true
            return $0.hangUp
        }
        hangUp?()
    }

    // MARK: Letting go

    func beginsRequest() {
        state.withLock { $0.isBusy = true }
    }

    func hasAnswer() {
        let isLeaving = state.withLock {
            $0.isBusy = false
            return $0.isLeaving
        }
        guard isLeaving else { return }
        // The output closes when everything has been sent, and only then the connection.
        channel.close(mode: .output).whenComplete { [channel] _ in channel.close(promise: nil) }
    }

    /// Closes the connection, once a request that runs has been answered.
    func letGo() {
        let isIdle = state.withLock {
            $0.isLeaving = true
            return !$0.isBusy
        }
        if isIdle { channel.close(promise: nil) }
    }
}

/// Everyone who is connected.
final class Callers: Sendable {
    private struct State {
        var isClosed = false
        var present: [ObjectIdentifier: Caller] = [:]
    }

    private let state = Mutex(State())

    /// Runs `body` for the caller at the other end of `channel`.
    func with(_ channel: any Channel, _ body: (Caller) async -> Void) async {
        let caller = Caller(channel: channel)
        let isClosed = state.withLock {
            $0.present[ObjectIdentifier(caller)] = caller
            return $0.isClosed
        }
        if isClosed { caller.letGo() }
        await body(caller)
        state.withLock { $0.present[ObjectIdentifier(caller)] = nil }
    }

    /// Lets everyone go who is or will be connected.
    func letGo() {
        let present = state.withLock {
            $0.isClosed = true
            return Array($0.present.values)
        }
        for caller in present { caller.letGo() }
    }
}
