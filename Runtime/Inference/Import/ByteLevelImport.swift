/// Byte-level byte-pair encoding as GGUF's tokenizer `gpt2`.
struct ByteLevelImport {
    private let file: TokenizerFile
    private let vocabulary: ImportedVocabulary
    private let style: String

    init(_ folder: HuggingFaceFolder, _ file: TokenizerFile, _ vocabulary: ImportedVocabulary) throws {
        guard let style = file.style else {
            throw folder.unsupported(
                "the pre-tokenizer of its tokenizer.json is not one that Swiftlet knows: those of GPT-2, Llama 3, Qwen 2 and SmolLM")
        }
        (self.file, self.vocabulary, self.style) = (file, vocabulary, style)
    }

    func write(_ writer: inout GGUFWriter) {
        writer.set("tokenizer.ggml.model", .string("gpt2"))
        writer.set("tokenizer.ggml.pre", .string(style))
        writer.set("tokenizer.ggml.tokens", .strings(vocabulary.tokens))
        writer.set("tokenizer.ggml.token_type", .int32s(vocabulary.kinds))
        writer.set("tokenizer.ggml.merges", .strings(file.model.merges.map { Array("\($0.left) \($0.right)".utf8) }))
    }
}
