import Kernels

/// The llama architecture's forward pass.
///
/// A layer is x += attention(norm(x)), then x += down(silu(gate(norm(x))) · up(norm(x))), with RMSNorm, rotary embeddings on
/// pairs (2i, 2i + 1), as GGUF stores query and key rows, and key-value heads shared by groups of query heads.
final class LlamaDecoder: Decoder {
    private let model: Llama
    private let compute: Compute
    let cacheShape: KeyValueCache.Shape
    let batchLimit: Int
    let outputLimit: Int

    private let x, normalized, query, key, value, attended, gate, up, angles: Activations
    private let output, outputLogits: Activations
    private let scores: Activations

    init(_ model: Llama, _ compute: Compute, cacheType: swl_type, contextLength: Int, batchLimit: Int, outputLimit: Int) {
        (self.model, self.compute, self.batchLimit, self.outputLimit) = (model, compute, batchLimit, outputLimit)
        cacheShape = KeyValueCache.Shape(
            layers: model.layers.count, heads: model.keyValueHeads, dimension: model.dimension, type: cacheType)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        x = rows(of: model.width)
        normalized = rows(of: model.width)
        query = rows(of: model.heads * model.dimension)
        key = rows(of: model.keyValueHeads * model.dimension)
        value = rows(of: model.keyValueHeads * model.dimension)
        attended = rows(of: model.heads * model.dimension)
        gate = rows(of: model.feedForward)
        up = rows(of: model.feedForward)
        angles = rows(of: model.rotaryFrequencies.count * 2)
        output = Activations(rows: outputLimit, width: model.width)
        outputLogits = Activations(rows: outputLimit, width: model.vocabularyCount)
        scores = Activations(rows: compute.threads, width: contextLength * (model.heads / model.keyValueHeads))
    }

    func evaluate(_ batch: Batch) {
        let count = batch.tokens.count
        precondition(count <= batchLimit)
        // For each token, where its keys and values go.
        let places = batch.runs.flatMap { run in run.range.map { (cache: run.cache, position: run.position + $0 - run.range.lowerBound) } }
        compute.lookUp(batch.tokens, in: model.embedding, into: x)
        compute.team.run(count) { token, _ in
            swl_rotary_angles(
                Float(places[token].position), model.rotaryFrequencies, model.rotaryFrequencies.count, angles.row(token))
        }
        for (index, layer) in model.layers.enumerated() {
            compute.rmsNorm(x, layer.attentionNorm, epsilon: model.epsilon, count: count, into: normalized)
            compute.multiply(
                normalized, count: count,
                by: [Product(layer.query, into: query), Product(layer.key, into: key), Product(layer.value, into: value)])
            compute.team.run(count) { token, _ in remember(token, in: places[token].cache, at: places[token].position, layer: index) }
            compute.team.run(count * model.keyValueHeads) { task, thread in
                let (token, head) = task.quotientAndRemainder(dividingBy: model.keyValueHeads)
                attend(token, head: head, in: places[token].cache, length: places[token].position + 1, layer: index, thread: thread)
            }
            compute.multiply(layer.attentionOutput, attended, count: count, into: normalized)
            compute.add(normalized, to: x, count: count)

            compute.rmsNorm(x, layer.feedForwardNorm, epsilon: model.epsilon, count: count, into: normalized)
            compute.multiply(normalized, count: count, by: [Product(layer.gate, into: gate), Product(layer.up, into: up)])
            compute.siluMultiply(gate, up, count: count)
            compute.multiply(layer.down, gate, count: count, into: normalized)
            compute.add(normalized, to: x, count: count)
        }
    }

    /// Turns the token's query and key to its position, and stores key and value.
    private func remember(_ token: Int, in cache: KeyValueCache, at position: Int, layer: Int) {
        let (angles, pairs) = (angles.row(token), model.rotaryFrequencies.count)
        swl_rotate(query.row(token), model.heads, model.dimension, angles, pairs)
        swl_rotate(key.row(token), model.keyValueHeads, model.dimension, angles, pairs)
        for head in 0..<model.keyValueHeads {
            let (offset, place) = (head * model.dimension, position * cache.stride)
            compute.kernels.store(
                cacheShape.type, key.row(token) + offset, model.dimension, cache.keys(layer: layer, head: head) + place)
            compute.kernels.store(
                cacheShape.type, value.row(token) + offset, model.dimension, cache.values(layer: layer, head: head) + place)
        }
    }

    /// The query heads that share one key-value head look at the first `length` positions.
    private func attend(_ token: Int, head: Int, in cache: KeyValueCache, length: Int, layer: Int, thread: Int) {
        let group = model.heads / model.keyValueHeads
        let offset = head * group * model.dimension
        compute.kernels.attention(
            cacheShape.type, query.row(token) + offset, model.dimension, group, cache.keys(layer: layer, head: head),
            cache.values(layer: layer, head: head), cache.stride, length, model.dimension,
            1 / Float(model.dimension).squareRoot(), scores.row(thread), attended.row(token) + offset)
    }

    func logits(of places: ArraySlice<Int>) -> Activations {
        precondition(places.count <= outputLimit)
        for (row, place) in places.enumerated() {
            compute.kernels.rms_norm(x.row(place), model.outputNorm, model.width, model.epsilon, output.row(row))
        }
        compute.multiply(model.output, output, count: places.count, into: outputLogits)
        return outputLogits
    }
}
