import Foundation
import Kernels
import Testing

/// Products with packed weights: the portable build against floats, and the others against it.
@Suite(.serialized) struct PackedTests {
    static let builds = KernelTests.fast + ["portable"]
    static let types = [SWL_Q8_0, SWL_Q4_0, SWL_Q4_K, SWL_Q5_K, SWL_Q6_K]
    let portable = swl_kernels_named("portable")!.pointee

    /// Rows that fill no panel, tiles of every width, and columns in several chunks.
    private static let shapes = [(1, 1, 1), (16, 2, 2), (40, 3, 3), (33, 1, 5), (64, 5, 7), (17, 2, 8), (31, 12, 9), (48, 1, 13), (50, 20, 21)]

    @Test(arguments: types)
    func theReferenceIsNearFloats(type: swl_type) {
        var random = Numbers()
        for (rows, units, count) in Self.shapes {
            let columns = units * type.unit
            let (weights, activations) = (random.packable(type, rows: rows, columns: columns), random.floats(count * columns))
            let ours = products(portable, type, weights, activations, rows: rows, columns: columns, count: count)
            var floats = [Float](repeating: 0, count: columns)
            for row in 0..<rows {
                portable.dequantize(type, Array(weights[(row * weights.count / rows)...]), columns, &floats)
                let length = floats.reduce(0) { $0 + $1 * $1 }.squareRoot()
                for token in 0..<count {
                    let exact = zip(floats, activations[(token * columns)...]).reduce(0) { $0 + Double($1.0) * Double($1.1) }
                    // Numbers up to 1 are rounded to 127ths: by 1/254 at most, by 1/440 as a rule, each with its own sign.
                    #expect(abs(exact - Double(ours[token * rows + row])) <= Double(length) * 6 / 440 + 1e-5)
                }
            }
        }
    }

    @Test(arguments: KernelTests.fast, types)
    func everyBuildGivesTheSameBits(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        for (rows, units, count) in Self.shapes {
            let columns = units * type.unit
            let (weights, activations) = (random.packable(type, rows: rows, columns: columns), random.floats(count * columns))
            #expect(tiles(kernels, type, activations, columns: columns, count: count) == tiles(portable, type, activations, columns: columns, count: count))
            let ours = products(kernels, type, weights, activations, rows: rows, columns: columns, count: count)
            #expect(ours == products(portable, type, weights, activations, rows: rows, columns: columns, count: count))
        }
    }

    /// What the engine's batching rests on.
    @Test(arguments: builds, types)
    func aTokensProductsDoNotDependOnTheOthers(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        let (rows, columns) = (37, 3 * 256)
        let (weights, activations) = (random.packable(type, rows: rows, columns: columns), random.floats(21 * columns))
        let together = products(kernels, type, weights, activations, rows: rows, columns: columns, count: 21)
        for count in 1...20 {
            #expect(products(kernels, type, weights, activations, rows: rows, columns: columns, count: count) == Array(together.prefix(count * rows)))
        }
        // Panel by panel, too, as threads take them.
        #expect(products(kernels, type, weights, activations, rows: rows, columns: columns, count: 21, step: 1) == together)
    }

    @Test(arguments: builds, types)
    func extremes(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        let columns = 256
        let weights = random.packable(type, rows: 1, columns: columns)
        func product(_ number: Float) -> Float {
            var activations = random.floats(columns)
            activations[77] = number
            return products(kernels, type, weights, activations, rows: 1, columns: columns, count: 1)[0]
        }
        for number in [Float.nan, .infinity, -.infinity] { #expect(product(number).isNaN) }
        for number in [Float.greatestFiniteMagnitude, 1e30, 0, -Float.leastNonzeroMagnitude] { #expect(!product(number).isNaN) }
        let zeros = [Float](repeating: 0, count: columns), tiny = [Float](repeating: 1e-38, count: columns)
        #expect(products(kernels, type, weights, zeros + tiny, rows: 1, columns: columns, count: 2) == [0, 0])
    }

    /// llama.cpp's own test of its types: a product of this row with the same numbers one on is off by less than this, by element.
    /// Source: `tests/test-quantize-fns.cpp`
    @Test(arguments: [SWL_Q4_K, SWL_Q5_K, SWL_Q6_K])
    func productsAreWithinLlamaCppsBounds(type: swl_type) throws {
        let count = 32 * 128
        let (weights, activations) = ((0..<count).map { 0.1 + 2 * cosf(Float($0)) }, (0..<count).map { 0.1 + 2 * cosf(Float($0) + 1) })
        var bytes = [UInt8](repeating: 0, count: count)
        #expect(swl_encode_row(type, weights, count, &bytes))
        let exact = zip(weights, activations).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        for build in Self.builds {
            let kernels = try #require(swl_kernels_named(build)).pointee
            let ours = products(kernels, type, bytes, activations, rows: 1, columns: count, count: 1)
            #expect(abs(Double(ours[0]) - exact) / Double(count) < 0.02)
        }
    }

    @Test func whatCanBePacked() {
        #expect(swl_can_pack(SWL_Q8_0, 64) && !swl_can_pack(SWL_Q8_0, 96) && !swl_can_pack(SWL_Q4_0, 0))
        #expect(swl_can_pack(SWL_Q6_K, 512) && !swl_can_pack(SWL_Q6_K, 128) && !swl_can_pack(SWL_F16, 256) && !swl_can_pack(SWL_BF16, 256))
        for count in 0...100 {
            let tiles = (0..<swl_tile_count(count)).map { swl_tile_at(count, $0) }
            #expect(tiles.reduce(0) { $0 + $1.count } == count)
            #expect(tiles.allSatisfy { $0.count <= $0.width && [1, 2, 4, 6, 8].contains($0.width) })
            #expect(zip(tiles, tiles.dropFirst()).allSatisfy { $0.first + $0.count == $1.first && $0.count == $0.width })
        }
    }

    // MARK: Help

    private func tiles(_ kernels: swl_kernels, _ type: swl_type, _ activations: [Float], columns: Int, count: Int) -> [UInt8] {
        var tiles = [UInt8](repeating: 0xaa, count: swl_tiles_bytes(type, columns, count))
        tiles.withUnsafeMutableBytes { bytes in
            for tile in (0..<swl_tile_count(count)).map({ swl_tile_at(count, $0) }) {
                kernels.quantize(type, activations, columns, tile, bytes.baseAddress! + tile.first * swl_tiles_bytes(type, columns, 1))
            }
        }
        return tiles
    }

    private func products(
        _ kernels: swl_kernels, _ type: swl_type, _ weights: [UInt8], _ activations: [Float], rows: Int, columns: Int, count: Int, step: Int = .max
    ) -> [Float] {
        let panels = (rows + 15) / 16, panelBytes = swl_packed_bytes(type, 16, columns)
        var packed = [UInt8](repeating: 0xaa, count: swl_packed_bytes(type, rows, columns))
        packed.withUnsafeMutableBytes { bytes in
            for panel in 0..<panels { swl_pack_panel(type, weights, rows, columns, panel, bytes.baseAddress! + panel * panelBytes) }
        }
        let tiles = tiles(kernels, type, activations, columns: columns, count: count)
        var out = [Float](repeating: 7, count: count * rows)
        for first in stride(from: 0, to: panels, by: min(step, panels)) {
            kernels.packed_matmul(type, packed, rows, columns, first, min(panels, first + min(step, panels)), tiles, count, &out, rows)
        }
        return out
    }
}

extension swl_type {
    /// The columns that are packed together.
    fileprivate var unit: Int { self == SWL_Q8_0 || self == SWL_Q4_0 ? 64 : 256 }
}

extension Numbers {
    /// Random blocks as GGUF has them: every pattern of bits is valid, only scales are kept small.
    fileprivate mutating func packable(_ type: swl_type, rows: Int, columns: Int) -> [UInt8] {
        let size = [SWL_Q4_K.rawValue: 144, SWL_Q5_K.rawValue: 176, SWL_Q6_K.rawValue: 210][type.rawValue]
        guard let size else { return weights(type, rows: rows, columns: columns) }
        return (0..<rows * columns / 256).flatMap { _ in
            var block = (0..<size).map { _ in UInt8(truncatingIfNeeded: next()) }
            for place in type == SWL_Q6_K ? [208] : [0, 2] {
                block.replaceSubrange(place..<place + 2, with: withUnsafeBytes(of: Float16(floats(1)[0] / 256), Array.init))
            }
            return block
        }
    }
}
