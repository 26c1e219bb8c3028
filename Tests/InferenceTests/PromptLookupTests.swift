import Inference
import Testing

@Suite struct PromptLookupTests {
    @Test func copiesFromWhereMostAgrees() {
        let lookup = PromptLookup(most: 3)
        #expect(lookup.guess(after: [1, 2, 3, 4, 5, 9, 1, 2], atMost: 8) == [3, 4, 5])
        #expect(lookup.guess(after: [1, 2, 3, 4, 5, 9, 1, 2], atMost: 2) == [3, 4])
        #expect(lookup.guess(after: [7, 1, 2, 3, 8, 1, 2, 4, 7, 1, 2], atMost: 1) == [3], "three tokens agree, and not only two")
        #expect(lookup.guess(after: [1, 2, 3, 1, 2, 4, 1, 2], atMost: 1) == [4], "the latest of equal places")
        #expect(lookup.guess(after: [5, 6, 7, 5, 6, 7, 5], atMost: 3) == [6, 7, 5])
        #expect(lookup.guess(after: [5, 6, 5, 6], atMost: 3) == [5, 6, 5], "a circle goes on")
        #expect(lookup.guess(after: [4, 4, 4], atMost: 3) == [4, 4, 4])
    }

    @Test func nothingToGoBy() {
        let lookup = PromptLookup(most: 3)
        for tokens in [[], [1], [1, 1], [1, 2, 3, 4, 5], [1, 2, 9, 8, 1]] as [[Token]] { #expect(lookup.guess(after: tokens, atMost: 8) == []) }
        #expect(lookup.guess(after: [5, 6, 5, 6], atMost: 0) == [] && lookup.guess(after: [5, 6, 5, 6], atMost: -1) == [])
        #expect(PromptLookup(most: 0).guess(after: [5, 6, 5, 6], atMost: 8) == [])
    }

    /// An answer of `count` tokens in which guesses could always be made, and hold with this chance.
    private func simulate(_ count: Int, chance: Double, leastChance: Double = 0.1) -> (drafted: Int, accepted: Int, steps: Int) {
        var (lookup, random) = (PromptLookup(most: 15, leastChance: leastChance), SplitMix64(seed: 1))
        var result = (drafted: 0, accepted: 0, steps: 0)
        var tokens = [Token](repeating: 4, count: 10)
        while tokens.count < count {
            let guesses = lookup.guess(after: tokens, atMost: 15).count
            let held = (0..<guesses).prefix { _ in Double(random.next() >> 11) * 0x1p-53 < chance }.count
            tokens += [Token](repeating: 4, count: held + 1)
            if guesses > 0 { lookup.learn(held: held, of: guesses, tokens: tokens.count) }
            result = (result.drafted + guesses, result.accepted + held, result.steps + 1)
        }
        return result
    }

    /// Guesses that never hold are tried ever more rarely; those that always hold make steps of sixteen.
    @Test func effortFollowsSuccess() {
        let never = simulate(1000, chance: 0)
        #expect(never.drafted < 40 && never.accepted == 0)
        let always = simulate(1000, chance: 1)
        #expect(always.steps < 80 && always.drafted == always.accepted)
        let rarely = simulate(1000, chance: 0.05)
        #expect(rarely.drafted < 100)
        let often = simulate(1000, chance: 0.7)
        #expect(often.steps < 500 && often.drafted < 4 * often.accepted)
        // Where guesses are dear, only those are made that nearly always hold.
        #expect(simulate(1000, chance: 0.4, leastChance: 0.6).drafted < 200)
        #expect(simulate(1000, chance: 0.95, leastChance: 0.6).steps < 250)
    }

    /// A text that begins to repeat something after a long while is guessed again soon.
    @Test func guessingIsTakenUpAgain() {
        var lookup = PromptLookup(most: 15)
        var count = 10
        while count < 1000 {
            let tokens = [Token](repeating: 4, count: count)
            let guesses = lookup.guess(after: tokens, atMost: 15).count
            if guesses > 0 { lookup.learn(held: 0, of: guesses, tokens: count + 1) }
            count += 1
        }
        var waited = 0
        while lookup.guess(after: [Token](repeating: 4, count: count), atMost: 15).isEmpty { (waited, count) = (waited + 1, count + 1) }
        #expect(waited <= 64)
        for _ in 0..<8 {
            count += 2
            lookup.learn(held: 1, of: 1, tokens: count)
        }
        #expect(lookup.guess(after: [Token](repeating: 4, count: count), atMost: 15).count > 8)
    }
}
