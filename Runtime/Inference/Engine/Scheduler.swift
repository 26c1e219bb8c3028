/// Decides which tokens of which sequences the next step evaluates, and in which blocks of the cache they are. Sequences join
/// and leave between steps.
///
/// It knows counts and keys only. A sequence has `known` tokens, of which the first `evaluated` are in the cache. One that has
/// a single token to evaluate is a stream, which takes part in every step; what a step has room for beyond that is divided
/// among the longer ones, mostly prompts, so that a long prompt neither halts the streams nor keeps short prompts waiting.
///
/// A sequence gets blocks as its tokens come. When there are none left, the sequence that joined last leaves again and waits;
/// its tokens are evaluated once more, as far as they are not in the cache any longer, and come out the same.
package struct Scheduler {
    package struct Limits: Hashable, Sendable {
        /// How many sequences run at once; others wait in line.
        package var sequences: Int
        /// How many tokens a step evaluates at most; not fewer than `sequences`.
        package var tokensPerStep: Int
        /// Blocks of the cache, and the tokens that each holds. No sequence may come to have more tokens than all of them.
        package var blocks: Int
        package var blockLength: Int

        package init(sequences: Int, tokensPerStep: Int, blocks: Int, blockLength: Int) {
            (self.sequences, self.tokensPerStep) = (sequences, tokensPerStep)
            (self.blocks, self.blockLength) = (blocks, blockLength)
        }
    }

    package typealias SequenceID = Int

    package struct Slice: Hashable {
        package let sequence: SequenceID
        /// Which of its tokens.
        package let range: Range<Int>
        /// The blocks of all its tokens.
        package let blocks: [BlockTables.Block]
    }

    private struct Entry {
        let id: SequenceID
        var keys: [BlockKey]
        var known: Int
        var evaluated = 0
        var pending: Int { known - evaluated }
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

    /// - Parameter keys: those of its full blocks. One without keys shares nothing with others.
    package mutating func add(_ id: SequenceID, tokens: Int, keys: [BlockKey] = []) {
        waiting.append(Entry(id: id, keys: keys, known: tokens))
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
    package mutating func nextStep() -> [Slice] {
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
        return running.indices.compactMap { index in
            guard grants[index] > 0 else { return nil }
            let start = running[index].evaluated
            running[index].evaluated += grants[index]
            let id = running[index].id
            return Slice(sequence: id, range: start..<start + grants[index], blocks: tables.blocks(of: id))
        }
    }

    /// Lets those join who have waited longest. Someone else may go before a sequence whose beginning is being computed just
    /// now, but nobody before one for which there is no room.
    private mutating func join() {
        var index = 0
        while index < min(waiting.count, limits.sequences), running.count < limits.sequences {
            let entry = waiting[index]
            // Each stream may soon need another block.
            switch tables.admit(entry.id, tokens: entry.known, keys: entry.keys, headroom: running.count) {
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
        let entry = running.remove(at: index)
        tables.fill(entry.id, to: entry.evaluated)
        tables.release(entry.id)
        return entry
    }
}
