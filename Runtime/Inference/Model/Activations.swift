/// Rows of `width` floats, one for each token of a step: what flows between a model's weights. Not initialized at first.
final class Activations {
    let start: UnsafeMutablePointer<Float>
    let width: Int
    let capacity: Int

    init(rows: Int, width: Int) {
        self.width = width
        capacity = rows
        start = .allocate(capacity: max(1, rows * width))
    }

    deinit { start.deallocate() }

    func row(_ index: Int) -> UnsafeMutablePointer<Float> {
        precondition(index >= 0 && index < capacity)
        return start + index * width
    }

    /// The first `count` rows as one buffer.
    func rows(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(count >= 0 && count <= capacity)
        return UnsafeMutableBufferPointer(start: start, count: count * width)
    }
}
