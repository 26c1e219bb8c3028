import Inference
import Testing

/// A cache of bytes: what holds for one of halves holds for it, and it takes about half the memory.
@Suite(.timeLimit(.minutes(2))) struct CacheTypeTests {
    private func engine(
        _ type: Engine.Configuration.CacheType = .q8, model: String = "tiny-llama-mixed.gguf", sequences: Int = 8, tokensPerStep: Int = 64,
        cacheBytes: Int? = nil
    ) throws -> Engine {
        try Engine(
            path: fixture(model),
            configuration: .init(
                threads: 2, maximumSequences: sequences, tokensPerStep: tokensPerStep, cacheType: type, cacheBytes: cacheBytes, packing: .memory))
    }

    private static func prompt(_ count: Int, seed: UInt64) -> [Token] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in Token(random.next() % 300 + 5) }
    }

    @Test func scoresDoNotDependOnTheBatch() async throws {
        let prompts = (1...9).map { Self.prompt($0 * 11, seed: UInt64($0)) }
        let (alone, crowd) = (try engine(sequences: 1, tokensPerStep: 128), try engine(sequences: 5, tokensPerStep: 13))
        defer {
            alone.shutdown()
            crowd.shutdown()
        }
        let together = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for (index, prompt) in prompts.enumerated() { group.addTask { (index, try await crowd.score(prompt)) } }
            return try await group.reduce(into: [[Float]](repeating: [], count: prompts.count)) { $0[$1.0] = $1.1 }
        }
        for (prompt, scores) in zip(prompts, together) { #expect(try await alone.score(prompt) == scores) }
    }

    @Test func aPrefixFromTheCacheChangesNothing() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let request = GenerationRequest(
            prompt: Self.prompt(70, seed: 3), maximumTokens: 40, sampling: Sampling(temperature: 1, seed: 4), tenant: "a", ignoresEnd: true)
        let (first, again) = (await finish(try engine.generate(request)), await finish(try engine.generate(request)))
        #expect(first.outcome.cachedTokens == 0 && again.outcome.cachedTokens == 64)
        #expect(first.text == again.text)
    }

    @Test func scoresAreNearThoseOfHalves() async throws {
        let (bytes, halves) = (try engine(.q8), try engine(.f16))
        defer {
            bytes.shutdown()
            halves.shutdown()
        }
        let prompt = Self.prompt(120, seed: 6)
        let (ours, exact) = (try await bytes.score(prompt), try await halves.score(prompt))
        let errors = zip(ours, exact).map { abs($0 - $1) }
        #expect(ours != exact)
        #expect(errors.reduce(0, +) / Float(errors.count) < 0.05 && errors.allSatisfy { $0 < 0.25 }, "\(errors.max() ?? 0)")
    }

    /// One layer with two heads of 64: 16 positions take 8,192 bytes as halves, and 4,352 as bytes with their scales.
    @Test func memoryHoldsAboutTwiceTheTokens() throws {
        for (type, tokens) in [(Engine.Configuration.CacheType.f16, 48), (.q8, 80), (.f32, 16)] {
            let engine = try engine(type, cacheBytes: 3 * 8192)
            defer { engine.shutdown() }
            #expect(engine.description.contextLength == tokens)
        }
    }

    @Test func headsThatDoNotFitAreRefused() throws {
        #expect { try self.engine(model: "tiny-llama-q8_0.gguf") } throws: { "\($0)".contains("q8_0") && "\($0)".contains("heads have 24") }
    }

    private func finish(_ generation: Generation) async -> (text: String, outcome: Generation.Outcome) {
        var text = ""
        for await case .text(let piece, _) in generation.events { text += piece }
        return (text, await generation.outcome)
    }
}
