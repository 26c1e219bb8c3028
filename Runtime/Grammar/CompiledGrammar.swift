import Synchronization

/// A grammar made ready for a vocabulary. What it learns while it is used serves every later use; any number of sequences may
/// use it at the same time.
package final class CompiledGrammar: Sendable {
    let automaton: Automaton
    let trie: TokenTrie
    private let masks: Mutex<TokenMasks>

    init(_ rules: RuleSet, for trie: TokenTrie) throws(GrammarError) {
        let automaton = try Automaton(rules)
        (self.automaton, self.trie) = (automaton, trie)
        masks = Mutex(TokenMasks(automaton, trie))
    }

    /// - Parameter gbnf: llama.cpp's notation; the rule `root` is what may be written.
    /// - Throws: ``GrammarError`` with the line that is wrong.
    package convenience init(gbnf: String, for trie: TokenTrie) throws(GrammarError) {
        try self.init(GBNFParser.parse(gbnf), for: trie)
    }

    /// How many masks were worked out rather than found.
    package var masksWorkedOut: Int { masks.withLock { $0.workedOut } }

    func mask(of places: Configurations, _ stacks: StackArena) -> TokenMask {
        masks.withLock { $0.mask(of: places, stacks) }
    }
}

/// How far one text has come in a grammar.
package struct GrammarMatcher {
    private let grammar: CompiledGrammar
    private var stacks = StackArena()
    private var places: Configurations

    package init(_ grammar: CompiledGrammar) {
        self.grammar = grammar
        let root = Configuration(state: grammar.automaton.starts[0], stack: StackArena.bottom)
        places = grammar.automaton.closure(CollectionOfOne(root), &stacks)
    }

    /// Whether the text may end here.
    package var canEnd: Bool { places.canEnd }

    /// The tokens that may follow, with those that end the answer where it may end.
    package var allowedTokens: TokenMask { grammar.mask(of: places, stacks) }

    /// Goes on by a token's bytes.
    /// - Returns: whether the grammar allows the token; where it does not, nothing changes.
    package mutating func accept(_ token: Int32) -> Bool {
        if grammar.trie.isEnd(token) { return canEnd }
        let bytes = grammar.trie.bytes(of: token)
        return !bytes.isEmpty && accept(bytes)
    }

    /// Goes on by bytes.
    /// - Returns: whether the grammar allows them; where it does not, nothing changes.
    package mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
        var next = places
        for byte in bytes {
            next = grammar.automaton.step(next, byte, &stacks)
            guard !next.readers.isEmpty || next.canEnd else { return false }
        }
        places = next
        return true
    }
}
