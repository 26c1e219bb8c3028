/// The tokens that one step evaluates: runs of consecutive tokens of several sequences, one after the other.
struct Batch {
    struct Run {
        let cache: KeyValueCache
        /// The position of its first token in its sequence.
        let position: Int
        /// Its tokens' places in the batch.
        let range: Range<Int>
    }

    private(set) var tokens: [Token] = []
    private(set) var runs: [Run] = []

    mutating func append(_ run: ArraySlice<Token>, at position: Int, cache: KeyValueCache) {
        precondition(position + run.count <= cache.capacity)
        runs.append(Run(cache: cache, position: position, range: tokens.count..<tokens.count + run.count))
        tokens += run
    }
}

/// A model that predicts the next token from the tokens before it, with the memory to evaluate batches.
/// Used by one thread.
protocol Decoder: AnyObject {
    var cacheShape: KeyValueCache.Shape { get }
    /// How many tokens a batch may have, and how many rows ``logits(of:)`` takes at once.
    var batchLimit: Int { get }
    var outputLimit: Int { get }

    /// Runs the batch through all layers; keys and values are added to the caches.
    func evaluate(_ batch: Batch)

    /// The scores of all tokens of the vocabulary to come after the last batch's tokens at `places`, one row for each.
    /// Valid, and free to be overwritten, until the next call.
    func logits(of places: ArraySlice<Int>) -> Activations
}
