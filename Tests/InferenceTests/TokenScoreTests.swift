import Foundation
import Inference
import Testing

/// Log-probabilities beside an answer: of the model's own distribution, whatever then chose the token.
@Suite(.timeLimit(.minutes(1))) struct TokenScoreTests {
    private struct Scored {
        var prompt: [TokenScore] = []
        var answer: [TokenScore] = []
        var text = ""
        var outcome: Generation.Outcome?
    }

    private func run(_ engine: Engine, _ request: GenerationRequest) async throws -> Scored {
        var scored = Scored()
        for await event in try engine.generate(request).events {
            switch event {
            case .promptScores(let scores): scored.prompt = scores
            case .scores(let scores): scored.answer += scores
            case .text(let text, _): scored.text += text
            case .finished(let outcome): scored.outcome = outcome
            }
        }
        return scored
    }

    /// Against transformers, which computed in 64-bit floats (`make_architecture_fixtures.py`).
    @Test(arguments: ArchitectureTests.decoders)
    func asTransformersHasThem(reference: ArchitectureTests.DecoderReference) async throws {
        let engine = try Engine(
            path: fixture("architectures/\(reference.model)"), configuration: .init(threads: 2, cacheType: .f32, packing: .none))
        defer { engine.shutdown() }
        // Penalties and temperature change the choice and not the scores.
        var sampling = Sampling(temperature: 2, seed: 7)
        sampling.penalties.presence = 1.5
        let scored = try await run(
            engine,
            GenerationRequest(prompt: reference.prompt, maximumTokens: 1, sampling: sampling, ignoresEnd: true, topScores: 20, scoresPrompt: true))
        #expect(scored.prompt.map(\.chosen.token) == Array(reference.prompt.dropFirst()))
        for (score, expected) in zip(scored.prompt, reference.logProbabilities) { #expect(abs(score.chosen.logProbability - expected) < 5e-5) }
        let first = try #require(scored.answer.first)
        #expect(abs(first.chosen.logProbability - reference.last[Int(first.chosen.token)]) < 5e-5)
        let expected = reference.last.sorted(by: >).prefix(20)
        #expect(first.top.count == 20)
        for (candidate, value) in zip(first.top, expected) {
            #expect(abs(candidate.logProbability - value) < 5e-5 && abs(reference.last[Int(candidate.token)] - value) < 5e-5)
        }
    }

    @Test func ofThePromptAlone() async throws {
        let engine = try Engine(path: fixture("tiny-llama-q8_0.gguf"), configuration: .init(threads: 1, packing: .memory))
        defer { engine.shutdown() }
        // As long as the context, which leaves no room for an answer.
        let prompt = (0..<128).map { Token($0 * 7 % 300 + 3) }
        let scored = try await run(engine, GenerationRequest(prompt: prompt, maximumTokens: 0, tenant: "t", topScores: 0, scoresPrompt: true))
        #expect(scored.prompt.map(\.chosen.logProbability) == (try await engine.score(prompt)))
        #expect(scored.answer.isEmpty && scored.text.isEmpty)
        #expect(scored.outcome?.finishReason == .length && scored.outcome?.completionTokens == 0)
        #expect(try await run(engine, GenerationRequest(prompt: [5], maximumTokens: 0, topScores: 0, scoresPrompt: true)).prompt.isEmpty)
    }

    /// What a stop string cuts off is not told of; what is shown is, all of it and in order.
    @Test func endWithTheText() async throws {
        let engine = try Engine(path: fixture("tiny-llama-q8_0.gguf"), configuration: .init(threads: 1, packing: .memory))
        defer { engine.shutdown() }
        let request = GenerationRequest(prompt: [5, 6, 7], maximumTokens: 40, ignoresEnd: true, topScores: 2)
        let free = try await run(engine, request)
        #expect(free.answer.count == 40)
        #expect(free.answer.allSatisfy { $0.top.count == 2 && $0.top[0] == $0.chosen })
        let pieces = free.answer.map { engine.tokenizer.bytes(of: $0.chosen.token) }
        #expect(String(decoding: pieces.joined(), as: UTF8.self) == free.text)
        // The whole of a token in the middle, which begins what is cut off.
        let place = try #require((8..<32).first { index in
            let text = String(decoding: pieces[index], as: UTF8.self)
            return text.count > 1 && text.allSatisfy { $0.isASCII && $0.isLetter } && !pieces[..<index].joined().contains(pieces[index])
        })
        var stopped = request
        stopped.stop = [String(decoding: pieces[place], as: UTF8.self)]
        let cut = try await run(engine, stopped)
        #expect(cut.answer == Array(free.answer[..<place]))
        #expect(cut.outcome?.finishReason == .stop)
    }
}

extension Collection where Element == UInt8 {
    fileprivate func contains(_ part: [UInt8]) -> Bool { Array(self).firstRange(of: part) != nil }
}
