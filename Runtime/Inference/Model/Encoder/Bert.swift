import Kernels

/// The weights of an encoder, checked. Names are those of GGUF's bert and nomic-bert.
struct Bert: Sendable {
    typealias Linear = Transformer.Linear

    struct Norm: Sendable {
        let weight, bias: [Float]
    }

    enum FeedForward: Sendable {
        case plain(up: Linear, down: Linear)
        case gated(gate: Linear, up: Linear, down: Linear)
    }

    struct Layer: Sendable {
        let projections: Transformer.Projections
        let attentionOutput: Linear
        let attentionNorm: Norm
        let feedForward: FeedForward
        let outputNorm: Norm
    }

    let architecture: EncoderArchitecture
    let contextLength: Int
    let width: Int
    let feedForward: Int
    let heads: Int
    let epsilon: Float
    let pooling: Pooling
    let tokenEmbedding: Matrix
    /// `nil` where positions turn queries and keys by `rotary`.
    let positionEmbedding: Matrix?
    let rotary: Rotary?
    /// The embedding of the first token type: all tokens are of that type where there is one text.
    let typeEmbedding: [Float]?
    let embeddingNorm: Norm
    let layers: [Layer]

    var vocabularyCount: Int { tokenEmbedding.rows }
    var dimension: Int { width / heads }

    init(_ architecture: EncoderArchitecture, _ file: GGUFFile, pack: WeightPack?) throws {
        let metadata = ModelMetadata(file: file, architecture: architecture.name)
        self.architecture = architecture
        contextLength = try metadata.count("context_length")
        width = try metadata.count("embedding_length")
        feedForward = try metadata.count("feed_forward_length")
        heads = try metadata.count("attention.head_count")
        epsilon = try metadata.positive("attention.layer_norm_epsilon")
        guard width % heads == 0 else {
            throw metadata.failure("an embedding of \(width) elements can't be divided among \(heads) heads")
        }
        pooling = try Pooling(metadata) ?? .mean
        guard metadata.bool("attention.causal") != true, (metadata.integer("expert_count") ?? 0) == 0 else {
            throw metadata.unsupported("causal attention and experts are not supported in \(architecture.name)")
        }

        let vocabularyCount = try file.tensor("token_embd.weight").rowCount
        guard (1...ModelMetadata.limit).contains(vocabularyCount) else {
            throw metadata.failure("a vocabulary of \(vocabularyCount) tokens is not supported")
        }
        var weights = WeightReader(file, pack: pack)
        let (width, feedForward) = (width, feedForward)
        func norm(_ name: String) throws -> Norm {
            Norm(
                weight: try weights.vector("\(name).weight", count: width), bias: try weights.vector("\(name).bias", count: width))
        }
        func linear(_ name: String, rows: Int, columns: Int) throws -> Linear {
            Linear(
                weight: try weights.matrix("\(name).weight", rows: rows, columns: columns),
                bias: try weights.vectorIfPresent("\(name).bias", count: rows))
        }
        tokenEmbedding = try weights.table("token_embd.weight", rows: vocabularyCount, columns: width)
        if architecture.turnsPositions {
            (positionEmbedding, rotary) = (nil, try Rotary(metadata, dimension: width / heads, contextLength: contextLength, &weights))
        } else {
            (positionEmbedding, rotary) = (try weights.table("position_embd.weight", rows: contextLength, columns: width), nil)
        }
        typeEmbedding = try file.tensorIfPresent("token_types.weight").map {
            try weights.table("token_types.weight", rows: $0.rowCount, columns: width).floats(row: 0)
        }
        embeddingNorm = try norm("token_embd_norm")
        layers = try (0..<metadata.count("block_count")).map { layer in
            let layer = "blk.\(layer)."
            let projections: Transformer.Projections = architecture.joinsProjections
                ? .joined(try linear(layer + "attn_qkv", rows: 3 * width, columns: width))
                : .apart(
                    query: try linear(layer + "attn_q", rows: width, columns: width),
                    key: try linear(layer + "attn_k", rows: width, columns: width),
                    value: try linear(layer + "attn_v", rows: width, columns: width))
            let up = try linear(layer + "ffn_up", rows: feedForward, columns: width)
            let down = try linear(layer + "ffn_down", rows: width, columns: feedForward)
            return Layer(
                projections: projections, attentionOutput: try linear(layer + "attn_output", rows: width, columns: width),
                attentionNorm: try norm(layer + "attn_output_norm"),
                feedForward: architecture.isGated
                    ? .gated(gate: try linear(layer + "ffn_gate", rows: feedForward, columns: width), up: up, down: down)
                    : .plain(up: up, down: down),
                outputNorm: try norm(layer + "layer_output_norm"))
        }
        try weights.finish()
    }
}
