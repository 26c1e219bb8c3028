/// Which rows of a step's activations belong to sequences with an adapter, and which one.
struct AdaptedRows {
    private(set) var parts: [(adapter: Adapter, rows: Range<Int>)] = []

    var isEmpty: Bool { parts.isEmpty }

    /// - Parameter rows: behind all that were added before.
    mutating func append(_ adapter: Adapter?, _ rows: Range<Int>) {
        guard let adapter, !rows.isEmpty else { return }
        if let last = parts.last, last.adapter === adapter, last.rows.upperBound == rows.lowerBound {
            parts[parts.count - 1].rows = last.rows.lowerBound..<rows.upperBound
        } else {
            parts.append((adapter, rows))
        }
    }

    /// - Returns: the same for rows that are those at `places` now.
    func selecting(_ places: ArraySlice<Int>) -> AdaptedRows {
        var selected = AdaptedRows()
        guard !isEmpty else { return selected }
        for (row, place) in places.enumerated() {
            selected.append(parts.first { $0.rows.contains(place) }?.adapter, row..<row + 1)
        }
        return selected
    }
}
