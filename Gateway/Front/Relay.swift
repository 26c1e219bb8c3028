import AsyncAlgorithms
import HTTPTypes
import NIOCore

/// Carries a response from the task that runs an invocation to the connection that answers the client, at the client's pace.
///
/// The invocation runs in a task of its own, so that it is always settled, whatever becomes of the client. That task
/// is cancelled when the client hangs up or the response is dropped unread.
package final class Relay: Sendable {
    package enum Part: Sendable {
        case head(HTTPResponse)
        case body(ByteBuffer)
    }

    package typealias Parts = AsyncThrowingChannel<Part, any Error>

    private let parts = Parts()
    private let task: Task<Void, Never>

    /// - Parameter run: sends the parts in order, then finishes or fails them.
    package init(_ run: @escaping @Sendable (Parts) async -> Void) {
        let parts = parts
        task = Task { await run(parts) }
    }

    deinit { task.cancel() }

    package func cancel() { task.cancel() }

    /// Waits for the response's head.
    /// - Throws: what the invocation failed with before it answered.
    package func head() async throws -> HTTPResponse {
        try await withTaskCancellationHandler {
            var iterator = parts.makeAsyncIterator()
            guard case .head(let head) = try await iterator.next() else { throw CancellationError() }
            return head
        } onCancel: {
            task.cancel()
        }
    }

    /// Hands every piece of the body to `write`, then returns.
    /// - Throws: what the invocation failed with in mid-response, or what `write` throws.
    package func body(_ write: (ByteBuffer) async throws -> Void) async throws {
        for try await part in parts {
            if case .body(let buffer) = part { try await write(buffer) }
        }
    }
}
