/// A vector of weights, for kernels. A plain pointer, because an array's count of references would pass from thread to thread with
/// every call.
struct Vector: @unchecked Sendable {  // read-only memory, which the model's `VectorMemory` keeps
    let start: UnsafePointer<Float>
    let count: Int
}

/// Keeps a model's vectors.
final class VectorMemory: @unchecked Sendable {  // only the one who reads the model, before others have it, calls `keep`
    private var vectors: [UnsafeMutablePointer<Float>] = []

    deinit { for vector in vectors { vector.deallocate() } }

    func keep(_ values: [Float]) -> Vector {
        let start = UnsafeMutablePointer<Float>.allocate(capacity: max(1, values.count))
        start.update(from: values, count: values.count)
        vectors.append(start)
        return Vector(start: start, count: values.count)
    }
}
