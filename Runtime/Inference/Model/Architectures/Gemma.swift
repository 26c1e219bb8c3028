extension Architecture {
    /// Gemma 2: every other layer is local, scores are capped. Its 27B model has a divisor of its own.
    static let gemma2 = Architecture(
        name: "gemma2", activation: .gelu, hasNormsBehind: true, scalesEmbedding: true,
        attentionDivisor: { layers, width, heads in layers == 46 ? width / heads : nil }, isLocal: { $0.isMultiple(of: 2) })

    /// Gemma 3 (text): five local layers for each that sees everything.
    static let gemma3 = Architecture(
        name: "gemma3", activation: .gelu, hasQueryKeyNorms: true, hasNormsBehind: true, scalesEmbedding: true,
        attentionDivisor: { layers, width, heads in layers == 62 ? width / heads : nil }, isLocal: { ($0 + 1) % 6 != 0 },
        localRotaryBase: 10_000)
}
