/// Which tokens may follow at each place of a grammar.
///
/// A place's answer depends on the stack only for tokens that run past the end of the place's own rule. So it is worked out once
/// for each state, with those tokens' nodes of the trie left open, and what is left open is continued in the calling rule
/// (the division into context-independent and context-dependent tokens is XGrammar's, https://arxiv.org/abs/2411.15100).
struct TokenMasks {
    private typealias StateID = Automaton.StateID

    /// What a state allows without knowing who called its rule, from one node of the trie on.
    private struct Answer {
        var accepted: TokenSet
        /// Nodes where the rule may have ended, and where tokens go on.
        var open: [Int32]
    }

    private struct Key: Hashable {
        let state: StateID
        /// A node of the trie; or the state in which the caller goes on.
        let other: Int32
    }

    private let automaton: Automaton
    private let trie: TokenTrie
    private var machine: LocalMachine
    private var answers: [Key: Answer] = [:]
    /// Answers at the root with the caller's part added, for the callers seen.
    private var answersWithCaller: [Key: Answer] = [:]

    private static let mostMasksWithCaller = 1024

    /// Whole answers, by the places and what is on their stacks: what is written again and again, as JSON is, comes to the same
    /// ones. At a vocabulary of 150,000 tokens each has 19 kB.
    private var masks: [[StateID]: TokenMask] = [:]
    private static let mostMasks = 512
    /// Longer keys are of grammars that seldom come to the same places again.
    private static let longestKey = 256
    /// How many answers were worked out, for tests.
    private(set) var workedOut = 0

    init(_ automaton: Automaton, _ trie: TokenTrie) {
        (self.automaton, self.trie) = (automaton, trie)
        machine = LocalMachine(automaton)
    }

    /// - Parameter stacks: where the places' stacks are.
    mutating func mask(of places: Configurations, _ stacks: StackArena) -> TokenMask {
        guard let key = key(of: places, stacks) else { return makeMask(of: places, stacks) }
        if let mask = masks[key] { return mask }
        let mask = makeMask(of: places, stacks)
        if masks.count >= Self.mostMasks { masks.removeAll() }
        masks[key] = mask
        return mask
    }

    /// The places without the numbers that one text's stacks happen to have.
    private func key(of places: Configurations, _ stacks: StackArena) -> [StateID]? {
        var key: [StateID] = [places.canEnd ? 1 : 0]
        for place in places.readers {
            key.append(place.state)
            var stack = place.stack
            while stack != StackArena.bottom {
                guard key.count < Self.longestKey else { return nil }
                let (state, below) = stacks.top(of: stack)
                // No state has this number, so that where stacks end shows.
                key.append(~state)
                stack = below
            }
        }
        return key.count <= Self.longestKey ? key : nil
    }

    private mutating func makeMask(of places: Configurations, _ stacks: StackArena) -> TokenMask {
        workedOut += 1
        var mask = TokenMask(count: trie.vocabularyCount)
        var seen: Set<Visit> = []
        for place in places.readers {
            guard place.stack != StackArena.bottom else {
                answer(place.state, 0).accepted.add(to: &mask)
                continue
            }
            let (caller, below) = stacks.top(of: place.stack)
            let answer = answerWithCaller(place.state, caller)
            answer.accepted.add(to: &mask)
            for node in answer.open { goOn(node, below, stacks, &mask, &seen) }
        }
        if places.canEnd { for token in trie.endTokens { mask.insert(token) } }
        return mask
    }

    private struct Visit: Hashable {
        let node: Int32
        let stack: StackArena.StackID
    }

    /// A rule has ended at `node` of the trie; its caller is on top of `stack`.
    private mutating func goOn(
        _ node: Int32, _ stack: StackArena.StackID, _ stacks: StackArena, _ mask: inout TokenMask, _ seen: inout Set<Visit>
    ) {
        var pending = [Visit(node: node, stack: stack)]
        while let visit = pending.popLast() {
            guard visit.stack != StackArena.bottom, seen.insert(visit).inserted else { continue }
            let (caller, below) = stacks.top(of: visit.stack)
            let answer = answer(caller, visit.node)
            answer.accepted.add(to: &mask)
            for node in answer.open { pending.append(Visit(node: node, stack: below)) }
        }
    }

    private mutating func answerWithCaller(_ state: StateID, _ caller: StateID) -> Answer {
        let key = Key(state: state, other: caller)
        if let answer = answersWithCaller[key] { return answer }
        let own = answer(state, 0)
        guard !own.open.isEmpty else { return own }
        var mask = TokenMask(count: trie.vocabularyCount)
        own.accepted.add(to: &mask)
        var open: Set<Int32> = []
        for node in own.open {
            let more = answer(caller, node)
            more.accepted.add(to: &mask)
            open.formUnion(more.open)
        }
        let answer = Answer(accepted: .mask(mask), open: open.sorted())
        if answersWithCaller.count >= Self.mostMasksWithCaller { answersWithCaller.removeAll() }
        answersWithCaller[key] = answer
        return answer
    }

    private mutating func answer(_ state: StateID, _ node: Int32) -> Answer {
        let key = Key(state: state, other: node)
        if let answer = answers[key] { return answer }
        if machine.isFull {
            machine = LocalMachine(automaton)
            answers.removeAll()
            answersWithCaller.removeAll()
        }
        let answer = search(from: machine.start(at: state), below: node)
        answers[key] = answer
        return answer
    }

    /// Walks the tokens below `top` as far as the machine can read them.
    private mutating func search(from start: LocalMachine.PlaceID, below top: Int32) -> Answer {
        var accepted: [Int32] = []
        var open: [Int32] = []
        if machine.canEnd(start) { open.append(top) }
        let topDepth = Int(trie.nodes[Int(top)].depth)
        var places = [start]
        var index = Int(top) + 1
        let end = Int(trie.nodes[Int(top)].end)
        trie.nodes.withUnsafeBufferPointer { nodes in
            while index < end {
                let node = nodes[index]
                let depth = Int(node.depth) - topDepth
                let place = machine.step(places[depth - 1], node.byte)
                guard place != LocalMachine.nowhere else {
                    index = Int(node.end)
                    continue
                }
                for token in node.tokens { accepted.append(trie.sortedTokens[Int(token)]) }
                if machine.canEnd(place), Int(node.end) > index + 1 { open.append(Int32(index)) }
                if depth < places.count { places[depth] = place } else { places.append(place) }
                index += 1
            }
        }
        return Answer(accepted: TokenSet(accepted, vocabularyCount: trie.vocabularyCount), open: open)
    }
}

/// A few tokens as a list, many as a mask.
private enum TokenSet {
    case list([Int32])
    case mask(TokenMask)

    init(_ tokens: [Int32], vocabularyCount: Int) {
        guard tokens.count > vocabularyCount / 64 else {
            self = .list(tokens)
            return
        }
        var mask = TokenMask(count: vocabularyCount)
        for token in tokens { mask.insert(token) }
        self = .mask(mask)
    }

    func add(to mask: inout TokenMask) {
        switch self {
        case .list(let tokens): for token in tokens { mask.insert(token) }
        case .mask(let other): mask.formUnion(other)
        }
    }
}
