import Logging
import NIOCore
import NIOPosix
import Synchronization

/// One connection to a worker, a FastCGI application in the role of a responder. It carries one request at a time and, as
/// long as worker and connection stay in step, any number of them one after the other.
package final class FastCGIConnection: Sendable {
    private let channel: any Channel
    private let handler: NIOLoopBound<FastCGIClientHandler>
    private let reusable: SharedFlag

    private init(channel: any Channel, handler: NIOLoopBound<FastCGIClientHandler>, reusable: SharedFlag) {
        self.channel = channel
        self.handler = handler
        self.reusable = reusable
    }

    deinit { close() }

    /// Between tries at a socket whose backlog is full.
    package static let longestPause = Duration.milliseconds(50)

    /// - Parameter timeout: also for a socket whose backlog is full: Linux refuses the connection then instead of letting
    ///   it wait, so it is tried again.
    /// - Throws: ``FastCGIConnectionError`` `.connectFailed`; `CancellationError`.
    package static func connect(
        unixSocketPath path: String, eventLoopGroup: any EventLoopGroup, timeout: Duration, logger: Logger
    ) async throws -> FastCGIConnection {
        let deadline = ContinuousClock.now + timeout
        var pause = Duration.milliseconds(1)
        while true {
            do {
                return try await attempt(path, on: eventLoopGroup.next(), timeout: deadline - .now, logger: logger)
            } catch let error as IOError where error.errnoCode == EAGAIN && ContinuousClock.now + pause < deadline {
                try await Task.sleep(for: pause)
                pause = min(pause * 2, longestPause)
            } catch {
                throw FastCGIConnectionError(.connectFailed, "no connection to the worker at \(path)", cause: error)
            }
        }
    }

    private static func attempt(
        _ path: String, on eventLoop: any EventLoop, timeout: Duration, logger: Logger
    ) async throws -> FastCGIConnection {
        try await ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let reusable = SharedFlag(true)
                    let handler = FastCGIClientHandler(isReusable: reusable, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return FastCGIConnection(
                        channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), reusable: reusable)
                }
            }
    }

    /// Another request can begin: none is in progress, and the last one ended with the connection open and in step.
    package var isReusable: Bool { reusable.value }

    package func close() {
        channel.close(promise: nil)
    }

    /// The event loop that the connection's input and output are on.
    package var eventLoop: any EventLoop { channel.eventLoop }

    /// Sends a request with all of its body and hands its response to `consume` as soon as the head has arrived.
    ///
    /// When `consume` returns or throws before the response's end, the connection is closed. Cancelling the task closes
    /// it at once; the worker sees that as the client's hang-up.
    ///
    /// - Parameters:
    ///   - request: CONTENT_LENGTH must be the length of `body`.
    ///   - standardError: what the worker writes to FCGI_STDERR; called on an event loop, so it must not block.
    /// - Throws: ``FastCGIConnectionError``; `CancellationError`; what `consume` throws.
    package func execute<Value>(
        _ request: FastCGIRequest, body: ByteBuffer = ByteBuffer(), standardError: @escaping @Sendable (ByteBuffer) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation, _ consume: (FastCGIResponse) async throws -> Value
    ) async throws -> Value {
        guard request.contentLength == body.readableBytes else {
            throw FastCGIConnectionError(
                .bodyLengthMismatch, "the request's body has \(body.readableBytes) bytes, and CONTENT_LENGTH says otherwise")
        }
        let exchange = try await begin(request, body: body, standardError: standardError)
        return try await withTaskCancellationHandler {
            let result = await response(of: exchange, consume)
            await end()
            return try result.get()
        } onCancel: {
            close()
        }
    }

    /// Sends a request and hands its response to `consume` as soon as the head has arrived, while the body is still sent:
    /// a worker may respond before it has read everything.
    ///
    /// - Parameters:
    ///   - body: must heed cancellation, because a worker that does not want the whole body ends the request without it.
    ///     What it throws, `execute` throws. If CONTENT_LENGTH is given, it must have that many bytes.
    /// - Throws: ``FastCGIConnectionError``; `CancellationError`; what `body` and `consume` throw.
    package func execute<Body: AsyncSequence & Sendable, Value>(
        _ request: FastCGIRequest, body: Body, standardError: @escaping @Sendable (ByteBuffer) -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation, _ consume: (FastCGIResponse) async throws -> Value
    ) async throws -> Value where Body.Element == ByteBuffer {
        let exchange = try await begin(request, body: nil, standardError: standardError)
        return try await withTaskCancellationHandler {
            try await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.send(body, length: request.contentLength) }
                let result = await response(of: exchange, consume)
                // First the connection, because a write that waits for the worker ends only with it.
                await end()
                group.cancelAll()
                await group.waitForAll()
                return result
            }.get()
        } onCancel: {
            close()
        }
    }

    private func begin(
        _ request: FastCGIRequest, body: ByteBuffer?, standardError: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> FastCGIExchange {
        let handler = handler
        if eventLoop.inEventLoop { return try handler.value.begin(request, body: body, standardError: standardError) }
        return try await eventLoop.submit { try handler.value.begin(request, body: body, standardError: standardError) }.get()
    }

    private func response<Value>(
        of exchange: FastCGIExchange, isolation: isolated (any Actor)? = #isolation,
        _ consume: (FastCGIResponse) async throws -> Value
    ) async -> Result<Value, any Error> {
        do {
            let head = try await exchange.head()
            let body = FastCGIResponse.Body(exchange: exchange)
            return .success(try await consume(FastCGIResponse(status: head.status, headers: head.headers, body: body)))
        } catch where Task.isCancelled {
            return .failure(CancellationError())
        } catch {
            return .failure(error)
        }
    }

    /// The caller needs no more of the response. Returns when that is done: the next request may begin right after.
    private func end() async {
        let handler = handler
        if eventLoop.inEventLoop {
            handler.value.end()
        } else {
            try? await eventLoop.submit { handler.value.end() }.get()
        }
    }

    /// Sends FCGI_STDIN, one piece at a time and each when the last has gone out. When the connection does not take it,
    /// what was received of the response decides about the request, so only failures of `body` itself are reported.
    private func send<Body: AsyncSequence & Sendable>(_ body: Body, length: Int?) async where Body.Element == ByteBuffer {
        let handler = handler
        if length == 0 { return }
        do {
            var sent = 0
            for try await bytes in body where bytes.readableBytes > 0 {
                sent += bytes.readableBytes
                // Known to be complete, the body is ended along with its last byte: the worker may respond to that byte.
                if let length, sent >= length {
                    if sent == length { channel.write(bytes, promise: nil) }
                    break
                }
                do { try await channel.writeAndFlush(bytes) } catch { return }
            }
            // Some sequences end when they are cancelled; that is not the body's end.
            if Task.isCancelled { return }
            if let length, sent != length {
                throw FastCGIConnectionError(
                    .bodyLengthMismatch, "the request's body has \(sent) bytes or more, and CONTENT_LENGTH says \(length)")
            }
            try? await channel.writeAndFlush(ByteBuffer())
        } catch {
            channel.eventLoop.execute { handler.value.close(error) }
        }
    }
}

/// A Boolean that is written on an event loop and read anywhere.
final class SharedFlag: Sendable {
    private let atomic: Atomic<Bool>

    init(_ value: Bool) {
        atomic = Atomic(value)
    }

    var value: Bool {
        get { atomic.load(ordering: .acquiring) }
        set { atomic.store(newValue, ordering: .releasing) }
    }
}
