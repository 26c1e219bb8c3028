import Kernels

/// The weights of a decoder, checked. Tensor names and metadata keys are GGUF's:
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
struct Transformer: Sendable {
    typealias Linear = Inference.Linear<[Float]>
    typealias Projections = Inference.Projections<[Float]>

    enum FeedForward: Sendable {
        case gated(gate: Matrix, up: Matrix, down: Matrix)
        /// Gates, then what they multiply.
        case joined(gateAndUp: Matrix, down: Matrix)
        case experts(Experts)

        func packed(in pack: WeightPack?) -> FeedForward {
            switch self {
            case .gated(let gate, let up, let down): .gated(gate: gate.packed(in: pack), up: up.packed(in: pack), down: down.packed(in: pack))
            case .joined(let gateAndUp, let down): .joined(gateAndUp: gateAndUp.packed(in: pack), down: down.packed(in: pack))
            case .experts(let experts): .experts(experts.packed(in: pack))
            }
        }
    }

    struct Layer: Sendable {
        let attentionNorm: [Float]
        private(set) var projections: Projections
        let queryNorm, keyNorm: [Float]?
        private(set) var attentionOutput: Linear
        let normBehindAttention: [Float]?
        let feedForwardNorm: [Float]
        private(set) var feedForward: FeedForward
        let normBehindFeedForward: [Float]?
        /// How many tokens, itself included, a token sees; `nil` is all.
        let window: Int?

        func packed(in pack: WeightPack?) -> Layer {
            var layer = self
            layer.projections = projections.packed(in: pack)
            layer.attentionOutput = attentionOutput.packed(in: pack)
            layer.feedForward = feedForward.packed(in: pack)
            return layer
        }
    }

    let architecture: Architecture
    let contextLength: Int
    let width: Int
    /// Elements between a feed-forward's two halves; of one expert, where there are experts.
    let feedForward: Int
    let heads: Int
    let keyValueHeads: Int
    /// Elements of one head.
    let dimension: Int
    let epsilon: Float
    let attentionScale: Float
    let attentionCap, outputCap: Float
    let rotary: Rotary
    /// Of layers with a window, where they have their own.
    let localRotary: Rotary?
    let embedding: Matrix
    private(set) var layers: [Layer]
    let outputNorm: [Float]
    private(set) var output: Matrix
    /// How an embedding model's vector is made of its tokens'; `nil` for models that generate.
    let pooling: Pooling?

    var vocabularyCount: Int { embedding.rows }
    var hasExperts: Bool {
        if case .experts? = layers.first?.feedForward { true } else { false }
    }
    var embeddingScale: Float { architecture.scalesEmbedding ? Float(width).squareRoot() : 1 }

    func cacheShape(_ type: Engine.Configuration.CacheType) throws(InferenceError) -> KeyValueCache.Shape {
        try KeyValueCache.Shape(layers: layers.count, heads: keyValueHeads, dimension: dimension, type: type)
    }

    /// With the panels of all matrices that are multiplied.
    func packed(in pack: WeightPack?) -> Transformer {
        var model = self
        model.layers = layers.map { $0.packed(in: pack) }
        model.output = output.packed(in: pack)
        return model
    }

    init(_ architecture: Architecture, _ file: GGUFFile) throws {
        let metadata = ModelMetadata(file: file, architecture: architecture.name)
        self.architecture = architecture
        self.contextLength = try metadata.count("context_length")
        width = try metadata.count("embedding_length")
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
        guard heads * dimension <= ModelMetadata.limit else {
            throw metadata.unsupported("heads of \(heads) × \(dimension) elements are not supported")
        }
        let layerCount = try metadata.count("block_count")
        attentionScale = 1 / Float(architecture.attentionDivisor?(layerCount, width, heads) ?? dimension).squareRoot()
        attentionCap = try metadata.has("attn_logit_softcapping") ? metadata.positive("attn_logit_softcapping") : 0
        outputCap = try metadata.has("final_logit_softcapping") ? metadata.positive("final_logit_softcapping") : 0
        pooling = try Pooling(metadata)

        var weights = WeightReader(file)
        let experts = try ExpertCount(metadata, isAllowed: architecture.hasExperts)
        feedForward = try experts?.width ?? metadata.count("feed_forward_length")
        rotary = try Rotary(metadata, dimension: dimension, &weights)
        localRotary = architecture.localRotaryBase.map { [rotary] in Rotary(base: $0, pairs: rotary.frequencies.count) }
        let window = try metadata.has("attention.sliding_window") ? metadata.count("attention.sliding_window") : nil
        let vocabularyCount = try file.tensor("token_embd.weight").rowCount
        guard (1...ModelMetadata.limit).contains(vocabularyCount) else {
            throw metadata.failure("a vocabulary of \(vocabularyCount) tokens is not supported")
        }
        embedding = try weights.matrix("token_embd.weight", rows: vocabularyCount, columns: width)
        let (queries, keys) = (heads * dimension, keyValueHeads * dimension)
        let (width, feedForward, dimension) = (width, feedForward, dimension)
        layers = try (0..<layerCount).map { layer in
            let at = "blk.\(layer)."
            func norm(_ name: String) throws -> [Float] { try weights.vector("\(at)\(name).weight", count: width) }
            func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Matrix {
                try weights.matrix("\(at)\(name).weight", rows: rows, columns: columns)
            }
            func linear(_ name: String, _ rows: Int, _ columns: Int) throws -> Linear {
                Linear(weight: try matrix(name, rows, columns), bias: try weights.vectorIfPresent("\(at)\(name).bias", count: rows))
            }
            let isLocal = window != nil && architecture.isLocal(layer)
            let block: FeedForward
            if let experts {
                block = .experts(try Experts(experts, layer: layer, width: width, &weights))
            } else if architecture.joinsProjections {
                block = .joined(gateAndUp: try matrix("ffn_up", 2 * feedForward, width), down: try matrix("ffn_down", width, feedForward))
            } else {
                block = .gated(
                    gate: try matrix("ffn_gate", feedForward, width), up: try matrix("ffn_up", feedForward, width),
                    down: try matrix("ffn_down", width, feedForward))
            }
            return Layer(
                attentionNorm: try norm("attn_norm"),
                projections: architecture.joinsProjections
                    ? .joined(try linear("attn_qkv", queries + 2 * keys, width))
                    : .apart(query: try linear("attn_q", queries, width), key: try linear("attn_k", keys, width), value: try linear("attn_v", keys, width)),
                queryNorm: architecture.hasQueryKeyNorms ? try weights.vector("\(at)attn_q_norm.weight", count: dimension) : nil,
                keyNorm: architecture.hasQueryKeyNorms ? try weights.vector("\(at)attn_k_norm.weight", count: dimension) : nil,
                attentionOutput: try linear("attn_output", width, queries),
                normBehindAttention: architecture.hasNormsBehind ? try norm("post_attention_norm") : nil,
                feedForwardNorm: try norm("ffn_norm"),
                feedForward: block,
                normBehindFeedForward: architecture.hasNormsBehind ? try norm("post_ffw_norm") : nil,
                window: isLocal ? window : nil)
        }
        outputNorm = try weights.vector("output_norm.weight", count: width)
        // Without an output matrix, the embedding is used the other way round.
        output = try weights.matrixIfPresent("output.weight", rows: vocabularyCount, columns: width) ?? embedding
        try weights.finish()
    }
}
