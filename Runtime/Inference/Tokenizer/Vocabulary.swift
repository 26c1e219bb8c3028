/// The tokens of a GGUF file: what each stands for, its kind, and the ones with a role.
struct Vocabulary: Sendable {
    /// GGUF's `tokenizer.ggml.token_type`.
    enum Kind: Int, Sendable {
        case normal = 1, unknown, control, userDefined, unused, byte
    }

    let pieces: ByteStrings
    let kinds: [Kind]
    let beginningOfSequence: Token?
    let endOfSequence: Token?
    let endOfGeneration: Set<Token>
    private let metadata: GGUFMetadata

    /// - Parameter decode: turns the text of a token, of which it gets the kind and the number, into the bytes that it stands for;
    ///   not asked for bytes, which are written `<0x0A>` in every vocabulary.
    init(_ metadata: GGUFMetadata, decode: (UnsafeRawBufferPointer, Kind, Int) -> [UInt8]) throws {
        let tokens = try metadata.requiredStringArray("tokenizer.ggml.tokens")
        guard (1...Int(Token.max)).contains(tokens.count) else {
            throw InferenceError(.invalidFile, "\(metadata.path): tokenizer.ggml.tokens has \(tokens.count) entries.")
        }
        let kinds = try Vocabulary.kinds(metadata, count: tokens.count)
        var pieces = ByteStrings()
        pieces.reserveCapacity(tokens.count)
        try tokens.forEachString { text in
            let kind = kinds[pieces.count]
            if kind == .byte, let byte = Vocabulary.byte(text) { pieces.append([byte]) } else { pieces.append(decode(text, kind, pieces.count)) }
        }
        self.pieces = pieces
        self.kinds = kinds
        self.metadata = metadata

        func token(_ role: String) throws -> Token? { try Vocabulary.token(role, metadata, count: kinds.count) }
        beginningOfSequence = try token("bos")
        endOfSequence = try token("eos")
        var ends = Set([endOfSequence, try token("eot"), try token("eom")].compactMap { $0 })
        for index in kinds.indices where kinds[index] != .normal && Vocabulary.endMarkers.contains(String(decoding: pieces[index], as: UTF8.self)) {
            ends.insert(Token(index))
        }
        endOfGeneration = ends
    }

    var count: Int { kinds.count }

    /// The token with a role in the file's metadata: `unknown`, `eot` …
    func token(_ role: String) throws -> Token? {
        try Vocabulary.token(role, metadata, count: count)
    }

    /// The bytes that a token stands for; none for control tokens.
    func bytes(of token: Token) -> [UInt8] {
        guard kinds.indices.contains(Int(token)) else { return [] }
        return switch kinds[Int(token)] {
        case .normal, .userDefined, .byte: Array(pieces[Int(token)])
        case .unknown, .control, .unused: []
        }
    }

    /// As ``bytes(of:)``, and for a control token its name.
    func spelling(of token: Token) -> [UInt8] {
        kinds.indices.contains(Int(token)) ? Array(pieces[Int(token)]) : []
    }

    /// The token of each byte; -1 where the vocabulary has none.
    var byteTokens: [Token] {
        var tokens = [Token](repeating: -1, count: 256)
        for index in kinds.indices where kinds[index] == .byte {
            if let byte = pieces[index].first, pieces[index].count == 1 { tokens[Int(byte)] = Token(index) }
        }
        return tokens
    }

    /// The byte that is written `<0x0A>`.
    private static func byte(_ text: UnsafeRawBufferPointer) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// Tokens that end a turn in the formats we know. Files often name only one of several in their metadata.
    private static let endMarkers: Set<String> = [
        "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<turn|>", "<EOT>",
        "[EOT]", "[EOS]", "<end_of_utterance>", "<|return|>", "<|call|>", "<｜end▁of▁sentence｜>",
    ]

    /// The tokens' scores, which SentencePiece's vocabularies have.
    func scores() throws -> [Float] {
        let key = "tokenizer.ggml.scores"
        guard let scores = metadata.floats(key), scores.count == count, !scores.contains(where: \.isNaN) else {
            throw InferenceError(.invalidFile, "\(metadata.path): \(key) is not an array of \(count) numbers, one per token.")
        }
        return scores.map { Float($0) + 0 }  // and no negative zeros
    }

    private static func token(_ role: String, _ metadata: GGUFMetadata, count: Int) throws -> Token? {
        let key = "tokenizer.ggml.\(role)_token_id"
        return metadata[key] == nil ? nil : Token(try metadata.requiredInteger(key, in: 0...count - 1))
    }

    private static func kinds(_ metadata: GGUFMetadata, count: Int) throws -> [Kind] {
        let key = "tokenizer.ggml.token_type"
        guard metadata[key] != nil else { return [Kind](repeating: .normal, count: count) }
        guard let numbers = metadata.integers(key), numbers.count == count else {
            throw InferenceError(.invalidFile, "\(metadata.path): \(key) is not an array of \(count) whole numbers, one per token.")
        }
        return try numbers.map { number in
            guard let kind = Kind(rawValue: number) else {
                throw InferenceError(.invalidFile, "\(metadata.path): \(key) has the unknown type \(number).")
            }
            return kind
        }
    }
}
