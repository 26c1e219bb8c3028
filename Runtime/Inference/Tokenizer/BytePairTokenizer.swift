/// Byte-level byte-pair encoding: GPT-2's tokenizer and its descendants (Llama 3, Qwen 2, SmolLM).
///
/// Text is split into words; a word's bytes become tokens, and neighbours merge by the vocabulary's list of merges.
struct BytePairTokenizer: Tokenizer {
    private let vocabulary: Vocabulary
    private let specials: SpecialTokens
    private let index: ByteStringIndex
    private let merges: BytePairMerges
    private let style: Style
    /// The token of each byte; -1 where the vocabulary has none.
    private let byteTokens: [Token]
    let addsBeginningOfSequence: Bool
    let addsEndOfSequence: Bool

    init(_ metadata: GGUFMetadata) throws {
        style = try Style(metadata)
        let vocabulary = try Vocabulary(metadata, decode: ByteLevelAlphabet.decode)
        // Only normal tokens can come out of merging: user text that spells a control token never becomes it.
        let index = ByteStringIndex(vocabulary.pieces) { vocabulary.kinds[$0] == .normal }
        merges = try BytePairTokenizer.merges(metadata, index)
        byteTokens = (0...255).map { index.find([UInt8($0)]) ?? -1 }
        specials = SpecialTokens(vocabulary)
        self.vocabulary = vocabulary
        self.index = index
        addsBeginningOfSequence =
            vocabulary.beginningOfSequence != nil && metadata.bool("tokenizer.ggml.add_bos_token") ?? style.addsBeginningOfSequence
        addsEndOfSequence = vocabulary.endOfSequence != nil && metadata.bool("tokenizer.ggml.add_eos_token") ?? false
    }

    var beginningOfSequence: Token? { vocabulary.beginningOfSequence }
    var endOfSequence: Token? { vocabulary.endOfSequence }
    var vocabularyCount: Int { vocabulary.count }
    func isEndOfGeneration(_ token: Token) -> Bool { vocabulary.endOfGeneration.contains(token) }
    func bytes(of token: Token) -> [UInt8] { vocabulary.bytes(of: token) }
    func specialToken(_ text: String) -> Token? { specials.control(text) }

    func encode(_ text: String, control: [Range<Int>]) -> [Token] {
        let bytes = Array(text.utf8)
        var tokens: [Token] = []
        specials.split(
            bytes, control: control,
            plain: { range in
                guard style.composes else { return style.splitter.split(bytes, in: range) { encode(bytes[$0], into: &tokens) } }
                let composed = String(decoding: bytes[range], as: UTF8.self).canonicallyComposedUTF8
                style.splitter.split(composed, in: composed.indices) { encode(composed[$0], into: &tokens) }
            },
            special: { tokens.append($0) })
        return tokens
    }

    private func encode(_ word: ArraySlice<UInt8>, into tokens: inout [Token]) {
        if style.prefersWholeWords, let token = index.find(word) {
            tokens.append(token)
            return
        }
        var pieces = word.map { byteTokens[Int($0)] }
        if pieces.contains(-1) { pieces.removeAll { $0 < 0 } }
        merges.apply(to: &pieces)
        tokens += pieces
    }

    private static func merges(_ metadata: GGUFMetadata, _ index: ByteStringIndex) throws -> BytePairMerges {
        let key = "tokenizer.ggml.merges"
        let lines = try metadata.requiredStringArray(key)
        guard lines.count <= Int(Token.max) else { throw InferenceError(.invalidFile, "\(metadata.path): \(key) is too long.") }
        var merges = BytePairMerges(capacity: lines.count)
        var rank = 0
        try lines.forEachString { line in
            guard let space = line.dropFirst().firstIndex(of: 0x20) else {
                throw InferenceError(.invalidFile, "\(metadata.path): entry \(rank) of \(key) is not two tokens with a space between them.")
            }
            let left = ByteLevelAlphabet.decode(line[..<space])
            let right = ByteLevelAlphabet.decode(line[(space + 1)...])
            // A merge of tokens that the vocabulary lacks can never apply.
            if let a = index.find(left[...]), let b = index.find(right[...]), let result = index.find((left + right)[...]) {
                merges.add(a, b, rank: rank, result: result)
            }
            rank += 1
        }
        return merges
    }
}

extension BytePairTokenizer {
    /// What differs between families, which `tokenizer.ggml.pre` names.
    struct Style: Sendable {
        var splitter: WordSplitter
        /// A word that is a token is taken whole, even if no merges lead to it.
        var prefersWholeWords = false
        /// Text is brought into normalization form C first.
        var composes = false
        /// Where the file does not say it.
        var addsBeginningOfSequence = false

        init(_ metadata: GGUFMetadata) throws {
            let name = metadata.string("tokenizer.ggml.pre") ?? "default"
            switch name {
            case "gpt-2", "default": splitter = .gpt2
            case "smollm", "starcoder", "refact", "command-r": splitter = .gpt2SingleDigits
            case "llama-bpe", "llama3", "llama-v3":
                splitter = .llama3(digits: 3)
                prefersWholeWords = true
                addsBeginningOfSequence = true
            case "qwen2":
                splitter = .llama3(digits: 1)
                composes = true
            default:
                throw InferenceError(
                    .unsupported,
                    "\(metadata.path): the pre-tokenizer \(name.quotedForMessage) is not supported; Swiftlet has gpt-2, llama-bpe, qwen2 and smollm.")
            }
        }
    }
}
