import Kernels

/// An encoder's forward pass over several texts at once, one after the other without padding; what differs between families of
/// models, ``EncoderArchitecture`` says.
final class BertEncoder: TextEncoder {
    private let model: Bert
    private let compute: Compute
    let batchLimit: Int

    private let x, projected, query, key, value, joined, attended, inner, gate, angles: Activations
    private let keyPanels, scratch: Activations

    init(_ model: Bert, _ compute: Compute, batchLimit: Int) {
        (self.model, self.compute, self.batchLimit) = (model, compute, batchLimit)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        (x, projected) = (rows(of: model.width), rows(of: model.width))
        (query, key, value, attended) = (rows(of: model.width), rows(of: model.width), rows(of: model.width), rows(of: model.width))
        joined = rows(of: model.architecture.joinsProjections ? 3 * model.width : 0)
        inner = rows(of: model.feedForward)
        gate = rows(of: model.architecture.isGated ? model.feedForward : 0)
        angles = rows(of: (model.rotary?.frequencies.count ?? 0) * 2)
        let dimension = model.dimension, positions = model.contextLength + 16
        keyPanels = Activations(rows: compute.threads, width: positions * dimension)
        scratch = Activations(rows: compute.threads, width: Int(SWL_QUERIES) * (dimension + positions))
    }

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
            project(layer.projections, count: count) { [self] in addAndNormalize($0, norm) }
            attend(within: spans)
            compute.multiply(attended, count: count, by: [Product(layer.attentionOutput.weight, into: projected)])
            feedForward(layer.feedForward, count: count) { [self] token in
                add(layer.attentionOutput.bias, to: projected, token)
                addAndNormalize(token, layer.attentionNorm)
            }
            norm = layer.outputNorm
        }
        compute.team.run(count) { token, _ in addAndNormalize(token, norm) }
        return spans.map { model.pooling.vector(of: $0, width: model.width, row: x.row) }
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
            add(model.typeEmbedding, to: x, token)
        }
    }

    private func add(_ vector: [Float]?, to rows: Activations, _ token: Int) {
        guard let vector else { return }
        precondition(vector.count == rows.width)
        compute.kernels.add(rows.row(token), vector, rows.width)
    }

    /// x = norm(x + projected)
    private func addAndNormalize(_ token: Int, _ norm: Bert.Norm) {
        compute.kernels.add(x.row(token), projected.row(token), model.width)
        compute.kernels.layer_norm(x.row(token), norm.weight, norm.bias, model.width, model.epsilon, x.row(token))
    }

    // MARK: Feed-forward

    /// projected = what the block makes of x.
    private func feedForward(_ block: Bert.FeedForward, count: Int, making: (Int) -> Void) {
        let last: Bert.Linear
        switch block {
        case .plain(let up, let down):
            compute.multiply(x, count: count, by: [Product(up.weight, into: inner)], making: making)
            compute.multiply(inner, count: count, by: [Product(down.weight, into: projected)]) { [self] token in
                add(up.bias, to: inner, token)
                compute.kernels.gelu(inner.row(token), inner.width)
            }
            last = down
        case .gated(let gates, let up, let down):
            compute.multiply(x, count: count, by: [Product(gates.weight, into: gate), Product(up.weight, into: inner)], making: making)
            compute.multiply(gate, count: count, by: [Product(down.weight, into: projected)]) { [self] token in
                add(gates.bias, to: gate, token)
                add(up.bias, to: inner, token)
                compute.kernels.silu_multiply(gate.row(token), inner.row(token), inner.width)
            }
            last = down
        }
        compute.team.run(count) { token, _ in add(last.bias, to: projected, token) }
    }

    // MARK: Attention

    private func project(_ projections: Transformer.Projections, count: Int, making: (Int) -> Void) {
        switch projections {
        case .apart(let queries, let keys, let values):
            let inputs = [(queries, query), (keys, key), (values, value)]
            compute.multiply(x, count: count, by: inputs.map { Product($0.weight, into: $1) }, making: making)
            compute.team.run(count) { token, _ in for (linear, out) in inputs { add(linear.bias, to: out, token) } }
        case .joined(let all):
            compute.multiply(x, count: count, by: [Product(all.weight, into: joined)], making: making)
            compute.team.run(count) { token, _ in
                add(all.bias, to: joined, token)
                for (index, rows) in [query, key, value].enumerated() {
                    rows.row(token).update(from: joined.row(token) + index * model.width, count: model.width)
                }
            }
        }
        if let rotary = model.rotary {
            compute.team.run(count) { token, _ in
                for rows in [query, key] {
                    swl_rotate_halves(rows.row(token), model.heads, model.dimension, angles.row(token), rotary.frequencies.count)
                }
            }
        }
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
                window: 0, scale: 1 / Float(model.dimension).squareRoot(), softcap: 0, scratch: scratch.row(thread))
            compute.kernels.attention(&attention)
        }
    }
}
