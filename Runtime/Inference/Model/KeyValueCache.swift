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
    /// Bytes between two positions' values of the same head.
    let stride: Int
    /// What keys or values of one head take: attention reads keys by sixteens.
    private let headBytes: Int
    private let start: UnsafeMutableRawPointer

    init(_ shape: Shape, capacity: Int) throws(InferenceError) {
        self.shape = shape
        self.capacity = capacity
        stride = shape.dimension * (shape.type == SWL_F16 ? 2 : 4)
        let sixteens = capacity / 16 + 1
        let (bytes, overflow) = (2 * shape.layers * shape.heads * stride * 16).multipliedReportingOverflow(by: sixteens)
        headBytes = overflow ? 0 : stride * 16 * sixteens
        guard !overflow, let start = malloc(bytes) else {
            throw InferenceError(.system, "There is not enough memory for the keys and values of \(capacity) tokens.")
        }
        self.start = start
    }

    deinit { free(start) }

    /// The head's keys, laid out as `swl_attention` has them.
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        start + (layer * shape.heads + head) * 2 * headBytes
    }

    /// The head's values: rows of `dimension` elements.
    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        keys(layer: layer, head: head) + headBytes
    }
}
