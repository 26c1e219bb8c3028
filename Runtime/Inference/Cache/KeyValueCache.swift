import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What attention remembers of all sequences of a host: the keys and values of their positions, in blocks of ``SWL_BLOCK``
/// positions, with all layers and heads of a position in one block. Which block belongs to whom, ``BlockPool`` knows.
///
/// The memory is reserved for all blocks, but the system gives pages only as they are first written.
final class KeyValueCache: @unchecked Sendable {  // only the engine's thread and its team, between them in turn, use the memory
    struct Shape: Hashable, Sendable {
        let layers: Int
        let heads: Int
        /// Elements of one head's key, and of its value.
        let dimension: Int
        let type: swl_type
        /// Bytes of one head's value at one position.
        let rowBytes: Int

        /// - Throws: ``InferenceError`` where a head has no whole number of the type's blocks.
        init(layers: Int, heads: Int, dimension: Int, type: Engine.Configuration.CacheType) throws(InferenceError) {
            (self.layers, self.heads, self.dimension, self.type) = (layers, heads, dimension, type.kernelType)
            guard let rowBytes = GGUFType(rawValue: self.type.rawValue)?.rowBytes(dimension) else {
                throw InferenceError(
                    .unsupported,
                    "Keys and values can't be kept as \(type.rawValue), which takes 32 elements at a time: the model's heads have \(dimension). Use f16.")
            }
            self.rowBytes = rowBytes
        }

        /// What the keys, or the values, of one head take in a block.
        fileprivate var headBytes: Int { rowBytes * KeyValueCache.blockLength }
        var blockBytes: Int { 2 * layers * heads * headBytes }
    }

    static var blockLength: Int { Int(SWL_BLOCK) }

    let shape: Shape
    let blockCount: Int
    private let start: UnsafeMutableRawPointer

    /// - Throws: ``InferenceError`` where the system does not give so much address space.
    init(_ shape: Shape, blockCount: Int) throws(InferenceError) {
        (self.shape, self.blockCount) = (shape, blockCount)
        let (bytes, overflow) = shape.blockBytes.multipliedReportingOverflow(by: blockCount)
        guard !overflow,
            let start = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_NORESERVE), -1, 0), start != MAP_FAILED
        else {
            throw InferenceError(
                .system,
                "The system refused \(shape.blockBytes / 1024) KiB for each \(KeyValueCache.blockLength) of \(blockCount * KeyValueCache.blockLength) tokens' keys and values. Ask for a smaller cache.")
        }
        madvise(start, bytes, Int32(MADV_HUGEPAGE))
        self.start = start
    }

    deinit { munmap(start, shape.blockBytes * blockCount) }

    /// The head's keys in block 0, laid out as `swl_attention` has them; block 1 is ``Shape/blockBytes`` on.
    func keys(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        start + (layer * shape.heads + head) * 2 * shape.headBytes
    }

    /// The head's values in block 0: rows of `dimension` elements.
    func values(layer: Int, head: Int) -> UnsafeMutableRawPointer {
        keys(layer: layer, head: head) + shape.headBytes
    }
}
