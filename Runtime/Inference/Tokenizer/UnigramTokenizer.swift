/// SentencePiece's unigram model: the tokenizer of T5 and XLM-RoBERTa, and of the embedding models made of them (E5, BGE-M3).
///
/// Of all ways to write a text as tokens it takes the one whose scores, log-probabilities, have the greatest sum.
/// Source: `unigram_model.cc` in https://github.com/google/sentencepiece
final class UnigramTokenizer: VocabularyTokenizer {
    let vocabulary: Vocabulary
    let specials: SpecialTokens
    private let index: PrefixIndex
    private let scores: Table<Float>
    private let characterMap: CharacterMap
    private let byteTokens: [Token]
    private let unknown: Token
    private let unknownScore: Double
    private let mergesSpaces: Bool
    let addsSpace: Bool
    let addsBeginningOfSequence: Bool
    let addsEndOfSequence: Bool

    init(_ metadata: GGUFMetadata, _ tables: ReadyTables) throws {
        let vocabulary = try Vocabulary(metadata, tables) { text, kind, _ in kind == .normal ? SpaceMark.spaces(in: text) : Array(text) }
        index = PrefixIndex(vocabulary.pieces, tables, "prefixes") { vocabulary.kinds[$0] == .normal }
        scores = try vocabulary.scores(tables)
        // Worse than every token by as much as SentencePiece has it.
        unknownScore = Double(vocabulary.kinds.indices.filter { vocabulary.kinds[$0] == .normal }.map { [scores] in scores[$0] }.min() ?? 0) - 10
        let key = "tokenizer.ggml.precompiled_charsmap"
        if metadata[key] == nil {
            characterMap = CharacterMap()
        } else {
            guard let map = metadata.integers(key).flatMap({ CharacterMap($0.map { UInt8(truncatingIfNeeded: $0) }) }) else {
                throw InferenceError(.invalidFile, "\(metadata.path): \(key) is not a table of characters.")
            }
            characterMap = map
        }
        guard let unknown = try vocabulary.token("unknown") ?? vocabulary.kinds.firstIndex(of: .unknown).map({ Token($0) }) else {
            throw InferenceError(.invalidFile, "\(metadata.path) lacks the metadata key tokenizer.ggml.unknown_token_id.")
        }
        self.unknown = unknown
        byteTokens = vocabulary.byteTokens
        addsSpace = metadata.bool("tokenizer.ggml.add_space_prefix") ?? true
        mergesSpaces = metadata.bool("tokenizer.ggml.remove_extra_whitespaces") ?? false
        addsBeginningOfSequence = vocabulary.beginningOfSequence != nil && metadata.bool("tokenizer.ggml.add_bos_token") ?? false
        addsEndOfSequence = vocabulary.endOfSequence != nil && metadata.bool("tokenizer.ggml.add_eos_token") ?? true
        specials = SpecialTokens(vocabulary, tables)
        self.vocabulary = vocabulary
    }

    func encode(_ text: String, control: [Range<Int>]) -> [Token] {
        let bytes = Array(text.utf8)
        var tokens: [Token] = []
        specials.split(
            bytes, control: control, plain: { encode(normalized(Array(bytes[$0])), into: &tokens) }, special: { tokens.append($0) })
        return tokens
    }

    /// With characters replaced by the map, and spaces at the begin, at the end and in runs as the vocabulary has them.
    private func normalized(_ text: [UInt8]) -> [UInt8] {
        var mapped: [UInt8] = []
        mapped.reserveCapacity(text.count + 1)
        var position = 0
        while position < text.count {
            let (normalized, length) = characterMap.prefix(of: text, at: position)
            mapped += normalized
            position += length
        }
        mapped = SpaceMark.spaces(in: mapped)
        let space = UInt8(ascii: " ")
        if mergesSpaces {
            let words = mapped.split(separator: space)
            return words.isEmpty ? [] : (addsSpace ? [space] : []) + Array(words.joined(separator: [space]))
        }
        return mapped.isEmpty ? [] : (addsSpace ? [space] : []) + mapped
    }

    /// Viterbi's algorithm: for each place the best way to it, then back from the end.
    private func encode(_ text: [UInt8], into tokens: inout [Token]) {
        struct Way {
            var score = -Double.infinity
            var token: Token = -1
            var length: Int32 = 0
        }
        var ways = [Way](repeating: Way(), count: text.count + 1)
        ways[0].score = 0
        var start = 0
        while start < text.count {
            let before = ways[start].score
            let character = text.scalar(at: start).length
            var hasCharacter = false
            index.forEachPrefix(of: text, in: start..<text.count) { token, length in
                if length == character { hasCharacter = true }
                let score = before + Double(scores[token])
                if score > ways[start + length].score { ways[start + length] = Way(score: score, token: Token(token), length: Int32(length)) }
            }
            if !hasCharacter, before + unknownScore > ways[start + character].score {
                ways[start + character] = Way(score: before + unknownScore, token: unknown, length: Int32(character))
            }
            start += character
        }
        var found: [Token] = []
        var end = text.count
        while end > 0 {
            let way = ways[end]
            // Scores that are not numbers, which only a damaged pack has, lead nowhere.
            let begin = end - max(1, Int(way.length))
            if way.token != unknown {
                found.append(way.token)
            } else if byteTokens.contains(-1) {
                // Unknown characters beside one another are one unknown token.
                if found.last != unknown { found.append(unknown) }
            } else {
                found += text[begin..<end].reversed().map { byteTokens[Int($0)] }
            }
            end = begin
        }
        tokens += found.reversed()
    }
}
