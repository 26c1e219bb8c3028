import FastCGI
import Glibc
import HTTPTypes
import Logging
import NIOCore
import NIOHTTPTypes
import Synchronization
import Wire

/// The client's side of one call: what it asks, as that arrives, and the way back to it.
///
/// The call's task, and whatever it calls, runs on the connection's event loop; there is where all of this is used.
final class ClientExchange: Sendable {
    let request: HTTPRequest
    /// The rest of the request as it comes; `nil` when the head is all of it.
    let body: ClientBody?

    private struct State {
        var task: Task<Void, Never>?
        var invocation = UUIDv7()
        /// For every response.
        var version: String?
        var hasLeft = false
        /// Whether the call may wait for its client no more.
        var isInterrupted = false
        var isOver = false
        /// Whether the head of the response has left.
        var hasBegun = false
    }

    private let source: ClientBody.Source?
    /// Where the call runs: on the connection's event loop.
    let executor: EventLoopExecutor
    private let gate: NIOLoopBound<FunctionGate>
    private let logger: Logger
    private let state = Mutex(State())

    init(_ request: HTTPRequest, gate: NIOLoopBound<FunctionGate>, on executor: EventLoopExecutor, logger: Logger) {
        (self.request, self.gate, self.logger) = (request, gate, logger)
        self.executor = executor
        if request.bodyLength == "0" {
            (body, source) = (nil, nil)
        } else {
            let made = ClientBody.make { gate.eventLoop.execute { gate.value.readOn() } }
            (body, source) = (made.sequence, made.source)
        }
    }

    var eventLoop: any EventLoop { gate.eventLoop }

    /// What the request is, or is part of; a client quotes it when something went wrong.
    var invocation: UUIDv7 { state.withLock { $0.invocation } }

    /// The request is part of the invocation `parent`.
    func belongs(to parent: UUIDv7) { state.withLock { $0.invocation = parent } }

    /// Which version of the function answers.
    func setVersion(_ version: String) { state.withLock { $0.version = version } }

    /// Runs the call, up to its first wait before this returns.
    func start(_ call: @escaping @Sendable () async -> Void) {
        let task = Task.immediate(executorPreference: executor) {
            await call()
            self.state.withLock { state in
                state.isOver = true
                state.task = nil
            }
        }
        let hasLeft = state.withLock { state in
            if !state.isOver { state.task = task }
            return state.hasLeft
        }
        if hasLeft { task.cancel() }
    }

    // MARK: What the client sends

    /// - Returns: whether the call takes more at the moment.
    func receive(_ bytes: ByteBuffer) -> Bool {
        if case .stopProducing = source?.yield(bytes) { false } else { true }
    }

    func receiveEnd() { source?.finish() }

    /// The client has gone: the call ends as cancelled.
    func leave() {
        source?.finish(FastCGIRequestAborted())
        let task = state.withLock { state in
            state.hasLeft = true
            return state.task
        }
        task?.cancel()
    }

    /// Ends whatever the call waits for, now or later: more of the request, or room for more of the answer.
    func interrupt() {
        state.withLock { $0.isInterrupted = true }
        source?.finish(CancellationError())
        gate.eventLoop.execute { [gate] in gate.value.makeRoom() }
    }

    // MARK: What it is answered

    /// Sends a part of the response, and waits while the client takes no more.
    /// - Parameter holding: whether more follows at once that goes out with it.
    func send(_ part: HTTPResponsePart, holding: Bool = false) async {
        var part = part
        if case .head(let head) = part { part = .head(completed(head)) }
        if case .body = part, request.method == .head { return }
        gate.value.write(part, flush: !holding, for: self)
        if gate.value.hasRoom(for: self) { return }
        // What is only held back makes no room.
        gate.value.flush(for: self)
        if !gate.value.hasRoom(for: self) { await room() }
    }

    private var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    private func completed(_ head: HTTPResponse) -> HTTPResponse {
        let (invocation, version) = state.withLock { state in
            state.hasBegun = true
            return (state.invocation, state.version)
        }
        var head = head
        if head.headerFields[.invocationID] == nil { head.headerFields.append(HTTPField(name: .invocationID, value: "\(invocation)")) }
        if let version { head.headerFields[.functionVersion] = version }
        head.headerFields[.server] = Gateway.serverName
        if gate.value.isHTTP {
            head.headerFields[.date] = Self.date()
            if closesConnection { head.headerFields[.connection] = "close" }
            // NIO would send a chunked body, if an empty one, for HEAD too.
            if request.method == .head, head.headerFields.first(.contentLength) == nil { head.headerFields[.contentLength] = "0" }
        }
        return head
    }

    /// Whether the client wants no other answer on this connection.
    var closesConnection: Bool { request.headerFields.first(.connection)?.lowercased() == "close" }

    /// Now, as HTTP says it (RFC 9110 §5.6.7).
    private static func date() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return String(unsafeUninitializedCapacity: 32) { text in
            text.withMemoryRebound(to: CChar.self) { bytes in
                bytes.baseAddress.map { strftime($0, bytes.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) } ?? 0
            }
        }
    }

    /// Sends a whole response.
    func answer(_ answer: WholeAnswer) async {
        await send(.head(answer.head), holding: true)
        await send(.body(answer.body), holding: true)
        finish()
    }

    func finish() { gate.value.write(.end(nil), flush: true, for: self) }

    /// Answers with an error, or breaks the response off that has begun.
    func fail(_ error: any Error) async {
        let (hasBegun, invocation) = state.withLock { ($0.hasBegun, $0.invocation) }
        if hasBegun { return gate.value.breakOff(self) }
        await answer(WholeAnswer(to: error, request, invocation: invocation, logger: logger))
    }

    /// Returns when the client takes more, when it has gone, or when nobody may wait for it any more.
    private func room() async {
        let gate = gate
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled || isInterrupted { continuation.resume() } else { gate.value.awaitRoom(continuation) }
            }
        } onCancel: {
            gate.eventLoop.execute { gate.value.makeRoom() }
        }
    }
}
