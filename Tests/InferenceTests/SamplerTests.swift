import Foundation
import Inference
import Testing

@Suite struct SamplerTests {
    /// Logits of these probabilities.
    private let probabilities: [Float] = [0.05, 0.4, 0.1, 0.25, 0.2]

    private func draws(_ sampling: Sampling, count: Int = 20_000, _ probabilities: [Float]? = nil) -> [Double] {
        var sampler = Sampler(sampling)
        var counts = [Int](repeating: 0, count: self.probabilities.count)
        for _ in 0..<count {
            var logits = (probabilities ?? self.probabilities).map { log($0) + 3 }
            if let token = logits.withUnsafeMutableBufferPointer({ sampler.next($0) }) { counts[Int(token)] += 1 }
        }
        return counts.map { Double($0) / Double(count) }
    }

    /// 20,000 draws are off by less than 0.02 with all but certainty (more than five standard deviations).
    private func expect(_ shares: [Double], _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(zip(shares, expected).allSatisfy { abs($0 - $1) < 0.02 && ($1 > 0 || $0 == 0) }, "\(shares)", sourceLocation: sourceLocation)
    }

    /// Ours are 0.05, 0.4, 0.1, 0.25, 0.2; a token must be at least half as likely as the best.
    @Test func minP() {
        expect(draws(Sampling(temperature: 1, minP: 0.45, seed: 9)), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85])
        expect(draws(Sampling(temperature: 1, minP: 1, seed: 9), count: 100), [0, 1, 0, 0, 0])
    }

    @Test func bias() {
        var sampling = Sampling()
        sampling.bias = [3: 1, 1: -100]
        expect(draws(sampling, count: 10), [0, 0, 0, 1, 0])
    }

    @Test func temperatureZeroTakesTheLikeliest() {
        #expect(draws(Sampling(), count: 10) == [0, 1, 0, 0, 0])
        #expect(draws(Sampling(), count: 1, [0.1, 0.3, 0.3, 0.2, 0.1]) == [0, 1, 0, 0, 0], "the first of equals")
    }

    @Test func temperatureOneSamplesAsTheModelLearnt() {
        expect(draws(Sampling(temperature: 1, seed: 1)), [0.05, 0.4, 0.1, 0.25, 0.2])
    }

    @Test func temperatureSharpens() {
        let squares = probabilities.map { Double($0 * $0) }
        expect(draws(Sampling(temperature: 0.5, seed: 2)), squares.map { $0 / squares.reduce(0, +) })
        expect(draws(Sampling(temperature: 1e-30, seed: 2), count: 100), [0, 1, 0, 0, 0])
    }

    @Test func topKKeepsTheLikeliest() {
        expect(draws(Sampling(temperature: 1, topK: 2, seed: 3)), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0])
        expect(draws(Sampling(temperature: 1, topK: 1, seed: 3)), [0, 1, 0, 0, 0])
        expect(draws(Sampling(temperature: 1, topK: 99, seed: 3)), [0.05, 0.4, 0.1, 0.25, 0.2])
    }

    @Test func topPKeepsTheFewestThatReachIt() {
        expect(draws(Sampling(temperature: 1, topP: 0.7, seed: 4)), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85])
        expect(draws(Sampling(temperature: 1, topP: 0.01, seed: 4)), [0, 1, 0, 0, 0])
    }

    @Test func topPCountsWhatTopKLeft() {
        // Of the three left, 0.4 and 0.25 have 0.765 of the whole.
        expect(draws(Sampling(temperature: 1, topK: 3, topP: 0.75, seed: 5)), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0])
    }

    @Test func aSeedRepeatsItsChoices() {
        func choices(_ seed: UInt64?) -> [Token?] {
            var sampler = Sampler(Sampling(temperature: 1, topP: 0.95, seed: seed))
            return (0..<50).map { _ in
                var logits = (0..<1000).map { Float($0 % 17) / 8 }
                return logits.withUnsafeMutableBufferPointer { sampler.next($0) }
            }
        }
        #expect(choices(7) == choices(7))
        #expect(choices(7) != choices(8))
        #expect(choices(nil) != choices(nil))
    }

    @Test func scoresThatAreNotNumbersAreRefused() {
        for bad: [Float] in [[1, .nan, 2], [.nan, .nan], [-.infinity, -.infinity], [.infinity, 1]] {
            for sampling in [Sampling(), Sampling(temperature: 1)] {
                var (sampler, logits) = (Sampler(sampling), bad)
                #expect(logits.withUnsafeMutableBufferPointer { sampler.next($0) } == nil)
            }
        }
        var sampler = Sampler(Sampling(temperature: 1, topK: 2))
        var logits: [Float] = [-.infinity, 3, -.infinity]
        #expect(logits.withUnsafeMutableBufferPointer { sampler.next($0) } == 1)
    }

    /// The first numbers of the reference implementation for the seed 1234567.
    @Test func splitMix64() {
        var random = SplitMix64(seed: 1_234_567)
        #expect((0..<3).map { _ in random.next() } == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
    }
}
