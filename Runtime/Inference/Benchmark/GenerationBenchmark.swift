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
        var rates: [Double] = []
        for _ in 0..<rounds {
            let clock = ContinuousClock()
            let running = try (0..<sequences).map { index in
                let request = GenerationRequest(
                    prompt: prompt(min(128, promptTokens), engine, salt: index), maximumTokens: generatedTokens, ignoresEnd: true)
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
