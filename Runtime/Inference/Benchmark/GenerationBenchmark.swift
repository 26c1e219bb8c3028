import Grammar

/// How fast a model reads prompts and generates, by itself and with others.
package struct GenerationBenchmark: Sendable {
    package var promptTokens: Int
    package var generatedTokens: Int
    /// How often each speed is measured; the median counts.
    package var rounds: Int

    package init(promptTokens: Int, generatedTokens: Int, rounds: Int) {
        (self.promptTokens, self.generatedTokens, self.rounds) = (promptTokens, generatedTokens, rounds)
    }

    /// Tokens per second of a prompt, until the first token of the answer.
    package func prefill(_ engine: Engine) async throws -> Double {
        var rates: [Double] = []
        for round in 0..<rounds {
            let prompt = prompt(promptTokens, engine, salt: round)
            let outcome = await (try engine.generate(GenerationRequest(prompt: prompt, maximumTokens: 1, ignoresEnd: true))).outcome
            try check(outcome)
            rates.append(Double(prompt.count) / outcome.timings.prefill.seconds)
        }
        return rates.sorted()[rates.count / 2]
    }

    /// Tokens per second of `sequences` answers together, after a prompt of 128.
    ///
    /// Counted from the first token of the first answer to the last of the last, so what still remains of other prompts then
    /// counts against it.
    package func decode(_ engine: Engine, sequences: Int) async throws -> Double {
        try await decode(engine, sequences: sequences) { index in
            GenerationRequest(prompt: prompt(min(128, promptTokens), engine, salt: index), maximumTokens: generatedTokens, ignoresEnd: true)
        }
    }

    /// The same for answers of which three quarters are quoted from their prompts, 24 tokens at a time, or nothing: what guessing
    /// gains, and what it costs. A grammar has any model say them.
    package func decode(_ engine: Engine, sequences: Int, quoting: Bool) async throws -> Double {
        try await decode(engine, sequences: sequences) { index in
            let prompt = prompt(promptTokens, engine, salt: index)
            var random = SplitMix64(seed: UInt64(index))
            var answer: [Token] = []
            while answer.count < generatedTokens {
                answer += (0..<8).compactMap { _ in prompt.randomElement(using: &random) }
                guard quoting, prompt.count > 24 else { continue }
                let start = Int.random(in: 0..<prompt.count - 24, using: &random)
                answer += prompt[start..<start + 24]
            }
            return GenerationRequest(
                prompt: prompt, maximumTokens: generatedTokens, ignoresEnd: true,
                grammar: try only(Array(answer.prefix(generatedTokens)), engine.description.vocabularyCount))
        }
    }

    /// A grammar that allows these tokens and no others: each has a name of five letters in it.
    private func only(_ tokens: [Token], _ vocabularyCount: Int) throws -> CompiledGrammar {
        func name(_ token: Token) -> [UInt8] { (0..<5).map { UInt8(ascii: "a") + UInt8(token >> (4 * $0) & 15) } }
        let all = Set(tokens)
        let names = TokenTrie(vocabularyCount: vocabularyCount, bytes: { all.contains($0) ? name($0) : [] }, ends: { _ in false })
        return try CompiledGrammar(gbnf: "root ::= \"\(String(decoding: tokens.flatMap(name), as: UTF8.self))\"", for: names)
    }

    private func decode(_ engine: Engine, sequences: Int, _ request: (Int) throws -> GenerationRequest) async throws -> Double {
        var rates: [Double] = []
        for _ in 0..<rounds {
            let clock = ContinuousClock()
            let running = try (0..<sequences).map { index in
                let request = try request(index)
                return (start: clock.now, generation: try engine.generate(request))
            }
            var first: ContinuousClock.Instant?
            var last: ContinuousClock.Instant?
            var tokens = 0
            for (start, generation) in running {
                let outcome = await generation.outcome
                try check(outcome)
                let timings = outcome.timings
                let begun = start + timings.queued + timings.prefill
                first = min(first ?? begun, begun)
                last = max(last ?? begun, begun + timings.decode)
                tokens += outcome.completionTokens - 1
            }
            if let first, let last { rates.append(Double(tokens) / first.duration(to: last).seconds) }
        }
        return rates.sorted()[rates.count / 2]
    }

    /// Tokens that depend on nothing but their number.
    private func prompt(_ count: Int, _ engine: Engine, salt: Int) -> [Token] {
        let limit = min(count, engine.description.contextLength - generatedTokens)
        return (0..<max(1, limit)).map { Token(($0 * 7919 + salt) % min(1000, max(1, engine.description.vocabularyCount - 10)) + min(10, engine.description.vocabularyCount - 1)) }
    }

    private func check(_ outcome: Generation.Outcome) throws {
        if case .failed(let error) = outcome.finishReason { throw error }
    }
}
