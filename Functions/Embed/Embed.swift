import FunctionKit

/// Texts to vectors: OpenAI's way, passed on as it is, and a shorter one.
@main struct Embed: Function {
    func handle(_ request: Request, _ response: ResponseWriter, _ context: Context) async throws {
        switch request.route {
        case "POST /v1/embeddings":
            let named = try request.json(Named.self)
            try await context.models[named.model].relay("/v1/embeddings", request.body, to: response)
        default:
            let call = try request.json(Call.self)
            let model = try context.models[call.model ?? "embed"]
            let vectors = try await model.embed(call.input.texts)
            try await response.send(
                json: Reply(embeddings: vectors, dimensions: vectors.first?.count ?? 0, model: model.name, usage: context.usage))
        }
    }

    private struct Named: Decodable { var model: String }

    private struct Call: Decodable {
        var input: Input
        var model: String?
    }

    /// One text or several.
    private struct Input: Decodable {
        var texts: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            texts = try (try? container.decode(String.self)).map { [$0] } ?? container.decode([String].self)
            guard !texts.isEmpty else { throw APIError.invalidRequest("'input' is empty: send one text or a list of texts.", parameter: "input") }
        }
    }

    private struct Reply: Encodable {
        var embeddings: [[Float]]
        var dimensions: Int
        var model: String
        var usage: TokenUsage
    }
}
