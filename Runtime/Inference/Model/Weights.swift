import Kernels

/// A weight matrix as the file stores it: `rows` rows of `columns` elements, of one of the types the kernels read.
struct Matrix: @unchecked Sendable {  // `start` points into the read-only mapping that `tensor` keeps
    let type: swl_type
    let rows: Int
    let columns: Int
    let start: UnsafeRawPointer
    let rowBytes: Int
    private let tensor: GGUFTensor

    init?(_ tensor: GGUFTensor) {
        guard let type = swl_type(tensor.type), let start = tensor.bytes.baseAddress,
            let rowBytes = tensor.type.rowBytes(tensor.rowLength)
        else { return nil }
        (self.type, self.start, self.rowBytes, self.tensor) = (type, start, rowBytes, tensor)
        (rows, columns) = (tensor.rowCount, tensor.rowLength)
    }

    func row(_ index: Int) -> UnsafeRawPointer {
        precondition(index >= 0 && index < rows)
        return start + index * rowBytes
    }

    /// A row's elements as floats.
    func floats(row index: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: columns) { floats, initialized in
            guard let out = floats.baseAddress else { return }
            swl_best_kernels().pointee.dequantize(type, row(index), columns, out)
            initialized = columns
        }
    }
}

extension swl_type {
    init?(_ type: GGUFType) {
        switch type {
        case .f32: self = SWL_F32
        case .f16: self = SWL_F16
        case .q4_0: self = SWL_Q4_0
        case .q8_0: self = SWL_Q8_0
        default: return nil
        }
    }
}

/// Hands out a file's tensors after checking that each is there, has the shape that the hyperparameters ask for, and a
/// type that the kernels read. ``finish()`` checks that nothing was left over: a tensor that an architecture does not use,
/// such as a bias, would make its answers wrong without a word.
struct WeightReader {
    let file: GGUFFile
    private var used: Set<String> = []

    init(_ file: GGUFFile) { self.file = file }

    mutating func matrix(_ name: String, rows: Int, columns: Int) throws -> Matrix {
        let tensor = try file.tensor(name)
        return try matrix(tensor, shape: rows == 1 && tensor.shape.count == 1 ? [columns] : [columns, rows])
    }

    mutating func matrixIfPresent(_ name: String, rows: Int, columns: Int) throws -> Matrix? {
        file.tensorIfPresent(name) == nil ? nil : try matrix(name, rows: rows, columns: columns)
    }

    /// A one-dimensional tensor, copied as floats.
    mutating func vector(_ name: String, count: Int) throws -> [Float] {
        try matrix(try file.tensor(name), shape: [count]).floats(row: 0)
    }

    mutating func vectorIfPresent(_ name: String, count: Int) throws -> [Float]? {
        file.tensorIfPresent(name) == nil ? nil : try vector(name, count: count)
    }

    private mutating func matrix(_ tensor: GGUFTensor, shape: [Int]) throws -> Matrix {
        guard tensor.shape == shape else {
            throw InferenceError(
                .invalidFile, "\(file.path): the tensor \(tensor.name) has the shape \(tensor.shape), but the hyperparameters ask for \(shape).")
        }
        guard let matrix = Matrix(tensor) else {
            throw InferenceError(
                .unsupported,
                "\(file.path): the tensor \(tensor.name) is \(tensor.type.name); Swiftlet computes with F32, F16, Q8_0 and Q4_0. Use a file in one of these.")
        }
        used.insert(tensor.name)
        return matrix
    }

    func finish() throws {
        if let unknown = file.tensors.first(where: { !used.contains($0.name) }) {
            throw InferenceError(
                .unsupported,
                "\(file.path) has the tensor \(unknown.name.quotedForMessage), which Swiftlet does not know in this architecture; without it the model's answers would be wrong.")
        }
    }
}
