extension Architecture {
    /// Llama 1 to 3, Mistral, Mixtral, TinyLlama, SmolLM and others. GGUF has their query and key rows in an order by which
    /// neighbours turn together. Mistral's first version has a window, which its files do not tell.
    static let llama = Architecture(name: "llama", rotaryPairs: .neighbours, hasExperts: true)
}
