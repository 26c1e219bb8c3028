import AsyncAlgorithms
import FastCGI
import HTTPTypes
import Hummingbird
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
    let request: FastCGIRequest
    let body: RequestBody
    let bodyLimit: Int
    /// The response to HEAD names a length and has no body.
    let isHead: Bool
    let logger: Logger

    /// What became of a call.
    struct Outcome: Sendable {
        var status: InvocationStatus = .succeeded
        var httpStatus: Int?
        var queued: Duration = .zero
        /// Whether a worker was started for this call.
        var isCold = false
        var isEventStream = false
        var keepsConnection = false
        var timeToFirstByte: Duration?
        /// The end of a body of known length, held back so that the client has it all only when the bill is settled.
        var lastPiece: ByteBuffer?
        var error: (any Error)?
    }

    /// Carries the request to a worker and the response into `sink`. A failure is part of the outcome, so that it is settled too.
    func run(connections: WorkerConnections, into sink: ResponseSink) async -> Outcome {
        let progress = Progress()
        do {
            try await withDeadline(invocation.deadline) {
                try await withWorker(connections, progress) { connection in
                    try await exchange(over: connection, into: sink, progress)
                }
            }
        } catch {
            // A client that leaves is no fault; its REPORT line says so.
            if !Task.isCancelled { logger.warning("\(function.manifest.name) failed: \(error)") }
            let clientError = Self.clientError(error, function: function.manifest)
            progress.update { outcome in
                outcome.error = clientError
                outcome.status = error is DeadlinePassed ? .timedOut : .failed
                // A worker that says itself that it failed has told its reader, too.
                let isTold = (error as? FastCGIConnectionError)?.code == .failed
                outcome.lastPiece = outcome.isEventStream && !isTold ? Self.event(for: clientError) : nil
                outcome.httpStatus = outcome.httpStatus ?? clientError.status
            }
        }
        return progress.value
    }

    /// Hands `body` a connection to a worker. A worker that has just died may be granted once more; nothing was sent to it,
    /// so the next one gets the request.
    private func withWorker(
        _ connections: WorkerConnections, _ progress: Progress, _ body: (FastCGIConnection) async throws -> Void
    ) async throws {
        while true {
            let lease = try await function.acquire(deadline: invocation.deadline)
            progress.update {
                $0.queued += lease.waited
                $0.isCold = lease.isCold
            }
            let connection: FastCGIConnection
            do {
                connection = try await connections.take(lease.socket)
            } catch let error as FastCGIConnectionError where error.code == .connectFailed && !Task.isCancelled {
                await function.releaseLost(lease)
                continue
            } catch {
                await function.release(lease, answered: false)
                throw error
            }
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(connection))
            } catch {
                result = .failure(error)
            }
            // The connection before the lease: who gets the lease next finds it, and never opens more than the worker serves.
            if keepsConnections || progress.value.keepsConnection {
                connections.giveBack(connection, to: lease.socket)
            } else {
                connection.close()
            }
            await function.release(lease, answered: progress.value.httpStatus != nil)
            return try result.get()
        }
    }

    /// A worker that takes one request at a time takes all on one connection. One that takes several may serve fewer connections
    /// than it serves requests, and an idle one would keep others waiting; workers built with FunctionKit say that they do not.
    private var keepsConnections: Bool { function.manifest.scale.concurrency == 1 }

    private func exchange(over connection: FastCGIConnection, into sink: ResponseSink, _ progress: Progress) async throws {
        let logger = logger
        try await connection.execute(
            request, body: LimitedBody(base: body, limit: bodyLimit),
            standardError: { text in logger.warning("\(String(buffer: text))") }
        ) { response in
            let head = Self.head(of: response)
            progress.update {
                $0.httpStatus = response.status.code
                $0.status = response.status.code >= 400 ? .failed : .succeeded
                $0.keepsConnection = response.headers[.keepConnection] == "yes"
                $0.isEventStream = head.headerFields[.contentType]?.hasPrefix("text/event-stream") == true
            }
            await sink.begin(head, progress.value.headers)

            var missing = head.headerFields[.contentLength].flatMap(Int.init)
            for try await piece in response.body {
                progress.update { $0.timeToFirstByte = $0.timeToFirstByte ?? invocation.started.duration(to: .now) }
                if let left = missing {
                    guard piece.readableBytes <= left else { throw APIError.badGateway("The function sent more than its Content-Length.") }
                    missing = left - piece.readableBytes
                }
                if missing == 0 {
                    progress.update { $0.lastPiece = piece }
                } else {
                    await sink.send(piece)
                }
            }
            if let missing, missing > 0, !isHead {
                throw APIError.badGateway("The function ended \(missing) bytes before its Content-Length.")
            }
        }
    }

    private static func head(of response: FastCGIResponse) -> HTTPResponse {
        var headers = response.headers
        for name in [HTTPField.Name.connection, .transferEncoding, .init("keep-alive")!, .keepConnection] { headers[name] = nil }
        // nginx would collect a stream before it passes it on.
        if headers[.contentType]?.hasPrefix("text/event-stream") == true { headers[.accelBuffering] = "no" }
        let status = response.status.reasonPhrase.isEmpty ? HTTPResponse.Status(integerLiteral: response.status.code) : response.status
        return HTTPResponse(status: status, headerFields: headers)
    }

    /// What the client is told; the log has the cause.
    private static func clientError(_ error: any Error, function: FunctionManifest) -> APIError {
        switch error {
        case let error as APIError: error
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
    func update(_ change: (inout FunctionCall.Outcome) -> Void) { outcome.withLock { change(&$0) } }
}
