/// Stacks of return states that share their lower parts; equal stacks have equal numbers.
struct StackArena {
    typealias StackID = Int32
    /// The stack of the outermost rule.
    static let bottom: StackID = -1

    private var nodes: [(state: Automaton.StateID, below: StackID)] = []
    private var numbers: [UInt64: StackID] = [:]

    mutating func push(_ state: Automaton.StateID, on stack: StackID) -> StackID {
        let key = UInt64(UInt32(bitPattern: state)) << 32 | UInt64(UInt32(bitPattern: stack))
        if let number = numbers[key] { return number }
        nodes.append((state, stack))
        let number = StackID(nodes.count - 1)
        numbers[key] = number
        return number
    }

    /// - Parameter stack: not ``bottom``.
    func top(of stack: StackID) -> (state: Automaton.StateID, below: StackID) { nodes[Int(stack)] }
}

/// One of the places where the machine may be.
struct Configuration: Hashable {
    var state: Automaton.StateID
    var stack: StackArena.StackID
}

/// All places where the machine may be.
struct Configurations: Hashable {
    /// Those from which bytes can be read, sorted.
    var readers: [Configuration] = []
    /// Whether the rule at the stack's bottom may end here.
    var canEnd = false
}

extension Automaton {
    /// A grammar that can be at more places at once is so ambiguous that following it would take too long.
    private static var mostPlaces: Int { 2048 }

    /// Where the machine may be when silent moves, calls and ends of rules are followed; nowhere if these are too many places.
    func closure(_ places: some Sequence<Configuration>, _ arena: inout StackArena) -> Configurations {
        var result = Configurations()
        var seen: Set<Configuration> = []
        var open = Array(places)
        while let place = open.popLast() {
            guard seen.insert(place).inserted else { continue }
            guard seen.count <= Self.mostPlaces else { return Configurations() }
            let state = states[Int(place.state)]
            if !state.moves.isEmpty { result.readers.append(place) }
            for target in state.silent { open.append(Configuration(state: target, stack: place.stack)) }
            for call in state.calls {
                // A rule that calls another as its last act needs no return to itself: lists do not grow the stack.
                let stack = onlyReturns[Int(call.goesOn)] ? place.stack : arena.push(call.goesOn, on: place.stack)
                open.append(Configuration(state: call.start, stack: stack))
            }
            if state.isFinal {
                if place.stack == StackArena.bottom {
                    result.canEnd = true
                } else {
                    let (state, below) = arena.top(of: place.stack)
                    open.append(Configuration(state: state, stack: below))
                }
            }
        }
        result.readers.sort { ($0.state, $0.stack) < ($1.state, $1.stack) }
        return result
    }

    /// Where the machine may be when it has read `byte`.
    func step(_ places: Configurations, _ byte: UInt8, _ arena: inout StackArena) -> Configurations {
        var targets: [Configuration] = []
        for place in places.readers {
            for move in states[Int(place.state)].moves where move.bytes.contains(byte) {
                targets.append(Configuration(state: move.target, stack: place.stack))
            }
        }
        return targets.isEmpty ? Configurations() : closure(targets, &arena)
    }
}
