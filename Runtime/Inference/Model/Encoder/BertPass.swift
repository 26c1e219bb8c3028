import Kernels

/// An encoder's forward pass over several texts at once, one after the other without padding, with the memory for it; what differs
/// between families of models, ``EncoderArchitecture`` says. One caller at a time.
final class BertPass {
    private let model: Bert
    private let compute: Compute
    private let tokenLimit: Int

    private let x, projected, query, key, value, joined, attended, inner, gate, angles: Activations
    private let keyPanels, scratch: Activations

    init(_ model: Bert, _ compute: Compute, tokenLimit: Int) {
        (self.model, self.compute, self.tokenLimit) = (model, compute, tokenLimit)
        func rows(of width: Int) -> Activations { Activations(rows: tokenLimit, width: width) }
        (x, projected) = (rows(of: model.width), rows(of: model.width))
        (query, key, value, attended) = (rows(of: model.width), rows(of: model.width), rows(of: model.width), rows(of: model.width))
        joined = rows(of: model.architecture.joinsProjections ? 3 * model.width : 0)
        inner = rows(of: model.feedForward)
        gate = rows(of: model.architecture.isGated ? model.feedForward : 0)
        angles = rows(of: (model.rotary?.frequencies.count ?? 0) * 2)
        let dimension = model.dimension, positions = min(model.contextLength, tokenLimit) + 16
        keyPanels = Activations(rows: compute.threads, width: positions * dimension)
        scratch = Activations(rows: compute.threads, width: Int(SWL_QUERIES) * (dimension + positions))
    }

    func embed(_ texts: ArraySlice<[Token]>) -> [[Float]] {
        var spans: [Range<Int>] = []
        for text in texts {
            let start = spans.last?.upperBound ?? 0
            spans.append(start..<start + text.count)
        }
        let count = spans.last?.upperBound ?? 0
        precondition(count <= tokenLimit && texts.allSatisfy { (1...model.contextLength).contains($0.count) })

        embedTokens(texts.flatMap(\.self), positions: texts.flatMap(\.indices))
        var (norm, bias) = (model.embeddingNorm, Vector?.none)
        for layer in model.layers {
            // The layer before ends here, while the row is at hand.
            project(layer.projections, count: count) { [self] in addAndNormalize($0, bias, norm) }
            attend(layer.projections, within: spans)
            compute.multiply(attended, count: count, by: [Product(layer.attentionOutput.weight, into: projected)])
            feedForward(layer.feedForward, count: count) { [self] in addAndNormalize($0, layer.attentionOutput.bias, layer.attentionNorm) }
            (norm, bias) = (layer.outputNorm, layer.feedForward.outputBias)
        }
        compute.team.run(count) { token, _ in addAndNormalize(token, bias, norm) }
        return spans.map { model.pooling.vector(of: $0, width: model.width, compute.kernels, row: x.row) }
    }

    /// x = token + type, projected = position: the first layer adds and normalizes them.
    private func embedTokens(_ tokens: [Token], positions: [Int]) {
        compute.lookUp(tokens, in: model.tokenEmbedding, into: x)
        compute.team.run(tokens.count) { token, _ in
            if let table = model.positionEmbedding {
                table.read(row: positions[token], into: projected.row(token), compute.kernels)
            } else {
                projected.row(token).update(repeating: 0, count: projected.width)
            }
            if let rotary = model.rotary {
                swl_rotary_angles(
                    Float(positions[token]), rotary.frequencies, rotary.frequencies.count, rotary.magnitude, angles.row(token))
            }
            if let type = model.typeEmbedding { compute.kernels.add(x.row(token), type.start, type.count) }
        }
    }

    /// x = norm(x + projected + bias)
    private func addAndNormalize(_ token: Int, _ bias: Vector?, _ norm: Bert.Norm) {
        let (row, projected) = (x.row(token), projected.row(token))
        if let bias { compute.kernels.add(projected, bias.start, bias.count) }
        compute.kernels.add(row, projected, model.width)
        compute.kernels.layer_norm(row, norm.weight.start, norm.bias.start, model.width, model.epsilon, row)
    }

    // MARK: Feed-forward

    /// projected = what the block makes of x, but for its last bias.
    private func feedForward(_ block: Bert.FeedForward, count: Int, making: (Int) -> Void) {
        switch block {
        case .plain(let up, let down):
            compute.multiply(x, count: count, by: [Product(up.weight, into: inner)], making: making)
            let bias = up.bias
            compute.multiply(inner, count: count, by: [Product(down.weight, into: projected)]) { [self] token in
                if let bias { compute.kernels.add(inner.row(token), bias.start, bias.count) }
                compute.kernels.gelu(inner.row(token), inner.width)
            }
        case .gated(let gates, let up, let down):
            compute.multiply(x, count: count, by: [Product(gates.weight, into: gate), Product(up.weight, into: inner)], making: making)
            let biases = (gate: gates.bias, up: up.bias)
            compute.multiply(gate, count: count, by: [Product(down.weight, into: projected)]) { [self] token in
                if let bias = biases.gate { compute.kernels.add(gate.row(token), bias.start, bias.count) }
                if let bias = biases.up { compute.kernels.add(inner.row(token), bias.start, bias.count) }
                compute.kernels.silu_multiply(gate.row(token), inner.row(token), inner.width)
            }
        }
    }

    // MARK: Attention

    private func project(_ projections: Bert.Projections, count: Int, making: (Int) -> Void) {
        let products = switch projections {
        case .apart(let queries, let keys, let values):
            [Product(queries.weight, into: query), Product(keys.weight, into: key), Product(values.weight, into: value)]
        case .joined(let all): [Product(all.weight, into: joined)]
        }
        compute.multiply(x, count: count, by: products, making: making)
    }

    /// Where queries, keys or values are, and what is added to them.
    private struct Part {
        let start: UnsafeMutablePointer<Float>
        let stride: Int
        let bias: UnsafePointer<Float>?
    }

    private func parts(_ projections: Bert.Projections) -> (query: Part, key: Part, value: Part) {
        func part(_ rows: Activations, _ bias: Vector?, _ index: Int = 0) -> Part {
            Part(start: rows.start + index * model.width, stride: rows.width, bias: bias.map { $0.start + index * model.width })
        }
        return switch projections {
        case .apart(let queries, let keys, let values): (part(query, queries.bias), part(key, keys.bias), part(value, values.bias))
        case .joined(let all): (part(joined, all.bias), part(joined, all.bias, 1), part(joined, all.bias, 2))
        }
    }

    /// One head of one text is a task, for which its keys are laid out once.
    private func attend(_ projections: Bert.Projections, within spans: [Range<Int>]) {
        let parts = parts(projections)
        compute.team.run(spans.count * model.heads) { task, thread in
            attend(parts, spans[task / model.heads], head: task % model.heads, keys: keyPanels.row(thread), scratch: scratch.row(thread))
        }
    }

    private func attend(
        _ parts: (query: Part, key: Part, value: Part), _ span: Range<Int>, head: Int, keys: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let (dimension, offset, start, kernels) = (model.dimension, head * model.dimension, span.lowerBound, compute.kernels)
        func row(_ part: Part, _ token: Int) -> UnsafeMutablePointer<Float> {
            let row = part.start + token * part.stride + offset
            if let bias = part.bias { kernels.add(row, bias + offset, dimension) }
            return row
        }
        for token in span {
            let (ofQuery, ofKey) = (row(parts.query, token), row(parts.key, token))
            _ = row(parts.value, token)
            if let rotary = model.rotary {
                for row in [ofQuery, ofKey] { swl_rotate_halves(row, 1, dimension, angles.row(token), rotary.frequencies.count) }
            }
            // The queries are as far apart as the answers.
            if parts.query.stride != query.width { (query.row(token) + offset).update(from: ofQuery, count: dimension) }
        }
        kernels.store_keys(parts.key.start + start * parts.key.stride + offset, parts.key.stride, dimension, span.count, keys)
        let values = parts.value.start + start * parts.value.stride + offset
        var attention = swl_attention(
            type: SWL_F32, dimension: dimension, blocks: nil, keys: keys, key_block_stride: Int(SWL_BLOCK) * dimension * 4,
            values: values, value_block_stride: Int(SWL_BLOCK) * parts.value.stride * 4, value_stride: parts.value.stride * 4,
            queries: query.row(start) + offset, out: attended.row(start) + offset, tokens: span.count, heads: 1, token_stride: model.width,
            length: span.count, step: 0, window: 0, scale: 1 / Float(dimension).squareRoot(), softcap: 0, scratch: scratch)
        kernels.attention(&attention)
    }
}

extension Bert.FeedForward {
    /// Of the last of its products.
    fileprivate var outputBias: Vector? {
        switch self {
        case .plain(_, let down), .gated(_, _, let down): down.bias
        }
    }
}
