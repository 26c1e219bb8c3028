/// A sequence of tokens that a ``SequenceRunner`` evaluates, and what is done with the scores.
protocol SequenceWork: AnyObject {
    /// The tokens known so far.
    var tokens: [Token] { get }
    /// Whose tokens they are: sequences with equal roots share the keys and values of equal beginnings. `nil`: with nobody.
    var root: BlockKey? { get }
    var isCancelled: Bool { get }

    /// Called when its first tokens are about to be evaluated.
    /// - Parameter cachedTokens: how many before them need not be.
    func begin(cachedTokens: Int)
    /// Whether it wants the scores of what comes after the token at `index`.
    func wantsLogits(after index: Int) -> Bool
    /// - Parameter logits: one score for each token of the vocabulary; may be overwritten.
    func take(_ logits: UnsafeMutableBufferPointer<Float>, after index: Int) -> SequenceVerdict
    /// It was cancelled (`nil`) or failed.
    func end(_ error: InferenceError?)
}

enum SequenceVerdict {
    /// It has tokens left to evaluate.
    case waits
    /// It added one to ``SequenceWork/tokens``.
    case addedToken
    case finished
}

extension InferenceError {
    static let notNumbers = InferenceError(
        .invalidFile, "The model's scores are not numbers. Its weights are damaged, or were made for another architecture.")
}
