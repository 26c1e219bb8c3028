/// What a model is and can do.
package struct ModelDescription: Hashable, Sendable {
    package let name: String
    /// As GGUF names it: `llama`, `bert`.
    package let architecture: String
    /// The most tokens of one text, prompt and answer together.
    package let contextLength: Int
    /// What the model could have with a cache that is large enough.
    package let trainedContextLength: Int
    /// The elements of an embedding.
    package let embeddingLength: Int
    package let vocabularyCount: Int
    /// Whether it generates and scores text.
    package let canGenerate: Bool
    package var canEmbed: Bool { !canGenerate }
    package let parameterCount: Int

    init(_ file: GGUFFile, contextLength: Int, trainedContextLength: Int, embeddingLength: Int, vocabularyCount: Int, canGenerate: Bool) {
        let fileName = file.path.split(separator: "/").last.map(String.init) ?? file.path
        name = file.metadata.string("general.name") ?? (fileName.hasSuffix(".gguf") ? String(fileName.dropLast(5)) : fileName)
        architecture = file.metadata.string("general.architecture") ?? ""
        self.contextLength = contextLength
        self.trainedContextLength = trainedContextLength
        self.embeddingLength = embeddingLength
        self.vocabularyCount = vocabularyCount
        self.canGenerate = canGenerate
        parameterCount = file.tensors.reduce(0) { $0 + $1.elementCount }
    }
}
