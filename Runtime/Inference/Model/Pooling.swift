import Kernels

/// How the vectors of a text's tokens become one.
enum Pooling: Int, Sendable {
    case mean = 1
    /// The first token's vector.
    case first = 2
    case last = 3

    /// - Returns: `nil` where the file names none, as for models that generate.
    init?(_ metadata: ModelMetadata) throws {
        guard let number = metadata.integer("pooling_type"), number != 0 else { return nil }
        guard let pooling = Pooling(rawValue: number) else {
            throw metadata.unsupported(
                "\(metadata.architecture).pooling_type \(number) is not supported; 1 (mean), 2 (cls) and 3 (last) are")
        }
        self = pooling
    }

    /// - Parameter row: a token's vector, of `width` elements.
    /// - Returns: a vector of length 1, unless an element is not a number.
    func vector(of tokens: Range<Int>, width: Int, _ kernels: swl_kernels, row: (Int) -> UnsafeMutablePointer<Float>) -> [Float] {
        var vector: [Float]
        switch self {
        case .first: vector = Array(UnsafeBufferPointer(start: row(tokens.lowerBound), count: width))
        case .last: vector = Array(UnsafeBufferPointer(start: row(tokens.upperBound - 1), count: width))
        case .mean:
            // The mean's divisor is left out: it cancels when the length is made 1.
            vector = [Float](repeating: 0, count: width)
            for token in tokens { kernels.add(&vector, row(token), width) }
        }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length > 0 ? vector.map { $0 / length } : vector
    }
}
