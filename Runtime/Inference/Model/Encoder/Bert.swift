import Kernels

/// The weights of an encoder, checked. Names are those of GGUF's bert and nomic-bert.
struct Bert: Sendable {
    typealias Linear = Inference.Linear<Vector>
    typealias Projections = Inference.Projections<Vector>

    struct Norm: Sendable {
        let weight, bias: Vector
    }

    enum FeedForward: Sendable {
        case plain(up: Linear, down: Linear)
        case gated(gate: Linear, up: Linear, down: Linear)

        func packed(in pack: WeightPack?) -> FeedForward {
            switch self {
            case .plain(let up, let down): .plain(up: up.packed(in: pack), down: down.packed(in: pack))
            case .gated(let gate, let up, let down): .gated(gate: gate.packed(in: pack), up: up.packed(in: pack), down: down.packed(in: pack))
            }
        }
    }

    struct Layer: Sendable {
        let projections: Projections
        let attentionOutput: Linear
        let attentionNorm: Norm
        let feedForward: FeedForward
        let outputNorm: Norm

        func packed(in pack: WeightPack?) -> Layer {
            Layer(
                projections: projections.packed(in: pack), attentionOutput: attentionOutput.packed(in: pack), attentionNorm: attentionNorm,
                feedForward: feedForward.packed(in: pack), outputNorm: outputNorm)
        }
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
    let typeEmbedding: Vector?
    let embeddingNorm: Norm
    private(set) var layers: [Layer]
    private let vectors = VectorMemory()

    var vocabularyCount: Int { tokenEmbedding.rows }
    var dimension: Int { width / heads }

    /// With the panels of all matrices that are multiplied.
    func packed(in pack: WeightPack?) -> Bert {
        var model = self
        model.layers = layers.map { $0.packed(in: pack) }
        return model
    }

    init(_ architecture: EncoderArchitecture, _ file: GGUFFile) throws {
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
        var weights = WeightReader(file)
        let (width, feedForward, vectors) = (width, feedForward, vectors)
        func norm(_ name: String) throws -> Norm {
            Norm(
                weight: vectors.keep(try weights.vector("\(name).weight", count: width)),
                bias: vectors.keep(try weights.vector("\(name).bias", count: width)))
        }
        func linear(_ name: String, rows: Int, columns: Int) throws -> Linear {
            Linear(
                weight: try weights.matrix("\(name).weight", rows: rows, columns: columns),
                bias: try weights.vectorIfPresent("\(name).bias", count: rows).map(vectors.keep))
        }
        tokenEmbedding = try weights.matrix("token_embd.weight", rows: vocabularyCount, columns: width)
        if architecture.turnsPositions {
            (positionEmbedding, rotary) = (nil, try Rotary(metadata, dimension: width / heads, &weights).within(contextLength))
        } else {
            (positionEmbedding, rotary) = (try weights.matrix("position_embd.weight", rows: contextLength, columns: width), nil)
        }
        typeEmbedding = try file.tensorIfPresent("token_types.weight").map {
            vectors.keep(try weights.matrix("token_types.weight", rows: $0.rowCount, columns: width).floats(row: 0))
        }
        embeddingNorm = try norm("token_embd_norm")
        layers = try (0..<metadata.count("block_count")).map { layer in
            let layer = "blk.\(layer)."
            let projections: Projections = architecture.joinsProjections
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
