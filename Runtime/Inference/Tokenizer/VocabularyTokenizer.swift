/// A tokenizer whose tokens are those of a GGUF file's list, as most are.
protocol VocabularyTokenizer: Tokenizer {
    var vocabulary: Vocabulary { get }
    var specials: SpecialTokens { get }
}

extension VocabularyTokenizer {
    package var beginningOfSequence: Token? { vocabulary.beginningOfSequence }
    package var endOfSequence: Token? { vocabulary.endOfSequence }
    package var vocabularyCount: Int { vocabulary.count }
    package func isEndOfGeneration(_ token: Token) -> Bool { vocabulary.endOfGeneration.contains(token) }
    package func bytes(of token: Token) -> [UInt8] { vocabulary.bytes(of: token) }
    package func spelling(of token: Token) -> [UInt8] { vocabulary.spelling(of: token) }
    package func specialToken(_ text: String) -> Token? { specials.control(text) }
}
