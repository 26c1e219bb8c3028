/// `vocab.txt` of an uncased BERT as GGUF's tokenizer `bert`.
struct WordPieceImport {
    private let folder: HuggingFaceFolder
    private var tokens: [[UInt8]] = []
    private var kinds: [Int32] = []
    private var roles: [String: UInt32] = [:]

    /// - Parameter rows: of the embedding matrix; the vocabulary is filled up to it.
    init(_ folder: HuggingFaceFolder, rows: Int) throws {
        struct Config: Decodable { let do_lower_case, strip_accents: Bool? }
        self.folder = folder
        let config = try folder.decodeIfPresent(Config.self, from: "tokenizer_config.json")
        guard config?.do_lower_case ?? true, config?.strip_accents ?? true else {
            throw folder.unsupported("its vocabulary is cased or keeps accents; Swiftlet has uncased BERT vocabularies")
        }
        var lines = try folder.bytes("vocab.txt").split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count <= rows else { throw folder.failure("vocab.txt", "it has \(lines.count) tokens, but the model only \(rows)") }
        for line in lines { add(line.last == 0x0d ? line.dropLast() : line) }
        for index in lines.count..<rows { add("[unused_row_\(index)]".utf8) }
        for role in ["[CLS]", "[SEP]", "[UNK]"] where roles[role] == nil { throw folder.failure("vocab.txt", "it lacks \(role)") }
    }

    /// In GGUF a token that begins a word has `▁` before it, and one that goes on has lost its `##`.
    private mutating func add(_ token: some Collection<UInt8>) {
        let text = String(decoding: token, as: UTF8.self)
        if ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].contains(text) {
            roles[text] = UInt32(tokens.count)
            kinds.append(Int32(Vocabulary.Kind.control.rawValue))
            tokens.append(Array(token))
        } else if text.hasPrefix("[unused") {
            kinds.append(Int32(Vocabulary.Kind.unused.rawValue))
            tokens.append(Array(token))
        } else {
            kinds.append(Int32(Vocabulary.Kind.normal.rawValue))
            tokens.append(token.starts(with: "##".utf8) ? Array(token.dropFirst(2)) : Array("▁".utf8) + token)
        }
    }

    func write(_ writer: inout GGUFWriter) {
        writer.set("tokenizer.ggml.model", .string("bert"))
        writer.set("tokenizer.ggml.tokens", .strings(tokens))
        writer.set("tokenizer.ggml.token_type", .int32s(kinds))
        for (role, key) in [
            ("[CLS]", "bos"), ("[SEP]", "eos"), ("[UNK]", "unknown"), ("[SEP]", "seperator"), ("[PAD]", "padding"), ("[MASK]", "mask"),
        ] {
            if let token = roles[role] { writer.set("tokenizer.ggml.\(key)_token_id", .uint32(token)) }
        }
    }
}
