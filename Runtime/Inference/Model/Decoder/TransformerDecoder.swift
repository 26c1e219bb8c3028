import Kernels

/// A decoder's forward pass; what differs between families of models, ``Architecture`` says.
final class TransformerDecoder: Decoder {
    private let model: Transformer
    private let rotary: Rotary
    private let compute: Compute
    private let cache: KeyValueCache
    let batchLimit: Int
    let outputLimit: Int
    var kernels: swl_kernels { compute.kernels }

    private let x, normalized, query, key, value, attended, projected, angles, localAngles: Activations
    private let feedForward: FeedForwardBlock
    /// Query, key and value, or gate and up, before they are taken apart.
    private let joined: Activations
    private let output, outputLogits: Activations
    private let scratch: Activations
    /// Of the last batch.
    private var adapted = AdaptedRows()
    /// Neighbouring tokens of a run that one task attends to, for one key-value head.
    private static let tokensPerTask = 8

    /// - Parameter cache: of the model's ``Transformer/cacheShape(_:)``.
    init(_ model: Transformer, _ compute: Compute, cache: KeyValueCache, contextLength: Int, batchLimit: Int, outputLimit: Int) {
        (self.model, self.compute, self.cache) = (model, compute, cache)
        (self.batchLimit, self.outputLimit) = (batchLimit, outputLimit)
        rotary = model.rotary.within(contextLength)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        let (queries, keys) = (model.heads * model.dimension, model.keyValueHeads * model.dimension)
        x = rows(of: model.width)
        normalized = rows(of: model.width)
        query = rows(of: queries)
        key = rows(of: keys)
        value = rows(of: keys)
        attended = rows(of: queries)
        projected = rows(of: model.width)
        joined = rows(of: model.architecture.joinsProjections ? queries + 2 * keys : 0)
        feedForward = FeedForwardBlock(model, compute, batchLimit: batchLimit)
        angles = rows(of: rotary.frequencies.count * 2)
        localAngles = rows(of: (model.localRotary?.frequencies.count ?? 0) * 2)
        output = Activations(rows: outputLimit, width: model.width)
        outputLogits = Activations(rows: outputLimit, width: model.vocabularyCount)
        scratch = Activations(rows: compute.threads, width: Int(SWL_QUERIES) * (model.dimension + contextLength + 16))
    }

    func evaluate(_ batch: Batch) {
        let count = batch.tokens.count
        precondition(count <= batchLimit)
        adapted = batch.adapted
        // For each token, its position in its sequence, and the block for its keys and values.
        let places = batch.runs.flatMap { run in
            run.range.map { token in
                let position = run.position + token - run.range.lowerBound
                return (position: position, block: Int(run.blocks[position / KeyValueCache.blockLength]))
            }
        }
        compute.lookUp(batch.tokens, in: model.embedding, into: x)
        compute.team.run(count) { token, _ in begin(token, at: places[token].position) }
        let parts = batch.runs.flatMap { run in
            stride(from: run.range.lowerBound, to: run.range.upperBound, by: Self.tokensPerTask).map { first in
                (run: run, tokens: first..<min(first + Self.tokensPerTask, run.range.upperBound))
            }
        }
        var normBehind: [Float]?
        for (index, layer) in model.layers.enumerated() {
            project(layer.projections, count: count) { [self] token in
                // The layer before ends here, while the row is at hand.
                if index > 0 { addProjected(token, normBehind) }
                normalize(token, layer.attentionNorm)
            }
            compute.team.run(count) { token, _ in remember(token, at: places[token].position, in: places[token].block, index, layer) }
            compute.team.run(parts.count * model.keyValueHeads) { task, thread in
                let (part, head) = task.quotientAndRemainder(dividingBy: model.keyValueHeads)
                attend(parts[part].tokens, of: parts[part].run, head: head, index, layer, thread: thread)
            }
            compute.multiply(attended, count: count, by: [Product(layer.attentionOutput.weight, into: projected)], adapted: adapted)
            feedForward.evaluate(layer.feedForward, normalized, count: count, into: projected, adapted: adapted) { [self] token in
                if let bias = layer.attentionOutput.bias { compute.kernels.add(projected.row(token), bias, model.width) }
                addProjected(token, layer.normBehindAttention)
                normalize(token, layer.feedForwardNorm)
            }
            normBehind = layer.normBehindFeedForward
        }
        compute.team.run(count) { token, _ in addProjected(token, normBehind) }
    }

    private func begin(_ token: Int, at position: Int) {
        let (scale, row) = (model.embeddingScale, x.row(token))
        if scale != 1 { for index in 0..<model.width { row[index] *= scale } }
        func turn(_ rotary: Rotary, _ out: Activations) {
            swl_rotary_angles(Float(position), rotary.frequencies, rotary.frequencies.count, rotary.magnitude, out.row(token))
        }
        turn(rotary, angles)
        if let local = model.localRotary { turn(local, localAngles) }
    }

    /// x += projected, which is normalized before where a norm is given.
    private func addProjected(_ token: Int, _ norm: [Float]?) {
        let row = projected.row(token)
        if let norm { compute.kernels.rms_norm(row, norm, model.width, model.epsilon, row) }
        compute.kernels.add(x.row(token), row, model.width)
    }

    private func normalize(_ token: Int, _ weight: [Float]) {
        compute.kernels.rms_norm(x.row(token), weight, model.width, model.epsilon, normalized.row(token))
    }

    // MARK: Attention

    private func project(_ projections: Transformer.Projections, count: Int, making: (Int) -> Void) {
        switch projections {
        case .apart(let queries, let keys, let values):
            let products = [(queries, query), (keys, key), (values, value)]
            compute.multiply(normalized, count: count, by: products.map { Product($0.weight, into: $1) }, adapted: adapted, making: making)
        case .joined(let all):
            compute.multiply(normalized, count: count, by: [Product(all.weight, into: joined)], adapted: adapted, making: making)
        }
    }

    /// Adds biases to what ``project(_:count:making:)`` made of the token, and takes it apart.
    private func finish(_ projections: Transformer.Projections, _ token: Int) {
        switch projections {
        case .apart(let queries, let keys, let values):
            for (linear, rows) in [(queries, query), (keys, key), (values, value)] {
                if let bias = linear.bias { compute.kernels.add(rows.row(token), bias, rows.width) }
            }
        case .joined(let all):
            var start = joined.row(token)
            if let bias = all.bias { compute.kernels.add(start, bias, joined.width) }
            for rows in [query, key, value] {
                rows.row(token).update(from: start, count: rows.width)
                start += rows.width
            }
        }
    }

    /// Turns the token's query and key to its position, and stores key and value.
    private func remember(_ token: Int, at position: Int, in block: Int, _ index: Int, _ layer: Transformer.Layer) {
        finish(layer.projections, token)
        prepare(query.row(token), heads: model.heads, layer.queryNorm, layer, token)
        prepare(key.row(token), heads: model.keyValueHeads, layer.keyNorm, layer, token)
        for head in 0..<model.keyValueHeads {
            let (offset, start, place) = (head * model.dimension, block * cache.shape.blockBytes, position % KeyValueCache.blockLength)
            compute.kernels.store_key(
                cache.shape.type, key.row(token) + offset, model.dimension, place, cache.keys(layer: index, head: head) + start)
            compute.kernels.store(
                cache.shape.type, value.row(token) + offset, model.dimension,
                cache.values(layer: index, head: head) + start + place * cache.shape.rowBytes)
        }
    }

    private func prepare(_ row: UnsafeMutablePointer<Float>, heads: Int, _ norm: [Float]?, _ layer: Transformer.Layer, _ token: Int) {
        let (dimension, pairs) = (model.dimension, rotary.frequencies.count)
        if let norm {
            for head in 0..<heads { compute.kernels.rms_norm(row + head * dimension, norm, dimension, model.epsilon, row + head * dimension) }
        }
        let isLocal = layer.window != nil && model.localRotary != nil
        let angles = isLocal ? localAngles.row(token) : angles.row(token)
        switch model.architecture.rotaryPairs {
        case .neighbours: swl_rotate_neighbours(row, heads, dimension, angles, pairs)
        case .halves: swl_rotate_halves(row, heads, dimension, angles, pairs)
        }
    }

    /// The query heads that share one key-value head look at what is before their tokens, and at those themselves.
    private func attend(_ tokens: Range<Int>, of run: Batch.Run, head: Int, _ index: Int, _ layer: Transformer.Layer, thread: Int) {
        let group = model.heads / model.keyValueHeads
        let offset = head * group * model.dimension
        run.blocks.withUnsafeBufferPointer { blocks in
            var attention = swl_attention(
                type: cache.shape.type, dimension: model.dimension, blocks: blocks.baseAddress, keys: cache.keys(layer: index, head: head),
                key_block_stride: cache.shape.blockBytes, values: cache.values(layer: index, head: head),
                value_block_stride: cache.shape.blockBytes, value_stride: cache.shape.rowBytes,
                queries: query.row(tokens.lowerBound) + offset, out: attended.row(tokens.lowerBound) + offset, tokens: tokens.count,
                heads: group, token_stride: query.width, length: run.position + tokens.lowerBound - run.range.lowerBound + 1, step: 1,
                window: layer.window ?? 0, scale: model.attentionScale, softcap: model.attentionCap, scratch: scratch.row(thread))
            compute.kernels.attention(&attention)
        }
    }

    // MARK: Results

    /// The last layer's output for the last batch's token at `place`, normalized. Valid until the next call for that place.
    func vector(of place: Int) -> UnsafeMutablePointer<Float> {
        normalize(place, model.outputNorm)
        return normalized.row(place)
    }

    func logits(of places: ArraySlice<Int>) -> Activations {
        precondition(places.count <= outputLimit)
        for (row, place) in places.enumerated() {
            compute.kernels.rms_norm(x.row(place), model.outputNorm, model.width, model.epsilon, output.row(row))
        }
        compute.multiply(output, count: places.count, by: [Product(model.output, into: outputLogits)], adapted: adapted.selecting(places))
        if model.outputCap > 0 {
            compute.team.run(places.count) { row, _ in compute.kernels.softcap(outputLogits.row(row), outputLogits.width, model.outputCap) }
        }
        return outputLogits
    }
}
