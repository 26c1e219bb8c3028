import Kernels

/// The log-probabilities of all tokens that could come after a text.
final class PredictionWork: SequenceWork {
    private let job: SequenceRunner.ScoringJob
    private let kernels: swl_kernels

    init(_ job: SequenceRunner.ScoringJob, kernels: swl_kernels) {
        (self.job, self.kernels) = (job, kernels)
    }

    var tokens: [Token] { job.tokens }
    var root: BlockKey? { nil }
    var isCancelled: Bool { job.cancellation.isSet }

    func begin(cachedTokens: Int) {}

    func wantsLogits(after index: Int) -> Bool { index == job.tokens.count - 1 }

    func take(_ logits: UnsafeMutableBufferPointer<Float>, after index: Int) -> SequenceVerdict {
        let scores = Array(logits)
        let logarithm = logits.baseAddress.map { kernels.softmax($0, logits.count) } ?? .nan
        if logarithm.isFinite {
            job.continuation.resume(returning: scores.map { $0 - logarithm })
        } else {
            end(.notNumbers)
        }
        return .finished
    }

    func end(_ error: InferenceError?) {
        job.continuation.resume(throwing: error ?? CancellationError())
    }
}
