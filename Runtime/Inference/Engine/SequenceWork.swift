/// A sequence of tokens that a ``SequenceRunner`` evaluates, and what is done with the scores.
protocol SequenceWork: AnyObject {
    /// The tokens known so far.
    var tokens: [Token] { get }
    /// Whose tokens they are: sequences with equal roots share the keys and values of equal beginnings. `nil`: with nobody.
    var root: BlockKey? { get }
    /// Whether it takes what it finds of these; else it computes all, for others to find.
    var findsPrefix: Bool { get }
    var isCancelled: Bool { get }

    /// Called when its first tokens are about to be evaluated.
    /// - Parameter cachedTokens: how many before them need not be.
    func begin(cachedTokens: Int)
    /// Whether it wants the scores of what comes after the token at `index`.
    func wantsLogits(after index: Int) -> Bool
    /// - Parameter logits: one score for each token of the vocabulary; may be overwritten.
    func take(_ logits: UnsafeMutableBufferPointer<Float>, after index: Int) -> SequenceVerdict
    /// Guesses at the tokens that come next, at most `limit`. These are then evaluated, or not; the scores after one that holds are
    /// given as if it had been known.
    func guess(atMost limit: Int) -> [Token]
    /// The step that is evaluated next has these guesses.
    func willEvaluate(guesses: [Token])
    /// It was cancelled (`nil`) or failed.
    func end(_ error: InferenceError?)
}

extension SequenceWork {
    var findsPrefix: Bool { true }
    func guess(atMost limit: Int) -> [Token] { [] }
    func willEvaluate(guesses: [Token]) {}
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
    static let noTokenFits = InferenceError(
        .invalidRequest, "No token of the model's vocabulary can follow in the grammar or schema. Make it simpler or less ambiguous.")
}
