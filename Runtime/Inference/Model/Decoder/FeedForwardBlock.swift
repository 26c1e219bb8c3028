import Kernels

/// down(activation(gate(x)) · up(x)), for all tokens of a batch.
final class FeedForwardBlock {
    private let model: Transformer
    private let compute: Compute
    private let gate, up, joined: Activations
    /// For experts: the router's scores, the tokens that ask one expert, and what it answers.
    private let scores, asked, answers: Activations

    init(_ model: Transformer, _ compute: Compute, batchLimit: Int) {
        (self.model, self.compute) = (model, compute)
        func rows(of width: Int) -> Activations { Activations(rows: batchLimit, width: width) }
        gate = rows(of: model.feedForward)
        up = rows(of: model.feedForward)
        joined = rows(of: model.architecture.joinsProjections ? 2 * model.feedForward : 0)
        var experts = 0
        if case .experts(let all)? = model.layers.first?.feedForward { experts = all.gate.count }
        scores = rows(of: experts)
        asked = rows(of: experts > 0 ? model.width : 0)
        answers = rows(of: experts > 0 ? model.width : 0)
    }

    /// - Parameters:
    ///   - input: made row by row by `making`, which several threads call.
    ///   - out: of the same width.
    func evaluate(
        _ block: Transformer.FeedForward, _ input: Activations, count: Int, into out: Activations, adapted: AdaptedRows,
        making: (_ token: Int) -> Void
    ) {
        switch block {
        case .gated(let gates, let ups, let down):
            compute.multiply(input, count: count, by: [Product(gates, into: gate), Product(ups, into: up)], adapted: adapted, making: making)
            compute.multiply(gate, count: count, by: [Product(down, into: out)], adapted: adapted) { [self] in activate($0) }
        case .joined(let gateAndUp, let down):
            compute.multiply(input, count: count, by: [Product(gateAndUp, into: joined)], adapted: adapted, making: making)
            compute.multiply(gate, count: count, by: [Product(down, into: out)], adapted: adapted) { [self] token in
                gate.row(token).update(from: joined.row(token), count: gate.width)
                activate(token, up: joined.row(token) + gate.width)
            }
        case .experts(let experts):
            compute.multiply(input, count: count, by: [Product(experts.router, into: scores)], adapted: adapted, making: making)
            ask(experts, input, count: count, into: out)
        }
    }

    private func activate(_ token: Int, up: UnsafeMutablePointer<Float>? = nil) {
        let (gate, up) = (gate.row(token), up ?? self.up.row(token))
        switch model.architecture.activation {
        case .silu: compute.kernels.silu_multiply(gate, up, model.feedForward)
        case .gelu: compute.kernels.gelu_multiply(gate, up, model.feedForward)
        }
    }

    /// One expert after the other answers all tokens that ask it, so that a token's sum has the same order in every batch.
    private func ask(_ experts: Experts, _ input: Activations, count: Int, into out: Activations) {
        var questions: [[(token: Int, share: Float)]] = Array(repeating: [], count: experts.gate.count)
        for token in 0..<count {
            for (expert, share) in experts.choice(UnsafeBufferPointer(start: scores.row(token), count: scores.width), compute.kernels) {
                questions[expert].append((token, share))
            }
            out.row(token).update(repeating: 0, count: out.width)
        }
        for (expert, questions) in questions.enumerated() where !questions.isEmpty {
            compute.multiply(
                asked, count: questions.count, by: [Product(experts.gate[expert], into: gate), Product(experts.up[expert], into: up)]
            ) { [self] place in
                asked.row(place).update(from: input.row(questions[place].token), count: input.width)
            }
            compute.multiply(gate, count: questions.count, by: [Product(experts.down[expert], into: answers)]) { [self] in activate($0) }
            compute.team.run(questions.count) { place, _ in
                let (answer, sum, share) = (answers.row(place), out.row(questions[place].token), questions[place].share)
                for index in 0..<out.width { sum[index] += share * answer[index] }
            }
        }
    }
}
