/// Guesses how a text goes on, from where its last tokens have come before in it: answers repeat what they were given, above all
/// those made of retrieved passages (prompt lookup decoding, https://github.com/apoorvumang/prompt-lookup-decoding).
///
/// Guesses are evaluated together with the last token, in one step. One that the sampler then chooses as well has cost next to
/// nothing, one that it does not has cost a little: how many are made follows how many have held.
package struct PromptLookup: Sendable {
    /// How many tokens must agree at the least; the place where the most agree is copied.
    private static let fewestAgreeing = 2
    /// Agreement beyond this tells places no further apart.
    private static let mostAgreeing = 16
    /// Tokens between guesses, at the most, in a text that does not repeat itself.
    private static let longestPause = 64

    private let most: Int
    private let leastChance: Double
    /// The estimated probability that a guess holds, where those before it held.
    private var chance = 0.5
    /// How long not to guess after the next guess that was not worth it.
    private var pause = 1
    /// How many tokens there are when guessing goes on.
    private var resumption = 0

    /// - Parameters:
    ///   - most: how many tokens to guess at once, at the most.
    ///   - leastChance: how likely a guess must hold to be worth what it costs, as a share of a step.
    package init(most: Int, leastChance: Double = 0.1) { (self.most, self.leastChance) = (most, leastChance) }

    /// - Returns: what may come after `tokens`; nothing where there is nothing to go by.
    package func guess(after tokens: [Token], atMost limit: Int) -> [Token] {
        let count = min(most, limit, lengthWorthwhile)
        guard count > 0, tokens.count >= resumption, let distance = Self.distance(in: tokens) else { return [] }
        // Past the end goes on what is copied: a text that turns in a circle is guessed round after round.
        var guess = tokens.suffix(distance)
        while guess.count < count { guess += guess }
        return Array(guess.prefix(count))
    }

    /// - Parameters:
    ///   - held: how many of the guesses, from the first on, were what came.
    ///   - tokens: how many there are now.
    package mutating func learn(held: Int, of count: Int, tokens: Int) {
        for _ in 0..<held { chance += (1 - chance) / 4 }
        if held < count { chance -= chance / 4 }
        if held > 0, chance >= leastChance {
            pause = 1
        } else {
            resumption = tokens + pause
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// As many as are all likely enough to hold; one at least, to find out whether the text has begun to repeat something.
    private var lengthWorthwhile: Int {
        var (length, probability) = (1, chance * chance)
        while length < most, probability >= leastChance {
            length += 1
            probability *= chance
        }
        return length
    }

    /// How far back the text was as it is at its end: at the place where the most tokens agree, the latest of equal ones.
    private static func distance(in tokens: [Token]) -> Int? {
        tokens.withUnsafeBufferPointer { tokens in
            let count = tokens.count
            guard count > fewestAgreeing else { return nil }
            let last = tokens[count - 1]
            var best: (distance: Int, agreeing: Int)?
            for distance in 1...count - fewestAgreeing where tokens[count - 1 - distance] == last {
                let limit = min(mostAgreeing, count - distance)
                var agreeing = 1
                while agreeing < limit, tokens[count - 1 - agreeing] == tokens[count - 1 - agreeing - distance] { agreeing += 1 }
                guard agreeing >= fewestAgreeing, agreeing > best?.agreeing ?? 0 else { continue }
                best = (distance, agreeing)
                if agreeing == mostAgreeing { break }
            }
            return best?.distance
        }
    }
}
