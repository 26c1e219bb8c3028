/// Makes vectors of texts with a decoder, as embedding models that were trained from generating ones do.
final class DecoderEmbedder: TextEncoder {
    private let decoder: TransformerDecoder
    private let width: Int
    private let pooling: Pooling
    let batchLimit: Int

    /// - Parameter decoder: with a cache of ``blockCount(batchLimit:contextLength:)`` blocks for itself.
    init(_ decoder: TransformerDecoder, _ model: Transformer, _ pooling: Pooling) {
        (self.decoder, self.pooling) = (decoder, pooling)
        (width, batchLimit) = (model.width, decoder.batchLimit)
    }

    /// Enough for a batch of the shortest texts, and for the longest text alone.
    static func blockCount(batchLimit: Int, contextLength: Int) -> Int {
        max(batchLimit, (contextLength + KeyValueCache.blockLength - 1) / KeyValueCache.blockLength)
    }

    func embed(_ texts: [[Token]]) -> [[Float]] {
        let vectors = Activations(rows: texts.reduce(0) { $0 + kept($1.count) }, width: width)
        var spans: [Range<Int>] = []
        var nextBlock: BlockTables.Block = 0
        var batch = Batch()
        var wanted: [(place: Int, row: Int)] = []
        func evaluate() {
            guard !batch.tokens.isEmpty else { return }
            decoder.evaluate(batch)
            for (place, row) in wanted { vectors.row(row).update(from: decoder.vector(of: place), count: width) }
            (batch, wanted) = (Batch(), [])
        }
        for text in texts {
            let count = BlockTables.Block((text.count + KeyValueCache.blockLength - 1) / KeyValueCache.blockLength)
            let blocks = Array(nextBlock..<nextBlock + count)
            nextBlock += count
            let rows = spans.last?.upperBound ?? 0
            spans.append(rows..<rows + kept(text.count))
            var position = 0
            while position < text.count {
                if batch.tokens.count == batchLimit { evaluate() }
                let end = min(text.count, position + batchLimit - batch.tokens.count)
                let first = batch.tokens.count
                batch.append(text[position..<end], at: position, in: blocks)
                for index in position..<end {
                    if let row = row(of: index, in: text.count) { wanted.append((first + index - position, rows + row)) }
                }
                position = end
            }
        }
        evaluate()
        return spans.map { pooling.vector(of: $0, width: width, decoder.kernels, row: vectors.row) }
    }

    /// How many of a text's tokens pooling looks at, and which.
    private func kept(_ count: Int) -> Int { pooling == .mean ? count : 1 }

    private func row(of index: Int, in count: Int) -> Int? {
        switch pooling {
        case .mean: index
        case .first: index == 0 ? 0 : nil
        case .last: index == count - 1 ? 0 : nil
        }
    }
}
