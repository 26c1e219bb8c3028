import FastCGI
import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Where a running call's response goes: to the client as it comes, or, where it is small and nobody could use a part of it, held
/// until its bill is settled, so that its head can say what it cost.
final class ResponseSink: Sendable {
    /// The longest response that is held.
    private static let longestHeld = 256 << 10
    /// The longest response that is kept for who asks again.
    fileprivate static let longestKept = 1 << 20

    fileprivate struct State {
        /// What is known of the call when its response begins.
        var fields = HTTPFields()
        var held: HTTPResponse?
        var heldBody: [ByteBuffer] = []
        var heldLength = 0
        var kept: HTTPResponse?
        /// `nil` when it is not asked for or too long.
        var keptBody: [UInt8]?
        var hasReader = true
        /// Whether the head has left, and any of the body.
        var hasBegun = false
        var hasAnswered = false
    }

    private let client: ClientExchange
    private let holds: Bool
    private let keeps: Bool
    /// For every response of this call.
    private let headers: HTTPFields
    private let state: Mutex<State>

    /// - Parameters:
    ///   - holds: whether a response may be held; ``release(_:)`` then sends it.
    ///   - keeps: whether the response is wanted again (``kept(with:)``).
    init(_ client: ClientExchange, headers: HTTPFields = [:], holds: Bool, keeps: Bool = false) {
        self.client = client
        self.headers = headers
        self.holds = holds
        self.keeps = keeps
        state = Mutex(State(keptBody: keeps ? [] : nil))
    }

    /// Whether the client has been told a status.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    /// Whether any of the body has left for the client.
    var hasAnswered: Bool { state.withLock { $0.hasAnswered } }

    /// The head of the response.
    /// - Parameter fields: for a response that is not held, what is known of the call already.
    func begin(_ head: HTTPResponse, _ fields: HTTPFields) async {
        let now = state.withLock { state -> HTTPResponse? in
            if keeps { state.kept = head }
            var head = head
            head.headerFields.append(contentsOf: headers)
            state.fields = fields
            if holds, Self.isHeld(head) {
                state.held = head
                return nil
            }
            head.headerFields.append(contentsOf: fields)
            state.hasBegun = state.hasReader
            return state.hasReader ? head : nil
        }
        if let now { await client.send(.head(now)) }
    }

    /// A response of known length, or a JSON document, which is of no use before its end.
    private static func isHeld(_ head: HTTPResponse) -> Bool {
        if let length = head.headerFields.first(.contentLength).flatMap(Int.init) { return length <= longestHeld }
        return head.headerFields.first(.contentType)?.hasPrefix("application/json") ?? false
    }

    func send(_ piece: ByteBuffer) async {
        let (isHeld, isTooLong, hasReader) = state.withLock { state in
            if keeps { state.keep(piece) }
            if state.held != nil {
                state.heldBody.append(piece)
                state.heldLength += piece.readableBytes
            } else if state.hasReader {
                state.hasAnswered = true
            }
            return (state.held != nil, state.held != nil && state.heldLength > Self.longestHeld, state.hasReader)
        }
        if isTooLong {
            await release(state.withLock { $0.fields })
        } else if !isHeld, hasReader {
            await client.send(.body(piece))
        }
    }

    /// Sends what is held, with `fields` in its head.
    func release(_ fields: HTTPFields) async {
        let (head, body) = state.withLock { state in
            defer { (state.held, state.heldBody) = (nil, []) }
            state.hasBegun = state.hasBegun || state.held != nil
            state.hasAnswered = state.hasAnswered || !state.heldBody.isEmpty
            return (state.held, state.heldBody)
        }
        guard var head else { return }
        head.headerFields.append(contentsOf: fields)
        await client.send(.head(head), holding: true)
        for buffer in body { await client.send(.body(buffer), holding: true) }
    }

    /// The client has gone; the call goes on without a reader.
    func abandon() {
        state.withLock { $0.hasReader = false }
    }

    func finish() { client.finish() }

    /// Breaks the response off. One that was held is dropped: the client gets the error in its place.
    func fail(_ error: any Error) async {
        state.withLock { ($0.held, $0.heldBody) = (nil, []) }
        await client.fail(error)
    }

    /// The response so far and its last piece: status, headers and body, which is `nil` when it is too long.
    func kept(with last: ByteBuffer?) -> (head: HTTPResponse, body: [UInt8]?)? {
        state.withLock { state -> (head: HTTPResponse, body: [UInt8]?)? in
            guard let head = state.kept else { return nil }
            if let last { state.keep(last) }
            return (head, state.keptBody)
        }
    }
}

extension ResponseSink.State {
    fileprivate mutating func keep(_ buffer: ByteBuffer) {
        guard let length = keptBody?.count else { return }
        if length + buffer.readableBytes > ResponseSink.longestKept {
            keptBody = nil
        } else {
            keptBody?.append(contentsOf: buffer.readableBytesView)
        }
    }
}
