import FoundationEssentials

/// `tokenizer.json` with byte-level byte-pair encoding as GGUF's tokenizer `gpt2`.
struct ByteLevelImport {
    private let folder: HuggingFaceFolder
    private let file: TokenizerFile
    private let config: TokenizerConfig
    private let style: String
    private var tokens: [[UInt8]]
    private var kinds: [Int32]

    /// - Parameter rows: of the embedding matrix; the vocabulary is filled up to it.
    init(_ folder: HuggingFaceFolder, rows: Int) throws {
        self.folder = folder
        file = try folder.decode(TokenizerFile.self, from: "tokenizer.json")
        config = try folder.decodeIfPresent(TokenizerConfig.self, from: "tokenizer_config.json") ?? TokenizerConfig()
        guard file.model.type ?? "BPE" == "BPE", let style = file.style else {
            throw folder.unsupported(
                "the pre-tokenizer of its tokenizer.json is not one that Swiftlet knows: those of GPT-2, Llama 3, Qwen 2 and SmolLM")
        }
        self.style = style
        tokens = (0..<rows).map { Array("[unused_row_\($0)]".utf8) }
        kinds = [Int32](repeating: Int32(Vocabulary.Kind.unused.rawValue), count: rows)
        for (text, number) in file.model.vocab { try set(number, text, .normal) }
        for added in file.added_tokens ?? [] { try set(added.id, added.content, added.special ? .control : .userDefined) }
    }

    private mutating func set(_ number: Int, _ text: String, _ kind: Vocabulary.Kind) throws {
        guard tokens.indices.contains(number) else {
            throw folder.failure(
                "tokenizer.json", "the token \(text.quotedForMessage) has number \(number), but the model only \(tokens.count) tokens")
        }
        tokens[number] = Array(text.utf8)
        kinds[number] = Int32(kind.rawValue)
    }

    func write(_ writer: inout GGUFWriter) throws {
        writer.set("tokenizer.ggml.model", .string("gpt2"))
        writer.set("tokenizer.ggml.pre", .string(style))
        writer.set("tokenizer.ggml.tokens", .strings(tokens))
        writer.set("tokenizer.ggml.token_type", .int32s(kinds))
        writer.set("tokenizer.ggml.merges", .strings(file.model.merges.map { Array("\($0.left) \($0.right)".utf8) }))
        for (role, token) in [("bos", config.bos_token), ("eos", config.eos_token), ("padding", config.pad_token)] {
            guard let text = token?.text else { continue }
            guard let number = tokens.firstIndex(of: Array(text.utf8)) else {
                throw folder.failure("tokenizer_config.json", "\(text.quotedForMessage) is not in the vocabulary")
            }
            writer.set("tokenizer.ggml.\(role)_token_id", .uint32(UInt32(number)))
        }
        writer.set("tokenizer.ggml.add_bos_token", .bool(config.add_bos_token ?? file.beginsWith(config.bos_token?.text)))
        if let template = try chatTemplate() { writer.set("tokenizer.chat_template", .string(template)) }
    }

    private func chatTemplate() throws -> String? {
        if let template = config.chat_template { return template.text }
        return folder.has("chat_template.jinja") ? String(decoding: try folder.bytes("chat_template.jinja"), as: UTF8.self) : nil
    }
}
