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

        /// Elements between the tokens' rows stay 7.
        func solve(_ kernels: swl_kernels, tokens: Range<Int>) -> [Float] {
            let size = type == SWL_F16 ? 2 : 4, positions = keys.count / shape.dimension, padded = (positions + 15) / 16 * 16
            // What is past the last position may be anything.
            var panels = [UInt8](repeating: 0xff, count: padded * shape.dimension * size)
            for position in 0..<positions {
                kernels.store_key(type, Array(keys[(position * shape.dimension)...].prefix(shape.dimension)), shape.dimension, position, &panels)
            }
            var out = [Float](repeating: 7, count: tokens.count * stride)
            var scratch = [Float](repeating: .nan, count: Int(SWL_QUERIES) * (shape.dimension + padded))
            panels.withUnsafeBytes { panels in
                values.withUnsafeBytes { values in
                    queries.withUnsafeBufferPointer { queries in
                        out.withUnsafeMutableBufferPointer { out in
                            scratch.withUnsafeMutableBufferPointer { scratch in
                                var attention = swl_attention(
                                    type: type, dimension: shape.dimension, keys: panels.baseAddress!, values: values.baseAddress!,
                                    value_stride: (shape.dimension + 3) * size, queries: queries.baseAddress! + tokens.lowerBound * stride,
                                    out: out.baseAddress!, tokens: tokens.count, heads: shape.heads, token_stride: stride,
                                    length: shape.length + tokens.lowerBound * shape.step, step: shape.step, scale: 0.3,
                                    scratch: scratch.baseAddress!)
                                kernels.attention(&attention)
                            }
                        }
                    }
                }
            }
            return out
        }
    }
}
