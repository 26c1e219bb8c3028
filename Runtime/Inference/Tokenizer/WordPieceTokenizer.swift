/// BERT's WordPiece: each word becomes the longest token that it begins with, then the longest that goes on, and so forth.
///
/// In GGUF a token that begins a word is written with `▁` before it, one that goes on is bare.
final class WordPieceTokenizer: VocabularyTokenizer {
    private static let wordStart = Array("▁".utf8)
    /// Longer words are unknown, as in BERT.
    private static let longestWord = 100

    let vocabulary: Vocabulary
    let specials: SpecialTokens
    private let index: ByteStringIndex
    private let unknown: Token
    let beginningOfSequence: Token?
    let endOfSequence: Token?

    init(_ metadata: GGUFMetadata, _ tables: ReadyTables) throws {
        let vocabulary = try Vocabulary(metadata, tables) { text, _, _ in Array(text) }
        specials = SpecialTokens(vocabulary, tables)
        index = ByteStringIndex(vocabulary.pieces, tables) { vocabulary.kinds[$0] == .normal }
        guard let unknown = try vocabulary.token("unknown") ?? specials.control("[UNK]") else {
            throw InferenceError(.invalidFile, "\(metadata.path) lacks the metadata key tokenizer.ggml.unknown_token_id.")
        }
        self.unknown = unknown
        beginningOfSequence = vocabulary.beginningOfSequence ?? specials.control("[CLS]")
        // The key is misspelled in the format.
        endOfSequence = try vocabulary.token("seperator") ?? vocabulary.endOfSequence ?? specials.control("[SEP]")
        self.vocabulary = vocabulary
    }

    /// BERT reads `[CLS] text [SEP]`.
    var addsBeginningOfSequence: Bool { beginningOfSequence != nil }
    var addsEndOfSequence: Bool { endOfSequence != nil }
    func isEndOfGeneration(_ token: Token) -> Bool { token == endOfSequence }

    var addsSpace: Bool { true }
    func bytes(of token: Token) -> [UInt8] { WordPieceTokenizer.spaced(vocabulary.bytes(of: token)) }
    func spelling(of token: Token) -> [UInt8] { WordPieceTokenizer.spaced(vocabulary.spelling(of: token)) }

    private static func spaced(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: WordPieceTokenizer.wordStart) ? [0x20] + bytes.dropFirst(WordPieceTokenizer.wordStart.count) : bytes
    }

    func encode(_ text: String, control: [Range<Int>]) -> [Token] {
        let bytes = Array(text.utf8)
        var tokens: [Token] = []
        specials.split(
            bytes, control: control,
            plain: { range in
                BertWords.forEach(in: String(decoding: bytes[range], as: UTF8.self)) { encode(word: $0, into: &tokens) }
            },
            special: { tokens.append($0) })
        return tokens
    }

    private func encode(word: [UInt8], into tokens: inout [Token]) {
        let before = tokens.count
        let text = WordPieceTokenizer.wordStart + word
        let isContinuationByte = { (position: Int) in position < text.count && text[position] & 0xc0 == 0x80 }
        let length = word.count { $0 & 0xc0 != 0x80 }
        var start = 0
        while start < text.count, length <= WordPieceTokenizer.longestWord {
            // The first piece is more than the mark of a word's start.
            let shortest = start == 0 ? WordPieceTokenizer.wordStart.count + 1 : start + 1
            var end = min(text.count, start + index.longest)
            var piece: Token?
            while end >= shortest, piece == nil {
                if !isContinuationByte(end) { piece = index.find(text[start..<end]) }
                if piece == nil { end -= 1 }
            }
            guard let piece else { break }
            tokens.append(piece)
            start = end
        }
        if start < text.count {
            tokens.removeSubrange(before...)
            tokens.append(unknown)
        }
    }
}
