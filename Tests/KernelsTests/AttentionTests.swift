import Kernels
import Testing

@Suite(.serialized) struct AttentionTests {
    private struct Shape {
        var dimension, length, tokens, heads, step: Int
        var window = 0
        var softcap: Float = 0
    }

    private static let shapes = [
        Shape(dimension: 8, length: 1, tokens: 1, heads: 1, step: 0), Shape(dimension: 16, length: 5, tokens: 2, heads: 1, step: 1),
        Shape(dimension: 24, length: 33, tokens: 3, heads: 3, step: 1), Shape(dimension: 32, length: 64, tokens: 13, heads: 1, step: 0),
        Shape(dimension: 64, length: 17, tokens: 4, heads: 4, step: 1), Shape(dimension: 80, length: 100, tokens: 1, heads: 2, step: 0),
        Shape(dimension: 128, length: 300, tokens: 5, heads: 1, step: 1),
        Shape(dimension: 16, length: 90, tokens: 40, heads: 2, step: 1, window: 33), Shape(dimension: 24, length: 3, tokens: 30, heads: 1, step: 1, window: 1),
        Shape(dimension: 32, length: 50, tokens: 9, heads: 3, step: 1, window: 16, softcap: 0.5), Shape(dimension: 8, length: 40, tokens: 2, heads: 1, step: 0, softcap: 2),
    ]

    @Test(arguments: KernelTests.fast, [SWL_F32, SWL_F16, SWL_Q8_0])
    func attention(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        let portable = try #require(swl_kernels_named("portable")).pointee
        for shape in Self.shapes where type != SWL_Q8_0 || shape.dimension % 32 == 0 {
            let problem = Problem(type, shape)
            let ours = problem.solve(kernels, tokens: 0..<shape.tokens)
            expectClose(ours, problem.solve(portable, tokens: 0..<shape.tokens), 2e-6, "\(shape)")
        }
    }

    @Test(arguments: KernelTests.fast + ["portable"], [SWL_F32, SWL_F16, SWL_Q8_0])
    func aQueryDoesNotDependOnTheOthers(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        for shape in Self.shapes where type != SWL_Q8_0 || shape.dimension % 32 == 0 {
            let problem = Problem(type, shape)
            let together = problem.solve(kernels, tokens: 0..<shape.tokens)
            for token in 0..<shape.tokens {
                #expect(problem.solve(kernels, tokens: token..<token + 1) == Array(together[(token * problem.stride)...].prefix(problem.stride)))
            }
        }
    }

    @Test(arguments: KernelTests.fast + ["portable"], [SWL_F32, SWL_F16, SWL_Q8_0])
    func blocksMayLieAnywhere(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        for shape in Self.shapes where type != SWL_Q8_0 || shape.dimension % 32 == 0 {
            let problem = Problem(type, shape)
            let inOrder = problem.solve(kernels, tokens: 0..<shape.tokens)
            let places = (0..<UInt32((problem.blocks + 4) / 2 * 2)).reversed().map { $0 ^ 1 }
            #expect(problem.solve(kernels, tokens: 0..<shape.tokens, places: places) == inOrder)
        }
    }

    @Test(arguments: KernelTests.fast + ["portable"], [(16, 16), (32, 37), (64, 15), (24, 33)])
    func keysOfManyPositionsAtOnce(build: String, shape: (dimension: Int, count: Int)) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        let (dimension, count, stride) = (shape.dimension, shape.count, shape.dimension + 7)
        let rows = random.floats(count * stride)
        let empty = [Float](repeating: 7, count: (count + 15) / 16 * 16 * dimension)
        var (ours, expected) = (empty, empty)
        kernels.store_keys(rows, stride, dimension, count, &ours)
        for position in 0..<count { kernels.store_key(SWL_F32, Array(rows[(position * stride)...]), dimension, position, &expected) }
        #expect(ours == expected)
    }

    /// Keys and values of bytes against the same ones as floats, from whose largest of 32 they are off by 1/254 at the most.
    @Test(arguments: KernelTests.fast + ["portable"])
    func bytesAreNearFloats(build: String) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        for scale: Float in [0.1, 1, 100] {
            let values = random.floats(96).map { $0 * scale }
            var block = [UInt8](repeating: 0, count: 3 * 34), keys = [UInt8](repeating: 0, count: 3 * 34 * 16), back = values
            kernels.store(SWL_Q8_0, values, 96, &block)
            kernels.dequantize(SWL_Q8_0, block, 96, &back)
            let errors = zip(values, back).map { abs($0 - $1) }
            #expect(errors.max() ?? 1 <= scale / 250)
            kernels.store_key(SWL_Q8_0, values, 96, 5, &keys)
            for i in 0..<3 * 34 {
                // Of each 32 elements, first 16 scales of two bytes, then 16 bytes for each element.
                let (span, byte) = i.quotientAndRemainder(dividingBy: 34)
                #expect(keys[span * 34 * 16 + (byte < 2 ? 5 * 2 + byte : byte * 16 + 5)] == block[i])
            }
        }
        var block = [UInt8](repeating: 0, count: 34), back = [Float](repeating: 0, count: 32)
        kernels.store(SWL_Q8_0, [.nan] + back.dropFirst(), 32, &block)
        kernels.dequantize(SWL_Q8_0, block, 32, &back)
        #expect(back.filter { !$0.isNaN }.isEmpty)
    }

    /// Random queries, keys and values, with room after each row that must not be read.
    private struct Problem {
        let type: swl_type, shape: Shape, stride: Int
        let queries: [Float], keys: [Float], values: [UInt8]

        init(_ type: swl_type, _ shape: Shape) {
            var random = Numbers()
            (self.type, self.shape) = (type, shape)
            let longest = shape.length + shape.tokens * shape.step
            stride = shape.heads * shape.dimension + 5
            queries = random.floats(shape.tokens * stride)
            keys = random.floats(longest * shape.dimension)
            values = random.weights(type, rows: longest, columns: shape.dimension + Self.room(type))
        }

        /// Elements after each value.
        private static func room(_ type: swl_type) -> Int { type == SWL_Q8_0 ? 32 : 3 }

        private func bytes(_ columns: Int) -> Int { type == SWL_Q8_0 ? columns / 32 * 34 : columns * (type == SWL_F16 ? 2 : 4) }

        var positions: Int { keys.count / shape.dimension }
        var blocks: Int { (positions + 15) / 16 }

        /// Elements between the tokens' rows stay 7.
        /// - Parameter places: where the blocks lie.
        func solve(_ kernels: swl_kernels, tokens: Range<Int>, places: [UInt32]? = nil) -> [Float] {
            let row = bytes(shape.dimension + Self.room(type)), panel = 16 * bytes(shape.dimension)
            // What is past the last position, or in no block, may be anything.
            var panels = [UInt8](repeating: 0xff, count: panel * (places?.count ?? blocks))
            var rows = [UInt8](repeating: 0xff, count: row * 16 * (places?.count ?? blocks))
            for position in 0..<positions {
                let place = places.map { Int($0[position / 16]) } ?? position / 16
                let key = Array(keys[(position * shape.dimension)...].prefix(shape.dimension))
                kernels.store_key(type, key, shape.dimension, place * 16 + position % 16, &panels)
                rows.replaceSubrange((place * 16 + position % 16) * row..<(place * 16 + position % 16 + 1) * row, with: values[(position * row)...].prefix(row))
            }
            var out = [Float](repeating: 7, count: tokens.count * stride)
            var scratch = [Float](repeating: .nan, count: Int(SWL_QUERIES) * (shape.dimension + blocks * 16))
            panels.withUnsafeBytes { panels in
                rows.withUnsafeBytes { values in
                    queries.withUnsafeBufferPointer { queries in
                        out.withUnsafeMutableBufferPointer { out in
                            scratch.withUnsafeMutableBufferPointer { scratch in
                                var attention = swl_attention(
                                    type: type, dimension: shape.dimension, blocks: nil, keys: panels.baseAddress!, key_block_stride: panel,
                                    values: values.baseAddress!, value_block_stride: row * 16, value_stride: row,
                                    queries: queries.baseAddress! + tokens.lowerBound * stride,
                                    out: out.baseAddress!, tokens: tokens.count, heads: shape.heads, token_stride: stride,
                                    length: shape.length + tokens.lowerBound * shape.step, step: shape.step, window: shape.window, scale: 0.3,
                                    softcap: shape.softcap, scratch: scratch.baseAddress!)
                                guard let places else { return kernels.attention(&attention) }
                                places.withUnsafeBufferPointer {
                                    attention.blocks = $0.baseAddress
                                    kernels.attention(&attention)
                                }
                            }
                        }
                    }
                }
            }
            return out
        }
    }
}
