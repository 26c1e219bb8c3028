extension Architecture {
    /// Qwen 2 and 2.5, which have biases for queries, keys and values.
    static let qwen2 = Architecture(name: "qwen2")
    /// Qwen 3, also as an embedding model.
    static let qwen3 = Architecture(name: "qwen3", hasQueryKeyNorms: true)
    static let qwen3moe = Architecture(name: "qwen3moe", hasQueryKeyNorms: true, hasExperts: true)
}
