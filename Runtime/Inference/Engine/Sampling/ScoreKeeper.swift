import Kernels

/// Scores of a sequence's tokens, held until the text that begins in them is shown.
struct ScoreKeeper {
    private let top: Int
    private let kernels: swl_kernels
    /// The model's scores before choosing overwrote them.
    private var raw: [Float] = []
    private var held: [(score: TokenScore, bytes: Range<Int>)] = []
    private(set) var prompt: [TokenScore] = []

    init(top: Int, _ kernels: swl_kernels) { (self.top, self.kernels) = (top, kernels) }

    /// Called with a token's scores before anything changes them.
    mutating func keep(_ logits: UnsafeMutableBufferPointer<Float>) {
        raw.removeAll(keepingCapacity: true)
        raw.append(contentsOf: logits)
    }

    /// - Parameters:
    ///   - token: what was chosen by the scores last kept.
    ///   - bytes: where in the answer it is.
    mutating func add(_ token: Token, in bytes: Range<Int>) throws(InferenceError) {
        let score = raw.withUnsafeMutableBufferPointer { TokenScore(token, top: top, overwriting: $0, kernels) }
        guard let score else { throw .notNumbers }
        held.append((score, bytes))
    }

    /// - Parameter logits: overwritten.
    mutating func addToPrompt(_ token: Token, _ logits: UnsafeMutableBufferPointer<Float>) throws(InferenceError) {
        guard let score = TokenScore(token, top: top, overwriting: logits, kernels) else { throw .notNumbers }
        prompt.append(score)
    }

    /// - Parameter count: how many bytes of the answer are shown.
    /// - Returns: the tokens that begin in these, and were not given before.
    mutating func take(shown count: Int) -> [TokenScore] {
        let end = held.firstIndex { $0.bytes.lowerBound >= count && $0.bytes.upperBound > count } ?? held.count
        defer { held.removeFirst(end) }
        return held[..<end].map(\.score)
    }
}
