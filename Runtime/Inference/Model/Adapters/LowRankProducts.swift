import Kernels

/// Adds to products what adapters change: out += scale · B · (A · input), in 32-bit floats, for the rows that are theirs.
/// One caller at a time.
final class LowRankProducts {
    /// A · input of all parts, and B times that of each thread's rows. They grow to what was needed most.
    private var inner = Activations(rows: 0, width: 1)
    private var outer = Activations(rows: 0, width: 1)
    /// Rows of A, and of B, that one task takes.
    private static let (stepOfA, stepOfB) = (4, 128)

    private struct Part {
        let change: Adapter.Change
        let rows: Range<Int>
        let out: Activations
        /// Where in `inner` its results are, `rank` for each row.
        let start: Int
    }

    func add(_ adapted: AdaptedRows, _ input: Activations, to products: [Product], _ team: ThreadTeam, _ kernels: swl_kernels) {
        var parts: [Part] = []
        var length = 0
        for (adapter, rows) in adapted.parts {
            for product in products {
                guard let change = adapter.changes[product.matrix.name] else { continue }
                parts.append(Part(change: change, rows: rows, out: product.out, start: length))
                length += rows.count * change.rank
            }
        }
        guard !parts.isEmpty else { return }
        let room = Self.stepOfB * (parts.map(\.rows.count).max() ?? 0)
        if inner.capacity < length { inner = Activations(rows: length, width: 1) }
        if outer.capacity < room * team.threads { outer = Activations(rows: room * team.threads, width: 1) }

        func each(_ step: Int, _ rows: (Part) -> Int, _ body: (Part, _ rows: Range<Int>, _ thread: Int) -> Void) {
            let tasks = parts.flatMap { part in
                stride(from: 0, to: rows(part), by: step).map { (part, $0..<min($0 + step, rows(part))) }
            }
            team.run(tasks.count) { task, thread in body(tasks[task].0, tasks[task].1, thread) }
        }
        each(Self.stepOfA, { $0.change.rank }) { [inner] part, rows, _ in
            let a = part.change.a
            kernels.matmul(
                a.type, a.start, a.columns, rows.lowerBound, rows.upperBound, input.row(part.rows.lowerBound), part.rows.count,
                inner.start + part.start, a.rows)
        }
        each(Self.stepOfB, { $0.change.b.rows }) { [inner, outer] part, rows, thread in
            let (b, results) = (part.change.b.slice(rows), outer.start + thread * room)
            kernels.matmul(
                b.type, b.start, b.columns, 0, rows.count, inner.start + part.start, part.rows.count, results, rows.count)
            for token in 0..<part.rows.count {
                let (out, result) = (part.out.row(part.rows.lowerBound + token) + rows.lowerBound, results + token * rows.count)
                for index in 0..<rows.count { out[index] += part.change.scale * result[index] }
            }
        }
    }
}
