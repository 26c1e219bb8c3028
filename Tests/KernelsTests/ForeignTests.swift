import Foundation
import Kernels
import Testing

/// Types that the kernels do not compute with, and floats as types that they do.
@Suite struct ForeignTests {
    static let types = [SWL_Q4_1, SWL_Q5_0, SWL_Q5_1, SWL_Q2_K, SWL_Q3_K, SWL_IQ4_NL, SWL_IQ4_XS, SWL_MXFP4]
    /// Where a block's scales are.
    static let halves: [swl_foreign_type.RawValue: [Int]] = [
        SWL_Q4_1.rawValue: [0, 2], SWL_Q5_0.rawValue: [0], SWL_Q5_1.rawValue: [0, 2], SWL_Q2_K.rawValue: [80, 82], SWL_Q3_K.rawValue: [108],
        SWL_IQ4_NL.rawValue: [0], SWL_IQ4_XS.rawValue: [0],
    ]

    /// A conversion loses what it says, and no more.
    @Test(arguments: types)
    func conversionsLoseWhatTheySay(type: swl_foreign_type) throws {
        let native = swl_native_type(type)
        let (columns, blockBytes) = (2048, swl_foreign_row_bytes(type, 256) / (type == SWL_Q2_K || type == SWL_Q3_K || type == SWL_IQ4_XS ? 1 : 8))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var row = (0..<swl_foreign_row_bytes(type, columns)).map { _ in UInt8.random(in: 0...255, using: &random) }
            for start in stride(from: 0, to: row.count, by: blockBytes) {
                for offset in Self.halves[type.rawValue, default: []] {
                    let bits = Float16(Float.random(in: 0.001...1, using: &random)).bitPattern
                    (row[start + offset], row[start + offset + 1]) = (UInt8(bits & 255), UInt8(bits >> 8))
                }
                if type == SWL_MXFP4 { row[start] = UInt8.random(in: 114...133, using: &random) }
            }
            var exact = [Float](repeating: 0, count: columns)
            var converted = exact
            var bytes = [UInt8](repeating: 0, count: columns * 2)
            swl_decode_row(type, row, columns, &exact)
            swl_convert_row(type, row, columns, &bytes)
            swl_best_kernels().pointee.dequantize(native, bytes, columns, &converted)
            for start in stride(from: 0, to: columns, by: 32) {
                let largest = exact[start..<start + 32].reduce(0) { max($0, $1.magnitude) }
                for index in start..<start + 32 {
                    let difference = abs(exact[index] - converted[index])
                    switch swl_conversion_loss(type) {
                    case SWL_EXACT: #expect(difference == 0)
                    case SWL_ROUNDED_SCALES: #expect(difference <= abs(exact[index]) / 2048)
                    default: #expect(difference <= largest / 250)
                    }
                }
            }
        }
    }

    /// llama.cpp's own test of its types: this sum of errors, over these numbers, is below 0.002.
    /// Source: `tests/test-quantize-fns.cpp`
    @Test(arguments: [SWL_Q4_K, SWL_Q5_K, SWL_Q6_K])
    func errorsAreWithinLlamaCppsBounds(type: swl_type) {
        let count = 32 * 128
        let numbers = (0..<count).map { 0.1 + 2 * cosf(Float($0)) }
        var bytes = [UInt8](repeating: 0, count: count)
        #expect(swl_encode_row(type, numbers, count, &bytes))
        var read = [Float](repeating: 0, count: count)
        swl_best_kernels().pointee.dequantize(type, bytes, count, &read)
        let squares = zip(numbers, read).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
        #expect(squares.squareRoot() / Double(count) < 0.002)
    }

    @Test(arguments: [SWL_Q4_K, SWL_Q5_K, SWL_Q6_K])
    func oddNumbersAreToldOrKept(type: swl_type) {
        var bytes = [UInt8](repeating: 0, count: 512)
        var row = [Float](repeating: 0, count: 256)
        var read = [Float](repeating: 1, count: 256)
        #expect(swl_encode_row(type, row, 256, &bytes))
        swl_best_kernels().pointee.dequantize(type, bytes, 256, &read)
        #expect(read == row)
        for bad in [Float.nan, .infinity, 1e30] {
            row[100] = bad
            #expect(!swl_encode_row(type, row, 256, &bytes))
        }
        for tiny in [Float.leastNonzeroMagnitude, 1e-38, 1e-20] {
            row[100] = tiny
            #expect(swl_encode_row(type, row, 256, &bytes))
        }
    }
}
