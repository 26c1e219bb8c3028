/// Decides which neighbours of a text's pieces become one piece, and in what order.
protocol MergeRule {
    associatedtype Piece

    /// - Returns: the piece that the two become, and how urgent that is, lower before higher; `nil` where they stay two.
    func merge(_ left: Piece, _ right: Piece) -> (order: UInt32, piece: Piece)?
}

extension MergeRule {
    /// Merges neighbours until none can be, the lowest order first and the leftmost of equals: O(n log n), by a heap of candidate
    /// pairs over a linked list of what is left.
    func apply(to pieces: inout [Piece]) {
        guard pieces.count > 1 else { return }
        let end = Int32(pieces.count)
        // A piece that is gone has itself as its next one.
        var next = (1...end).map { $0 }
        var previous = (-1..<end - 1).map { $0 }
        var candidates = MinimumHeap()

        /// Orders come before positions, so the heap's least element is the one to merge.
        func consider(_ left: Int32, _ pieces: [Piece]) {
            if let (order, _) = merge(pieces[Int(left)], pieces[Int(next[Int(left)])]) {
                candidates.insert(UInt64(order) << 32 | UInt64(UInt32(left)))
            }
        }
        for left in 0..<end - 1 { consider(left, pieces) }

        while let candidate = candidates.removeLeast() {
            let left = Int32(truncatingIfNeeded: candidate)
            let right = next[Int(left)]
            guard right != left, right < end else { continue }
            // Since the pair was noted, either side may have merged with someone else.
            guard let (order, piece) = merge(pieces[Int(left)], pieces[Int(right)]), UInt64(order) == candidate >> 32 else { continue }
            pieces[Int(left)] = piece
            next[Int(left)] = next[Int(right)]
            next[Int(right)] = right
            if next[Int(left)] < end {
                previous[Int(next[Int(left)])] = left
                consider(left, pieces)
            }
            if previous[Int(left)] >= 0 { consider(previous[Int(left)], pieces) }
        }
        var position: Int32 = 0
        var count = 0
        while position < end {
            pieces[count] = pieces[Int(position)]
            count += 1
            position = next[Int(position)]
        }
        pieces.removeSubrange(count...)
    }
}

/// A binary heap.
private struct MinimumHeap {
    private var elements: [UInt64] = []

    mutating func insert(_ element: UInt64) {
        var index = elements.count
        elements.append(element)
        while index > 0, elements[(index - 1) / 2] > element {
            elements[index] = elements[(index - 1) / 2]
            index = (index - 1) / 2
        }
        elements[index] = element
    }

    mutating func removeLeast() -> UInt64? {
        guard let least = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return least }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < last else { break }
            elements[index] = elements[child]
            index = child
        }
        elements[index] = last
        return least
    }
}
