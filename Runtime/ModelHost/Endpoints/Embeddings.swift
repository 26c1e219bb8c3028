import FoundationEssentials
import Hummingbird
import Inference
import Ledger
import Wire

extension Host {
    /// `POST /v1/embeddings`
    func embed(_ call: Call) async throws -> Response {
        let model = try model(of: call)
        guard engine.description.canEmbed else {
            throw APIError.invalidRequest(
                "The model '\(alias)' generates text and makes no embeddings. Use /v1/chat/completions or /v1/completions.", parameter: "model")
        }
        let format = try embeddingFormat(call.fields)
        let dimensions = try dimensions(call.fields)
        let inputs = try call.fields.inputs("input")
        guard (1...2048).contains(inputs.count) else { throw APIError.wrongValue("input", "there must be 1 to 2048 inputs.") }
        if inputs.contains(where: { if case .text("") = $0 { true } else { false } }) {
            throw APIError.wrongValue("input", "it must not be an empty string.")
        }
        let tokens = inputs.map(engine.tokenizer.encodeForModel)
        let request = call.request(model, .embedding, promptTokens: tokens.reduce(0) { $0 + $1.count })
        let admission = try await meter.admit(request)
        // A caller that hangs up cancels the rest of the batch; nothing was delivered then, and nothing is charged.
        let vectors: [[Float]]
        do {
            vectors = try await call.caller.cancellingOnHangUp { try await engine.embed(tokens) }
        } catch {
            await meter.release(request, admission)
            throw (error as? InferenceError).map { APIError($0, logger: logger).at("input") } ?? error
        }
        let row = UsageRow(
            invocation: request.invocation, call: request.call, model: request.model, kind: .embedding, promptTokens: request.promptTokens,
            started: call.begun, load: load.claim(), attempt: request.attempt)
        let usage = try await meter.charge(request, admission) { row }.value
        return try Response.json(
            EmbeddingList(
                data: vectors.enumerated().map { Embedding(index: $0, vector: cut($1, to: dimensions), format: format) }, model: request.model, usage: usage))
    }

    private func embeddingFormat(_ fields: RequestFields) throws -> EmbeddingFormat {
        let name = try fields.string("encoding_format") ?? EmbeddingFormat.float.rawValue
        guard let format = EmbeddingFormat(rawValue: name) else { throw APIError.wrongValue("encoding_format", "it is float or base64.") }
        return format
    }

    private func dimensions(_ fields: RequestFields) throws -> Int {
        let length = engine.description.embeddingLength
        guard let dimensions = try fields.integer("dimensions") else { return length }
        guard (1...length).contains(dimensions) else {
            throw APIError.wrongValue("dimensions", "the embeddings of '\(alias)' have 1 to \(length) dimensions.")
        }
        return dimensions
    }

    /// The vector's first numbers, of length 1 again: what models trained for it (https://arxiv.org/abs/2205.13147) mean by fewer
    /// dimensions. Others lose more by it.
    private func cut(_ vector: [Float], to dimensions: Int) -> [Float] {
        guard dimensions < vector.count else { return vector }
        let length = vector.prefix(dimensions).reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.prefix(dimensions).map { length > 0 ? $0 / length : 0 }
    }
}

enum EmbeddingFormat: String {
    case float, base64
}

/// OpenAI's list of embeddings.
private struct EmbeddingList: Encodable {
    let object = "list"
    let data: [Embedding]
    let model: String
    let usage: TokenUsage
}

private struct Embedding: Encodable {
    let index: Int
    let vector: [Float]
    let format: EmbeddingFormat

    private enum CodingKeys: String, CodingKey { case object, index, embedding }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("embedding", forKey: .object)
        try container.encode(index, forKey: .index)
        switch format {
        case .float: try container.encode(vector, forKey: .embedding)
        case .base64: try container.encode(base64, forKey: .embedding)
        }
    }

    /// 32-bit floats, little-endian.
    private var base64: String {
        Data(vector.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }).base64EncodedString()
    }
}
