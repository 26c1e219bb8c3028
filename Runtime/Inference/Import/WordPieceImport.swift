/// An uncased BERT's `vocab.txt`, or its `tokenizer.json` where there is no other, as GGUF's tokenizer `bert`.
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
        guard config?.do_lower_case ?? true, config?.strip_accents ?? true else { throw cased }
        let source = folder.has("vocab.txt") ? "vocab.txt" : "tokenizer.json"
        guard folder.has(source) else { throw folder.failure("vocab.txt", "it is not there, nor is tokenizer.json") }
        let pieces = try source == "vocab.txt" ? lines() : piecesOfTokenizerFile()
        guard pieces.count <= rows else { throw folder.failure(source, "it has \(pieces.count) tokens, but the model only \(rows)") }
        for piece in pieces { add(piece) }
        for index in pieces.count..<rows { add(unusedRow(index)) }
        for role in ["[CLS]", "[SEP]", "[UNK]"] where roles[role] == nil { throw folder.failure(source, "it lacks \(role)") }
    }

    private var cased: InferenceError { folder.unsupported("its vocabulary is cased or keeps accents; Swiftlet has uncased BERT vocabularies") }

    private func unusedRow(_ index: Int) -> [UInt8] { Array("[unused_row_\(index)]".utf8) }

    /// Of `vocab.txt`, where a token's number is its line's.
    private func lines() throws -> [[UInt8]] {
        var lines = try folder.bytes("vocab.txt").split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { Array($0.last == 0x0d ? $0.dropLast() : $0) }
    }

    private func piecesOfTokenizerFile() throws -> [[UInt8]] {
        let file = try folder.decode(TokenizerFile.self, from: "tokenizer.json")
        guard file.model.type == "WordPiece", file.model.continuing_subword_prefix ?? "##" == "##" else {
            throw folder.unsupported("its tokenizer.json is not a BERT's, of the type \"WordPiece\"")
        }
        guard let step = file.normalizer, step.type == "BertNormalizer", step.lowercase ?? true, step.strip_accents ?? true else { throw cased }
        let numbered = file.model.vocab.map { ($0.value, $0.key) } + (file.added_tokens ?? []).map { ($0.id, $0.content) }
        let count = (numbered.map(\.0).max() ?? -1) + 1
        guard numbered.allSatisfy({ $0.0 >= 0 }), count <= 1 << 24 else { throw folder.failure("tokenizer.json", "a token's number is out of range") }
        var pieces = (0..<count).map(unusedRow)
        for (number, text) in numbered { pieces[number] = Array(text.utf8) }
        return pieces
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
