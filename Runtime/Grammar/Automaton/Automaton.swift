/// A grammar as a machine over bytes: states with byte moves, silent moves and calls of rules. A call remembers on a stack where
/// it goes on, so that rules may nest without end.
struct Automaton: Sendable {
    typealias StateID = Int32

    struct State: Sendable {
        var moves: [(bytes: ClosedRange<UInt8>, target: StateID)] = []
        var silent: [StateID] = []
        /// Where the called rule begins, and where its caller goes on behind it.
        var calls: [(start: StateID, goesOn: StateID)] = []
        /// Whether the rule that the state belongs to may end here.
        var isFinal = false
    }

    private(set) var states: [State] = []
    /// Where each rule begins.
    private(set) var starts: [StateID] = []
    /// For each state whether nothing but the end of its rule can follow.
    private(set) var onlyReturns: [Bool] = []

    /// Larger grammars are refused: 4 million moves are some 100 MB.
    private static let mostStates = 400_000

    /// - Throws: ``GrammarError`` where the grammar is too large or a rule begins with itself.
    init(_ rules: RuleSet) throws(GrammarError) {
        try LeftRecursion.refuse(in: rules)
        for _ in rules.rules { starts.append(try addState()) }
        for (start, rule) in zip(starts, rules.rules) {
            let end = try addState()
            states[Int(end)].isFinal = true
            try add(rule.expression, from: start, to: end)
        }
        findOnlyReturns()
    }

    private mutating func findOnlyReturns() {
        onlyReturns = states.map { _ in false }
        let candidates = states.indices.filter { states[$0].moves.isEmpty && states[$0].calls.isEmpty }
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for index in candidates where !onlyReturns[index] {
                let state = states[index]
                guard state.isFinal || !state.silent.isEmpty, state.silent.allSatisfy({ onlyReturns[Int($0)] }) else { continue }
                onlyReturns[index] = true
                hasChanged = true
            }
        }
    }

    private mutating func addState() throws(GrammarError) -> StateID {
        guard states.count < Self.mostStates else {
            throw GrammarError("The grammar is too large: lower its counts of repetition, or its number of alternatives.")
        }
        states.append(State())
        return StateID(states.count - 1)
    }

    private mutating func add(_ expression: Expression, from start: StateID, to end: StateID) throws(GrammarError) {
        switch expression {
        case .text(let text):
            try add(text.utf8.map { $0...$0 }, from: start, to: end)
        case .character(let set):
            for sequence in set.byteSequences { try add(sequence, from: start, to: end) }
        case .sequence(let parts):
            guard let last = parts.last else { return states[Int(start)].silent.append(end) }
            var place = start
            for part in parts.dropLast() {
                let next = try addState()
                try add(part, from: place, to: next)
                place = next
            }
            try add(last, from: place, to: end)
        case .choice(let choices):
            var texts: [[UInt8]] = []
            for choice in choices {
                if case .text(let text) = choice { texts.append(Array(text.utf8)) } else { try add(choice, from: start, to: end) }
            }
            try add(texts, from: start, to: end)
        case .repeated(let part, let least, let most):
            try addRepeated(part, least, most, from: start, to: end)
        case .rule(let number):
            states[Int(start)].calls.append((starts[number], end))
        }
    }

    private mutating func add(_ bytes: [ClosedRange<UInt8>], from start: StateID, to end: StateID) throws(GrammarError) {
        guard !bytes.isEmpty else { return states[Int(start)].silent.append(end) }
        var place = start
        for (index, range) in bytes.enumerated() {
            let next = index == bytes.count - 1 ? end : try addState()
            states[Int(place)].moves.append((range, next))
            place = next
        }
    }

    /// One of several texts: what they begin with in common is one path, so that the machine is at one place in it.
    private mutating func add(_ texts: [[UInt8]], from start: StateID, to end: StateID) throws(GrammarError) {
        var targets: [BranchKey: StateID] = [:]
        for text in texts {
            var place = start
            for byte in text {
                let key = BranchKey(state: place, byte: byte)
                if let known = targets[key] {
                    place = known
                } else {
                    let next = try addState()
                    states[Int(place)].moves.append((byte...byte, next))
                    targets[key] = next
                    place = next
                }
            }
            states[Int(place)].silent.append(end)
        }
    }

    private struct BranchKey: Hashable {
        let state: StateID
        let byte: UInt8
    }

    private mutating func addRepeated(
        _ part: Expression, _ least: Int, _ most: Int?, from start: StateID, to end: StateID
    ) throws(GrammarError) {
        // The parts loop or branch off; a state of their own in front keeps that from whatever else begins at `start`.
        var place = try addState()
        states[Int(start)].silent.append(place)
        for _ in 0..<least {
            let next = try addState()
            try add(part, from: place, to: next)
            place = next
        }
        guard let most else {
            let again = try addState()
            states[Int(place)].silent.append(again)
            try add(part, from: again, to: again)
            return states[Int(again)].silent.append(end)
        }
        for _ in least..<max(most, least) {
            states[Int(place)].silent.append(end)
            let next = try addState()
            try add(part, from: place, to: next)
            place = next
        }
        states[Int(place)].silent.append(end)
    }
}

/// A rule that can begin with itself would call itself without reading anything, forever.
private struct LeftRecursion {
    private let rules: RuleSet
    private var canBeEmpty: [Bool]

    static func refuse(in rules: RuleSet) throws(GrammarError) {
        var search = LeftRecursion(rules: rules, canBeEmpty: rules.rules.map { _ in false })
        search.findEmptyRules()
        try search.refuseCycles()
    }

    private mutating func findEmptyRules() {
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for index in canBeEmpty.indices where !canBeEmpty[index] && isEmpty(rules[index]) {
                canBeEmpty[index] = true
                hasChanged = true
            }
        }
    }

    private func isEmpty(_ expression: Expression) -> Bool {
        switch expression {
        case .text(let text): text.isEmpty
        case .character: false
        case .sequence(let parts): parts.allSatisfy(isEmpty)
        case .choice(let choices): choices.contains(where: isEmpty)
        case .repeated(let part, let least, _): least == 0 || isEmpty(part)
        case .rule(let number): canBeEmpty[number]
        }
    }

    /// The rules that `expression` can begin with.
    private func beginnings(_ expression: Expression) -> [Int] {
        switch expression {
        case .text, .character: return []
        case .sequence(let parts):
            var found: [Int] = []
            for part in parts {
                found += beginnings(part)
                guard isEmpty(part) else { break }
            }
            return found
        case .choice(let choices): return choices.flatMap(beginnings)
        case .repeated(let part, _, _): return beginnings(part)
        case .rule(let number): return [number]
        }
    }

    private func refuseCycles() throws(GrammarError) {
        let next = rules.rules.map { beginnings($0.expression) }
        // Depth first without recursion, since chains of rules can be long.
        var isDone = next.map { _ in false }
        for root in next.indices where !isDone[root] {
            var path = [(rule: root, taken: 0)]
            var isOnPath: Set = [root]
            while let (rule, taken) = path.last {
                guard taken < next[rule].count else {
                    isDone[rule] = true
                    isOnPath.remove(rule)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].taken += 1
                let following = next[rule][taken]
                guard !isOnPath.contains(following) else {
                    throw GrammarError("The rule '\(rules.rules[following].name)' can begin with itself, which is not supported.")
                }
                guard !isDone[following] else { continue }
                isOnPath.insert(following)
                path.append((following, 0))
            }
        }
    }
}
