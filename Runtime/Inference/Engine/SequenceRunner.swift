import Kernels
import Synchronization

/// Evaluates the sequences of a ``Decoder``: all that run take part in every step, which reads the weights once.
final class SequenceRunner: Runner {
    struct GenerationJob: Sendable {
        let request: GenerationRequest
        let channel: Generation.Channel
        let requested: ContinuousClock.Instant
    }

    /// Asks for one logarithm of a probability for each token after the first, or of each token that could come next.
    struct ScoringJob: Sendable {
        let tokens: [Token]
        let continuation: CheckedContinuation<[Float], any Error>
        let cancellation: CancellationFlag
    }

    enum Job: Sendable {
        case generation(GenerationJob)
        case scoring(ScoringJob)
        case prediction(ScoringJob)
    }

    private struct Sequence {
        let work: any SequenceWork
        var cache: KeyValueCache?
    }

    private let decoder: any Decoder
    private let tokenizer: any Tokenizer
    private let kernels: swl_kernels
    private let load: LoadGauge
    private var scheduler: Scheduler
    private var sequences: [Scheduler.SequenceID: Sequence] = [:]
    private var nextID = 0

    init(_ decoder: any Decoder, tokenizer: any Tokenizer, kernels: swl_kernels, limits: Scheduler.Limits, load: LoadGauge) {
        precondition(limits.tokensPerStep <= decoder.batchLimit)
        (self.decoder, self.tokenizer, self.kernels, self.load) = (decoder, tokenizer, kernels, load)
        scheduler = Scheduler(limits)
    }

    var hasWork: Bool { !sequences.isEmpty }

    func accept(_ job: Job) {
        let work: any SequenceWork =
            switch job {
            case .generation(let job): GenerationWork(job, tokenizer: tokenizer)
            case .scoring(let job): ScoringWork(job, kernels: kernels)
            case .prediction(let job): PredictionWork(job, kernels: kernels)
            }
        sequences[nextID] = Sequence(work: work)
        scheduler.add(nextID, tokens: work.tokens.count)
        nextID += 1
    }

    func step() {
        for (id, sequence) in sequences where sequence.work.isCancelled { end(id, nil) }
        let slices = scheduler.nextStep()
        var batch = Batch()
        /// Where in the batch scores are wanted, and whose.
        var outputs: [(place: Int, sequence: Scheduler.SequenceID, index: Int)] = []
        for slice in slices {
            guard let work = sequences[slice.sequence]?.work else { continue }
            do {
                let cache = try cache(of: slice.sequence)
                let first = batch.tokens.count - slice.range.lowerBound
                batch.append(work.tokens[slice.range], at: slice.range.lowerBound, cache: cache)
                outputs += slice.range.filter(work.wantsLogits).map { (first + $0, slice.sequence, $0) }
            } catch {
                end(slice.sequence, error)
            }
        }
        report()
        guard !batch.tokens.isEmpty else { return }
        decoder.evaluate(batch)
        for first in stride(from: 0, to: outputs.count, by: decoder.outputLimit) {
            let group = outputs[first..<min(first + decoder.outputLimit, outputs.count)]
            let logits = decoder.logits(of: group.map(\.place)[...])
            for (row, output) in group.enumerated() {
                take(UnsafeMutableBufferPointer(start: logits.row(row), count: logits.width), of: output.sequence, after: output.index)
            }
        }
        report()
    }

    func abandon(_ error: InferenceError) {
        for id in sequences.keys { end(id, error) }
        report()
    }

    private func cache(of id: Scheduler.SequenceID) throws(InferenceError) -> KeyValueCache {
        if let cache = sequences[id]?.cache { return cache }
        let work = sequences[id]?.work
        let cache = try KeyValueCache(decoder.cacheShape, capacity: work?.capacity ?? 0)
        work?.begin()
        sequences[id]?.cache = cache
        return cache
    }

    private func take(_ logits: UnsafeMutableBufferPointer<Float>, of id: Scheduler.SequenceID, after index: Int) {
        switch sequences[id]?.work.take(logits, after: index) {
        case .addedToken: scheduler.appendToken(to: id)
        case .finished: remove(id)
        case .waits, nil: break
        }
    }

    private func end(_ id: Scheduler.SequenceID, _ error: InferenceError?) {
        sequences[id]?.work.end(error)
        remove(id)
    }

    /// Its cache is freed with it.
    private func remove(_ id: Scheduler.SequenceID) {
        sequences[id] = nil
        scheduler.remove(id)
    }

    private func report() { load.set(running: scheduler.runningCount, waiting: scheduler.waitingCount) }
}
