/// The tokenizer of a folder with `tokenizer.json`, as GGUF has it.
enum TokenizerImport {
    /// - Parameter rows: of the embedding matrix; the vocabulary is filled up to it.
    static func write(_ folder: HuggingFaceFolder, rows: Int, to writer: inout GGUFWriter) throws {
        let file = try folder.decode(TokenizerFile.self, from: "tokenizer.json")
        let config = try folder.decodeIfPresent(TokenizerConfig.self, from: "tokenizer_config.json") ?? TokenizerConfig()
        let vocabulary = try ImportedVocabulary(folder, file, config, rows: rows)
        switch file.model.type ?? "BPE" {
        case "BPE" where file.model.byte_fallback == true: SentencePieceImport(file, vocabulary).write(&writer)
        case "BPE": try ByteLevelImport(folder, file, vocabulary).write(&writer)
        case "Unigram": try UnigramImport(folder, file, vocabulary).write(&writer)
        case let kind: throw folder.unsupported("its tokenizer.json is of the type \(kind.quotedForMessage), not BPE or Unigram")
        }
        try vocabulary.writeRoles(&writer)
    }
}

/// A vocabulary by numbers, and what else all kinds of tokenizers have.
struct ImportedVocabulary {
    let tokens: [[UInt8]]
    let kinds: [Int32]
    private let folder: HuggingFaceFolder
    private let file: TokenizerFile
    private let config: TokenizerConfig

    init(_ folder: HuggingFaceFolder, _ file: TokenizerFile, _ config: TokenizerConfig, rows: Int) throws {
        (self.folder, self.file, self.config) = (folder, file, config)
        var tokens = (0..<rows).map { Array("[unused_row_\($0)]".utf8) }
        var kinds = [Int32](repeating: Int32(Vocabulary.Kind.unused.rawValue), count: rows)
        func set(_ number: Int, _ text: String, _ kind: Vocabulary.Kind) throws {
            guard tokens.indices.contains(number) else {
                throw folder.failure(
                    "tokenizer.json", "the token \(text.quotedForMessage) has number \(number), but the model only \(tokens.count) tokens")
            }
            tokens[number] = Array(text.utf8)
            kinds[number] = Int32(kind.rawValue)
        }
        let hasBytes = file.model.byte_fallback == true
        for (text, number) in file.model.vocab {
            let isByte = hasBytes && text.utf8.count == 6 && text.hasPrefix("<0x") && text.hasSuffix(">")
            try set(number, text, isByte ? .byte : .normal)
        }
        for added in file.added_tokens ?? [] { try set(added.id, added.content, added.special ? .control : .userDefined) }
        if let unknown = file.unknown { try set(unknown.number, unknown.text, .unknown) }
        (self.tokens, self.kinds) = (tokens, kinds)
    }

    /// The tokens with a part in a text, and the chat template.
    func writeRoles(_ writer: inout GGUFWriter) throws {
        for (role, token) in [("bos", config.bos_token), ("eos", config.eos_token), ("padding", config.pad_token)] {
            guard let text = token?.text else { continue }
            guard let number = tokens.firstIndex(of: Array(text.utf8)) else {
                throw folder.failure("tokenizer_config.json", "\(text.quotedForMessage) is not in the vocabulary")
            }
            writer.set("tokenizer.ggml.\(role)_token_id", .uint32(UInt32(number)))
        }
        writer.set("tokenizer.ggml.add_bos_token", .bool(config.add_bos_token ?? file.beginsWith(config.bos_token?.text)))
        if config.add_eos_token ?? file.endsWith(config.eos_token?.text) { writer.set("tokenizer.ggml.add_eos_token", .bool(true)) }
        if let template = try chatTemplate() { writer.set("tokenizer.chat_template", .string(template)) }
    }

    private func chatTemplate() throws -> String? {
        if let template = config.chat_template { return template.text }
        return folder.has("chat_template.jinja") ? String(decoding: try folder.bytes("chat_template.jinja"), as: UTF8.self) : nil
    }
}
