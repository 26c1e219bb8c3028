import Inference
import Testing

/// Whether keys and values are new, from an earlier call, or computed once more, a sequence's tokens are the same bit for bit.
@Suite(.timeLimit(.minutes(2))) struct PrefixCacheTests {
    private func engine(sequences: Int = 4, cacheBytes: Int? = nil) throws -> Engine {
        try Engine(
            path: fixture("tiny-llama-q8_0.gguf"),
            configuration: .init(threads: 2, maximumSequences: sequences, cacheBytes: cacheBytes, packing: .memory))
    }

    private static let prompt: [Token] = {
        var random = SplitMix64(seed: 8)
        return (0..<70).map { _ in Token(random.next() % 317 + 3) }
    }()

    private func request(_ prompt: [Token], _ tenant: String?, _ count: Int = 40, temperature: Float = 1) -> GenerationRequest {
        GenerationRequest(
            prompt: prompt, maximumTokens: count, sampling: Sampling(temperature: temperature, seed: 4), tenant: tenant, ignoresEnd: true)
    }

    private func finish(_ generation: Generation) async -> (text: String, outcome: Generation.Outcome) {
        var text = ""
        for await case .text(let piece, _) in generation.events { text += piece }
        return (text, await generation.outcome)
    }

    @Test func answersAreTheSameFromTheCache() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let first = await finish(try engine.generate(request(Self.prompt, "a")))
        #expect(first.outcome.cachedTokens == 0 && first.outcome.promptTokens == 70)
        let again = await finish(try engine.generate(request(Self.prompt, "a")))
        #expect(again.outcome.cachedTokens == 64 && again.text == first.text)
        let alone = await finish(try engine.generate(request(Self.prompt, nil)))
        #expect(alone.outcome.cachedTokens == 0 && alone.text == first.text)
        let other = await finish(try engine.generate(request(Array(Self.prompt.prefix(50)) + [9, 9, 9], "a")))
        #expect(other.outcome.cachedTokens == 48, "whole blocks of what is equal")
        // Logarithms of probabilities, which tell more than tokens: after the cached part they are those of a new computation.
        let scores = try await engine.predict(after: Self.prompt)
        #expect(scores == (try await engine.predict(after: Self.prompt)))
    }

    /// Who wants scores of the prompt computes all of it, and others find that.
    @Test func aScoredPromptIsComputedOnce() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        var scoring = request(Self.prompt, "a")
        (scoring.topScores, scoring.scoresPrompt) = (1, true)
        let generations = [try engine.generate(scoring)] + (try (0..<3).map { _ in try engine.generate(request(Self.prompt, "a")) })
        var outcomes: [Generation.Outcome] = []
        for generation in generations { outcomes.append(await generation.outcome) }
        #expect(outcomes.map(\.cachedTokens) == [0, 64, 64, 64])
        let scores = await generations[0].promptScores
        #expect(scores.count == 69)
        #expect(await generations[1].promptScores.isEmpty)
        // Once more: all is there, and it is computed anew.
        let again = try engine.generate(scoring)
        #expect(await again.outcome.cachedTokens == 0)
        #expect(await again.promptScores == scores)
    }

    @Test func tenantsDoNotShare() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let first = await finish(try engine.generate(request(Self.prompt, "a")))
        let other = await finish(try engine.generate(request(Self.prompt, "b")))
        #expect(other.outcome.cachedTokens == 0 && other.text == first.text)
        #expect(await finish(try engine.generate(request(Self.prompt, "b"))).outcome.cachedTokens == 64)
    }

    /// The next turn of a conversation begins with the answer to the one before.
    @Test func answersAreFoundAgain() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        // All but its last token have been evaluated. The tokens of a greedy answer are those that the scores prefer.
        var tokens = Array(Self.prompt.prefix(20))
        _ = await finish(try engine.generate(request(tokens, "a", 30, temperature: 0)))
        while tokens.count < 49 {
            let scores = try await engine.predict(after: tokens)
            let best = try #require(scores.indices.max { scores[$0] < scores[$1] })
            tokens.append(Token(best))
        }
        let next = await finish(try engine.generate(request(tokens + [5, 6], "a", 5)))
        #expect(next.outcome.cachedTokens == 48)
    }

    /// A cache that holds one long answer and a bit: the others wait, leave and come again, and nobody notices.
    @Test func aSmallCacheChangesNothing() async throws {
        let (large, small) = (try engine(), try engine(cacheBytes: 10 * Self.blockBytes))
        defer {
            large.shutdown()
            small.shutdown()
        }
        #expect(large.description.contextLength == 128 && small.description.contextLength == 128)
        let prompts = (0..<9).map { index in (0..<1 + index * 9).map { Token(($0 * 7 + index) % 300 + 5) } }
        let requests = prompts.map { request($0, "a", 128 - $0.count) }
        let together = try requests.map { try small.generate($0) }
        for (index, request) in requests.enumerated() {
            let expected = await finish(try large.generate(request))
            let (text, outcome) = await finish(together[index])
            #expect(text == expected.text && outcome.completionTokens == expected.outcome.completionTokens)
        }
    }

    @Test func theCacheLimitsTheContext() async throws {
        let engine = try engine(cacheBytes: 3 * Self.blockBytes + 100)
        defer { engine.shutdown() }
        #expect(engine.description.contextLength == 48)
        #expect(throws: InferenceError.contextLengthExceeded(limit: 48, requested: 50)) {
            try engine.generate(request(Array(Self.prompt.prefix(50)), "a"))
        }
        #expect(await finish(try engine.generate(request(Array(Self.prompt.prefix(40)), "a", 100))).outcome.completionTokens == 8)
        #expect { try self.engine(cacheBytes: 100) } throws: { "\($0)".contains("The cache has 100 bytes") }
    }

    /// 16 positions in 2 layers of 2 heads, a key and a value of 24 elements each in f16.
    private static let blockBytes = 16 * 2 * 2 * 2 * 24 * 2
}
