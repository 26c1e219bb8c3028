/// SentencePiece's byte-pair encoding: the tokenizer of Llama 1 and 2, Mistral, Gemma 1 to 3 and Phi 3.
///
/// Text becomes characters, and neighbours whose text is a token merge, the one with the highest score first. Characters that the
/// vocabulary lacks become the tokens of their bytes.
/// Source: `bpe_model.cc` in https://github.com/google/sentencepiece
final class SentencePieceTokenizer: VocabularyTokenizer {
    let vocabulary: Vocabulary
    let specials: SpecialTokens
    private let index: ByteStringIndex
    private let scores: Table<Float>
    private let byteTokens: [Token]
    private let unknown: Token?
    let addsSpace: Bool
    let addsBeginningOfSequence: Bool
    let addsEndOfSequence: Bool

    init(_ metadata: GGUFMetadata, _ tables: ReadyTables) throws {
        let vocabulary = try Vocabulary(metadata, tables) { text, kind, _ in
            kind == .normal || kind == .userDefined ? SpaceMark.spaces(in: text) : Array(text)
        }
        index = ByteStringIndex(vocabulary.pieces, tables) { vocabulary.kinds[$0] == .normal || vocabulary.kinds[$0] == .userDefined }
        scores = try vocabulary.scores(tables)
        byteTokens = vocabulary.byteTokens
        unknown = try vocabulary.token("unknown")
        addsSpace = metadata.bool("tokenizer.ggml.add_space_prefix") ?? true
        addsBeginningOfSequence = vocabulary.beginningOfSequence != nil && metadata.bool("tokenizer.ggml.add_bos_token") ?? true
        addsEndOfSequence = vocabulary.endOfSequence != nil && metadata.bool("tokenizer.ggml.add_eos_token") ?? false
        specials = SpecialTokens(vocabulary, tables, swallowsSpace: SentencePieceTokenizer.swallowsSpace(metadata, vocabulary))
        self.vocabulary = vocabulary
    }

    func encode(_ text: String, control: [Range<Int>]) -> [Token] {
        let bytes = Array(text.utf8)
        var tokens: [Token] = []
        var isAfterText = false
        specials.split(
            bytes, control: control,
            plain: { range in
                let space: [UInt8] = addsSpace && !isAfterText ? [UInt8(ascii: " ")] : []
                encode(space + SpaceMark.spaces(in: bytes[range]), into: &tokens)
                isAfterText = true
            },
            special: {
                tokens.append($0)
                isAfterText = false
            })
        return tokens
    }

    private func encode(_ text: [UInt8], into tokens: inout [Token]) {
        var pieces: [Range<Int32>] = []
        text[...].forEachCharacter { pieces.append(Int32($0.startIndex)..<Int32($0.endIndex)) }
        Rule(text: text, index: index, scores: scores).apply(to: &pieces)
        for piece in pieces {
            let bytes = text[Int(piece.lowerBound)..<Int(piece.upperBound)]
            if let token = index.find(bytes) {
                tokens.append(token)
            } else {
                tokens += bytes.compactMap { byteTokens[Int($0)] >= 0 ? byteTokens[Int($0)] : unknown }
            }
        }
    }

    /// Pieces are ranges of the text.
    private struct Rule: MergeRule {
        let text: [UInt8]
        let index: ByteStringIndex
        let scores: Table<Float>

        func merge(_ left: Range<Int32>, _ right: Range<Int32>) -> (order: UInt32, piece: Range<Int32>)? {
            let both = left.lowerBound..<right.upperBound
            guard let token = index.find(text[Int(both.lowerBound)..<Int(both.upperBound)]) else { return nil }
            // A float's bits in the order of its value, from the highest score down.
            let bits = scores[Int(token)].bitPattern
            return (bits >> 31 == 0 ? 0x7fff_ffff - bits : bits, both)
        }
    }

    /// Phi 3 was trained without the line break that its chat template has after a token: its tokenizer takes white space away
    /// there. The format has no key for that, so it goes by the model's name, as in llama.cpp.
    private static func swallowsSpace(_ metadata: GGUFMetadata, _ vocabulary: Vocabulary) -> Set<Token> {
        let name = metadata.string("general.name")?.lowercased() ?? ""
        guard name.contains("phi-3") || name.contains("phi3") else { return [] }
        let exceptions = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
        return Set(
            (0..<vocabulary.count).filter { index in
                [.control, .userDefined].contains(vocabulary.kinds[index]) && !exceptions.contains { $0.elementsEqual(vocabulary.pieces[index]) }
            }.map { Token($0) })
    }
}
