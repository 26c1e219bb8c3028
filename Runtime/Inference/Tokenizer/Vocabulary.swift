/// The tokens of a GGUF file: what each stands for, its kind, and the ones with a role.
struct Vocabulary: Sendable {
    /// GGUF's `tokenizer.ggml.token_type`.
    enum Kind: UInt8, Sendable {
        case normal = 1, unknown, control, userDefined, unused, byte
    }

    let pieces: ByteStrings
    private let kinds: Table<UInt8>
    let beginningOfSequence: Token?
    let endOfSequence: Token?
    let endOfGeneration: Set<Token>
    private let metadata: GGUFMetadata

    /// - Parameters:
    ///   - tables: where what is made of the tokens may be already, and is kept otherwise.
    ///   - decode: turns a normal token's text into the bytes that it stands for.
    init(_ metadata: GGUFMetadata, _ tables: ReadyTables, decode: (UnsafeRawBufferPointer) -> [UInt8]) throws {
        let contents = try tables.value("vocabulary") { try Contents(metadata, decode: decode) }
        (pieces, kinds) = (contents.pieces, contents.kinds)
        self.metadata = metadata

        func token(_ role: String) throws -> Token? { try Vocabulary.token(role, metadata, count: contents.kinds.count) }
        beginningOfSequence = try token("bos")
        endOfSequence = try token("eos")
        let roles = [endOfSequence, try token("eot"), try token("eom")].compactMap(\.self)
        endOfGeneration = Set(roles + contents.endMarkers.indices.map { contents.endMarkers[$0] })
    }

    /// The token's kind, for numbers in the vocabulary.
    func kind(of index: Int) -> Kind { Kind(rawValue: kinds[index]) ?? .unused }

    /// What is kept of the vocabulary in a pack.
    private struct Contents: Tabular {
        let pieces: ByteStrings
        let kinds: Table<UInt8>
        /// Tokens that end a turn by their spelling.
        let endMarkers: Table<Token>

        init(_ metadata: GGUFMetadata, decode: (UnsafeRawBufferPointer) -> [UInt8]) throws {
            let tokens = try metadata.requiredStringArray("tokenizer.ggml.tokens")
            guard (1...Int(Token.max)).contains(tokens.count) else {
                throw InferenceError(.invalidFile, "\(metadata.path): tokenizer.ggml.tokens has \(tokens.count) entries.")
            }
            let kinds = try Vocabulary.kinds(metadata, count: tokens.count)
            var (bytes, ends, markers): ([UInt8], [UInt32], [Token]) = ([], [], [])
            bytes.reserveCapacity(tokens.count * 8)
            ends.reserveCapacity(tokens.count)
            try tokens.forEachString { text in
                let kind = kinds[ends.count]
                if kind == .normal {
                    bytes += decode(text)
                } else {
                    bytes += text
                    if Vocabulary.endMarkers.contains(String(decoding: text, as: UTF8.self)) { markers.append(Token(ends.count)) }
                }
                guard let end = UInt32(exactly: bytes.count) else {
                    throw InferenceError(.unsupported, "\(metadata.path): the tokens take more than 4 GiB.")
                }
                ends.append(end)
            }
            (pieces, self.kinds) = (ByteStrings(bytes: bytes, ends: ends), Table(kinds.map(\.rawValue)))
            endMarkers = Table(markers)
        }

        init?(_ stored: StoredTables) {
            guard let pieces: ByteStrings = stored.part("pieces"), let kinds: Table<UInt8> = stored.table("kinds"),
                let endMarkers: Table<Token> = stored.table("endMarkers"), kinds.count == pieces.count, kinds.count > 0
            else { return nil }
            (self.pieces, self.kinds, self.endMarkers) = (pieces, kinds, endMarkers)
        }

        func store(in tables: inout TableList) {
            tables.add("pieces", part: pieces)
            tables.add("kinds", kinds)
            tables.add("endMarkers", endMarkers)
        }
    }

    var count: Int { kinds.count }

    /// The token with a role in the file's metadata: `unknown`, `eot` …
    func token(_ role: String) throws -> Token? {
        try Vocabulary.token(role, metadata, count: count)
    }

    /// The bytes that a token stands for; none for control tokens.
    func bytes(of token: Token) -> [UInt8] {
        guard kinds.indices.contains(Int(token)) else { return [] }
        return switch kind(of: Int(token)) {
        case .normal, .userDefined, .byte: Array(pieces[Int(token)])
        case .unknown, .control, .unused: []
        }
    }

    /// Tokens that end a turn in the formats we know. Files often name only one of several in their metadata.
    private static let endMarkers: Set<String> = [
        "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>",
    ]

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
            guard let kind = UInt8(exactly: number).flatMap(Kind.init(rawValue:)) else {
                throw InferenceError(.invalidFile, "\(metadata.path): \(key) has the unknown type \(number).")
            }
            return kind
        }
    }
}
