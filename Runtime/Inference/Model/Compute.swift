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
        for (index, product) in products.enumerated() {
            let (matrix, out) = (product.matrix, product.out)
            precondition(input.width == matrix.columns && out.width == matrix.rows && count <= input.capacity && count <= out.capacity)
            if matrix.packed != nil {
                let tiles = matrix.isInSupers ? superTiles : blockTiles
                if !jobs.contains(where: { $0.tiles === tiles }) {
                    let isFirst = !isMade
                    tiles.fill(from: input, count: count, type: matrix.type, self) { if isFirst { making($0) } }
                    isMade = true
                }
                let bounds = swl_tile_count(count) == 1
                    ? longPieces(matrix, isLast: index == products.count - 1) : steps(matrix.panels, of: step(matrix, count: count))
                jobs.append(Job(product, tiles: tiles, bounds: bounds))
            } else {
                jobs.append(Job(product, tiles: nil, bounds: steps(matrix.rows, of: min(64, max(8, matrix.rows / (threads * 4) / 4 * 4)))))
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
        let work = matrix.panels * matrix.columns * Int(SWL_PANEL) * count
        let tasks = threads * min(8, max(1, work / (threads << 20)))
        // Pairs of panels are faster.
        return min(16, max(2, (matrix.panels + 2 * tasks - 1) / (2 * tasks) * 2))
    }

    private func steps(_ length: Int, of step: Int) -> [Int] { Array(stride(from: 0, to: length, by: step)) + [length] }

    /// For few tokens, where reading the weights is the work. Memory is fastest in long pieces: each thread gets one of every
    /// matrix, and only the end of the last is divided further, so that none waits long for another.
    private func longPieces(_ matrix: Matrix, isLast: Bool) -> [Int] {
        let rest = isLast && threads > 1 ? matrix.panels / 5 : 0
        let small = max(1, (192 << 10) / swl_packed_bytes(matrix.type, Int(SWL_PANEL), matrix.columns))
        return (0..<threads).map { $0 * (matrix.panels - rest) / threads }
            + stride(from: matrix.panels - rest, to: matrix.panels, by: small) + [matrix.panels]
    }

    private func run(_ job: Job, _ task: Int, _ input: Activations, _ count: Int) {
        let (matrix, out, first, end) = (job.matrix, job.out, job.bounds[task], job.bounds[task + 1])
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
        /// Where tasks begin, and where the last ends.
        let bounds: [Int]

        init(_ product: Product, tiles: Tiles?, bounds: [Int]) {
            (matrix, out, self.tiles, self.bounds) = (product.matrix, product.out, tiles, bounds)
        }

        var tasks: Int { bounds.count - 1 }
    }
}
