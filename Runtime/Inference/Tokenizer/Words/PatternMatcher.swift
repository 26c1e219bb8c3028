/// A regular expression as a table: one look for each character of a text, whatever the text is.
///
/// Of the ways to match at a place it takes the one that a backtracking search would find first (Perl's rule), by keeping the
/// states of the nondeterministic automaton in the order of their preference. Method: https://swtch.com/~rsc/regexp/regexp3.html
final class PatternMatcher: Sendable {
    private let classes: CharacterClasses
    /// [state][class]; the class after the last one is the end of the text.
    private let transitions: [Transition]

    private struct Transition {
        /// -1: nothing that goes on can match.
        var next: Int32 = -1
        /// Whether what was read before this character is a match, and of which kind.
        var outcome = Outcome.none
    }

    private enum Outcome: UInt8 {
        case none, match, skip
    }

    init(_ pattern: Pattern) {
        var program = Program()
        program.add(pattern)
        program.instructions.append(.match)
        classes = CharacterClasses(program.sets)
        let end = classes.count
        var transitions: [Transition] = []
        var states: [[Int]: Int32] = [[0]: 0]
        var queue = [[0]]
        var next = 0
        while next < queue.count {
            for symbol in 0...end {
                let membership = symbol < end ? classes.memberships[symbol] : nil
                let (goesOn, outcome) = program.step(from: queue[next], over: membership)
                var transition = Transition(next: -1, outcome: outcome)
                if !goesOn.isEmpty {
                    transition.next = states[goesOn] ?? Int32(queue.count)
                    if states.updateValue(transition.next, forKey: goesOn) == nil { queue.append(goesOn) }
                }
                transitions.append(transition)
            }
            next += 1
        }
        self.transitions = transitions
    }

    /// Calls `body` with the matches in `text[range]` and the stretches between them, in order; together they cover it.
    func split(_ text: UnsafeBufferPointer<UInt8>, in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        var position = start
        while position < range.upperBound {
            let (outcome, end) = match(text, position..<range.upperBound)
            if outcome == .match {
                if start < position { body(start..<position) }
                body(position..<end)
                start = end
            }
            position = end
        }
        if start < position { body(start..<position) }
    }

    /// What begins at the range's begin and where it ends; without a match, where the next character begins.
    private func match(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> (Outcome, end: Int) {
        var (outcome, matchEnd) = (Outcome.none, range.lowerBound)
        var (position, state) = (range.lowerBound, 0)
        let width = classes.count + 1
        while state >= 0 {
            let isEnd = position == range.upperBound
            let (symbol, length) = isEnd ? (classes.count, 0) : classes.character(of: text, at: position)
            let transition = transitions[state * width + symbol]
            // A match of nothing is none.
            if transition.outcome != .none, position > range.lowerBound { (outcome, matchEnd) = (transition.outcome, position) }
            if isEnd { break }
            if outcome == .none, position == range.lowerBound { matchEnd = position + length }
            state = Int(transition.next)
            position += length
        }
        return (outcome, matchEnd)
    }

    /// A nondeterministic automaton, in which earlier ways are preferred.
    private struct Program {
        enum Instruction {
            case set(Int), before(Int), notBefore(Int), fork(Int, Int), jump(Int), match, skip
        }

        var instructions: [Instruction] = []
        var sets: [CharacterSet] = []

        mutating func add(_ pattern: Pattern) {
            switch pattern {
            case .set(let set): instructions.append(.set(number(of: set)))
            case .before(let set): instructions.append(.before(number(of: set)))
            case .notBefore(let set): instructions.append(.notBefore(number(of: set)))
            case .skip: instructions.append(.skip)
            case .sequence(let items): for item in items { add(item) }
            case .alternatives(let branches):
                var jumps: [Int] = []
                for (index, branch) in branches.enumerated() {
                    guard index < branches.count - 1 else {
                        add(branch)
                        break
                    }
                    let fork = append()
                    add(branch)
                    jumps.append(append())
                    instructions[fork] = .fork(fork + 1, instructions.count)
                }
                for jump in jumps { instructions[jump] = .jump(instructions.count) }
            case .repeated(let item, let least, let most):
                for _ in 0..<least { add(item) }
                if let most {
                    let forks = (least..<most).map { _ in
                        let fork = append()
                        add(item)
                        return fork
                    }
                    for fork in forks { instructions[fork] = .fork(fork + 1, instructions.count) }
                } else {
                    let fork = append()
                    add(item)
                    instructions.append(.jump(fork))
                    instructions[fork] = .fork(fork + 1, instructions.count)
                }
            }
        }

        /// Room for an instruction that is known later.
        private mutating func append() -> Int {
            instructions.append(.match)
            return instructions.count - 1
        }

        private mutating func number(of set: CharacterSet) -> Int {
            if let known = sets.firstIndex(of: set) { return known }
            sets.append(set)
            return sets.count - 1
        }

        /// - Parameter membership: the sets that the next character is in; `nil` at the end.
        /// - Returns: the states after the character, in order, and whether those before have matched without it.
        func step(from states: [Int], over membership: UInt64?) -> ([Int], Outcome) {
            func isMember(_ set: Int) -> Bool { membership.map { $0 >> UInt64(set) & 1 != 0 } ?? false }
            var seen = Set<Int>()
            var after: [Int] = []
            var waiting = Array(states.reversed())
            while let state = waiting.popLast() {
                guard seen.insert(state).inserted else { continue }
                switch instructions[state] {
                case .set(let set): if isMember(set), !after.contains(state + 1) { after.append(state + 1) }
                case .before(let set): if isMember(set) { waiting.append(state + 1) }
                case .notBefore(let set): if !isMember(set) { waiting.append(state + 1) }
                case .jump(let target): waiting.append(target)
                case .fork(let first, let second): waiting += [second, first]
                // What is less preferred than a match is given up.
                case .match: return (after, .match)
                case .skip: return (after, .skip)
                }
            }
            return (after, .none)
        }
    }
}
