import Kernels

/// The weights of the llama architecture (Llama 2 and 3, TinyLlama, SmolLM and others), checked.
///
/// Tensor names and metadata keys are those of GGUF's llama:
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
struct Llama: Sendable {
    struct Layer: Sendable {
        let attentionNorm: [Float]
        let query, key, value, attentionOutput: Matrix
        let feedForwardNorm: [Float]
        let gate, up, down: Matrix
    }

    let contextLength: Int
    let width: Int
    let feedForward: Int
    let heads: Int
    let keyValueHeads: Int
    /// Elements of one head.
    let dimension: Int
    let epsilon: Float
    /// The angle by which each pair of a head's elements turns per position.
    let rotaryFrequencies: [Float]
    let embedding: Matrix
    let layers: [Layer]
    let outputNorm: [Float]
    let output: Matrix

    var vocabularyCount: Int { embedding.rows }

    func cacheShape(_ type: swl_type) -> KeyValueCache.Shape {
        KeyValueCache.Shape(layers: layers.count, heads: keyValueHeads, dimension: dimension, type: type)
    }

    init(_ file: GGUFFile, pack: WeightPack?) throws {
        let metadata = ModelMetadata(file: file, architecture: "llama")
        contextLength = try metadata.count("context_length")
        width = try metadata.count("embedding_length")
        feedForward = try metadata.count("feed_forward_length")
        heads = try metadata.count("attention.head_count")
        keyValueHeads = try metadata.count("attention.head_count_kv", default: heads)
        epsilon = try metadata.positive("attention.layer_norm_rms_epsilon")
        guard heads % keyValueHeads == 0 else {
            throw metadata.failure("\(keyValueHeads) key-value heads can't be shared evenly by \(heads) heads")
        }
        guard metadata.has("attention.key_length") || width % heads == 0 else {
            throw metadata.failure("an embedding of \(width) elements can't be divided among \(heads) heads")
        }
        dimension = try metadata.count("attention.key_length", default: width / heads)
        guard try metadata.count("attention.value_length", default: dimension) == dimension else {
            throw metadata.unsupported("values that differ in length from keys are not supported")
        }
        guard heads * dimension <= ModelMetadata.limit, (metadata.integer("expert_count") ?? 0) == 0 else {
            throw metadata.unsupported("heads of \(heads) × \(dimension) elements, or experts, are not supported")
        }

        var weights = WeightReader(file, pack: pack)
        rotaryFrequencies = try Self.rotaryFrequencies(metadata, dimension: dimension, &weights)
        let vocabularyCount = try file.tensor("token_embd.weight").rowCount
        guard (1...ModelMetadata.limit).contains(vocabularyCount) else {
            throw metadata.failure("a vocabulary of \(vocabularyCount) tokens is not supported")
        }
        embedding = try weights.table("token_embd.weight", rows: vocabularyCount, columns: width)
        let (queries, keys) = (heads * dimension, keyValueHeads * dimension)
        let (width, feedForward) = (width, feedForward)
        layers = try (0..<metadata.count("block_count")).map { layer in
            func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Matrix {
                try weights.matrix("blk.\(layer).\(name).weight", rows: rows, columns: columns)
            }
            return Layer(
                attentionNorm: try weights.vector("blk.\(layer).attn_norm.weight", count: width),
                query: try matrix("attn_q", queries, width), key: try matrix("attn_k", keys, width),
                value: try matrix("attn_v", keys, width), attentionOutput: try matrix("attn_output", width, queries),
                feedForwardNorm: try weights.vector("blk.\(layer).ffn_norm.weight", count: width),
                gate: try matrix("ffn_gate", feedForward, width), up: try matrix("ffn_up", feedForward, width),
                down: try matrix("ffn_down", width, feedForward))
        }
        outputNorm = try weights.vector("output_norm.weight", count: width)
        // Without an output matrix, the embedding is used the other way round.
        output = try weights.matrixIfPresent("output.weight", rows: vocabularyCount, columns: width) ?? embedding.packed(in: pack)
        try weights.finish()
    }

    /// base^(-2i / n) for the n / 2 pairs that turn, divided by the scaling that models with stretched contexts have:
    /// one factor for all (`rope.scaling.factor`, linear), or one for each pair (the tensor `rope_freqs.weight`, Llama 3).
    private static func rotaryFrequencies(_ metadata: ModelMetadata, dimension: Int, _ weights: inout WeightReader) throws -> [Float] {
        let turned = try metadata.count("rope.dimension_count", default: dimension)
        guard turned <= dimension, turned % 2 == 0 else {
            throw metadata.failure("rotary embeddings can't turn \(turned) of a head's \(dimension) elements")
        }
        let base = try metadata.positive("rope.freq_base", default: 10_000)
        let scaling = metadata.string("rope.scaling.type") ?? "none"
        let factor: Float
        switch scaling {
        case "none": factor = 1
        case "linear": factor = try metadata.positive("rope.scaling.factor")
        default: throw metadata.unsupported("rope scaling of the type \(scaling.quotedForMessage) is not supported")
        }
        let factors = try weights.vectorIfPresent("rope_freqs.weight", count: turned / 2)
        var frequencies = [Float](repeating: 0, count: turned / 2)
        swl_rotary_frequencies(base, turned / 2, &frequencies)
        return frequencies.indices.map { frequencies[$0] / (factor * (factors?[$0] ?? 1)) }
    }
}
