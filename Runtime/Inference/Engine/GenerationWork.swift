import Grammar
import Kernels

/// An answer, token by token.
final class GenerationWork: SequenceWork {
    private(set) var tokens: [Token]
    let root: BlockKey?
    /// Scores are wanted of all the prompt's tokens.
    var findsPrefix: Bool { !request.scoresPrompt }
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
    private var lookup: PromptLookup
    /// What is being evaluated, and how many tokens were known before it.
    private var guesses: (tokens: [Token], start: Int) = ([], 0)
    private var draftedTokens = 0
    private var acceptedTokens = 0
    private var scores: ScoreKeeper?
    /// Of the answer, shown or not.
    private var byteCount = 0

    private let clock = ContinuousClock()
    private let requested: ContinuousClock.Instant
    private var began: ContinuousClock.Instant?
    private var firstToken: ContinuousClock.Instant?

    /// - Parameters:
    ///   - model: with which tenants' cached prefixes belong together.
    ///   - lookup: what guesses how the answer goes on.
    init(_ job: SequenceRunner.GenerationJob, model: String, tokenizer: any Tokenizer, kernels: swl_kernels, lookup: PromptLookup) {
        request = job.request
        channel = job.channel
        requested = job.requested
        (self.tokenizer, self.kernels, self.lookup) = (tokenizer, kernels, lookup)
        tokens = request.prompt
        history = TokenHistory(prompt: request.prompt, penalties: request.sampling.penalties)
        matcher = request.grammar.map(GrammarMatcher.init)
        root = request.tenant.map { BlockKey(tenant: $0, model: model) }
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
        if request.scoresPrompt, completionTokens == 0 { channel.tell(promptScores: scores?.prompt ?? []) }
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

    // MARK: Guesses

    func guess(atMost limit: Int) -> [Token] {
        learn()
        return lookup.guess(after: tokens, atMost: min(limit, request.maximumTokens - completionTokens - 1))
    }

    func willEvaluate(guesses: [Token]) {
        learn()
        self.guesses = (guesses, tokens.count)
        draftedTokens += guesses.count
    }

    /// What came in the places of the last guesses.
    private func learn() {
        guard !guesses.tokens.isEmpty else { return }
        let held = zip(guesses.tokens, tokens[guesses.start...]).prefix { $0 == $1 }.count
        acceptedTokens += held
        lookup.learn(held: held, of: guesses.tokens.count, tokens: tokens.count)
        guesses.tokens = []
    }

    // MARK: The end

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
        learn()
        let now = clock.now
        let timings = Generation.Timings(
            queued: (began ?? now) - requested, prefill: began.map { (firstToken ?? now) - $0 } ?? .zero,
            decode: firstToken.map { now - $0 } ?? .zero, timeToFirstToken: firstToken.map { $0 - requested })
        channel.finish(
            Generation.Outcome(
                promptTokens: request.prompt.count, cachedTokens: cachedTokens, completionTokens: completionTokens,
                draftedTokens: draftedTokens, acceptedTokens: acceptedTokens, finishReason: reason, timings: timings))
    }
}
