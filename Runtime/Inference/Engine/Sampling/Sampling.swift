/// How tokens are chosen from a model's scores. What is changed comes in this order: ``bias``, penalties, ``temperature``, ``topK``,
/// ``topP``, ``minP``.
package struct Sampling: Hashable, Sendable {
    /// The scores are divided by it: 0 always takes the most likely token, 1 samples as the model learnt.
    package var temperature: Float = 0
    /// Only the most likely `topK` tokens may be chosen; 0 is no limit.
    package var topK = 0
    /// Only the most likely tokens that together have this probability may be chosen; 1 is no limit.
    package var topP: Float = 1
    /// Only tokens that are at least this share as likely as the most likely one may be chosen; 0 is no limit.
    package var minP: Float = 0
    /// Makes the choices repeatable; `nil` takes a new seed.
    package var seed: UInt64?
    /// Added to tokens' scores.
    package var bias: [Token: Float] = [:]
    package var penalties = Penalties()

    package init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, minP: Float = 0, seed: UInt64? = nil) {
        (self.temperature, self.topK, self.topP, self.minP, self.seed) = (temperature, topK, topP, minP, seed)
    }

    /// The same for one of several answers to a prompt: of a seed, each has its own.
    /// - Parameter index: which answer; the first has the seed itself.
    package func answer(_ index: Int) -> Sampling {
        guard index > 0, let seed else { return self }
        var (sampling, base) = (self, SplitMix64(seed: seed))
        var own = SplitMix64(seed: base.next() &+ UInt64(index))
        sampling.seed = own.next()
        return sampling
    }

    func validate(vocabularyCount: Int) throws {
        func refuse(_ message: String) -> InferenceError { InferenceError(.invalidRequest, message) }
        guard temperature.isFinite, temperature >= 0 else { throw refuse("The temperature must be a number from 0, not \(temperature).") }
        guard topK >= 0 else { throw refuse("top_k must not be negative.") }
        guard topP > 0, topP <= 1 else { throw refuse("top_p must be above 0 and at most 1, not \(topP).") }
        guard minP >= 0, minP <= 1 else { throw refuse("min_p must be from 0 to 1, not \(minP).") }
        guard penalties.repetition > 0, [penalties.repetition, penalties.presence, penalties.frequency].allSatisfy(\.isFinite) else {
            throw refuse("Penalties must be numbers, and the one for repetition above 0.")
        }
        if let token = bias.keys.first(where: { $0 < 0 || $0 >= vocabularyCount }) {
            throw refuse("There is no token \(token) to give a bias; the vocabulary has 0…\(vocabularyCount - 1).")
        }
    }
}
