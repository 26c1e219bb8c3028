import Kernels

/// The operations that architectures are made of, each spread over the team's threads. One caller at a time.
final class Compute {
    let kernels: swl_kernels
    let team: ThreadTeam

    init(team: ThreadTeam, kernels: swl_kernels = swl_best_kernels().pointee) {
        self.team = team
        self.kernels = kernels
    }

    var threads: Int { team.threads }

    /// Rows of `table` for the tokens, which the caller has checked against its length.
    func lookUp(_ tokens: [Token], in table: Matrix, into out: Activations) {
        team.run(tokens.count) { task, _ in
            kernels.dequantize(table.type, table.row(Int(tokens[task])), table.columns, out.row(task))
        }
    }

    /// out[token] = matrix · input[token] for the first `count` tokens
    func multiply(_ matrix: Matrix, _ input: Activations, count: Int, into out: Activations) {
        precondition(input.width == matrix.columns && out.width == matrix.rows && count <= input.capacity && count <= out.capacity)
        // Some tasks for each thread, so that a thread which was delayed does less; not so large that rows leave the cache.
        let rows = min(64, max(8, matrix.rows / (threads * 4) / 4 * 4))
        team.run((matrix.rows + rows - 1) / rows) { task, _ in
            let first = task * rows
            kernels.matmul(
                matrix.type, matrix.start, matrix.columns, first, min(first + rows, matrix.rows), input.start, count, out.start, out.width)
        }
    }

    func rmsNorm(_ input: Activations, _ weight: [Float], epsilon: Float, count: Int, into out: Activations) {
        precondition(input.width == weight.count && out.width == weight.count)
        team.run(count) { task, _ in kernels.rms_norm(input.row(task), weight, weight.count, epsilon, out.row(task)) }
    }

    /// target += addend
    func add(_ addend: Activations, to target: Activations, count: Int) {
        precondition(addend.width == target.width)
        team.run(count) { task, _ in swl_add(target.row(task), addend.row(task), target.width) }
    }

    /// gate = silu(gate) · up
    func siluMultiply(_ gate: Activations, _ up: Activations, count: Int) {
        precondition(gate.width == up.width)
        team.run(count) { task, _ in kernels.silu_multiply(gate.row(task), up.row(task), gate.width) }
    }
}
