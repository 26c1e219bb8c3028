import FoundationEssentials

/// SentencePiece's unigram model as GGUF's tokenizer `t5`.
struct UnigramImport {
    private let file: TokenizerFile
    private let vocabulary: ImportedVocabulary
    private let characterMap: [UInt8]?

    init(_ folder: HuggingFaceFolder, _ file: TokenizerFile, _ vocabulary: ImportedVocabulary) throws {
        (self.file, self.vocabulary) = (file, vocabulary)
        let text = file.normalizer?.steps.compactMap(\.precompiled_charsmap).first
        let map = text.flatMap { Data(base64Encoded: $0) }.map(Array.init)
        guard text == nil || map != nil else { throw folder.failure("tokenizer.json", "precompiled_charsmap is not base64") }
        characterMap = map
    }

    func write(_ writer: inout GGUFWriter) {
        writer.set("tokenizer.ggml.model", .string("t5"))
        writer.set("tokenizer.ggml.tokens", .strings(vocabulary.tokens))
        var scores = [Float](repeating: 0, count: vocabulary.tokens.count)
        for (number, score) in file.model.scores.enumerated() where scores.indices.contains(number) { scores[number] = score }
        writer.set("tokenizer.ggml.scores", .float32s(scores))
        writer.set("tokenizer.ggml.token_type", .int32s(vocabulary.kinds))
        writer.set("tokenizer.ggml.add_space_prefix", .bool(file.addsSpace))
        writer.set("tokenizer.ggml.remove_extra_whitespaces", .bool(file.mergesSpaces))
        if let characterMap { writer.set("tokenizer.ggml.precompiled_charsmap", .bytes(characterMap)) }
        if let unknown = file.unknown { writer.set("tokenizer.ggml.unknown_token_id", .uint32(UInt32(unknown.number))) }
    }
}
