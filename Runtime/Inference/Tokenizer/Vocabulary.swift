/// The tokens of a GGUF file: what each stands for, its kind, and the ones with a role.
struct Vocabulary: Sendable {
    /// GGUF's `tokenizer.ggml.token_type`.
    enum Kind: UInt8, Sendable {
        case normal = 1, unknown, control, userDefined, unused, byte
    }

    let pieces: ByteStrings
    let kinds: Kinds
    /// The token of each byte; -1 where the vocabulary has none.
    let byteTokens: [Token]
    let beginningOfSequence: Token?
    let endOfSequence: Token?
    let endOfGeneration: Set<Token>
    private let metadata: GGUFMetadata

    /// - Parameters:
    ///   - tables: where what is made of the tokens may be already, in which case `decode` is not called, and is kept otherwise.
    ///   - decode: turns the text of a token, of which it gets the kind and the number, into the bytes that it stands for; not
    ///     asked for bytes, which are written `<0x0A>` in every vocabulary.
    init(_ metadata: GGUFMetadata, _ tables: ReadyTables, decode: (UnsafeRawBufferPointer, Kind, Int) -> [UInt8]) throws {
        let contents = try tables.value("vocabulary") { try Contents(metadata, decode: decode) }
        (pieces, kinds, byteTokens) = (contents.pieces, contents.kinds, contents.byteTokens)
        self.metadata = metadata

        func token(_ role: String) throws -> Token? { try Vocabulary.token(role, metadata, count: contents.kinds.count) }
        beginningOfSequence = try token("bos")
        endOfSequence = try token("eos")
        let roles = [endOfSequence, try token("eot"), try token("eom")].compactMap(\.self)
        endOfGeneration = Set(roles + contents.endMarkers.indices.map { contents.endMarkers[$0] })
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

    /// The byte that is written `<0x0A>`.
    fileprivate static func byte(_ text: UnsafeRawBufferPointer) -> UInt8? {
        guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
        return UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16)
    }

    /// Tokens that end a turn in the formats we know. Files often name only one of several in their metadata.
    fileprivate static let endMarkers: Set<String> = [
        "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<turn|>", "<EOT>",
        "[EOT]", "[EOS]", "<end_of_utterance>", "<|return|>", "<|call|>", "<｜end▁of▁sentence｜>",
    ]

    /// The tokens' scores, which SentencePiece's vocabularies have.
    func scores(_ tables: ReadyTables) throws -> Table<Float> {
        let scores = try tables.value("scores") { Scores(values: Table(try readScores())) }.values
        guard scores.count == count else { throw InferenceError(.invalidFile, "\(metadata.path).pack is damaged. Remove it.") }
        return scores
    }

    private struct Scores: Tabular {
        let values: Table<Float>

        init(values: Table<Float>) { self.values = values }
        init?(_ stored: StoredTables) {
            guard let values: Table<Float> = stored.table("values") else { return nil }
            self.values = values
        }
        func store(in tables: inout TableList) { tables.add("values", values) }
    }

    private func readScores() throws -> [Float] {
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

    fileprivate static func kinds(_ metadata: GGUFMetadata, count: Int) throws -> [Kind] {
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

extension Vocabulary {
    /// The tokens' kinds, in their order.
    struct Kinds: RandomAccessCollection, Sendable {
        fileprivate let numbers: Table<UInt8>

        var startIndex: Int { 0 }
        var endIndex: Int { numbers.count }
        subscript(index: Int) -> Kind { Kind(rawValue: numbers[index]) ?? .unused }
    }

    /// What is kept of a vocabulary in a pack.
    private struct Contents: Tabular {
        let pieces: ByteStrings
        let kinds: Kinds
        /// See ``Vocabulary/byteTokens``.
        let byteTokens: [Token]
        /// Tokens that end a turn by their spelling.
        let endMarkers: Table<Token>

        init(_ metadata: GGUFMetadata, decode: (UnsafeRawBufferPointer, Kind, Int) -> [UInt8]) throws {
            let tokens = try metadata.requiredStringArray("tokenizer.ggml.tokens")
            guard (1...Int(Token.max)).contains(tokens.count) else {
                throw InferenceError(.invalidFile, "\(metadata.path): tokenizer.ggml.tokens has \(tokens.count) entries.")
            }
            let kinds = try Vocabulary.kinds(metadata, count: tokens.count)
            var (bytes, ends, markers): ([UInt8], [UInt32], [Token]) = ([], [], [])
            var byteTokens = [Token](repeating: -1, count: 256)
            ends.reserveCapacity(tokens.count)
            bytes.reserveCapacity(tokens.count * 8)
            try tokens.forEachString { text in
                let number = ends.count
                if kinds[number] == .byte, let byte = Vocabulary.byte(text) {
                    bytes.append(byte)
                    byteTokens[Int(byte)] = Token(number)
                } else {
                    let start = bytes.count
                    bytes += decode(text, kinds[number], number)
                    if kinds[number] != .normal, Vocabulary.endMarkers.contains(String(decoding: bytes[start...], as: UTF8.self)) {
                        markers.append(Token(number))
                    }
                }
                guard let end = UInt32(exactly: bytes.count) else {
                    throw InferenceError(.unsupported, "\(metadata.path): the tokens take more than 4 GiB.")
                }
                ends.append(end)
            }
            pieces = ByteStrings(bytes: bytes, ends: ends)
            self.kinds = Kinds(numbers: Table(kinds.map(\.rawValue)))
            self.byteTokens = byteTokens
            endMarkers = Table(markers)
        }

        init?(_ stored: StoredTables) {
            guard let pieces: ByteStrings = stored.part("pieces"), let kinds: Table<UInt8> = stored.table("kinds"),
                let byteTokens: Table<Token> = stored.table("byteTokens"), let endMarkers: Table<Token> = stored.table("endMarkers"),
                kinds.count == pieces.count, kinds.count > 0, byteTokens.count == 256
            else { return nil }
            (self.pieces, self.kinds, self.endMarkers) = (pieces, Kinds(numbers: kinds), endMarkers)
            self.byteTokens = byteTokens.indices.map { byteTokens[$0] }
        }

        func store(in tables: inout TableList) {
            tables.add("pieces", part: pieces)
            tables.add("kinds", kinds.numbers)
            tables.add("byteTokens", Table(byteTokens))
            tables.add("endMarkers", endMarkers)
        }
    }
}
