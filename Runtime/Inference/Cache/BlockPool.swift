/// Hands out the blocks of a cache, and remembers what is in those that nobody uses any more, until they are needed.
///
/// A block is blank, or held by one sequence or more, or kept: nobody holds it, but its content is known by a key and may be
/// wanted again. Blank blocks are handed out first, and then the one that has been kept for the longest time.
package struct BlockPool: Sendable {
    package typealias Block = UInt32

    private struct State {
        var holders = 0
        var key: BlockKey?
        // Neighbours in the list of kept blocks.
        var older: Int
        var newer: Int
    }

    /// One for each block, and as the last one the list's end, whose neighbours are the newest and the oldest kept block.
    private var states: [State]
    /// Blank blocks that were in use; those from `untouched` on never were, and so have no memory yet.
    private var blanks: [Block] = []
    private var untouched = 0
    private var blocks: [BlockKey: Block] = [:]
    private var keptCount = 0

    package init(count: Int) {
        precondition(count >= 1 && count < Int(Block.max))
        states = (0...count).map { _ in State(older: count, newer: count) }
    }

    package var count: Int { states.count - 1 }
    /// How many can be handed out.
    package var availableCount: Int { blanks.count + count - untouched + keptCount }
    package var heldCount: Int { count - availableCount }

    /// The block with this content.
    package func find(_ key: BlockKey) -> Block? { blocks[key] }

    /// Holds a block that ``find(_:)`` gave.
    package mutating func hold(_ block: Block) {
        if states[Int(block)].holders == 0 { unlink(Int(block)) }
        states[Int(block)].holders += 1
    }

    /// A block for new content, held once; `nil` when all are held.
    package mutating func take() -> Block? {
        let block: Block
        if let blank = blanks.popLast() {
            block = blank
        } else if untouched < count {
            block = Block(untouched)
            untouched += 1
        } else if keptCount > 0 {
            let oldest = states[count].newer
            unlink(oldest)
            if let key = states[oldest].key { blocks[key] = nil }
            states[oldest].key = nil
            block = Block(oldest)
        } else {
            return nil
        }
        states[Int(block)].holders = 1
        return block
    }

    /// Says what is in a block that is held. Where another block has the same content, that one stays the one to be found.
    package mutating func name(_ block: Block, _ key: BlockKey) {
        guard states[Int(block)].key == nil, blocks[key] == nil else { return }
        states[Int(block)].key = key
        blocks[key] = block
    }

    /// Gives up one hold.
    package mutating func release(_ block: Block) {
        let index = Int(block)
        precondition(states[index].holders > 0, "released more often than held")
        states[index].holders -= 1
        guard states[index].holders == 0 else { return }
        if states[index].key == nil { blanks.append(block) } else { link(index) }
    }

    /// Makes it the newest of the kept.
    private mutating func link(_ index: Int) {
        let newest = states[count].older
        (states[index].older, states[index].newer) = (newest, count)
        states[newest].newer = index
        states[count].older = index
        keptCount += 1
    }

    private mutating func unlink(_ index: Int) {
        let (older, newer) = (states[index].older, states[index].newer)
        states[older].newer = newer
        states[newer].older = older
        keptCount -= 1
    }
}
