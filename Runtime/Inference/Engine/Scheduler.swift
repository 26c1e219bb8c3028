/// Decides which tokens of which sequences the next step evaluates. Sequences join and leave between steps.
///
/// It knows counts only. A sequence has `known` tokens, of which the first `evaluated` are in its cache. One that has a
/// single token to evaluate is a stream, which takes part in every step; what a step has room for beyond that is divided
/// among the longer ones, mostly prompts, so that a long prompt neither halts the streams nor keeps short prompts waiting.
package struct Scheduler {
    package struct Limits: Hashable, Sendable {
        /// How many sequences run at once; others wait in line.
        package var sequences: Int
        /// How many tokens a step evaluates at most; not fewer than `sequences`.
        package var tokensPerStep: Int

        package init(sequences: Int, tokensPerStep: Int) {
            (self.sequences, self.tokensPerStep) = (sequences, tokensPerStep)
        }
    }

    package typealias SequenceID = Int

    package struct Slice: Hashable {
        package let sequence: SequenceID
        /// Which of its tokens.
        package let range: Range<Int>
    }

    private struct Entry {
        let id: SequenceID
        var known: Int
        var evaluated = 0
        var pending: Int { known - evaluated }
    }

    private let limits: Limits
    private var running: [Entry] = []
    private var waiting: [Entry] = []

    package init(_ limits: Limits) {
        precondition(limits.sequences >= 1 && limits.tokensPerStep >= limits.sequences)
        self.limits = limits
    }

    package var runningCount: Int { running.count }
    package var waitingCount: Int { waiting.count }

    package mutating func add(_ id: SequenceID, tokens: Int) {
        waiting.append(Entry(id: id, known: tokens))
    }

    /// A token was chosen to go on with.
    package mutating func appendToken(to id: SequenceID) {
        if let index = running.firstIndex(where: { $0.id == id }) { running[index].known += 1 }
    }

    package mutating func remove(_ id: SequenceID) {
        running.removeAll { $0.id == id }
        waiting.removeAll { $0.id == id }
    }

    /// The next step's slices, at most one for each sequence; they count as evaluated from now on.
    package mutating func nextStep() -> [Slice] {
        let joining = waiting.prefix(limits.sequences - running.count)
        running += joining
        waiting.removeFirst(joining.count)

        var room = limits.tokensPerStep - running.count { $0.pending == 1 }
        var grants = running.map { min(1, $0.pending) }
        // The shortest first, so that what they leave of their shares goes to the longer ones.
        let long = running.indices.filter { running[$0].pending > 1 }.sorted { running[$0].pending < running[$1].pending }
        for (place, index) in long.enumerated() {
            grants[index] = min(running[index].pending, room / (long.count - place))
            room -= grants[index]
        }
        return running.indices.compactMap { index in
            guard grants[index] > 0 else { return nil }
            let start = running[index].evaluated
            running[index].evaluated += grants[index]
            return Slice(sequence: running[index].id, range: start..<start + grants[index])
        }
    }
}
