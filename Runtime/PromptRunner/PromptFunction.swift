import FoundationEssentials
import FunctionKit

/// The handler of every function that is only a prompt: renders its template with the request's JSON and asks the model.
///
/// ```
/// POST /summarize {"text": "…", "max_tokens": 64, "stream": true}
/// ```
///
/// The body's fields are the template's variables; those that OpenAI's API has for sampling go to the model too.
/// The answer is `{"text", "usage", "invocation_id", "model", "finish_reason"}`; as a stream, `{"text"}` for each piece and one
/// event with the rest.
@main struct PromptFunction: Function {
    private let template: PromptTemplate

    private static let options = [
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "stop", "seed", "presence_penalty", "frequency_penalty",
        "response_format",
    ]

    init() async throws {
        guard let path = ProcessInfo.processInfo.environment["SWIFTLET_PROMPT"] else {
            throw StartError("SWIFTLET_PROMPT is not set: it names the template of a function that has `prompt:` in its function.yaml.")
        }
        template = try PromptTemplate(path: path)
    }

    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        let body = try request.json(JSON.self)
        guard case .object = body else { throw APIError.invalidRequest("The request body must be a JSON object.") }
        // The order in function.yaml is not passed on, so a prompt with several models takes the first by name.
        guard let name = context.models.names.first else { throw StartError("function.yaml names no model for this prompt.") }
        let model = try context.models[name]
        var call: JSON = ["messages": [["role": "user", "content": .string(try template.render(body))]]]
        for option in PromptFunction.options { call[option] = body[option] }
        if body["stream"] == true {
            try await stream(model, call, response, context)
        } else {
            let reply = try await model.chat(call)
            var answer = ending(reply.finishReason, model, context)
            answer["text"] = .string(reply.completionText ?? "")
            try await response.send(json: answer)
        }
    }

    private func stream(_ model: Model, _ call: JSON, _ response: ResponseWriter, _ context: Context) async throws {
        let chunks = try await model.stream(call)
        try response.stream()
        var finishReason: String?
        for try await chunk in chunks {
            finishReason = chunk.finishReason ?? finishReason
            if let piece = chunk.completionText, !piece.isEmpty { try await response.send(event: ["text": piece]) }
        }
        try await response.send(event: ending(finishReason, model, context))
        try await response.done()
    }

    private func ending(_ finishReason: String?, _ model: Model, _ context: Context) -> JSON {
        [
            "usage": JSON(context.usage), "invocation_id": .string(context.invocationID), "model": .string(model.name),
            "finish_reason": finishReason.map { .string($0) } ?? .null,
        ]
    }
}
