import FunctionKit

/// The body of `POST /generate`:
///
/// ```json
/// {"prompt": "How long does shipping take?", "retrieve": {"collection": "handbook", "top_k": 4}, "max_tokens": 64}
/// ```
///
/// `messages` may stand in place of `prompt`, `model` is an alias (default `chat`), `stream` gives server-sent events,
/// and everything else (`temperature`, `stop`, `response_format`, …) goes to the model as it is.
package struct GenerateRequest: Sendable {
    package let model: String
    package let stream: Bool
    package let retrieval: Retrieval?
    package let messages: [JSON]
    /// Room for the answer, where the caller says it.
    package let maxTokens: Int?
    /// What goes to the model.
    package let body: JSON

    /// - Throws: ``APIError`` that names the field at fault.
    package init(_ request: JSON) throws {
        guard case .object = request else { throw APIError.invalidRequest("The request body must be a JSON object.") }
        var body = request
        for own in ["prompt", "retrieve", "stream", "model"] { body[own] = nil }
        switch (request["prompt"], request["messages"]) {
        case (let prompt?, nil):
            guard let text = prompt.string else { throw APIError.invalidRequest("'prompt' must be a text.", parameter: "prompt") }
            messages = [["role": "user", "content": .string(text)]]
        case (nil, let list?):
            guard let list = list.array, !list.isEmpty else { throw APIError.invalidRequest("'messages' must be a list of messages.", parameter: "messages") }
            messages = list
        case (nil, nil):
            throw APIError.invalidRequest("Missing required parameter: 'prompt' (or 'messages').", parameter: "prompt")
        case (_?, _?):
            throw APIError.invalidRequest("Send either 'prompt' or 'messages', not both.", parameter: "prompt")
        }
        // Its answer is one text.
        for (name, neutral) in ["n": 1, "logprobs": false] as [String: JSON] where ![nil, .null, neutral].contains(request[name]) {
            throw APIError.invalidRequest("'\(name)' is not for /generate; /v1/chat/completions has it.", parameter: name)
        }
        body["messages"] = .array(messages)
        self.body = body
        model = try GenerateRequest.field("model", of: request, "a text") { $0.string } ?? "chat"
        stream = try GenerateRequest.field("stream", of: request, "true or false") { $0.bool } ?? false
        let limit = request["max_completion_tokens"] ?? request["max_tokens"]
        maxTokens = limit?.integer.flatMap { Int(exactly: $0) }
        retrieval = try request["retrieve"].flatMap { $0 == .null ? nil : try Retrieval($0) }
        if retrieval != nil, question.isEmpty {
            throw APIError.invalidRequest("'retrieve' needs a question: a message of the role 'user' with text.", parameter: "messages")
        }
    }

    /// The last thing the user said.
    package var question: String {
        messages.last { $0["role"] == "user" }.map(\.contentText) ?? ""
    }

    fileprivate static func field<T>(_ name: String, of request: JSON, _ kind: String, _ read: (JSON) -> T?) throws -> T? {
        guard let value = request[name], value != .null else { return nil }
        guard let read = read(value) else { throw APIError.invalidRequest("'\(name)' must be \(kind).", parameter: name) }
        return read
    }
}

/// Which documents to answer from.
package struct Retrieval: Hashable, Sendable {
    package let collection: String
    package let topK: Int64

    init(_ value: JSON) throws {
        guard let collection = value["collection"]?.string else {
            throw APIError.invalidRequest("'retrieve' needs a 'collection'.", parameter: "retrieve.collection")
        }
        self.collection = collection
        topK = try GenerateRequest.field("top_k", of: value, "a whole number") { $0.integer } ?? 4
    }

    /// Asks the function that keeps the documents; best first.
    package func passages(for question: String, _ context: Context) async throws -> [Passage] {
        let found = try await context.invoke(
            "POST", "/retrieve", ["collection": .string(collection), "query": .string(question), "top_k": .integer(topK)])
        return (found["results"]?.array ?? []).compactMap { Passage($0) }
    }
}

extension JSON {
    /// The text of a message: its `content`, or the text parts of it.
    package var contentText: String {
        guard let content = self["content"] else { return "" }
        return content.string ?? (content.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n")
    }
}
