/// A vector of length 1, as it is stored: little-endian 32-bit floats.
package struct Vector: Sendable {
    package let values: [Float]

    /// Scales to length 1, so that a dot product is the cosine. A vector of zeros stays one.
    package init(_ values: [Float]) {
        let norm = values.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        self.values = norm > 0 ? values.map { $0 / norm } : values
    }

    package var bytes: [UInt8] { values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } } }

    /// The cosine with a stored vector; `nil` when that has another number of dimensions.
    package func cosine(with stored: UnsafeRawBufferPointer) -> Float? {
        guard stored.count == values.count * 4 else { return nil }
        // Eight sums at once, which the compiler turns into vector instructions.
        var sums = SIMD8<Float>()
        let whole = values.count & ~7
        return values.withUnsafeBytes { own in
            for index in stride(from: 0, to: whole * 4, by: 32) {
                let a = own.loadUnaligned(fromByteOffset: index, as: SIMD8<Float>.self)
                let b = stored.loadUnaligned(fromByteOffset: index, as: SIMD8<Float>.self)
                sums += a * b
            }
            var total = sums.sum()
            for index in stride(from: whole * 4, to: values.count * 4, by: 4) {
                total += own.loadUnaligned(fromByteOffset: index, as: Float.self) * stored.loadUnaligned(fromByteOffset: index, as: Float.self)
            }
            return total
        }
    }
}

/// Joins rankings by reciprocal rank fusion: each adds 1/(60 + rank), ranks from 1 (Cormack, Clarke and Büttcher, SIGIR 2009).
///
/// - Parameter rankings: ids, best first. Where scores are equal, the order of the earlier rankings decides.
/// - Returns: the best `count`.
package func fused(_ rankings: [[Int64]], count: Int) -> [(id: Int64, score: Double)] {
    var scores: [Int64: Double] = [:]
    var order: [Int64] = []
    for ranking in rankings {
        for (index, id) in ranking.enumerated() {
            if scores[id] == nil { order.append(id) }
            scores[id, default: 0] += 1 / Double(60 + index + 1)
        }
    }
    let places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    let sorted = scores.sorted { ($1.value, places[$0.key, default: 0]) < ($0.value, places[$1.key, default: 0]) }
    return sorted.prefix(count).map { ($0.key, $0.value) }
}

/// An FTS5 query for any of the words of `text`. Quoted, so that nothing a user writes is FTS5's syntax.
/// - Returns: `nil` where there is no word.
package func fullTextQuery(_ text: String) -> String? {
    let words = text.split { !$0.isLetter && !$0.isNumber }.prefix(64)
    return words.isEmpty ? nil : words.map { "\"\($0)\"" }.joined(separator: " OR ")
}
