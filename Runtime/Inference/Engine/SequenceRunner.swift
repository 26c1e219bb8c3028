import Kernels
import Synchronization

/// Evaluates the sequences of a ``Decoder``: all that run take part in every step, which reads the weights once.
final class SequenceRunner: Runner {
    struct GenerationJob: Sendable {
        let request: GenerationRequest
        let adapter: Adapter?
        let channel: Generation.Channel
        let requested: ContinuousClock.Instant
    }

    /// Asks for one logarithm of a probability for each token after the first, or of each token that could come next.
    struct ScoringJob: Sendable {
        let tokens: [Token]
        let adapter: Adapter?
        let continuation: CheckedContinuation<[Float], any Error>
        let cancellation: CancellationFlag
    }

    enum Job: Sendable {
        case generation(GenerationJob)
        case scoring(ScoringJob)
        case prediction(ScoringJob)

        var adapter: Adapter? {
            switch self {
            case .generation(let job): job.adapter
            case .scoring(let job), .prediction(let job): job.adapter
            }
        }
    }

    private struct Sequence {
        let work: any SequenceWork
        let adapter: Adapter?
        var hasBegun = false
        /// The keys of its full blocks, if it shares any.
        var keys: BlockKeyChain?
    }

    private let decoder: any Decoder
    private let model: String
    private let tokenizer: any Tokenizer
    private let kernels: swl_kernels
    private let load: LoadGauge
    private var scheduler: Scheduler
    private var sequences: [Scheduler.SequenceID: Sequence] = [:]
    private var nextID = 0
    private let lookup: PromptLookup

    /// - Parameters:
    ///   - model: what the cache's content depends on beside tokens.
    ///   - lookup: what guesses how an answer goes on, as it begins.
    init(
        _ decoder: any Decoder, model: String, tokenizer: any Tokenizer, kernels: swl_kernels, limits: Scheduler.Limits, lookup: PromptLookup,
        load: LoadGauge
    ) {
        precondition(limits.tokensPerStep <= decoder.batchLimit)
        (self.decoder, self.model, self.tokenizer, self.kernels, self.load) = (decoder, model, tokenizer, kernels, load)
        self.lookup = lookup
        scheduler = Scheduler(limits)
    }

    var hasWork: Bool { !sequences.isEmpty }

    func accept(_ job: Job) {
        let work: any SequenceWork =
            switch job {
            case .generation(let generation):
                GenerationWork(
                    generation, model: weights(with: job.adapter), tokenizer: tokenizer, kernels: kernels, lookup: lookup)
            case .scoring(let job): ScoringWork(job, kernels: kernels)
            case .prediction(let job): PredictionWork(job, kernels: kernels)
            }
        var keys = work.root.map(BlockKeyChain.init)
        keys?.extend(to: work.tokens, blockLength: KeyValueCache.blockLength)
        sequences[nextID] = Sequence(work: work, adapter: job.adapter, keys: keys)
        scheduler.add(nextID, tokens: work.tokens.count, keys: keys?.keys ?? [], findsPrefix: work.findsPrefix)
        nextID += 1
    }

    func step() {
        for (id, sequence) in sequences where sequence.work.isCancelled { end(id, nil) }
        var guesses: [Scheduler.SequenceID: [Token]] = [:]
        let slices = scheduler.nextStep { id, limit in
            guesses[id] = sequences[id]?.work.guess(atMost: limit) ?? []
            return guesses[id]?.count ?? 0
        }
        var batch = Batch()
        /// Where in the batch scores are wanted, whose, and after which token, where that is a guess.
        var outputs: [(place: Int, sequence: Scheduler.SequenceID, index: Int, guess: Token?)] = []
        for slice in slices {
            guard let sequence = sequences[slice.sequence] else { continue }
            if !sequence.hasBegun {
                sequences[slice.sequence]?.hasBegun = true
                sequence.work.begin(cachedTokens: slice.range.lowerBound)
            }
            let first = batch.tokens.count - slice.range.lowerBound
            let known = slice.range.dropLast(slice.guesses)
            let guessed = slice.guesses > 0 ? guesses[slice.sequence] ?? [] : []
            batch.append(sequence.work.tokens[known] + guessed, at: known.lowerBound, in: slice.blocks, adapter: sequence.adapter)
            outputs += known.filter(sequence.work.wantsLogits).map { (first + $0, slice.sequence, $0, nil) }
            outputs += zip(slice.range.suffix(slice.guesses), guessed).map { (first + $0, slice.sequence, $0, $1) }
            sequence.work.willEvaluate(guesses: guessed)
        }
        report()
        guard !batch.tokens.isEmpty else { return }
        decoder.evaluate(batch)
        for first in stride(from: 0, to: outputs.count, by: decoder.outputLimit) {
            let group = outputs[first..<min(first + decoder.outputLimit, outputs.count)]
            let logits = decoder.logits(of: group.map(\.place)[...])
            for (row, output) in group.enumerated() where holds(output.guess, at: output.index, of: output.sequence) {
                take(UnsafeMutableBufferPointer(start: logits.row(row), count: logits.width), of: output.sequence, after: output.index)
            }
        }
        report()
    }

    func abandon(_ error: InferenceError) {
        for id in sequences.keys { end(id, error) }
        report()
    }

    /// Whether the sequence has come to `index` with the token that was guessed there.
    private func holds(_ guess: Token?, at index: Int, of id: Scheduler.SequenceID) -> Bool {
        guard let guess else { return true }
        guard let tokens = sequences[id]?.work.tokens, tokens.count == index + 1 else { return false }
        return tokens[index] == guess
    }

    private func take(_ logits: UnsafeMutableBufferPointer<Float>, of id: Scheduler.SequenceID, after index: Int) {
        switch sequences[id]?.work.take(logits, after: index) {
        case .addedToken: scheduler.appendToken(to: id, key: keyOfFullBlock(id))
        case .finished: remove(id)
        case .waits, nil: break
        }
    }

    /// What the cache's content depends on beside tokens.
    private func weights(with adapter: Adapter?) -> String { adapter.map { "\(model)\n\($0.name)" } ?? model }

    /// The key of the block that the sequence's last token fills.
    private func keyOfFullBlock(_ id: Scheduler.SequenceID) -> BlockKey? {
        guard let work = sequences[id]?.work, work.tokens.count % KeyValueCache.blockLength == 0 else { return nil }
        sequences[id]?.keys?.extend(to: work.tokens, blockLength: KeyValueCache.blockLength)
        return sequences[id]?.keys?.keys.last
    }

    private func end(_ id: Scheduler.SequenceID, _ error: InferenceError?) {
        sequences[id]?.work.end(error)
        remove(id)
    }

    private func remove(_ id: Scheduler.SequenceID) {
        sequences[id] = nil
        scheduler.remove(id)
    }

    private func report() {
        load.set(running: scheduler.runningCount, waiting: scheduler.waitingCount, cacheUsage: scheduler.cacheUsage)
    }
}
