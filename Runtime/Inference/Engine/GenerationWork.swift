import Grammar
import Kernels

/// An answer, token by token.
final class GenerationWork: SequenceWork {
    private(set) var tokens: [Token]
    let root: BlockKey?
    private let request: GenerationRequest
    private let channel: Generation.Channel
    private let tokenizer: any Tokenizer
    private let kernels: swl_kernels
    private var sampler: Sampler
    private var history: TokenHistory
    private var matcher: GrammarMatcher?
    private var assembler: TextAssembler
    private var cachedTokens = 0
    private var completionTokens = 0
    private var tokensSinceEvent = 0
    private var scores: ScoreKeeper?
    /// Of the answer, shown or not.
    private var byteCount = 0

    private let clock = ContinuousClock()
    private let requested: ContinuousClock.Instant
    private var began: ContinuousClock.Instant?
    private var firstToken: ContinuousClock.Instant?

    /// - Parameter model: with which tenants' cached prefixes belong together.
    init(_ job: SequenceRunner.GenerationJob, model: String, tokenizer: any Tokenizer, kernels: swl_kernels) {
        request = job.request
        channel = job.channel
        requested = job.requested
        (self.tokenizer, self.kernels) = (tokenizer, kernels)
        tokens = request.prompt
        history = TokenHistory(prompt: request.prompt, penalties: request.sampling.penalties)
        matcher = request.grammar.map(GrammarMatcher.init)
        root = request.scoresPrompt ? nil : request.tenant.map { BlockKey(tenant: $0, model: model) }
        sampler = Sampler(request.sampling)
        assembler = TextAssembler(stops: request.stop)
        scores = request.topScores.map { ScoreKeeper(top: $0, kernels) }
    }

    var isCancelled: Bool { channel.cancellation.isSet }

    func begin(cachedTokens: Int) {
        began = clock.now
        self.cachedTokens = cachedTokens
    }

    /// The prompt's tokens may be evaluated again.
    func wantsLogits(after index: Int) -> Bool {
        index == tokens.count - 1 || (request.scoresPrompt && index >= (scores?.prompt.count ?? index + 1) && index < request.prompt.count - 1)
    }

    func take(_ logits: UnsafeMutableBufferPointer<Float>, after index: Int) -> SequenceVerdict {
        do {
            return index < request.prompt.count - 1 ? try score(tokens[index + 1], logits) : try advance(logits)
        } catch {
            finish(.failed(error))
            return .finished
        }
    }

    private func score(_ token: Token, _ logits: UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> SequenceVerdict {
        try scores?.addToPrompt(token, logits)
        return .waits
    }

    /// Makes the next token.
    private func advance(_ logits: UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> SequenceVerdict {
        if request.scoresPrompt, completionTokens == 0 { channel.events.yield(.promptScores(scores?.prompt ?? [])) }
        guard request.maximumTokens > 0 else {
            finish(.length)
            return .finished
        }
        scores?.keep(logits)
        guard let token = try choose(logits) else { return stop() }
        if firstToken == nil { firstToken = clock.now }
        completionTokens += 1
        tokensSinceEvent += 1
        if tokenizer.isEndOfGeneration(token), !request.ignoresEnd { return stop() }
        let bytes = request.spelled[token] ?? tokenizer.bytes(of: token)
        try scores?.add(token, in: byteCount..<byteCount + bytes.count)
        byteCount += bytes.count
        let (text, stopped) = assembler.append(bytes)
        show(text)
        if stopped {
            finish(.stop)
            return .finished
        }
        if completionTokens >= request.maximumTokens {
            show(assembler.finish())
            finish(.length)
            return .finished
        }
        tokens.append(token)
        return .addedToken
    }

    private func stop() -> SequenceVerdict {
        show(assembler.finish())
        finish(.stop)
        return .finished
    }

    /// - Returns: `nil` where the grammar is at its end and the vocabulary has no token that says so.
    private func choose(_ logits: UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Token? {
        history.apply(to: logits)
        if let mask = matcher?.allowedTokens {
            guard !mask.isEmpty else {
                if matcher?.canEnd == true { return nil }
                throw .noTokenFits
            }
            guard logits.allSatisfy({ !$0.isNaN }) else { throw .notNumbers }
            mask.apply(to: logits)
        }
        guard let token = sampler.next(logits) else { throw .notNumbers }
        guard matcher?.accept(token) ?? true else { throw .noTokenFits }
        history.append(token)
        return token
    }

    func end(_ error: InferenceError?) {
        finish(error.map { .failed($0) } ?? .cancelled)
    }

    private func show(_ text: String) {
        if let scores = scores?.take(shown: assembler.shownCount), !scores.isEmpty { channel.events.yield(.scores(scores)) }
        guard !text.isEmpty else { return }
        channel.events.yield(.text(text, tokens: tokensSinceEvent))
        tokensSinceEvent = 0
    }

    private func finish(_ reason: Generation.FinishReason) {
        let now = clock.now
        let timings = Generation.Timings(
            queued: (began ?? now) - requested, prefill: began.map { (firstToken ?? now) - $0 } ?? .zero,
            decode: firstToken.map { now - $0 } ?? .zero, timeToFirstToken: firstToken.map { $0 - requested })
        channel.finish(
            Generation.Outcome(
                promptTokens: request.prompt.count, cachedTokens: cachedTokens, completionTokens: completionTokens, finishReason: reason,
                timings: timings))
    }
}
