import Kernels

/// The bert architecture's forward pass over several texts at once, one after the other without padding.
///
/// A layer is x = norm(x + attention(x)), then x = norm(x + down(gelu(up(x)))), with biases and LayerNorm; every token sees
/// its whole text.
final class BertEncoder {
    private let model: Bert
    private let compute: Compute
    /// How many tokens a batch may have.
    let batchLimit: Int

    private let x, projected, query, key, value, attended, inner: Activations
    private let keyPanels, scratch: Activations

    init(_ model: Bert, _ compute: Compute, batchLimit: Int) {
        (self.model, self.compute, self.batchLimit) = (model, compute, batchLimit)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        (x, projected) = (rows(of: model.width), rows(of: model.width))
        (query, key, value, attended) = (rows(of: model.width), rows(of: model.width), rows(of: model.width), rows(of: model.width))
        inner = rows(of: model.feedForward)
        let dimension = model.dimension, positions = model.contextLength + 16
        keyPanels = Activations(rows: compute.threads, width: positions * dimension)
        scratch = Activations(rows: compute.threads, width: Int(SWL_QUERIES) * (dimension + positions))
    }

    /// - Parameter texts: each of 1 token or more, up to the context's length; all together up to ``batchLimit`` tokens.
    /// - Returns: for each text its vector, of length 1 unless an element is not a number.
    func embed(_ texts: [[Token]]) -> [[Float]] {
        var spans: [Range<Int>] = []
        for text in texts {
            let start = spans.last?.upperBound ?? 0
            spans.append(start..<start + text.count)
        }
        let count = spans.last?.upperBound ?? 0
        precondition(count <= batchLimit && texts.allSatisfy { (1...model.contextLength).contains($0.count) })

        embedTokens(texts.flatMap(\.self), positions: texts.flatMap(\.indices))
        var norm = model.embeddingNorm
        for layer in model.layers {
            let inputs = [(layer.query, query), (layer.key, key), (layer.value, value)]
            compute.multiply(x, count: count, by: inputs.map { Product($0.weight, into: $1) }) { [self] in addAndNormalize($0, norm) }
            compute.team.run(count) { token, _ in for (linear, out) in inputs { add(linear.bias, to: out, token) } }
            attend(within: spans)
            compute.multiply(attended, count: count, by: [Product(layer.attentionOutput.weight, into: projected)])
            compute.multiply(x, count: count, by: [Product(layer.up.weight, into: inner)]) { [self] token in
                add(layer.attentionOutput.bias, to: projected, token)
                addAndNormalize(token, layer.attentionNorm)
            }
            compute.multiply(inner, count: count, by: [Product(layer.down.weight, into: projected)]) { [self] token in
                add(layer.up.bias, to: inner, token)
                compute.kernels.gelu(inner.row(token), inner.width)
            }
            compute.team.run(count) { token, _ in add(layer.down.bias, to: projected, token) }
            norm = layer.outputNorm
        }
        compute.team.run(count) { token, _ in addAndNormalize(token, norm) }
        return spans.map(pooled)
    }

    /// x = token + type, projected = position: the first layer adds and normalizes them.
    private func embedTokens(_ tokens: [Token], positions: [Int]) {
        let table = model.positionEmbedding
        compute.lookUp(tokens, in: model.tokenEmbedding, into: x)
        compute.team.run(tokens.count) { token, _ in
            table.read(row: positions[token], into: projected.row(token), compute.kernels)
            add(model.typeEmbedding, to: x, token)
        }
    }

    private func add(_ vector: [Float], to rows: Activations, _ token: Int) {
        precondition(vector.count == rows.width)
        compute.kernels.add(rows.row(token), vector, rows.width)
    }

    /// x = norm(x + projected)
    private func addAndNormalize(_ token: Int, _ norm: Bert.Norm) {
        compute.kernels.add(x.row(token), projected.row(token), model.width)
        compute.kernels.layer_norm(x.row(token), norm.weight, norm.bias, model.width, model.epsilon, x.row(token))
    }

    /// One head of one text is a task, for which its keys are laid out once.
    private func attend(within spans: [Range<Int>]) {
        compute.team.run(spans.count * model.heads) { task, thread in
            let (span, head) = (spans[task / model.heads], task % model.heads)
            let (start, offset, keys) = (span.lowerBound, head * model.dimension, keyPanels.row(thread))
            for (position, token) in span.enumerated() {
                compute.kernels.store_key(SWL_F32, key.row(token) + offset, model.dimension, position, keys)
            }
            var attention = swl_attention(
                type: SWL_F32, dimension: model.dimension, blocks: nil, keys: keys,
                key_block_stride: Int(SWL_BLOCK) * model.dimension * 4, values: value.row(start) + offset,
                value_block_stride: Int(SWL_BLOCK) * model.width * 4, value_stride: model.width * 4, queries: query.row(start) + offset,
                out: attended.row(start) + offset, tokens: span.count, heads: 1, token_stride: model.width, length: span.count, step: 0,
                scale: 1 / Float(model.dimension).squareRoot(), scratch: scratch.row(thread))
            compute.kernels.attention(&attention)
        }
    }

    private func pooled(_ span: Range<Int>) -> [Float] {
        var vector: [Float]
        switch model.pooling {
        case .first: vector = Array(UnsafeBufferPointer(start: x.row(span.lowerBound), count: model.width))
        case .last: vector = Array(UnsafeBufferPointer(start: x.row(span.upperBound - 1), count: model.width))
        case .mean:
            // The mean's divisor is left out: it cancels when the length is made 1.
            vector = [Float](repeating: 0, count: model.width)
            for token in span { compute.kernels.add(&vector, x.row(token), model.width) }
        }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? vector.map { $0 / length } : vector
    }
}
