/// SentencePiece's byte-pair encoding, which `tokenizer.json` has as merges of characters with bytes to fall back to, as GGUF's
/// tokenizer `llama`: there a piece's score says how early it is merged.
struct SentencePieceImport {
    private let file: TokenizerFile
    private let vocabulary: ImportedVocabulary

    init(_ file: TokenizerFile, _ vocabulary: ImportedVocabulary) { (self.file, self.vocabulary) = (file, vocabulary) }

    func write(_ writer: inout GGUFWriter) {
        writer.set("tokenizer.ggml.model", .string("llama"))
        writer.set("tokenizer.ggml.tokens", .strings(vocabulary.tokens))
        writer.set("tokenizer.ggml.scores", .float32s(scores))
        writer.set("tokenizer.ggml.token_type", .int32s(vocabulary.kinds))
        writer.set("tokenizer.ggml.add_space_prefix", .bool(file.addsSpace))
        if let unknown = file.unknown { writer.set("tokenizer.ggml.unknown_token_id", .uint32(UInt32(unknown.number))) }
    }

    /// What no merge makes comes after everything.
    private var scores: [Float] {
        var scores = [Float](repeating: -Float(file.model.merges.count), count: vocabulary.tokens.count)
        for (rank, merge) in file.model.merges.enumerated().reversed() {
            if let number = file.model.vocab[merge.left + merge.right], scores.indices.contains(number) { scores[number] = -Float(rank) }
        }
        return scores
    }
}
