import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What one sequence's attention remembers: for each layer and key-value head, the keys and the values of its positions.
///
/// The memory is reserved for `capacity` positions, but the system gives pages only as they are first written, so what
/// is used grows with the sequence. Freed with the object.
final class KeyValueCache {
    struct Shape: Hashable, Sendable {
        var layers: Int
        var heads: Int
        /// Elements of one head's key, and of its value.
        var dimension: Int
        var type: swl_type
    }

    let shape: Shape
    let capacity: Int
    /// Bytes between two positions of the same head.
    let stride: Int
    private let start: UnsafeMutableRawPointer

    init(_ shape: Shape, capacity: Int) throws(InferenceError) {
        self.shape = shape
        self.capacity = capacity
        stride = shape.dimension * (shape.type == SWL_F16 ? 2 : 4)
        let (bytes, overflow) = (2 * shape.layers * shape.heads * stride).multipliedReportingOverflow(by: capacity)
        guard !overflow, let start = malloc(bytes) else {
            throw InferenceError(.system, "There is not enough memory for the keys and values of \(capacity) tokens.")
        }
        self.start = start
    }

    deinit { free(start) }

    /// The head's keys: `capacity` rows of `dimension` elements.
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        start + (layer * shape.heads + head) * 2 * capacity * stride
    }

    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        keys(layer: layer, head: head) + capacity * stride
    }
}
