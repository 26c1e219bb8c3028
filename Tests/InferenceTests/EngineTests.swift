import Foundation
import Inference
import Synchronization
import Testing

/// What the engine does for many callers at once, on a tiny model with random weights.
@Suite(.timeLimit(.minutes(2))) struct EngineTests {
    private static let model = "tiny-llama-q8_0.gguf"
    private static let prompts: [[Token]] = {
        var random = SplitMix64(seed: 5)
        return (0..<12).map { index in (0..<1 + index * 7).map { _ in Token(random.next() % 317 + 3) } }
    }()

    private func engine(_ name: String = model, sequences: Int = 16, tokensPerStep: Int = 64, threads: Int = 2) throws -> Engine {
        try Engine(
            path: fixture(name), configuration: .init(threads: threads, maximumSequences: sequences, tokensPerStep: tokensPerStep, packing: .memory))
    }

    private func finish(_ generation: Generation) async -> (text: String, outcome: Generation.Outcome) {
        var text = ""
        for await case .text(let piece, _) in generation.events { text += piece }
        return (text, await generation.outcome)
    }

    // MARK: Batches

    /// Bit for bit: alone, in a crowd, in small pieces, with few slots, on one thread.
    @Test func scoresDoNotDependOnTheBatch() async throws {
        let alone = try engine(sequences: 1, tokensPerStep: 128, threads: 1)
        var expected: [[Float]] = []
        for prompt in Self.prompts { expected.append(try await alone.score(prompt)) }
        #expect(expected.map(\.count) == Self.prompts.map { $0.count - 1 })
        for (sequences, tokensPerStep, threads) in [(16, 64, 2), (3, 5, 3), (16, 16, 1)] {
            let engine = try engine(sequences: sequences, tokensPerStep: tokensPerStep, threads: threads)
            let together = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
                for (index, prompt) in Self.prompts.enumerated() { group.addTask { (index, try await engine.score(prompt)) } }
                return try await group.reduce(into: [[Float]](repeating: [], count: Self.prompts.count)) { $0[$1.0] = $1.1 }
            }
            #expect(together == expected)
            engine.shutdown()
        }
        alone.shutdown()
    }

    @Test(arguments: [Sampling(), Sampling(temperature: 1, topP: 0.9, seed: 3)])
    func answersDoNotDependOnTheBatch(sampling: Sampling) async throws {
        let engine = try engine(sequences: 5, tokensPerStep: 20)
        defer { engine.shutdown() }
        func request(_ prompt: [Token]) -> GenerationRequest { GenerationRequest(prompt: prompt, maximumTokens: 24, sampling: sampling) }
        var expected: [String] = []
        for prompt in Self.prompts { expected.append(await finish(try engine.generate(request(prompt))).text) }
        #expect(Set(expected).count == expected.count)
        let generations = try Self.prompts.map { try engine.generate(request($0)) }
        for (generation, text) in zip(generations, expected) { #expect(await finish(generation).text == text) }
    }

    @Test func moreRequestsThanSlots() async throws {
        let engine = try engine(sequences: 2)
        defer { engine.shutdown() }
        let generations = try (0..<20).map { try engine.generate(endless($0 % 7 + 1)) }
        for (index, generation) in generations.enumerated() { #expect(await generation.outcome.completionTokens == index % 7 + 1) }
        await drained(engine)
    }

    // MARK: Endings

    @Test func outcomesCountTokensAndTime() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let generation = try engine.generate(GenerationRequest(prompt: Self.prompts[3], maximumTokens: 10))
        var counted = 0
        var last: Generation.Outcome?
        for await event in generation.events {
            #expect(last == nil, "nothing comes after the end")
            switch event {
            case .text(let text, let tokens):
                #expect(!text.isEmpty && tokens > 0)
                counted += tokens
            case .finished(let outcome): last = outcome
            case .scores, .promptScores: Issue.record("nobody asked for scores")
            }
        }
        let outcome = try #require(last)
        #expect(await generation.outcome == outcome)
        #expect(outcome.promptTokens == Self.prompts[3].count && outcome.completionTokens == 10 && outcome.finishReason == .length)
        #expect(counted <= 10)
        let timings = outcome.timings
        #expect(timings.prefill > .zero && timings.decode > .zero)
        #expect(timings.timeToFirstToken == timings.queued + timings.prefill)
    }

    @Test func aStopStringEndsTheAnswer() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let free = await finish(try engine.generate(GenerationRequest(prompt: Self.prompts[5], maximumTokens: 40)))
        // Three characters from the middle, which come from several tokens.
        let characters = Array(free.text)
        let place = try #require((8..<characters.count - 8).first { characters[$0..<$0 + 3].allSatisfy { $0.isASCII && $0.isLetter } })
        let stop = String(characters[place..<place + 3])
        let first = try #require(free.text.range(of: stop, options: .literal))
        let stopped = await finish(try engine.generate(GenerationRequest(prompt: Self.prompts[5], maximumTokens: 40, stop: ["\u{1}", stop])))
        #expect(stopped.text == String(free.text[..<first.lowerBound]))
        #expect(stopped.outcome.finishReason == .stop)
        #expect(stopped.outcome.completionTokens < free.outcome.completionTokens)
    }

    /// Random weights make all kinds of bytes; the text must be what all the tokens' bytes make together.
    @Test func charactersAreNotSplit() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        for seed in 0..<20 as Range<UInt64> {
            let request = GenerationRequest(prompt: [5, 6, 7], maximumTokens: 60, sampling: Sampling(temperature: 2, seed: seed))
            let text = await finish(try engine.generate(request)).text
            // Cut in pieces by an endless stop string, it is the same.
            var held = request
            held.stop = [text + "!"]
            #expect(await finish(try engine.generate(held)).text == text)
        }
    }

    @Test func theModelEndsItsAnswer() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        var stopped = 0
        for seed in 0..<200 as Range<UInt64> {
            let (text, outcome) = await finish(
                try engine.generate(GenerationRequest(prompt: [9], maximumTokens: 100, sampling: Sampling(temperature: 3, seed: seed))))
            guard outcome.finishReason == .stop else { continue }
            stopped += 1
            #expect(!text.contains("<|im_end|>") && outcome.completionTokens <= 100)
        }
        #expect(stopped > 0)
    }

    @Test func cancellingFreesTheSlot() async throws {
        let engine = try engine(sequences: 1)
        defer { engine.shutdown() }
        let running = try engine.generate(endless(127))
        let waiting = try engine.generate(endless(5))
        let next = try engine.generate(endless(5))
        waiting.cancel()
        var events = running.events.makeAsyncIterator()
        _ = await events.next()
        running.cancel()
        let outcome = await running.outcome
        // A fast machine may have finished before the call came.
        #expect(outcome.finishReason == .cancelled || outcome.completionTokens == 127)
        #expect(await waiting.outcome.finishReason == .cancelled)
        #expect(await waiting.outcome.completionTokens == 0)
        #expect(await next.outcome.completionTokens == 5)
        await drained(engine)
    }

    /// The engine is kept busy, so that the abandoned answers are still in line when they are dropped.
    @Test func answersThatNobodyReadsEnd() async throws {
        let engine = try engine(sequences: 1)
        defer { engine.shutdown() }
        let busy = try (0..<20).map { _ in try engine.generate(endless(120)) }
        let task = Task { [events = try engine.generate(endless(120)).events] in
            var last: Generation.Event?
            for await event in events { last = event }
            return last
        }
        task.cancel()
        _ = await task.value
        _ = try engine.generate(endless(120))
        for generation in busy { generation.cancel() }
        let after = await finish(try engine.generate(endless(4))).outcome
        #expect(after.completionTokens == 4)
        await drained(engine)
    }

    @Test func cancelledScoresThrow() async throws {
        let engine = try engine(sequences: 1, tokensPerStep: 1)
        defer { engine.shutdown() }
        let busy = try engine.generate(endless(120))
        let task = Task { try await engine.score(Self.prompts[9]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(await busy.outcome.completionTokens == 120)
    }

    @Test func shutdownEndsEverything() async throws {
        let engine = try engine(sequences: 1)
        let generations = try (0..<50).map { _ in try engine.generate(endless(127)) }
        let score = Task { try await engine.score(Self.prompts[9]) }
        for await _ in generations[0].events { break }
        engine.shutdown()
        engine.shutdown()
        let reasons = await reasons(of: generations)
        #expect(reasons.allSatisfy { if case .failed(let error) = $0 { error.message.contains("shutting down") } else { $0 == .length } })
        #expect(reasons.last != .length)
        await #expect(throws: InferenceError.self) { try await score.value }
        #expect(throws: InferenceError.self) { try engine.generate(endless(1)) }
    }

    @Test func anEngineThatIsDroppedEnds() async throws {
        let generations: [Generation]
        do {
            let engine = try engine(sequences: 1)
            generations = try (0..<50).map { _ in try engine.generate(endless(127)) }
        }
        #expect(await reasons(of: generations).last != .length)
    }

    private func reasons(of generations: [Generation]) async -> [Generation.FinishReason] {
        var reasons: [Generation.FinishReason] = []
        for generation in generations { reasons.append(await generation.outcome.finishReason) }
        return reasons
    }

    // MARK: Requests that make no sense

    @Test func requestsAreChecked() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        #expect(engine.description.contextLength == 128 && engine.description.vocabularyCount == 320)
        #expect(engine.description.name == "Tiny llama q8_0" && engine.description.canGenerate && !engine.description.canEmbed)
        let full = [Token](repeating: 5, count: 128)
        func expectRefusal(_ request: GenerationRequest, _ message: String, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(sourceLocation: sourceLocation) { try engine.generate(request) } throws: { "\($0)".contains(message) }
        }
        expectRefusal(.init(prompt: [], maximumTokens: 1), "The prompt is empty.")
        expectRefusal(.init(prompt: [1, 320], maximumTokens: 1), "the token 320, but the vocabulary has 0…319")
        expectRefusal(.init(prompt: [-1], maximumTokens: 1), "the token -1")
        expectRefusal(.init(prompt: [1], maximumTokens: -1), "must not be negative")
        expectRefusal(.init(prompt: [1], maximumTokens: 1, sampling: .init(temperature: -1)), "temperature")
        expectRefusal(.init(prompt: [1], maximumTokens: 1, sampling: .init(temperature: .nan)), "temperature")
        expectRefusal(.init(prompt: [1], maximumTokens: 1, sampling: .init(topK: -1)), "top_k")
        expectRefusal(.init(prompt: [1], maximumTokens: 1, sampling: .init(topP: 0)), "top_p")
        #expect(throws: InferenceError.contextLengthExceeded(limit: 128, requested: 300)) {
            try engine.generate(.init(prompt: Array(repeating: 5, count: 300), maximumTokens: 1))
        }
        #expect { try engine.generate(.init(prompt: full, maximumTokens: 1)) } throws: {
            if case .contextLengthExceeded(limit: 128, _) = ($0 as? InferenceError)?.code { true } else { false }
        }
        let last = try engine.generate(.init(prompt: Array(full.dropLast(2)), maximumTokens: .max, sampling: .init(temperature: 1, seed: 1)))
        #expect(await last.outcome.completionTokens <= 2, "cut to what fits")
        #expect(try await engine.score(full).count == 127)
        await #expect(throws: InferenceError.self) { try await engine.score(full + [5]) }
        await #expect(throws: InferenceError.self) { try await engine.embed([[1]]) }
        #expect(try await engine.score([7]) == [])
    }

    @Test func embeddingRequestsAreChecked() async throws {
        let engine = try engine("tiny-bert-q8_0.gguf")
        #expect(engine.description.canEmbed && engine.description.embeddingLength == 64)
        #expect(try await engine.embed([]) == [])
        await #expect(throws: InferenceError.self) { try await engine.embed([[1], []]) }
        await #expect(throws: InferenceError.self) { try await engine.embed([[1], [96]]) }
        await #expect(throws: InferenceError.contextLengthExceeded(limit: 128, requested: 129)) {
            _ = try await engine.embed([[Token](repeating: 1, count: 129)])
        }
        #expect(throws: InferenceError.self) { try engine.generate(.init(prompt: [1], maximumTokens: 1)) }
        await #expect(throws: InferenceError.self) { try await engine.score([1, 2]) }
        engine.shutdown()
        await #expect(throws: InferenceError.self) { try await engine.embed([[1]]) }
    }

    @Test func manyEmbeddingRequestsAtOnce() async throws {
        let engine = try engine("tiny-bert-q8_0.gguf")
        defer { engine.shutdown() }
        let texts = (0..<300).map { index in (0..<index % 60 + 1).map { Token(($0 * 7 + index) % 96) } }
        let expected = try await engine.embed(texts)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (text, vector) in zip(texts, expected) {
                group.addTask {
                    let alone = try await engine.embed([text])
                    #expect(alone == [vector])
                }
            }
            try await group.waitForAll()
        }
        #expect(expected.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 })
        let task = Task { try await engine.embed(Array(repeating: texts[50], count: 20_000)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// The load is written after the answers have ended. The suite's time limit ends a wait in vain.
    private func drained(_ engine: Engine) async {
        while engine.load.running + engine.load.waiting > 0 { try? await Task.sleep(for: .milliseconds(1)) }
    }

    /// An answer that goes on to `count` tokens: at this seed the model does not end it.
    private func endless(_ count: Int) -> GenerationRequest {
        GenerationRequest(prompt: [5], maximumTokens: count)
    }
}
