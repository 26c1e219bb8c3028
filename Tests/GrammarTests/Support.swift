import Grammar
import Wire

/// Every byte is a token, and token 256 ends the answer.
let byteTrie = TokenTrie(vocabularyCount: 257, bytes: { $0 < 256 ? [UInt8($0)] : [] }, ends: { $0 == 256 })

extension CompiledGrammar {
    /// Whether `text` as a whole is in the language.
    func allows(_ text: String) -> Bool {
        var matcher = GrammarMatcher(self)
        return matcher.accept(text.utf8) && matcher.canEnd
    }
}

func grammar(_ gbnf: String) throws -> CompiledGrammar { try CompiledGrammar(gbnf: gbnf, for: byteTrie) }

func schema(_ text: String) throws -> CompiledGrammar {
    try CompiledGrammar(schema: OrderedJSON(parsing: text.utf8), for: byteTrie)
}

/// Repeatable random numbers: https://prng.di.unimi.it/splitmix64.c
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
