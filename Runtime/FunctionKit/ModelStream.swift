import HTTPClient

/// The chunks of a streamed chat completion, as JSON, until `[DONE]`. The last one has the usage and no choices.
///
/// It throws ``APIError`` when the model fails or its host dies in the middle.
public struct ModelStream: AsyncSequence, Sendable {
    public typealias Element = JSON

    let body: HTTPClient.Body
    let peer: String
    let caller: Caller

    /// Reads the chunks as they arrive. One stream has one reader.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private var bytes: HTTPClient.Body.AsyncIterator
        private let peer: String
        private let caller: Caller
        private var parser = ServerSentEventParser()
        private var events: ArraySlice<ServerSentEventParser.Event> = []
        private var isDone = false

        init(_ stream: ModelStream) {
            bytes = stream.body.makeAsyncIterator()
            peer = stream.peer
            caller = stream.caller
        }

        /// - Returns: the next chunk; `nil` after `[DONE]`.
        /// - Throws: ``APIError``; the stream is over then.
        public mutating func next() async throws -> JSON? {
            while !isDone {
                if let event = events.popFirst() { return try chunk(event.data) }
                do {
                    guard let more = try await bytes.next() else { throw HTTPError(.closed, "The stream ended without [DONE].") }
                    events = parser.push(more)[...]
                } catch let error as HTTPError {
                    isDone = true
                    throw caller.shown(error, peer)
                }
            }
            return nil
        }

        private mutating func chunk(_ data: String) throws -> JSON? {
            if data == "[DONE]" {
                isDone = true
                return nil
            }
            guard let chunk = try? JSON(parsing: data.utf8) else {
                isDone = true
                throw APIError.badGateway("\(peer) returned something that is not its API's.")
            }
            if chunk["error"] != nil, let error = try? JSON.decode(APIError.self, from: data.utf8) {
                isDone = true
                throw error
            }
            caller.count(chunk["usage"])
            return chunk
        }
    }

    /// Call it once: the chunks are not kept.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

extension JSON {
    /// The text of a completion or of one chunk of its stream: the first choice's `message.content`, `delta.content` or `text`.
    public var completionText: String? {
        let choice = self["choices"]?.array?.first
        return choice?["message"]?["content"]?.string ?? choice?["delta"]?["content"]?.string ?? choice?["text"]?.string
    }

    /// Why the completion ended, where this reply or chunk says it: `stop`, `length`, ….
    public var finishReason: String? { self["choices"]?.array?.first?["finish_reason"]?.string }
}

extension JSON {
    /// Any value as JSON; null where it has no such form.
    public init(_ value: some Encodable) {
        let parsed = try? JSON(parsing: JSON.encode(value) as [UInt8])
        self = parsed ?? .null
    }
}
