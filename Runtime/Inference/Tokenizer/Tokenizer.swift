/// A token's number in the vocabulary.
package typealias Token = Int32

/// Turns text into a model's tokens and back.
package protocol Tokenizer: Sendable {
    /// The tokens of `text`, and nothing added around them.
    /// - Parameter special: whether special tokens that are spelled out in the text (`<|im_end|>`) become those tokens.
    ///   Text from a user is encoded with `false`, so that it never becomes a control token.
    func encode(_ text: String, special: Bool) -> [Token]

    /// The bytes that a token stands for. They may be part of a character; control tokens and numbers outside the
    /// vocabulary give none. For WordPiece, the first token of a word begins with a space.
    func bytes(of token: Token) -> [UInt8]

    /// The number of the special token that is spelled `text`.
    func specialToken(_ text: String) -> Token?

    var beginningOfSequence: Token? { get }
    var endOfSequence: Token? { get }
    /// Whether a model's input begins with ``beginningOfSequence``.
    var addsBeginningOfSequence: Bool { get }
    /// Whether a model's input ends with ``endOfSequence``.
    var addsEndOfSequence: Bool { get }
    var vocabularyCount: Int { get }

    /// Whether a model that makes this token has finished its answer.
    func isEndOfGeneration(_ token: Token) -> Bool
}

extension Tokenizer {
    /// A whole input for the model: `text` with the beginning and end that the model was trained with.
    /// - Parameter special: as for ``encode(_:special:)``.
    package func encodeForModel(_ text: String, special: Bool = false) -> [Token] {
        (addsBeginningOfSequence ? beginningOfSequence.map { [$0] } ?? [] : [])
            + encode(text, special: special)
            + (addsEndOfSequence ? endOfSequence.map { [$0] } ?? [] : [])
    }
}

/// The tokenizer that a GGUF file describes.
/// - Throws: ``InferenceError`` naming the metadata key that is missing, wrong, or asks for something unsupported.
package func makeTokenizer(from metadata: GGUFMetadata) throws -> any Tokenizer {
    try makeTokenizer(from: metadata, ReadyTables())
}

/// - Parameter tables: what a tokenizer computes from its vocabulary comes from there, if it is there: then no array of the
///   metadata is read.
func makeTokenizer(from metadata: GGUFMetadata, _ tables: ReadyTables) throws -> any Tokenizer {
    let model = try metadata.requiredString("tokenizer.ggml.model")
    switch model {
    case "gpt2": return try BytePairTokenizer(metadata, tables)
    case "bert": return try WordPieceTokenizer(metadata, tables)
    default:
        throw InferenceError(
            .unsupported, "\(metadata.path): the tokenizer \(model.quotedForMessage) is not supported; Swiftlet has gpt2 and bert.")
    }
}
