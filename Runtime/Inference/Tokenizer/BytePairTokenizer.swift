/// Byte-pair encoding by a list of merges: GPT-2's tokenizer and its descendants (Llama 3, Qwen, DeepSeek), and Gemma 4's.
///
/// Text is split into words; a word's bytes, or characters, become tokens, and neighbours merge by the vocabulary's list of merges.
// A class, as the other tokenizers: closures that hold a value of many parts would copy it at each call.
final class BytePairTokenizer: VocabularyTokenizer {
    let vocabulary: Vocabulary
    let specials: SpecialTokens
    private let index: ByteStringIndex
    private let merges: BytePairMerges
    private let kind: PreTokenizer
    private let splitter: WordSplitter
    /// The token of each byte; -1 where the vocabulary has none.
    private let byteTokens: [Token]
    let addsBeginningOfSequence: Bool
    let addsEndOfSequence: Bool

    /// - Parameter defaultKind: the pre-tokenizer of a file that names none.
    init(_ metadata: GGUFMetadata, _ tables: ReadyTables, defaultKind: String = "default") throws {
        let name = metadata.string("tokenizer.ggml.pre") ?? defaultKind
        guard let kind = PreTokenizer.named(name) else {
            throw InferenceError(
                .unsupported,
                "\(metadata.path): the pre-tokenizer \(name.quotedForMessage) is not supported; Swiftlet has \(PreTokenizer.knownNames).")
        }
        // Tokens that are not written in the vocabulary's alphabet, which text never becomes.
        var foreign = Set<Int>()
        let vocabulary = try Vocabulary(metadata, tables) { text, tokenKind, number in
            guard tokenKind == .normal else { return Array(text) }
            if let bytes = kind.alphabet.decode(text) { return bytes }
            foreign.insert(number)
            return Array(text)
        }
        // Only normal tokens can come out of merging: user text that spells a control token never becomes it.
        let index = ByteStringIndex(vocabulary.pieces, tables) { vocabulary.kinds[$0] == .normal && !foreign.contains($0) }
        merges = try tables.value("merges") { try BytePairTokenizer.merges(metadata, index, kind.alphabet) }
        byteTokens = kind.alphabet == .byteLevel ? (0...255).map { index.find([UInt8($0)]) ?? -1 } : vocabulary.byteTokens
        specials = SpecialTokens(vocabulary, tables)
        splitter = try kind.splitter()
        self.kind = kind
        self.vocabulary = vocabulary
        self.index = index
        addsBeginningOfSequence =
            vocabulary.beginningOfSequence != nil && metadata.bool("tokenizer.ggml.add_bos_token") ?? kind.addsBeginningOfSequence
        addsEndOfSequence = vocabulary.endOfSequence != nil && metadata.bool("tokenizer.ggml.add_eos_token") ?? false
    }

    var addsSpace: Bool { false }

    func encode(_ text: String, control: [Range<Int>]) -> [Token] {
        let bytes = Array(text.utf8)
        var tokens: [Token] = []
        specials.split(
            bytes, control: control,
            plain: { range in
                guard kind.composes || kind.alphabet == .characters else {
                    return splitter.split(bytes, in: range) { encode(bytes[$0], into: &tokens) }
                }
                let plain =
                    kind.composes
                    ? String(decoding: bytes[range], as: UTF8.self).canonicallyComposedUTF8 : SpaceMark.spaces(in: bytes[range])
                splitter.split(plain, in: plain.indices) { encode(plain[$0], into: &tokens) }
            },
            special: { tokens.append($0) })
        return tokens
    }

    private func encode(_ word: ArraySlice<UInt8>, into tokens: inout [Token]) {
        // Merges don't lead to lines' ends in a vocabulary of characters.
        if kind.prefersWholeWords || kind.alphabet == .characters && word.first == UInt8(ascii: "\n"), let token = index.find(word) {
            tokens.append(token)
            return
        }
        if word.count == 1, kind.alphabet == .byteLevel, let byte = word.first {
            if byteTokens[Int(byte)] >= 0 { tokens.append(byteTokens[Int(byte)]) }
            return
        }
        var pieces: [Token] = []
        switch kind.alphabet {
        case .byteLevel: pieces = word.map { byteTokens[Int($0)] }
        case .characters:
            word.forEachCharacter { character in
                if let token = index.find(character) { pieces.append(token) } else { pieces += character.map { byteTokens[Int($0)] } }
            }
        }
        if pieces.contains(-1) { pieces.removeAll { $0 < 0 } }
        merges.apply(to: &pieces)
        tokens += pieces
    }

    private static func merges(_ metadata: GGUFMetadata, _ index: ByteStringIndex, _ alphabet: PreTokenizer.Alphabet) throws -> BytePairMerges {
        let key = "tokenizer.ggml.merges"
        let lines = try metadata.requiredStringArray(key)
        guard lines.count <= Int(Token.max) else { throw InferenceError(.invalidFile, "\(metadata.path): \(key) is too long.") }
        var merges = BytePairMerges.Builder(capacity: lines.count)
        var rank = 0
        try lines.forEachString { line in
            guard let space = line.dropFirst().firstIndex(of: 0x20) else {
                throw InferenceError(.invalidFile, "\(metadata.path): entry \(rank) of \(key) is not two tokens with a space between them.")
            }
            // A merge of tokens that the vocabulary lacks can never apply.
            if let left = alphabet.decode(UnsafeRawBufferPointer(rebasing: line[..<space])),
                let right = alphabet.decode(UnsafeRawBufferPointer(rebasing: line[(space + 1)...])),
                let a = index.find(left[...]), let b = index.find(right[...]), let result = index.find((left + right)[...]) {
                merges.add(a, b, rank: rank, result: result)
            }
            rank += 1
        }
        return BytePairMerges(merges)
    }
}

extension PreTokenizer.Alphabet {
    fileprivate func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        switch self {
        case .byteLevel: ByteLevelAlphabet.decode(text)
        case .characters: SpaceMark.spaces(in: text)
        }
    }
}
