import HTTPClient
import Wire

/// The models that a function may call, by the aliases of its `function.yaml`; a model with an adapter is `alias:adapter`.
public struct Models: Sendable {
    private let sockets: [String: String]
    private let caller: Caller

    init(sockets: [String: String], caller: Caller) {
        self.sockets = sockets
        self.caller = caller
    }

    /// The aliases, sorted.
    public var names: [String] { sockets.keys.sorted() }

    /// - Throws: ``APIError/modelNotFound(_:)`` for an alias that `function.yaml` does not name.
    public subscript(alias: String) -> Model {
        get throws {
            guard let socket = sockets[ModelName(alias).alias] else { throw APIError.modelNotFound(alias) }
            return Model(name: alias, socket: socket, caller: caller)
        }
    }
}

/// One model, called with the bodies of OpenAI's API. `model` is filled in.
///
/// Every call is part of the invocation, ends with it, and counts in ``Context/usage``.
/// Errors are ``APIError``s, the host's own with their status.
public struct Model: Sendable {
    /// The alias, or alias and adapter.
    public let name: String
    private let socket: String
    private let caller: Caller
    private var peer: String { "The model '\(name)'" }

    init(name: String, socket: String, caller: Caller) {
        self.name = name
        self.socket = socket
        self.caller = caller
    }

    /// `POST /v1/chat/completions`, the whole reply. Its text is ``JSON/completionText``.
    public func chat(_ body: JSON) async throws -> JSON { try await reply("/v1/chat/completions", body) }

    /// `POST /v1/completions`, the whole reply.
    public func complete(_ body: JSON) async throws -> JSON { try await reply("/v1/completions", body) }

    /// `POST /v1/chat/completions` as a stream. Ending the iteration early stops the model at its next token.
    public func stream(_ body: JSON) async throws -> ModelStream {
        var body = try filled(body)
        body["stream"] = true
        body["stream_options"] = ["include_usage": true]
        let response = try await caller.send(peer, at: socket, "POST", "/v1/chat/completions", JSON.encode(body))
        guard response.isSuccess else { throw await caller.failure(response, of: peer) }
        return ModelStream(body: response.body, peer: peer, caller: caller)
    }

    /// `POST /v1/embeddings`.
    /// - Returns: one vector for each text, in their order.
    public func embed(_ texts: [String]) async throws -> [[Float]] {
        if texts.isEmpty { return [] }
        struct Reply: Decodable {
            struct Item: Decodable { var index: Int, embedding: [Float] }
            var data: [Item]
            var usage: TokenUsage?
        }
        let body: JSON = ["model": .string(name), "input": .array(texts.map { .string($0) }), "encoding_format": "float"]
        let reply = try parsed(Reply.self, try await caller.collect(peer, at: socket, "POST", "/v1/embeddings", JSON.encode(body)))
        caller.count(reply.usage)
        let items = reply.data.sorted { $0.index < $1.index }
        guard items.map(\.index) == Array(texts.indices) else { throw APIError.badGateway("\(peer) returned another number of vectors.") }
        return items.map(\.embedding)
    }

    /// `POST /tokenize`: the tokens of `text`, without any that a chat template adds.
    public func tokenize(_ text: String) async throws -> [Int] {
        struct Reply: Decodable { var tokens: [Int] }
        let body: JSON = ["content": .string(text)]
        return try parsed(Reply.self, try await caller.collect(peer, at: socket, "POST", "/tokenize", JSON.encode(body))).tokens
    }

    /// How many tokens a conversation and its answer may have together, from `GET /v1/models`: vLLM's `max_model_len`, or
    /// llama-server's `meta.n_ctx_train`. `nil` where the model does not say it.
    public func contextLength() async throws -> Int? {
        let reply = try parsed(JSON.self, try await caller.collect(peer, at: socket, "GET", "/v1/models", nil))
        let first = reply["data"]?.array?.first
        return (first?["max_model_len"] ?? first?["meta"]?["n_ctx_train"])?.integer.flatMap { Int(exactly: $0) }
    }

    /// Sends `body` as it is and passes on what comes back as it comes: status, type and bytes. Not counted in ``Context/usage``.
    public func relay(_ path: String, _ body: [UInt8], to response: ResponseWriter) async throws {
        let reply = try await caller.send(peer, at: socket, "POST", path, body)
        let type = reply.headers["content-type"] ?? "application/json"
        let kept = reply.headers.filter { $0.name.lowercased() == "retry-after" || $0.name.lowercased().hasPrefix("x-") }
        try response.stream(
            contentType: type, status: reply.status, headers: Dictionary(kept.map { ($0.name, $0.value) }) { _, last in last })
        var end = StreamEnd(isEventStream: reply.isSuccess && type.hasPrefix("text/event-stream"))
        do {
            for try await chunk in reply.body {
                end.see(chunk)
                try await response.write(chunk)
            }
        } catch let error as HTTPError {
            throw caller.shown(error, peer)
        }
        guard end.isSeen else { throw caller.shown(HTTPError(.closed, "The stream ended without [DONE]."), peer) }
        try await response.finish()
    }

    private func reply(_ path: String, _ body: JSON) async throws -> JSON {
        var body = try filled(body)
        body["stream"] = nil
        body["stream_options"] = nil
        let reply = try parsed(JSON.self, try await caller.collect(peer, at: socket, "POST", path, JSON.encode(body)))
        caller.count(reply["usage"])
        return reply
    }

    private func filled(_ body: JSON) throws -> JSON {
        guard case .object = body else { throw APIError.invalidRequest("The request body must be a JSON object.") }
        var body = body
        body["model"] = .string(name)
        return body
    }

    private func parsed<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws -> T {
        guard let value = try? JSON.decode(type, from: bytes) else { throw APIError.badGateway("\(peer) returned something that is not its API's.") }
        return value
    }
}

/// Whether an event stream came to its proper end, `[DONE]` or an error, as its bytes pass by.
private struct StreamEnd {
    private var parser = ServerSentEventParser()
    private(set) var isSeen: Bool
    private let isEventStream: Bool

    init(isEventStream: Bool) {
        self.isEventStream = isEventStream
        isSeen = !isEventStream
    }

    mutating func see(_ bytes: [UInt8]) {
        guard isEventStream else { return }
        for event in parser.push(bytes) where event.data == "[DONE]" || event.data.hasPrefix("{\"error\"") { isSeen = true }
    }
}
