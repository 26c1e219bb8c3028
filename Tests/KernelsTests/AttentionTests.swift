import Kernels
import Testing

@Suite(.serialized) struct AttentionTests {
    private struct Shape {
        var dimension, length, tokens, heads, step: Int
    }

    private static let shapes = [
        Shape(dimension: 8, length: 1, tokens: 1, heads: 1, step: 0), Shape(dimension: 16, length: 5, tokens: 2, heads: 1, step: 1),
        Shape(dimension: 24, length: 33, tokens: 3, heads: 3, step: 1), Shape(dimension: 32, length: 64, tokens: 13, heads: 1, step: 0),
        Shape(dimension: 64, length: 17, tokens: 4, heads: 4, step: 1), Shape(dimension: 80, length: 100, tokens: 1, heads: 2, step: 0),
        Shape(dimension: 128, length: 300, tokens: 5, heads: 1, step: 1),
    ]

    @Test(arguments: KernelTests.fast, [SWL_F32, SWL_F16])
    func attention(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        let portable = try #require(swl_kernels_named("portable")).pointee
        for shape in Self.shapes {
            let problem = Problem(type, shape)
            let ours = problem.solve(kernels, tokens: 0..<shape.tokens)
            expectClose(ours, problem.solve(portable, tokens: 0..<shape.tokens), 2e-6, "\(shape)")
        }
    }

    @Test(arguments: KernelTests.fast + ["portable"], [SWL_F32, SWL_F16])
    func aQueryDoesNotDependOnTheOthers(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        for shape in Self.shapes {
            let problem = Problem(type, shape)
            let together = problem.solve(kernels, tokens: 0..<shape.tokens)
            for token in 0..<shape.tokens {
                #expect(problem.solve(kernels, tokens: token..<token + 1) == Array(together[(token * problem.stride)...].prefix(problem.stride)))
            }
        }
    }

    @Test(arguments: KernelTests.fast + ["portable"], [SWL_F32, SWL_F16])
    func blocksMayLieAnywhere(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        for shape in Self.shapes {
            let problem = Problem(type, shape)
            let inOrder = problem.solve(kernels, tokens: 0..<shape.tokens)
            let places = (0..<UInt32((problem.blocks + 4) / 2 * 2)).reversed().map { $0 ^ 1 }
            #expect(problem.solve(kernels, tokens: 0..<shape.tokens, places: places) == inOrder)
        }
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
            values = random.weights(type, rows: longest, columns: shape.dimension + 3)
        }

        var positions: Int { keys.count / shape.dimension }
        var blocks: Int { (positions + 15) / 16 }

        /// Elements between the tokens' rows stay 7.
        /// - Parameter places: where the blocks lie.
        func solve(_ kernels: swl_kernels, tokens: Range<Int>, places: [UInt32]? = nil) -> [Float] {
            let size = type == SWL_F16 ? 2 : 4, row = (shape.dimension + 3) * size, panel = 16 * shape.dimension * size
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
                                    length: shape.length + tokens.lowerBound * shape.step, step: shape.step, scale: 0.3,
                                    scratch: scratch.baseAddress!)
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
