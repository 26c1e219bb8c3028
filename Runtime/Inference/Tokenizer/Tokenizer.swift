/// A token's number in the vocabulary.
package typealias Token = Int32

/// Turns text into a model's tokens and back.
package protocol Tokenizer: Sendable {
    /// The tokens of `text`, and nothing added around them.
    /// - Parameter control: where control tokens that are spelled out in the text (`<|im_end|>`) become those tokens: ranges of
    ///   its UTF-8, ascending and not touching one another. No token begins in such a range and ends outside of it.
    ///   Text from a user is outside of them, so that it never becomes a control token.
    func encode(_ text: String, control: [Range<Int>]) -> [Token]

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
    /// The tokens of `text`, and nothing added around them.
    /// - Parameter special: whether all of the text may steer the model, see ``encode(_:control:)``.
    package func encode(_ text: String, special: Bool) -> [Token] {
        encode(text, control: special && !text.isEmpty ? [0..<text.utf8.count] : [])
    }

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
    let model = try metadata.requiredString("tokenizer.ggml.model")
    switch model {
    case "gpt2": return try BytePairTokenizer(metadata)
    case "bert": return try WordPieceTokenizer(metadata)
    default:
        throw InferenceError(
            .unsupported, "\(metadata.path): the tokenizer \(model.quotedForMessage) is not supported; Swiftlet has gpt2 and bert.")
    }
}
