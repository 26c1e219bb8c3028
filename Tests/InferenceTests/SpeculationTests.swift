import Grammar
import Inference
import Testing
import Wire

/// Answers are the same whether or not tokens are guessed: the same tokens, scores and ends, bit for bit.
@Suite(.timeLimit(.minutes(2))) struct SpeculationTests {
    struct Answer: Hashable {
        var text = ""
        var scores: [TokenScore] = []
        var completionTokens = 0
        var finishReason: Generation.FinishReason?
    }

    /// Text that repeats itself, and with it what a small model says after it.
    private static func prompt(_ index: Int) -> [Token] {
        let passage = (0..<9).map { Token(20 + index * 5 + $0 * $0 % 31) }
        return passage + [7, 8] + passage.prefix(4 + index % 3)
    }

    private static let samplings: [Sampling] = {
        var penalized = Sampling()
        // Little, so that the answers still repeat themselves.
        penalized.penalties = Penalties(repetition: 1.01, presence: 0.01, frequency: 0.02)
        var biased = Sampling(temperature: 1, topK: 30, minP: 0.02, seed: 5)
        biased.bias = [40: 2, 41: -100]
        biased.penalties.frequency = 0.3
        return [Sampling(), Sampling(temperature: 0.4, topP: 0.9, seed: 3), Sampling(temperature: 1.5, seed: 4), penalized, biased]
    }()

    private func engine(
        _ draftMaximum: Int, _ model: String = "tiny-llama-q8_0.gguf", sequences: Int = 16, tokensPerStep: Int = 64, contextLength: Int? = nil,
        cacheType: Engine.Configuration.CacheType = .f16, cacheBytes: Int? = nil, adapters: [String: String] = [:]
    ) throws -> Engine {
        try Engine(
            path: fixture(model),
            configuration: .init(
                threads: 2, maximumSequences: sequences, tokensPerStep: tokensPerStep, contextLength: contextLength, cacheType: cacheType,
                cacheBytes: cacheBytes, packing: .memory, draftMaximum: draftMaximum, adapters: adapters))
    }

    private func read(_ generation: Generation) async -> (answer: Answer, outcome: Generation.Outcome) {
        var answer = Answer()
        for await event in generation.events {
            switch event {
            case .text(let piece, _): answer.text += piece
            case .scores(let scores), .promptScores(let scores): answer.scores += scores
            case .finished: break
            }
        }
        let outcome = await generation.outcome
        (answer.completionTokens, answer.finishReason) = (outcome.completionTokens, outcome.finishReason)
        #expect(outcome.acceptedTokens <= outcome.draftedTokens && outcome.acceptedTokens <= outcome.completionTokens)
        return (answer, outcome)
    }

    /// - Parameter together: all at once; or one after the other.
    private func answers(_ engine: Engine, _ requests: [GenerationRequest], together: Bool) async throws -> (answers: [Answer], drafted: Int, accepted: Int) {
        var (all, drafted, accepted): ([Answer], Int, Int) = ([], 0, 0)
        var running: [Generation] = []
        for request in requests {
            running.append(try engine.generate(request))
            if !together, let last = running.last { _ = await last.outcome }
        }
        for generation in running {
            let (answer, outcome) = await read(generation)
            all.append(answer)
            (drafted, accepted) = (drafted + outcome.draftedTokens, accepted + outcome.acceptedTokens)
        }
        return (all, drafted, accepted)
    }

    /// With and without, alone and together; the plain ones must not guess, and the others must.
    /// - Parameter holds: whether some of the guesses must hold, and not all.
    private func compare(_ requests: [GenerationRequest], holds: Bool = true, _ engine: (Int) throws -> Engine) async throws {
        let plain = try engine(0)
        let expected = try await answers(plain, requests, together: false)
        plain.shutdown()
        #expect(expected.drafted == 0 && expected.answers.allSatisfy { $0.completionTokens > 0 })
        for most in [1, 15] {
            let guessing = try engine(most)
            defer { guessing.shutdown() }
            for together in [false, true] {
                let ours = try await answers(guessing, requests, together: together)
                #expect(ours.answers == expected.answers)
                if holds, !together { #expect(ours.drafted > ours.accepted && ours.accepted > 0) }
            }
        }
    }

    @Test(arguments: samplings, [Engine.Configuration.CacheType.f16, .q8])
    func answersDoNotDependOnGuesses(sampling: Sampling, cacheType: Engine.Configuration.CacheType) async throws {
        let requests = (0..<8).map { index in
            GenerationRequest(
                prompt: Self.prompt(index), maximumTokens: 30 + index * 9, sampling: sampling.answer(index), tenant: index % 3 == 0 ? nil : "t",
                ignoresEnd: index % 2 == 0, topScores: 3, scoresPrompt: index == 3)
        }
        // Heads of 64, which a cache of bytes can have.
        let model = cacheType == .q8 ? "tiny-llama-mixed.gguf" : "tiny-llama-q8_0.gguf"
        try await compare(requests, holds: sampling.temperature < 1) { try engine($0, model, cacheType: cacheType) }
    }

    /// Little room: sequences wait, leave and come again, blocks are scarce, and the context ends.
    @Test(arguments: [(3, 8, 9), (2, 64, 8), (16, 16, 12)])
    func inNarrowPlaces(sequences: Int, tokensPerStep: Int, blocks: Int) async throws {
        let requests = (0..<8).map { index in
            GenerationRequest(
                prompt: Self.prompt(index), maximumTokens: 1000, sampling: Sampling(temperature: 0.3, seed: 9), tenant: "t", ignoresEnd: true, topScores: 0)
        }
        try await compare(requests) {
            try engine($0, sequences: sequences, tokensPerStep: tokensPerStep, cacheBytes: blocks * Self.blockBytes)
        }
    }

    @Test func asGrammarsHaveIt() async throws {
        let plain = try engine(0)
        let trie = TokenTrie(
            vocabularyCount: plain.tokenizer.vocabularyCount, bytes: plain.tokenizer.bytes(of:), ends: plain.tokenizer.isEndOfGeneration)
        plain.shutdown()
        let grammars = [
            try CompiledGrammar(gbnf: "root ::= (\"the cat \" | \"the dog \"){3,12} \"ends\"", for: trie),
            try CompiledGrammar(
                schema: .init(parsing: #"{"type": "array", "minItems": 3, "maxItems": 6, "items": {"type": "object", "properties": {"name": {"enum": ["ab", "cd"]}}, "required": ["name"], "additionalProperties": false}}"#.utf8),
                for: trie),
        ]
        let requests = Self.samplings.prefix(3).flatMap { sampling in
            grammars.map { GenerationRequest(prompt: Self.prompt(1), maximumTokens: 90, sampling: sampling, grammar: $0, topScores: 1) }
        }
        try await compare(requests) { try engine($0) }
    }

    @Test func withStops() async throws {
        let plain = try engine(0)
        let free = (0..<6).map { GenerationRequest(prompt: Self.prompt($0), maximumTokens: 60, ignoresEnd: true) }
        let texts = try await answers(plain, free, together: false).answers.map(\.text)
        plain.shutdown()
        let requests = zip(free, texts).map { request, text in
            var request = request
            // From the middle of what comes, so that guesses go past the answer's end.
            request.stop = [String(text.dropFirst(text.count / 2).prefix(4))]
            request.topScores = 0
            return request
        }
        try await compare(requests) { try engine($0) }
    }

    @Test func withAdapters() async throws {
        let adapters = Dictionary(uniqueKeysWithValues: ["llama-all", "llama-few"].map { ($0, fixture("adapters/\($0).gguf")) })
        let requests = (0..<6).map { index in
            GenerationRequest(
                prompt: Self.prompt(index).map { $0 % 90 + 3 }, maximumTokens: 60, tenant: "t", adapter: [nil, "llama-all", "llama-few"][index % 3],
                ignoresEnd: true, topScores: 2)
        }
        try await compare(requests) { try engine($0, "architectures/llama.gguf", adapters: adapters) }
    }

    /// With windows of attention, and with experts.
    @Test(arguments: ["gemma3.gguf", "mixtral.gguf", "qwen3moe.gguf"])
    func ofOtherArchitectures(model: String) async throws {
        let requests = (0..<5).map { index in
            GenerationRequest(prompt: Self.prompt(index).map { $0 % 90 + 3 }, maximumTokens: 70, ignoresEnd: true, topScores: 2)
        }
        try await compare(requests, holds: model == "gemma3.gguf") { try engine($0, "architectures/\(model)") }
    }

    /// What is kept of an answer for the next turn was evaluated as the answer has it.
    @Test func whatIsKeptIsTheAnswer() async throws {
        let plain = try engine(0)
        let guessing = try engine(15)
        defer {
            plain.shutdown()
            guessing.shutdown()
        }
        func turns(_ engine: Engine) async throws -> [Answer] {
            var (answers, found): ([Answer], Int) = ([], 0)
            for index in 0..<8 {
                let sampling = Sampling(temperature: index % 2 == 0 ? 0 : 0.8, seed: 2)
                func request(_ prompt: [Token], _ count: Int, tenant: String?) -> GenerationRequest {
                    GenerationRequest(prompt: prompt, maximumTokens: count, sampling: sampling, tenant: tenant, ignoresEnd: true, topScores: 0)
                }
                let first = await read(try engine.generate(request(Self.prompt(index), 50, tenant: "t"))).answer
                answers.append(first)
                let turn = Self.prompt(index) + first.scores.map(\.chosen.token) + [5, 6, 7]
                let next = await read(try engine.generate(request(turn, 8, tenant: "t")))
                let alone = await read(try engine.generate(request(turn, 8, tenant: nil)))
                #expect(next.answer == alone.answer)
                answers.append(next.answer)
                found += next.outcome.cachedTokens
            }
            #expect(found >= 8 * 48)
            return answers
        }
        let (expected, ours) = (try await turns(plain), try await turns(guessing))
        #expect(ours == expected)
    }

    @Test func eachGuessThatHoldsSavesAStep() async throws {
        let requests = (0..<8).map { GenerationRequest(prompt: Self.prompt($0), maximumTokens: 100, ignoresEnd: true) }
        var (steps, accepted): ([Int], Int) = ([], 0)
        for most in [0, 15] {
            let engine = try engine(most)
            defer { engine.shutdown() }
            accepted = try await answers(engine, requests, together: false).accepted
            // The load is told after the answers have ended, and twice in a step.
            while engine.load.running > 0 { await Task.yield() }
            steps.append(engine.load.steps)
        }
        #expect(accepted > 50 && steps[0] - steps[1] == 2 * accepted, "\(steps) \(accepted)")
    }

    /// 16 positions in 2 layers of 2 heads, a key and a value of 24 elements each in f16.
    private static let blockBytes = 16 * 2 * 2 * 2 * 24 * 2
}
