import HTTPTypes
import NIOCore
import Synchronization

/// Carries a response from the task that runs an invocation to the connection that answers the client, at the client's pace.
///
/// The invocation runs in a task of its own, so that it is always settled, whatever becomes of the client. That task
/// is cancelled when the client hangs up or the response is dropped unread.
package final class Relay: Sendable {
    package enum Part: Sendable {
        case head(HTTPResponse)
        case body(ByteBuffer)
    }

    private let parts = Parts()
    private let task: Task<Void, Never>

    /// Runs the invocation up to its first wait before it returns.
    /// - Parameters:
    ///   - executor: where the invocation goes on: best on its connection's event loop, which should be where this is called.
    ///   - run: sends the parts in order, then finishes or fails them.
    package init(on executor: (any TaskExecutor)? = nil, _ run: @escaping @Sendable (Parts) async -> Void) {
        let parts = parts
        task = .immediate(executorPreference: executor) { await run(parts) }
    }

    deinit { task.cancel() }

    package func cancel() { task.cancel() }

    /// Waits for the response's head.
    /// - Throws: what the invocation failed with before it answered.
    package func head() async throws -> HTTPResponse {
        guard case .head(let head) = try await next() else { throw CancellationError() }
        return head
    }

    /// Hands every piece of the body to `write`, then returns.
    /// - Throws: what the invocation failed with in mid-response, or what `write` throws.
    package func body(_ write: (ByteBuffer) async throws -> Void) async throws {
        while let part = try await next() {
            if case .body(let buffer) = part { try await write(buffer) }
        }
    }

    private func next() async throws -> Part? {
        if let ready = parts.ready() { return try ready.get() }
        return try await withTaskCancellationHandler {
            try await parts.next()
        } onCancel: {
            task.cancel()
        }
    }
}

extension Relay {
    /// The parts on their way: one task sends, one takes, and a few may wait in between.
    package final class Parts: Sendable {
        /// Parts that wait before the sender has to. A piece of a body is at most 64 KiB.
        package static let capacity = 4

        fileprivate struct State {
            var waiting: [Part] = []
            var end: Result<Part?, any Error>?
            var sender: CheckedContinuation<Void, Never>?
            var taker: CheckedContinuation<Part?, any Error>?
            var isSenderCancelled = false
        }

        private let state = Mutex(State())

        /// Waits while too many parts do, unless the sending task is cancelled.
        package func send(_ part: Part) async {
            let (taker, mustWait) = state.withLock { state -> (CheckedContinuation<Part?, any Error>?, Bool) in
                if let taker = state.taker {
                    state.taker = nil
                    return (taker, false)
                }
                state.waiting.append(part)
                return (nil, state.waiting.count > Self.capacity)
            }
            taker?.resume(returning: part)
            if mustWait { await waitForRoom() }
        }

        private func waitForRoom() async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let goesOn = state.withLock { state in
                        if state.isSenderCancelled || state.waiting.count <= Self.capacity { return true }
                        state.sender = continuation
                        return false
                    }
                    if goesOn { continuation.resume() }
                }
            } onCancel: {
                let sender = state.withLock { state in
                    state.isSenderCancelled = true
                    defer { state.sender = nil }
                    return state.sender
                }
                sender?.resume()
            }
        }

        package func finish() { end(.success(nil)) }
        package func fail(_ error: any Error) { end(.failure(error)) }

        private func end(_ end: Result<Part?, any Error>) {
            let taker = state.withLock { state in
                state.end = state.end ?? end
                defer { state.taker = nil }
                return state.taker
            }
            taker?.resume(with: end)
        }

        /// The next part, `nil` or an error after the last one, if that is known without a wait.
        fileprivate func ready() -> Result<Part?, any Error>? {
            let (ready, sender) = state.withLock { $0.take() }
            sender?.resume()
            return ready
        }

        /// As ``ready()``, but waits for it.
        fileprivate func next() async throws -> Part? {
            try await withCheckedThrowingContinuation { continuation in
                let (ready, sender) = state.withLock { state in
                    let (ready, sender) = state.take()
                    if ready == nil { state.taker = continuation }
                    return (ready, sender)
                }
                sender?.resume()
                if let ready { continuation.resume(with: ready) }
            }
        }
    }
}

extension Relay.Parts.State {
    fileprivate mutating func take() -> (Result<Relay.Part?, any Error>?, sender: CheckedContinuation<Void, Never>?) {
        guard !waiting.isEmpty else { return (end, nil) }
        defer { sender = nil }
        return (.success(waiting.removeFirst()), sender)
    }
}
