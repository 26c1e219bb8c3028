/// Which blocks hold which sequence's tokens. Sequences with the same beginning share the blocks in which it is.
package struct BlockTables: Sendable {
    package typealias Block = BlockPool.Block

    private struct Table {
        var blocks: [Block]
        /// The keys of the blocks that are, or will be, full; empty where nothing is shared.
        var keys: [BlockKey]
        /// Blocks that are full, and found by their keys.
        var named: Int
    }

    package let blockLength: Int
    private var pool: BlockPool
    private var tables: [Scheduler.SequenceID: Table] = [:]

    package init(blocks: Int, blockLength: Int) {
        self.blockLength = blockLength
        pool = BlockPool(count: blocks)
    }

    /// Whether a sequence can be admitted.
    package enum Admission: Hashable {
        /// It has room; its first `cached` tokens are there already.
        case admitted(cached: Int)
        /// Another sequence is computing the block that it needs next: it would be a waste to do that twice.
        case computedByAnother
        /// There is no room now.
        case full
    }

    /// Share of the blocks that sequences hold, from 0 to 1.
    package var usage: Double { Double(pool.heldCount) / Double(pool.count) }

    package func blocks(of id: Scheduler.SequenceID) -> [Block] { tables[id]?.blocks ?? [] }

    /// Gives a sequence blocks for all its tokens, as many as possible of them with what is in them already. At least its last
    /// token remains to be evaluated.
    /// - Parameters:
    ///   - keys: those of its full blocks; none where it shares nothing.
    ///   - findsPrefix: whether it takes blocks with what is in them already.
    ///   - headroom: blocks that must be left for others.
    package mutating func admit(
        _ id: Scheduler.SequenceID, tokens: Int, keys: [BlockKey], findsPrefix: Bool = true, headroom: Int
    ) -> Admission {
        var blocks: [Block] = []
        for key in keys.prefix(findsPrefix ? (tokens - 1) / blockLength : 0) {
            guard let block = pool.find(key) else { break }
            blocks.append(block)
        }
        let shared = blocks.count
        if findsPrefix, shared < (tokens - 1) / blockLength, keys.indices.contains(shared), isComputed(keys[shared], at: shared) {
            return .computedByAnother
        }
        for block in blocks { pool.hold(block) }
        let needed = blockCount(tokens) - shared
        guard pool.availableCount >= needed + headroom else {
            for block in blocks.reversed() { pool.release(block) }
            return .full
        }
        tables[id] = Table(blocks: blocks, keys: keys, named: shared)
        grow(id, to: tokens)
        return .admitted(cached: shared * blockLength)
    }

    /// Makes room for a sequence's first `tokens` tokens.
    /// - Returns: `false` when all blocks are held.
    @discardableResult
    package mutating func grow(_ id: Scheduler.SequenceID, to tokens: Int) -> Bool {
        let missing = blockCount(tokens) - blocks(of: id).count
        for _ in 0..<max(0, missing) {
            guard let block = pool.take() else { return false }
            tables[id]?.blocks.append(block)
        }
        return true
    }

    /// Gives up the blocks behind those of a sequence's first `tokens` tokens.
    package mutating func shrink(_ id: Scheduler.SequenceID, to tokens: Int) {
        guard let blocks = tables[id]?.blocks else { return }
        let kept = blocks.prefix(blockCount(tokens))
        for block in blocks.dropFirst(kept.count).reversed() { pool.release(block) }
        tables[id]?.blocks = Array(kept)
    }

    /// The next block of a sequence will be full of tokens that have this key.
    package mutating func append(_ key: BlockKey, to id: Scheduler.SequenceID) { tables[id]?.keys.append(key) }

    /// The first `tokens` tokens have been evaluated: the blocks that are full of them are found from now on.
    package mutating func fill(_ id: Scheduler.SequenceID, to tokens: Int) {
        guard let table = tables[id] else { return }
        let full = min(tokens / blockLength, table.keys.count)
        guard full > table.named else { return }
        for index in table.named..<full { pool.name(table.blocks[index], table.keys[index]) }
        tables[id]?.named = full
    }

    /// Gives a sequence's blocks up. The last ones are the first to be needed for something else: what came before them is of
    /// use without them, and not the other way round.
    package mutating func release(_ id: Scheduler.SequenceID) {
        for block in tables.removeValue(forKey: id)?.blocks.reversed() ?? [] { pool.release(block) }
    }

    private func blockCount(_ tokens: Int) -> Int { (tokens + blockLength - 1) / blockLength }

    private func isComputed(_ key: BlockKey, at index: Int) -> Bool {
        tables.values.contains { $0.named <= index && $0.keys.count > index && $0.keys[index] == key }
    }
}
