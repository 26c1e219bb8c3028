import Kernels

/// Rotary position embeddings of one kind of layer: https://arxiv.org/abs/2104.09864
struct Rotary: Sendable {
    /// The angle by which each pair of a head's elements turns per position.
    private(set) var frequencies: [Float]
    /// What turned elements are multiplied by.
    let magnitude: Float
    /// The frequencies of shorter contexts, and how long these are at the most, where they differ.
    private var short: (contextLength: Int, frequencies: [Float])?

    /// base^(-2i / n) for the n / 2 pairs that turn, divided by the scaling that models with stretched contexts have: one factor
    /// for all (`rope.scaling.factor`, linear), or one for each pair (the tensors `rope_freqs.weight`, Llama 3, and
    /// `rope_factors_long.weight` and `rope_factors_short.weight`, Phi 3).
    init(_ metadata: ModelMetadata, dimension: Int, _ weights: inout WeightReader) throws {
        let turned = try metadata.count("rope.dimension_count", default: dimension)
        guard turned <= dimension, turned % 2 == 0 else {
            throw metadata.failure("rotary embeddings can't turn \(turned) of a head's \(dimension) elements")
        }
        let scaling = metadata.string("rope.scaling.type") ?? "none"
        let factor: Float
        switch scaling {
        case "none", "longrope": factor = 1
        case "linear": factor = try metadata.positive("rope.scaling.factor")
        default: throw metadata.unsupported("rope scaling of the type \(scaling.quotedForMessage) is not supported; none, linear and longrope are")
        }
        let factors = try weights.vectorIfPresent("rope_freqs.weight", count: turned / 2)
        let long = try weights.vectorIfPresent("rope_factors_long.weight", count: turned / 2)
        let short = try weights.vectorIfPresent("rope_factors_short.weight", count: turned / 2)
        let base = try metadata.positive("rope.freq_base", default: 10_000)
        let frequencies = Rotary.frequencies(base: base, pairs: turned / 2)
        func scaled(_ factors: [Float]?) -> [Float] { frequencies.indices.map { frequencies[$0] / (factor * (factors?[$0] ?? 1)) } }
        if let long, let short {
            self.frequencies = scaled(long)
            self.short = (try metadata.count("rope.scaling.original_context_length"), scaled(short))
        } else {
            self.frequencies = scaled(factors)
        }
        magnitude = try metadata.positive("rope.scaling.attn_factor", default: 1)
    }

    /// For an engine with this context.
    func within(_ contextLength: Int) -> Rotary {
        guard let short, contextLength <= short.contextLength else { return self }
        var rotary = self
        rotary.frequencies = short.frequencies
        return rotary
    }

    /// Not scaled.
    init(base: Float, pairs: Int) {
        frequencies = Rotary.frequencies(base: base, pairs: pairs)
        magnitude = 1
    }

    private static func frequencies(base: Float, pairs: Int) -> [Float] {
        var frequencies = [Float](repeating: 0, count: pairs)
        swl_rotary_frequencies(base, pairs, &frequencies)
        return frequencies
    }
}
