/// Decides which tokens of which sequences the next step evaluates, and in which blocks of the cache they are. Sequences join
/// and leave between steps.
///
/// It knows counts and keys only. A sequence has `known` tokens, of which the first `evaluated` are in the cache. One that has
/// a single token to evaluate is a stream, which takes part in every step; what a step has room for beyond that is divided
/// among the longer ones, mostly prompts, so that a long prompt neither halts the streams nor keeps short prompts waiting.
///
/// Where a step has few tokens, streams may have guesses at what they go on with evaluated beside their last token. Guesses that
/// did not hold are forgotten, and their places in the cache are written anew.
///
/// A sequence gets blocks as its tokens come. When there are none left, the sequence that joined last leaves again and waits;
/// its tokens are evaluated once more, as far as they are not in the cache any longer, and come out the same.
package struct Scheduler {
    package struct Limits: Hashable, Sendable {
        /// How many sequences run at once; others wait in line.
        package var sequences: Int
        /// How many tokens a step evaluates at most; not fewer than `sequences`.
        package var tokensPerStep: Int
        /// Up to how many tokens guesses make a step.
        package var tokensPerGuessingStep: Int
        /// Blocks of the cache, and the tokens that each holds. No sequence may come to have more tokens than all of them.
        package var blocks: Int
        package var blockLength: Int

        package init(sequences: Int, tokensPerStep: Int, tokensPerGuessingStep: Int = 0, blocks: Int, blockLength: Int) {
            (self.sequences, self.tokensPerStep, self.tokensPerGuessingStep) = (sequences, tokensPerStep, tokensPerGuessingStep)
            (self.blocks, self.blockLength) = (blocks, blockLength)
        }
    }

    package typealias SequenceID = Int

    package struct Slice: Hashable {
        package let sequence: SequenceID
        /// Which of its tokens.
        package let range: Range<Int>
        /// How many at the range's end are guesses, and not known.
        package let guesses: Int
        /// The blocks of all its tokens.
        package let blocks: [BlockTables.Block]
    }

    private struct Entry {
        let id: SequenceID
        let findsPrefix: Bool
        var keys: [BlockKey]
        var known: Int
        var evaluated = 0
        /// How many of the evaluated ones were guesses in the last step.
        var guesses = 0
        var pending: Int { known - evaluated }

        /// Guesses that held are known by now. What the cache has for others, and for the one in whose place another token came,
        /// counts for nothing.
        mutating func settleGuesses() {
            evaluated = min(evaluated, known - 1)
            guesses = 0
        }
    }

    private let limits: Limits
    private var tables: BlockTables
    /// In the order in which they joined.
    private var running: [Entry] = []
    private var waiting: [Entry] = []

    package init(_ limits: Limits) {
        precondition(limits.sequences >= 1 && limits.tokensPerStep >= limits.sequences)
        self.limits = limits
        tables = BlockTables(blocks: limits.blocks, blockLength: limits.blockLength)
    }

    package var runningCount: Int { running.count }
    package var waitingCount: Int { waiting.count }
    /// Share of the cache that sequences hold, from 0 to 1.
    package var cacheUsage: Double { tables.usage }

    /// - Parameters:
    ///   - keys: those of its full blocks. One without keys shares nothing with others.
    ///   - findsPrefix: whether it takes what others have computed, or only gives.
    package mutating func add(_ id: SequenceID, tokens: Int, keys: [BlockKey] = [], findsPrefix: Bool = true) {
        waiting.append(Entry(id: id, findsPrefix: findsPrefix, keys: keys, known: tokens))
    }

    /// A token was chosen to go on with.
    /// - Parameter key: of the block that the token fills, if it does and is shared.
    package mutating func appendToken(to id: SequenceID, key: BlockKey? = nil) {
        guard let index = running.firstIndex(where: { $0.id == id }) else { return }
        running[index].known += 1
        guard let key else { return }
        running[index].keys.append(key)
        tables.append(key, to: id)
    }

    /// Not to be called between ``nextStep()`` and the evaluation of what it gave.
    package mutating func remove(_ id: SequenceID) {
        if let index = running.firstIndex(where: { $0.id == id }) { leave(index) }
        waiting.removeAll { $0.id == id }
    }

    /// The next step's slices, at most one for each sequence; they count as evaluated from now on. What the step before gave
    /// has been evaluated.
    /// - Parameter guess: how many tokens of a stream are guessed, at most the given number.
    package mutating func nextStep(guess: (SequenceID, _ atMost: Int) -> Int = { _, _ in 0 }) -> [Slice] {
        for index in running.indices where running[index].guesses > 0 {
            running[index].settleGuesses()
            tables.shrink(running[index].id, to: running[index].known)
        }
        for entry in running { tables.fill(entry.id, to: entry.evaluated) }
        join()
        var grants = grants()
        var index = 0
        while index < running.count {
            while index < running.count, !tables.grow(running[index].id, to: running[index].evaluated + grants[index]) {
                var last = leave(running.count - 1)
                last.evaluated = 0
                waiting.insert(last, at: 0)
                grants.removeLast()
            }
            index += 1
        }
        addGuesses(room: limits.tokensPerGuessingStep - grants.reduce(0, +), guess)
        return running.indices.compactMap { index in
            guard grants[index] > 0 else { return nil }
            let (start, id, guesses) = (running[index].evaluated, running[index].id, running[index].guesses)
            running[index].evaluated += grants[index] + guesses
            return Slice(sequence: id, range: start..<running[index].evaluated, guesses: guesses, blocks: tables.blocks(of: id))
        }
    }

    /// Each stream has an equal share of the room, so that none waits long for what another guesses. Nobody leaves for a guess.
    private mutating func addGuesses(room: Int, _ guess: (SequenceID, _ atMost: Int) -> Int) {
        let streams = running.indices.filter { running[$0].pending == 1 }
        let share = room / max(1, streams.count)
        guard share > 0 else { return }
        for index in streams {
            let count = guess(running[index].id, share)
            if count > 0, tables.grow(running[index].id, to: running[index].known + count) { running[index].guesses = count }
        }
    }

    /// Lets those join who have waited longest. Someone else may go before a sequence whose beginning is being computed just
    /// now, but nobody before one for which there is no room.
    private mutating func join() {
        var index = 0
        while index < min(waiting.count, limits.sequences), running.count < limits.sequences {
            let entry = waiting[index]
            // Each stream may soon need another block.
            switch tables.admit(entry.id, tokens: entry.known, keys: entry.keys, findsPrefix: entry.findsPrefix, headroom: running.count) {
            case .admitted(let cached):
                running.append(waiting.remove(at: index))
                running[running.count - 1].evaluated = cached
            case .computedByAnother: index += 1
            case .full: return
            }
        }
    }

    /// How many tokens each running sequence may evaluate.
    private func grants() -> [Int] {
        var room = limits.tokensPerStep - running.count { $0.pending == 1 }
        var grants = running.map { min(1, $0.pending) }
        // The shortest first, so that what they leave of their shares goes to the longer ones.
        let long = running.indices.filter { running[$0].pending > 1 }.sorted { running[$0].pending < running[$1].pending }
        for (place, index) in long.enumerated() {
            grants[index] = min(running[index].pending, room / (long.count - place))
            room -= grants[index]
        }
        return grants
    }

    @discardableResult
    private mutating func leave(_ index: Int) -> Entry {
        var entry = running.remove(at: index)
        if entry.guesses > 0 { entry.settleGuesses() }
        tables.fill(entry.id, to: entry.evaluated)
        tables.release(entry.id)
        return entry
    }
}
