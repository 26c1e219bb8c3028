import Kernels

/// The weights of the bert architecture (MiniLM, BGE, E5 and others), checked. Names are those of GGUF's bert.
struct Bert: Sendable {
    /// How the tokens' vectors become one.
    enum Pooling: Int, Sendable {
        case mean = 1
        /// The first token's vector.
        case first = 2
        case last = 3
    }

    struct Linear: Sendable {
        let weight: Matrix
        let bias: [Float]
    }

    struct Norm: Sendable {
        let weight, bias: [Float]
    }

    struct Layer: Sendable {
        let query, key, value, attentionOutput: Linear
        let attentionNorm: Norm
        let up, down: Linear
        let outputNorm: Norm
    }

    let contextLength: Int
    let width: Int
    let feedForward: Int
    let heads: Int
    let epsilon: Float
    let pooling: Pooling
    let tokenEmbedding: Matrix
    let positionEmbedding: Matrix
    /// The embedding of the first token type: all tokens are of that type where there is one text.
    let typeEmbedding: [Float]
    let embeddingNorm: Norm
    let layers: [Layer]

    var vocabularyCount: Int { tokenEmbedding.rows }
    var dimension: Int { width / heads }

    init(_ file: GGUFFile, pack: WeightPack?) throws {
        let metadata = ModelMetadata(file: file, architecture: "bert")
        contextLength = try metadata.count("context_length")
        width = try metadata.count("embedding_length")
        feedForward = try metadata.count("feed_forward_length")
        heads = try metadata.count("attention.head_count")
        epsilon = try metadata.positive("attention.layer_norm_epsilon")
        guard width % heads == 0 else {
            throw metadata.failure("an embedding of \(width) elements can't be divided among \(heads) heads")
        }
        guard let pooling = Pooling(rawValue: metadata.integer("pooling_type") ?? Pooling.mean.rawValue) else {
            throw metadata.unsupported("bert.pooling_type \(metadata.integer("pooling_type") ?? 0) is not supported; 1 (mean), 2 (cls) and 3 (last) are")
        }
        self.pooling = pooling
        if metadata.bool("attention.causal") == true {
            throw metadata.unsupported("causal attention is not supported in bert")
        }

        let vocabularyCount = try file.tensor("token_embd.weight").rowCount
        let typeCount = try file.tensor("token_types.weight").rowCount
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
                bias: try weights.vector("\(name).bias", count: rows))
        }
        tokenEmbedding = try weights.table("token_embd.weight", rows: vocabularyCount, columns: width)
        positionEmbedding = try weights.table("position_embd.weight", rows: contextLength, columns: width)
        typeEmbedding = try weights.table("token_types.weight", rows: typeCount, columns: width).floats(row: 0)
        embeddingNorm = try norm("token_embd_norm")
        layers = try (0..<metadata.count("block_count")).map { layer in
            let layer = "blk.\(layer)."
            return Layer(
                query: try linear(layer + "attn_q", rows: width, columns: width),
                key: try linear(layer + "attn_k", rows: width, columns: width),
                value: try linear(layer + "attn_v", rows: width, columns: width),
                attentionOutput: try linear(layer + "attn_output", rows: width, columns: width),
                attentionNorm: try norm(layer + "attn_output_norm"),
                up: try linear(layer + "ffn_up", rows: feedForward, columns: width),
                down: try linear(layer + "ffn_down", rows: width, columns: feedForward),
                outputNorm: try norm(layer + "layer_output_norm"))
        }
        try weights.finish()
    }
}
