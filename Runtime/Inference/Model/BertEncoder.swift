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
    private let scores: Activations
    /// Queries of one head that one task takes.
    private static let queriesAtOnce = 16

    init(_ model: Bert, _ compute: Compute, batchLimit: Int) {
        (self.model, self.compute, self.batchLimit) = (model, compute, batchLimit)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        (x, projected) = (rows(of: model.width), rows(of: model.width))
        (query, key, value, attended) = (rows(of: model.width), rows(of: model.width), rows(of: model.width), rows(of: model.width))
        inner = rows(of: model.feedForward)
        scores = Activations(rows: compute.threads, width: Self.queriesAtOnce * model.contextLength)
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
        for layer in model.layers {
            multiply(layer.query, x, count, into: query)
            multiply(layer.key, x, count, into: key)
            multiply(layer.value, x, count, into: value)
            attend(within: spans)
            multiply(layer.attentionOutput, attended, count, into: projected)
            addAndNormalize(layer.attentionNorm, count)
            multiply(layer.up, x, count, into: inner)
            compute.team.run(count) { token, _ in compute.kernels.gelu(inner.row(token), inner.width) }
            multiply(layer.down, inner, count, into: projected)
            addAndNormalize(layer.outputNorm, count)
        }
        return spans.map(pooled)
    }

    /// x = norm(token + type + position)
    private func embedTokens(_ tokens: [Token], positions: [Int]) {
        let table = model.positionEmbedding
        compute.lookUp(tokens, in: model.tokenEmbedding, into: x)
        compute.team.run(tokens.count) { token, _ in
            compute.kernels.dequantize(table.type, table.row(positions[token]), table.columns, projected.row(token))
            swl_add(x.row(token), model.typeEmbedding, model.width)
        }
        addAndNormalize(model.embeddingNorm, tokens.count)
    }

    private func multiply(_ linear: Bert.Linear, _ input: Activations, _ count: Int, into out: Activations) {
        compute.multiply(linear.weight, input, count: count, into: out)
        compute.team.run(count) { token, _ in swl_add(out.row(token), linear.bias, out.width) }
    }

    /// x = norm(x + projected)
    private func addAndNormalize(_ norm: Bert.Norm, _ count: Int) {
        compute.team.run(count) { token, _ in
            swl_add(x.row(token), projected.row(token), model.width)
            compute.kernels.layer_norm(x.row(token), norm.weight, norm.bias, model.width, model.epsilon, x.row(token))
        }
    }

    private func attend(within spans: [Range<Int>]) {
        let parts = spans.flatMap { span in
            stride(from: span.lowerBound, to: span.upperBound, by: Self.queriesAtOnce).map { (span, $0) }
        }
        compute.team.run(parts.count * model.heads) { task, thread in
            let (part, head) = task.quotientAndRemainder(dividingBy: model.heads)
            let (span, first) = parts[part]
            let offset = head * model.dimension
            compute.kernels.attention(
                SWL_F32, query.row(first) + offset, model.width, min(Self.queriesAtOnce, span.upperBound - first),
                key.row(span.lowerBound) + offset, value.row(span.lowerBound) + offset, model.width * 4, span.count,
                model.dimension, 1 / Float(model.dimension).squareRoot(), scores.row(thread), attended.row(first) + offset)
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
            for token in span { swl_add(&vector, x.row(token), model.width) }
        }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? vector.map { $0 / length } : vector
    }
}
