import Kernels

/// Activations quantized to bytes, in the tiles that packed products read. The memory grows to what was needed most.
final class Tiles {
    private(set) var start = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
    private var capacity = 64

    deinit { start.deallocate() }

    /// - Parameters:
    ///   - type: the packed weights' type, which says how many columns share a scale.
    ///   - making: makes a row of the input right before it is quantized.
    func fill(from input: Activations, count: Int, type: swl_type, _ compute: Compute, making: (Int) -> Void) {
        let tokenBytes = swl_tiles_bytes(type, input.width, 1)
        let needed = swl_tiles_bytes(type, input.width, count)
        if needed > capacity {
            start.deallocate()
            start = .allocate(byteCount: needed, alignment: 64)
            capacity = needed
        }
        compute.team.run(swl_tile_count(count)) { index, _ in
            let tile = swl_tile_at(count, index)
            for token in tile.first..<tile.first + tile.count { making(token) }
            compute.kernels.quantize(type, input.start, input.width, tile, start + tile.first * tokenBytes)
        }
    }
}
