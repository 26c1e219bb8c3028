import Kernels

/// The log-probabilities of a text's tokens, each after those before it.
final class ScoringWork: SequenceWork {
    /// Without the last token, which nothing comes after.
    let tokens: [Token]
    private let targets: [Token]
    private let job: SequenceRunner.ScoringJob
    private let kernels: swl_kernels
    private var scores: [Float] = []

    init(_ job: SequenceRunner.ScoringJob, kernels: swl_kernels) {
        self.job = job
        self.kernels = kernels
        tokens = Array(job.tokens.dropLast())
        targets = Array(job.tokens.dropFirst())
    }

    /// All its tokens have to be evaluated.
    var root: BlockKey? { nil }
    var isCancelled: Bool { job.cancellation.isSet }

    func begin(cachedTokens: Int) {}

    /// A token may be evaluated again.
    func wantsLogits(after index: Int) -> Bool { index >= scores.count }

    func take(_ logits: UnsafeMutableBufferPointer<Float>, after index: Int) -> SequenceVerdict {
        let score = logits[Int(targets[index])]
        let logarithm = logits.baseAddress.map { kernels.softmax($0, logits.count) } ?? .nan
        guard score.isFinite, logarithm.isFinite else {
            end(.notNumbers)
            return .finished
        }
        scores.append(score - logarithm)
        guard scores.count == targets.count else { return .waits }
        job.continuation.resume(returning: scores)
        return .finished
    }

    func end(_ error: InferenceError?) {
        job.continuation.resume(throwing: error ?? CancellationError())
    }
}
