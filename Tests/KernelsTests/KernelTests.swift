import Kernels
import Testing

/// Each build that this machine runs against the portable one, which is written to be read.
@Suite(.serialized) struct KernelTests {
    static let fast = ["avx2", "avx512"].filter { (name: String) in swl_kernels_named(name) != nil }
    static let types = [SWL_F32, SWL_F16, SWL_Q8_0, SWL_Q4_0]
    let portable = swl_kernels_named("portable")!.pointee

    @Test(arguments: fast, types)
    func matrixProducts(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        for columns in type.isQuantized ? [32, 64, 352] : [1, 7, 16, 31, 33, 47, 64, 161] {
            for (rows, count) in [(1, 1), (3, 2), (5, 3), (9, 4), (13, 11)] {
                // At an odd address: weights need no alignment.
                let weights = [0] + random.weights(type, rows: rows, columns: columns)
                let activations = random.floats(count * columns)
                var ours = [Float](repeating: 7, count: count * (rows + 2)), reference = ours
                weights.withUnsafeBytes { bytes in
                    let start = bytes.baseAddress! + 1
                    kernels.matmul(type, start, columns, 0, rows, activations, count, &ours, rows + 2)
                    portable.matmul(type, start, columns, 0, rows, activations, count, &reference, rows + 2)
                }
                expectClose(ours, reference, 2e-5, "\(rows) × \(columns), \(count) tokens")
            }
        }
    }

    /// What the engine's batching rests on.
    @Test(arguments: fast + ["portable"], types)
    func aTokensProductsDoNotDependOnTheOthers(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        let (rows, columns, count) = (21, 96, 13)
        let weights = random.weights(type, rows: rows, columns: columns)
        let activations = random.floats(count * columns)
        var together = [Float](repeating: 0, count: count * rows)
        kernels.matmul(type, weights, columns, 0, rows, activations, count, &together, rows)
        for token in 0..<count {
            var alone = [Float](repeating: 0, count: rows)
            // In pieces, too, as threads take them.
            for first in stride(from: 0, to: rows, by: 8) {
                kernels.matmul(
                    type, weights, columns, first, min(first + 8, rows), Array(activations[(token * columns)...].prefix(columns)), 1, &alone, rows)
            }
            #expect(alone == Array(together[(token * rows)...].prefix(rows)))
        }
    }

    @Test(arguments: fast, types)
    func elementsAreReadAlike(build: String, type: swl_type) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        for columns in type.isQuantized ? [32, 96] : [1, 15, 16, 17, 40, 100] {
            let weights = random.weights(type, rows: 1, columns: columns)
            var ours = [Float](repeating: .nan, count: columns), reference = ours
            kernels.dequantize(type, weights, columns, &ours)
            portable.dequantize(type, weights, columns, &reference)
            #expect(ours == reference)
        }
    }

    /// Against Swift's own conversion, with ties, subnormals and values out of range.
    @Test(arguments: fast + ["portable"])
    func halvesAreRoundedToNearest(build: String) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        var values = (0..<4096).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }.filter { !$0.isNaN }
        values += [0, -0.0, 1, 65504, 65519.996, 65520, 1e9, -.infinity, 6e-8, 2.9802322e-8, 2.9802326e-8, 6.1e-5, 1.00048828125, 1.00146484375]
        var halves = [UInt16](repeating: 0, count: values.count)
        kernels.store(SWL_F16, values, values.count, &halves)
        #expect(halves == values.map { Float16($0).bitPattern })
        var back = [Float](repeating: 0, count: values.count)
        kernels.dequantize(SWL_F16, halves, values.count, &back)
        #expect(back == halves.map { Float(Float16(bitPattern: $0)) })
    }

    @Test(arguments: fast)
    func elementwise(build: String) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var random = Numbers()
        for width in [1, 15, 16, 17, 96, 100] {
            let x = random.floats(width).map { $0 * 8 }
            let (weight, bias) = (random.floats(width), random.floats(width))
            func compare(_ tolerance: Float, _ what: String, _ run: (swl_kernels, inout [Float]) -> Void) {
                var (ours, reference) = (x, x)
                run(kernels, &ours)
                run(portable, &reference)
                expectClose(ours, reference, tolerance, "\(what) of \(width)")
            }
            compare(1e-5, "RMSNorm") { $0.rms_norm(x, weight, width, 1e-5, &$1) }
            compare(1e-5, "LayerNorm") { $0.layer_norm(x, weight, bias, width, 1e-12, &$1) }
            compare(2e-6, "SiLU") { $0.silu_multiply(&$1, bias, width) }
            compare(2e-6, "GELU") { $0.gelu(&$1, width) }
            compare(2e-6, "GELU with tanh") { $0.gelu_multiply(&$1, bias, width) }
            compare(2e-6, "cap") { $0.softcap(&$1, width, 3) }
            compare(1e-6, "softmax") { _ = $0.softmax(&$1, width) }
            var (one, other) = (x, x)
            #expect(abs(kernels.softmax(&one, width) - portable.softmax(&other, width)) < 1e-5)
        }
    }

    @Test(arguments: fast + ["portable"])
    func extremes(build: String) throws {
        let kernels = try #require(swl_kernels_named(build)).pointee
        var x: [Float] = [-1e30, -200, -90, -1, 0, 1, 90, 200]
        kernels.gelu(&x, x.count)
        #expect(x.prefix(3).allSatisfy { abs($0) < 1e-6 } && Array(x.suffix(2)) == [90, 200])
        var capped: [Float] = [-1e30, -300, 0, 0.01, 300, 1e30]
        kernels.softcap(&capped, 6, 30)
        expectClose(capped, [-30, -30, 0, 0.01, 30, 30], 1e-6, "cap")
        var tanh: [Float] = [-1000, -100, 0, 1, 100, 1000]
        kernels.gelu_multiply(&tanh, [1, 1, 1, 1, 1, 1], 6)
        expectClose(tanh, [0, 0, 0, 0.8411920, 100, 1000], 1e-6, "GELU with tanh")
        var gate: [Float] = [-1000, -100, 0, 100, 1000]
        kernels.silu_multiply(&gate, [1, 1, 1, 1, 1], 5)
        #expect(abs(gate[0]) < 1e-30 && abs(gate[1]) < 1e-30 && Array(gate[2...]) == [0, 100, 1000])
        var scores: [Float] = [-.infinity, 1000, 1000, -1000]
        #expect(abs(kernels.softmax(&scores, 4) - (1000 + 0.6931472)) < 1e-3)
        expectClose(scores, [0, 0.5, 0.5, 0], 1e-6, "softmax")
    }

    @Test func rotation() {
        var x: [Float] = [1, 0, 0, 2, 9, 1, 1, 1, 1, 9]
        swl_rotate_neighbours(&x, 2, 5, [0, 1, -1, 0], 2)
        #expect(x == [0, 1, 0, -2, 9, -1, 1, -1, -1, 9])
        var y: [Float] = [1, 0, 0, 2, 9, 1, 1, 1, 1, 9]
        swl_rotate_halves(&y, 2, 5, [0, 1, -1, 0], 2)
        #expect(y == [0, 0, 1, -2, 9, -1, -1, 1, -1, 9])
        var frequencies: [Float] = [0, 0]
        swl_rotary_frequencies(10_000, 2, &frequencies)
        expectClose(frequencies, [1, 0.01], 1e-8, "frequencies")
        var angles = [Float](repeating: 0, count: 4)
        swl_rotary_angles(3, frequencies, 2, 1, &angles)
        expectClose(angles, [-0.98999250, 0.14112001, 0.99955003, 0.02999550], 1e-6, "angles")
        swl_rotary_angles(3, frequencies, 2, 2, &angles)
        expectClose(angles, [-1.97998500, 0.28224002, 1.99910006, 0.05999100], 1e-6, "angles with a magnitude")
    }
}

func expectClose(_ ours: [Float], _ reference: [Float], _ tolerance: Float, _ what: String) {
    let wrong = zip(ours, reference).first { !(abs($0 - $1) <= tolerance * max(1, abs($1))) }
    #expect(wrong == nil, "\(what)")
    #expect(ours.count == reference.count)
}

extension swl_type {
    var isQuantized: Bool { self == SWL_Q8_0 || self == SWL_Q4_0 }
}

/// Reproducible random numbers.
struct Numbers {
    private var state: UInt64 = 42

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 32
    }

    /// In -1..<1.
    mutating func floats(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float(next() & 0xffffff) / Float(1 << 23) - 1 }
    }

    mutating func weights(_ type: swl_type, rows: Int, columns: Int) -> [UInt8] {
        let count = rows * columns
        switch type {
        case SWL_F32: return floats(count).flatMap { withUnsafeBytes(of: $0, Array.init) }
        case SWL_F16: return floats(count).flatMap { withUnsafeBytes(of: Float16($0), Array.init) }
        default:
            return (0..<count / 32).flatMap { _ in
                let scale = withUnsafeBytes(of: Float16(floats(1)[0] / 64), Array.init)
                return scale + (0..<(type == SWL_Q8_0 ? 32 : 16)).map { _ in UInt8(truncatingIfNeeded: next()) }
            }
        }
    }
}
