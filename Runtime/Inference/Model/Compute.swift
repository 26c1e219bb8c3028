import Kernels

/// A matrix that an input is multiplied by, and where the result goes.
struct Product {
    let matrix: Matrix
    let out: Activations

    init(_ matrix: Matrix, into out: Activations) { (self.matrix, self.out) = (matrix, out) }
}

/// The operations that architectures are made of, each spread over the team's threads. One caller at a time.
final class Compute {
    let kernels: swl_kernels
    let team: ThreadTeam
    /// The last input as bytes, for products with packed weights whose scales are per 32 columns, and per 256.
    private let blockTiles = Tiles()
    private let superTiles = Tiles()
    private let lowRankProducts = LowRankProducts()

    init(team: ThreadTeam, kernels: swl_kernels = swl_best_kernels().pointee) {
        self.team = team
        self.kernels = kernels
    }

    var threads: Int { team.threads }

    /// Rows of `table` for the tokens, which the caller has checked against its length.
    func lookUp(_ tokens: [Token], in table: Matrix, into out: Activations) {
        team.run(tokens.count) { task, _ in
            table.read(row: Int(tokens[task]), into: out.row(task), kernels)
        }
    }

    /// product.out[token] = product.matrix · input[token] for the first `count` tokens, for each product. Packed weights take
    /// the input as bytes, which are made once for all of them.
    /// - Parameters:
    ///   - adapted: rows for which an adapter changes the matrices.
    ///   - making: makes the input's row of a token; several threads call it, once for each token.
    func multiply(
        _ input: Activations, count: Int, by products: [Product], adapted: AdaptedRows = AdaptedRows(),
        making: (_ token: Int) -> Void = { _ in }
    ) {
        var jobs: [Job] = []
        var isMade = false
        for product in products {
            let (matrix, out) = (product.matrix, product.out)
            precondition(input.width == matrix.columns && out.width == matrix.rows && count <= input.capacity && count <= out.capacity)
            if matrix.packed != nil {
                let tiles = matrix.isInSupers ? superTiles : blockTiles
                if !jobs.contains(where: { $0.tiles === tiles }) {
                    let isFirst = !isMade
                    tiles.fill(from: input, count: count, type: matrix.type, self) { if isFirst { making($0) } }
                    isMade = true
                }
                jobs.append(Job(product, tiles: tiles, step: step(matrix, count: count)))
            } else {
                jobs.append(Job(product, tiles: nil, step: min(64, max(8, matrix.rows / (threads * 4) / 4 * 4))))
            }
        }
        if !isMade { team.run(count) { token, _ in making(token) } }
        team.run(jobs.reduce(0) { $0 + $1.tasks }) { task, _ in
            var task = task
            for job in jobs {
                guard task >= job.tasks else { return run(job, task, input, count) }
                task -= job.tasks
            }
        }
        if !adapted.isEmpty { lowRankProducts.add(adapted, input, to: products, team, kernels) }
    }

    /// Some tasks for each thread, so that a thread which was delayed does less, if they last: sharing one out takes a microsecond.
    private func step(_ matrix: Matrix, count: Int) -> Int {
        if threads == 1 { return matrix.panels }
        // Reading a byte takes as long as eight multiplications.
        let work = matrix.panels * matrix.columns * Int(SWL_PANEL) * max(8, count)
        let tasks = threads * min(8, max(1, work / (threads << 20)))
        // Pairs of panels are faster.
        return min(16, max(2, (matrix.panels + 2 * tasks - 1) / (2 * tasks) * 2))
    }

    private func run(_ job: Job, _ task: Int, _ input: Activations, _ count: Int) {
        let (matrix, out, first) = (job.matrix, job.out, task * job.step)
        let end = min(first + job.step, job.length)
        if let packed = matrix.packed, let tiles = job.tiles {
            kernels.packed_matmul(matrix.type, packed, matrix.rows, matrix.columns, first, end, tiles.start, count, out.start, out.width)
        } else if !matrix.hasPlainProducts {
            // Without a pack, which only comparisons ask for, rows become floats first.
            for row in first..<end {
                let floats = matrix.floats(row: row)
                kernels.matmul(SWL_F32, floats, matrix.columns, 0, 1, input.start, count, out.start + row, out.width)
            }
        } else {
            kernels.matmul(matrix.type, matrix.start, matrix.columns, first, end, input.start, count, out.start, out.width)
        }
    }

    /// A product's rows or, where it is packed, panels, divided into tasks.
    private struct Job {
        let matrix: Matrix
        let out: Activations
        let tiles: Tiles?
        let length: Int
        let step: Int

        init(_ product: Product, tiles: Tiles?, step: Int) {
            (matrix, out, self.tiles, self.step) = (product.matrix, product.out, tiles, step)
            length = tiles == nil ? product.matrix.rows : product.matrix.panels
        }

        var tasks: Int { (length + step - 1) / step }
    }
}
