import Kernels

extension GGUFType {
    /// Appends a row of floats in this type: F32, F16, Q8_0, Q4_0, Q4_K, Q5_K or Q6_K, rounded as ggml's reference code does.
    ///
    /// Source: `quantize_row_q8_0_ref` and `quantize_row_q4_0_ref` in
    /// https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c
    /// - Returns: false if a number is not finite or does not fit; the bytes are then useless.
    package func encode(_ row: [Float], into bytes: inout [UInt8]) -> Bool {
        switch self {
        case .f32:
            for value in row { bytes.append(value.bitPattern) }
            return row.allSatisfy(\.isFinite)
        case .f16:
            var isFinite = true
            for value in row {
                let half = Float16(value)
                isFinite = isFinite && half.isFinite
                bytes.append(half.bitPattern)
            }
            return isFinite
        case .q8_0: return encodeBlocks(row, into: &bytes, GGUFType.appendQ8)
        case .q4_0: return encodeBlocks(row, into: &bytes, GGUFType.appendQ4)
        case .q4_K, .q5_K, .q6_K:
            guard let type = swl_type(self), let count = rowBytes(row.count) else { return false }
            var encoded = [UInt8](repeating: 0, count: count)
            guard encoded.withUnsafeMutableBytes({ out in out.baseAddress.map { swl_encode_row(type, row, row.count, $0) } }) == true else { return false }
            bytes += encoded
            return true
        default: preconditionFailure("\(name) is not a type that models are imported to")
        }
    }

    private func encodeBlocks(
        _ row: [Float], into bytes: inout [UInt8], _ append: (ArraySlice<Float>, inout [UInt8]) -> Bool
    ) -> Bool {
        stride(from: 0, to: row.count, by: blockLength).allSatisfy { append(row[$0..<$0 + blockLength], &bytes) }
    }

    /// The scale that takes the largest magnitude to 127, then whole numbers.
    private static func appendQ8(_ block: ArraySlice<Float>, _ bytes: inout [UInt8]) -> Bool {
        var largest: Float = 0
        for value in block {
            guard value.isFinite else { return false }
            largest = max(largest, value.magnitude)
        }
        let scale = largest / 127
        guard let inverse = append(scale: scale, to: &bytes) else { return false }
        for value in block { bytes.append(UInt8(bitPattern: Int8((value * inverse).rounded(.toNearestOrAwayFromZero)))) }
        return true
    }

    /// The scale that takes the number of largest magnitude to -8; byte j holds the elements j (low) and j + 16 (high), plus 8.
    private static func appendQ4(_ block: ArraySlice<Float>, _ bytes: inout [UInt8]) -> Bool {
        var largest: Float = 0
        for value in block {
            guard value.isFinite else { return false }
            if value.magnitude > largest.magnitude { largest = value }
        }
        guard let inverse = append(scale: largest / -8, to: &bytes) else { return false }
        func nibble(_ value: Float) -> UInt8 { UInt8(min(15, value * inverse + 8.5)) }
        for index in block.startIndex..<block.startIndex + 16 { bytes.append(nibble(block[index]) | nibble(block[index + 16]) << 4) }
        return true
    }

    /// Appends the scale in half precision; gives the factor for the elements, `nil` if the scale does not fit.
    private static func append(scale: Float, to bytes: inout [UInt8]) -> Float? {
        let half = Float16(scale)
        bytes.append(half.bitPattern)
        guard half.isFinite else { return nil }
        // Where 1 / scale would overflow, the stored scale is 0 and so is every element.
        return scale == 0 || !(1 / scale).isFinite ? 0 : 1 / scale
    }
}
