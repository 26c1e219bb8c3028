import Kernels

/// The llama architecture's forward pass.
///
/// A layer is x += attention(norm(x)), then x += down(silu(gate(norm(x))) · up(norm(x))), with RMSNorm, rotary embeddings on
/// pairs (2i, 2i + 1), as GGUF stores query and key rows, and key-value heads shared by groups of query heads.
final class LlamaDecoder: Decoder {
    private let model: Llama
    private let compute: Compute
    private let cache: KeyValueCache
    let batchLimit: Int
    let outputLimit: Int

    private let x, normalized, query, key, value, attended, projected, gate, up, angles: Activations
    private let output, outputLogits: Activations
    private let scratch: Activations
    /// Neighbouring tokens of a run that one task attends to, for one key-value head.
    private static let tokensPerTask = 8

    /// - Parameter cache: of the model's ``Llama/cacheShape(_:)``.
    init(_ model: Llama, _ compute: Compute, cache: KeyValueCache, contextLength: Int, batchLimit: Int, outputLimit: Int) {
        (self.model, self.compute, self.cache) = (model, compute, cache)
        (self.batchLimit, self.outputLimit) = (batchLimit, outputLimit)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        x = rows(of: model.width)
        normalized = rows(of: model.width)
        query = rows(of: model.heads * model.dimension)
        key = rows(of: model.keyValueHeads * model.dimension)
        value = rows(of: model.keyValueHeads * model.dimension)
        attended = rows(of: model.heads * model.dimension)
        projected = rows(of: model.width)
        gate = rows(of: model.feedForward)
        up = rows(of: model.feedForward)
        angles = rows(of: model.rotaryFrequencies.count * 2)
        output = Activations(rows: outputLimit, width: model.width)
        outputLogits = Activations(rows: outputLimit, width: model.vocabularyCount)
        scratch = Activations(rows: compute.threads, width: Int(SWL_QUERIES) * (model.dimension + contextLength + 16))
    }

    func evaluate(_ batch: Batch) {
        let count = batch.tokens.count
        precondition(count <= batchLimit)
        // For each token, its position in its sequence, and the block for its keys and values.
        let places = batch.runs.flatMap { run in
            run.range.map { token in
                let position = run.position + token - run.range.lowerBound
                return (position: position, block: Int(run.blocks[position / KeyValueCache.blockLength]))
            }
        }
        compute.lookUp(batch.tokens, in: model.embedding, into: x)
        compute.team.run(count) { token, _ in
            swl_rotary_angles(
                Float(places[token].position), model.rotaryFrequencies, model.rotaryFrequencies.count, angles.row(token))
        }
        let parts = batch.runs.flatMap { run in
            stride(from: run.range.lowerBound, to: run.range.upperBound, by: Self.tokensPerTask).map { first in
                (run: run, tokens: first..<min(first + Self.tokensPerTask, run.range.upperBound))
            }
        }
        for (index, layer) in model.layers.enumerated() {
            compute.multiply(
                normalized, count: count,
                by: [Product(layer.query, into: query), Product(layer.key, into: key), Product(layer.value, into: value)]
            ) { [self] token in
                // The layer before ends here, while the row is at hand.
                if index > 0 { compute.kernels.add(x.row(token), projected.row(token), model.width) }
                normalize(token, layer.attentionNorm)
            }
            compute.team.run(count) { token, _ in remember(token, at: places[token].position, in: places[token].block, layer: index) }
            compute.team.run(parts.count * model.keyValueHeads) { task, thread in
                let (part, head) = task.quotientAndRemainder(dividingBy: model.keyValueHeads)
                attend(parts[part].tokens, of: parts[part].run, head: head, layer: index, thread: thread)
            }
            compute.multiply(attended, count: count, by: [Product(layer.attentionOutput, into: projected)])
            compute.multiply(normalized, count: count, by: [Product(layer.gate, into: gate), Product(layer.up, into: up)]) { [self] token in
                compute.kernels.add(x.row(token), projected.row(token), model.width)
                normalize(token, layer.feedForwardNorm)
            }
            compute.multiply(gate, count: count, by: [Product(layer.down, into: projected)]) { [self] token in
                compute.kernels.silu_multiply(gate.row(token), up.row(token), model.feedForward)
            }
        }
        compute.team.run(count) { token, _ in compute.kernels.add(x.row(token), projected.row(token), model.width) }
    }

    private func normalize(_ token: Int, _ weight: [Float]) {
        compute.kernels.rms_norm(x.row(token), weight, model.width, model.epsilon, normalized.row(token))
    }

    /// Turns the token's query and key to its position, and stores key and value.
    private func remember(_ token: Int, at position: Int, in block: Int, layer: Int) {
        let (angles, pairs) = (angles.row(token), model.rotaryFrequencies.count)
        swl_rotate(query.row(token), model.heads, model.dimension, angles, pairs)
        swl_rotate(key.row(token), model.keyValueHeads, model.dimension, angles, pairs)
        for head in 0..<model.keyValueHeads {
            let (offset, start, place) = (head * model.dimension, block * cache.shape.blockBytes, position % KeyValueCache.blockLength)
            compute.kernels.store_key(
                cache.shape.type, key.row(token) + offset, model.dimension, place, cache.keys(layer: layer, head: head) + start)
            compute.kernels.store(
                cache.shape.type, value.row(token) + offset, model.dimension,
                cache.values(layer: layer, head: head) + start + place * cache.shape.rowBytes)
        }
    }

    /// The query heads that share one key-value head look at what is before their tokens, and at those themselves.
    private func attend(_ tokens: Range<Int>, of run: Batch.Run, head: Int, layer: Int, thread: Int) {
        let group = model.heads / model.keyValueHeads
        let offset = head * group * model.dimension
        run.blocks.withUnsafeBufferPointer { blocks in
            var attention = swl_attention(
                type: cache.shape.type, dimension: model.dimension, blocks: blocks.baseAddress, keys: cache.keys(layer: layer, head: head),
                key_block_stride: cache.shape.blockBytes, values: cache.values(layer: layer, head: head),
                value_block_stride: cache.shape.blockBytes, value_stride: cache.shape.rowBytes,
                queries: query.row(tokens.lowerBound) + offset, out: attended.row(tokens.lowerBound) + offset, tokens: tokens.count,
                heads: group, token_stride: query.width, length: run.position + tokens.lowerBound - run.range.lowerBound + 1, step: 1,
                scale: 1 / Float(model.dimension).squareRoot(), scratch: scratch.row(thread))
            compute.kernels.attention(&attention)
        }
    }

    func logits(of places: ArraySlice<Int>) -> Activations {
        precondition(places.count <= outputLimit)
        for (row, place) in places.enumerated() {
            compute.kernels.rms_norm(x.row(place), model.outputNorm, model.width, model.epsilon, output.row(row))
        }
        compute.multiply(output, count: places.count, by: [Product(model.output, into: outputLogits)])
        return outputLogits
    }
}
