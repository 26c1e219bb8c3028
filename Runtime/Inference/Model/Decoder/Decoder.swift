/// The tokens that one step evaluates: runs of consecutive tokens of several sequences, one after the other.
struct Batch {
    struct Run {
        /// The cache's blocks that hold its sequence's keys and values.
        let blocks: [BlockTables.Block]
        /// The position of its first token in its sequence.
        let position: Int
        /// Its tokens' places in the batch.
        let range: Range<Int>
    }

    private(set) var tokens: [Token] = []
    private(set) var runs: [Run] = []
    private(set) var adapted = AdaptedRows()

    mutating func append(_ run: ArraySlice<Token>, at position: Int, in blocks: [BlockTables.Block], adapter: Adapter? = nil) {
        precondition(position + run.count <= blocks.count * KeyValueCache.blockLength)
        runs.append(Run(blocks: blocks, position: position, range: tokens.count..<tokens.count + run.count))
        adapted.append(adapter, tokens.count..<tokens.count + run.count)
        tokens += run
    }
}

/// A model that predicts the next token from the tokens before it, with the memory to evaluate batches.
/// Used by one thread.
protocol Decoder: AnyObject {
    /// How many tokens a batch may have, and how many rows ``logits(of:)`` takes at once.
    var batchLimit: Int { get }
    var outputLimit: Int { get }

    /// Runs the batch through all layers; keys and values are added to the cache.
    func evaluate(_ batch: Batch)

    /// The scores of all tokens of the vocabulary to come after the last batch's tokens at `places`, one row for each.
    /// Valid, and free to be overwritten, until the next call.
    func logits(of places: ArraySlice<Int>) -> Activations
}
