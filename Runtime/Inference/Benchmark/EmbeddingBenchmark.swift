/// How fast a model embeds texts.
package struct EmbeddingBenchmark: Sendable {
    package let inputs: [[Token]]

    package init(inputs: [[Token]]) { self.inputs = inputs }

    /// Seconds for all inputs in one request: the median of `rounds`, after one that does not count.
    package func seconds(_ engine: Engine, rounds: Int = 3) async throws -> Double {
        var seconds: [Double] = []
        for _ in 0...rounds {
            let clock = ContinuousClock()
            let begun = clock.now
            _ = try await engine.embed(inputs)
            seconds.append(begun.duration(to: clock.now).seconds)
        }
        return seconds.dropFirst().sorted()[rounds / 2]
    }
}
