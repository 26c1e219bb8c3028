import FunctionKit
import GenerateGrounding

/// Text from a model: OpenAI's API passed on as it is, and `POST /generate`, which can answer from a collection of documents.
@main struct Generate: Function {
    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        switch request.route {
        case "POST /v1/chat/completions", "POST /v1/completions":
            struct Named: Decodable { var model: String }
            let model = try request.json(Named.self).model
            try await context.models[model].relay(request.path, request.body, to: response)
        case "POST /tokenize", "POST /detokenize":
            struct Named: Decodable { var model: String? }
            let model = try request.json(Named.self).model ?? "chat"
            try await context.models[model].relay(request.path, request.body, to: response)
        default:
            try await generate(GenerateRequest(request.json(JSON.self)), response, context)
        }
    }

    private func generate(_ call: GenerateRequest, _ response: ResponseWriter, _ context: Context) async throws {
        let model = try context.models[call.model]
        var body = call.body
        var passages: [Passage]?
        if let retrieval = call.retrieval {
            let found = try await retrieval.passages(for: call.question, context)
            let fitting = try await Passage.fitting(found, beside: call.messages, answer: call.maxTokens, model)
            body["messages"] = .array(Passage.grounded(call.messages, in: fitting))
            passages = fitting
        }
        if call.stream {
            try await stream(model, body, passages, response, context)
        } else {
            let reply = try await model.chat(body)
            let text = reply.completionText ?? ""
            var answer = ending(text, reply.finishReason, passages, model, context)
            answer["text"] = .string(text)
            try await response.send(json: answer)
        }
    }

    /// `{"text"}` for each piece as it comes, then one event with the rest of what the whole response would hold.
    private func stream(_ model: Model, _ body: JSON, _ passages: [Passage]?, _ response: ResponseWriter, _ context: Context) async throws {
        let chunks = try await model.stream(body)
        try response.stream()
        var text = ""
        var finishReason: String?
        for try await chunk in chunks {
            finishReason = chunk.finishReason ?? finishReason
            guard let piece = chunk.completionText, !piece.isEmpty else { continue }
            text += piece
            try await response.send(event: ["text": piece])
        }
        try await response.send(event: ending(text, finishReason, passages, model, context))
        try await response.done()
    }

    private func ending(_ text: String, _ finishReason: String?, _ passages: [Passage]?, _ model: Model, _ context: Context) -> JSON {
        var answer: JSON = [
            "usage": JSON(context.usage), "invocation_id": .string(context.invocationID), "model": .string(model.name),
            "finish_reason": finishReason.map { .string($0) } ?? .null,
        ]
        if let passages {
            let sources = passages.enumerated().map { $1.source(index: $0 + 1) }
            answer["sources"] = .array(sources)
            answer["citations"] = .array(attribution(of: text, to: passages).map { sources[$0] })
        }
        return answer
    }
}
