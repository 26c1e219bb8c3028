import FastCGI
import HTTPTypes
import Ledger
import Logging
import NIOCore
import Supervisor
import Synchronization
import Wire

/// The way of one request through a worker and of its response back.
struct FunctionCall: Sendable {
    let invocation: Invocation
    let function: FunctionRunner
    let route: Route
    let client: ClientExchange
    /// The whole body, where it was read already.
    let collected: ByteBuffer?
    let request: FastCGIRequest
    /// Gives up what came of the first try at a request that may be sent twice.
    /// - Returns: the token of the second.
    let tryAgain: @Sendable () async throws -> String
    let logger: Logger

    /// What its lines in the log are found by.
    private var marks: Logger.Metadata { ["invocation": "\(invocation.id)"] }

    /// What became of a call.
    struct Outcome: Sendable {
        var status: InvocationStatus = .succeeded
        var httpStatus: Int?
        var queued: Duration = .zero
        /// Whether a worker was started for this call.
        var isCold = false
        var isEventStream = false
        /// Whether an event stream came to its `[DONE]`: OpenAI's clients hang up there, and have all of it.
        var isDone = false
        /// Whether any of an answer has left for the client.
        var isAnswered = false
        var keepsConnection = false
        var timeToFirstByte: Duration?
        /// The end of a body of known length or of an event stream, held back so that the client has it all only when the bill is settled.
        var lastPiece: ByteBuffer?
        var error: (any Error)?

        /// What fails before any of an answer has left costs nothing, and an error is no answer.
        var isGivenUp: Bool { (status == .failed || status == .timedOut) && (!isAnswered || (httpStatus ?? 500) >= 400) }
    }

    /// Carries the request to a worker and the response into `sink`. A failure is part of the outcome, so that it is settled too.
    func run(connections: WorkerConnections, into sink: ResponseSink) async -> Outcome {
        let progress = Progress()
        let limit = TimeLimit(deadline: invocation.deadline, idle: function.manifest.limits.idleTimeout, on: client.eventLoop)
        limit.onPassing { [client] in client.interrupt() }
        limit.begin()
        defer { limit.end() }
        do {
            do {
                let body =
                    if let collected { CallBody.whole(collected) } else {
                        try await CallBody(of: client, limit: function.manifest.limits.body, mustBeWhole: route.isIdempotent)
                    }
                try await withWorker(connections, body, progress, limit) { connection, request in
                    try await exchange(request, body, over: connection, into: sink, progress, limit)
                }
            } catch {
                throw limit.passed ?? error
            }
        } catch where Task.isCancelled && progress.value.isDone {
        } catch {
            // A client that leaves is no fault; its REPORT line says so.
            if !Task.isCancelled { logger.warning("\(function.manifest.name) failed: \(error)", metadata: marks) }
            let clientError = Self.clientError(error, function: function.manifest)
            progress.update { outcome in
                outcome.error = clientError
                outcome.status = error is DeadlinePassed ? .timedOut : .failed
                // A worker that says itself that it failed has told its reader, too, and what fails behind `[DONE]` took nothing away.
                let isTold = (error as? FastCGIConnectionError)?.code == .failed
                if !outcome.isDone { outcome.lastPiece = outcome.isEventStream && !isTold ? Self.event(for: clientError) : nil }
                // The head of a response that was held never left.
                outcome.httpStatus = sink.hasBegun ? outcome.httpStatus : clientError.status
            }
        }
        progress.update { $0.isAnswered = sink.hasAnswered || $0.isDone }
        return progress.value
    }

    // MARK: Workers

    /// Hands `use` a connection to a worker, and to another one if the first died and the request may be sent again.
    private func withWorker(
        _ connections: WorkerConnections, _ body: CallBody, _ progress: Progress, _ limit: TimeLimit,
        _ use: (FastCGIConnection, FastCGIRequest) async throws -> Void
    ) async throws {
        var request = request
        var hasRetried = false
        while true {
            let lease = try await function.acquire(
                key: invocation.caller.key, invocation: invocation.id, deadline: invocation.deadline)
            progress.update {
                $0.queued += lease.waited
                $0.isCold = $0.isCold || lease.isCold
            }
            let connection: FastCGIConnection
            do {
                connection = try await connections.take(
                    lease.socket, on: client.eventLoop, limit: function.manifest.scale.concurrency, deadline: invocation.deadline)
            } catch let error as FastCGIConnectionError where error.code == .connectFailed && !Task.isCancelled {
                // A worker whose backlog is full for as long as this call can wait is not broken.
                if ContinuousClock.now + FastCGIConnection.longestPause >= invocation.deadline {
                    function.release(lease, .unanswered)
                    throw DeadlinePassed(limit: .total)
                }
                function.release(lease, .broken)
                continue
            } catch {
                function.release(lease, .unanswered)
                throw error
            }
            limit.onPassing { [client] in
                connection.close()
                client.interrupt()
            }
            let failure: (any Error)?
            do {
                try await use(connection, request)
                failure = nil
            } catch {
                failure = error
            }
            // From here on the connection may be another call's.
            limit.onPassing { [client] in client.interrupt() }
            // The connection before the lease: who gets the lease next finds it, and never opens more than the worker serves.
            if takesOneAtATime || progress.value.keepsConnection {
                connections.giveBack(connection, to: lease.socket)
            } else {
                connections.close(connection, to: lease.socket)
            }
            let hasResponded = progress.value.httpStatus != nil
            // Cut off, a worker still has the request: it may hang for good, and it is replaced in milliseconds.
            function.release(lease, limit.passed != nil ? .unusable : Self.ending(failure, hasResponded: hasResponded))
            guard let failure else { return }
            switch hasResponded || Task.isCancelled || limit.passed != nil ? .never : Self.retry(after: failure, body) {
            case .always: break
            case .onceIfIdempotent where route.isIdempotent && !hasRetried:
                hasRetried = true
                request = request.with(token: try await tryAgain())
            default: throw failure
            }
            logger.notice("\(function.manifest.name) gets a request again: \(failure)", metadata: marks)
        }
    }

    private enum Retry { case always, onceIfIdempotent, never }

    /// Whether a request that failed without an answer may be sent to another worker.
    private static func retry(after failure: any Error, _ body: CallBody) -> Retry {
        guard let error = failure as? FastCGIConnectionError else { return .never }
        return switch (error.code, body) {
        // The worker has not seen the request, so nothing of a streamed body is gone either.
        case (.notUsable, .whole): .always
        case (.refused, .whole), (.noResponse, .whole), (.malformedResponse, .whole): .onceIfIdempotent
        default: .never
        }
    }

    private static func ending(_ failure: (any Error)?, hasResponded: Bool) -> FunctionPool.Ending {
        switch failure {
        case let error as FastCGIConnectionError where error.code == .notUsable: .unusable
        case let error as FastCGIConnectionError where [.noResponse, .malformedResponse].contains(error.code): .broken
        default: hasResponded ? .answered : .unanswered
        }
    }

    /// A worker that takes one request at a time takes all on one connection. One that takes several may serve fewer connections
    /// than it serves requests, and an idle one would keep others waiting; workers built with FunctionKit say that they do not.
    private var takesOneAtATime: Bool { function.manifest.scale.concurrency == 1 }

    // MARK: Exchange

    private func exchange(
        _ request: FastCGIRequest, _ body: CallBody, over connection: FastCGIConnection, into sink: ResponseSink, _ progress: Progress, _ limit: TimeLimit
    ) async throws {
        let log = { @Sendable (text: ByteBuffer) in logger.warning("\(String(buffer: text))", metadata: marks) }
        let consume = { (response: FastCGIResponse) in try await pass(response, into: sink, progress, limit) }
        limit.beginWait()
        defer { limit.endWait() }
        switch body {
        case .whole(let bytes):
            try await connection.execute(request.with(contentLength: bytes.readableBytes), body: bytes, standardError: log, consume)
        case .streamed(let pieces):
            try await connection.execute(request, body: pieces, standardError: log, consume)
        }
    }

    private func pass(_ response: FastCGIResponse, into sink: ResponseSink, _ progress: Progress, _ limit: TimeLimit) async throws {
        limit.endWait()
        let head = Self.head(of: response)
        progress.update {
            $0.httpStatus = response.status.code
            $0.status = response.status.code >= 400 ? .failed : .succeeded
            $0.keepsConnection = response.headers.first(.keepConnection) == "yes"
            $0.isEventStream = head.headerFields.first(.contentType)?.hasPrefix("text/event-stream") == true
        }
        await sink.begin(head, progress.value.headers)

        var missing = head.headerFields.first(.contentLength).flatMap(Int.init)
        var pieces = response.body.makeAsyncIterator()
        while true {
            limit.beginWait()
            guard let piece = try await pieces.next() else { break }
            limit.endWait()
            if let left = missing {
                guard piece.readableBytes <= left else { throw APIError.badGateway("The function sent more than its Content-Length.") }
                missing = left - piece.readableBytes
            }
            let now = progress.update { outcome in
                outcome.timeToFirstByte = outcome.timeToFirstByte ?? invocation.started.duration(to: .now)
                outcome.isDone = outcome.isEventStream && piece.readableBytesView.suffix(Self.done.count).elementsEqual(Self.done)
                let earlier = outcome.lastPiece
                outcome.lastPiece = missing == 0 || outcome.isDone ? piece : nil
                return [earlier, outcome.lastPiece == nil ? piece : nil]
            }
            for case let piece? in now { await sink.send(piece) }
            // What has arrived already needs no wait that could be interrupted.
            if let passed = limit.passed { throw passed }
        }
        // The response to HEAD names a length and has no body.
        if let missing, missing > 0, client.request.method != .head {
            throw APIError.badGateway("The function ended \(missing) bytes before its Content-Length.")
        }
    }

    private static let done = Array("data: [DONE]\n\n".utf8)

    private static func head(of response: FastCGIResponse) -> HTTPResponse {
        var headers = HTTPFields()
        headers.reserveCapacity(response.headers.count + 10)
        for field in response.headers where !field.name.isHopByHop && field.name != .keepConnection { headers.append(field) }
        // nginx would collect a stream before it passes it on.
        if headers.first(.contentType)?.hasPrefix("text/event-stream") == true { headers[.accelBuffering] = "no" }
        let status = response.status.reasonPhrase.isEmpty ? HTTPResponse.Status(integerLiteral: response.status.code) : response.status
        return HTTPResponse(status: status, headerFields: headers)
    }

    /// What the client is told; the log has the cause.
    private static func clientError(_ error: any Error, function: FunctionManifest) -> APIError {
        switch error {
        case let error as APIError: error
        case let passed as DeadlinePassed where passed.limit == .idle:
            .timeout("The function '\(function.name)' sent nothing for \(function.limits.idleTimeout ?? .zero).")
        case is DeadlinePassed: .timeout("The function '\(function.name)' did not finish within \(function.limits.timeout).")
        case is FastCGIConnectionError: .badGateway("The function '\(function.name)' ended before its response was complete.")
        default: .internalError
        }
    }

    /// An error in a stream that has begun, as OpenAI's API sends it.
    private static func event(for error: APIError) -> ByteBuffer {
        ByteBuffer(string: "\n\ndata: \(String(decoding: (try? JSON.encode(error)) ?? [], as: UTF8.self))\n\n")
    }
}

/// The outcome while it comes about.
private final class Progress: Sendable {
    private let outcome = Mutex(FunctionCall.Outcome())
    var value: FunctionCall.Outcome { outcome.withLock { $0 } }
    func update<Result: Sendable>(_ change: (inout FunctionCall.Outcome) -> Result) -> Result { outcome.withLock { change(&$0) } }
}
