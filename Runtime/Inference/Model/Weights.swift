import Kernels

/// A weight matrix: `rows` rows of `columns` elements, as the file stores them and, where there is a pack, in the kernels'
/// layout, too. Rows of a type that the kernels do not compute with are converted for the pack.
struct Matrix: @unchecked Sendable {  // the pointers are into read-only memory that `tensor` and `pack` keep
    /// What the kernels compute with.
    let type: swl_type
    /// What the file stores, where that is something else.
    let foreignType: swl_foreign_type?
    private(set) var rows: Int
    /// Its place among the tensor's rows.
    private var firstRow = 0
    let columns: Int
    private(set) var start: UnsafeRawPointer
    let rowBytes: Int
    /// The packed rows, 16 to a panel.
    private(set) var packed: UnsafeRawPointer?
    private let tensor: GGUFTensor
    private var pack: WeightPack?

    init?(_ tensor: GGUFTensor) {
        foreignType = swl_foreign_type(tensor.type)
        guard let type = swl_type(tensor.type) ?? foreignType.map(swl_native_type), let start = tensor.bytes.baseAddress,
            let rowBytes = tensor.type.rowBytes(tensor.rowLength)
        else { return nil }
        (self.type, self.start, self.rowBytes, self.tensor) = (type, start, rowBytes, tensor)
        (rows, columns) = (tensor.rowCount, tensor.rowLength)
    }

    var name: String { tensor.name }
    var panels: Int { (rows + Int(SWL_PANEL) - 1) / Int(SWL_PANEL) }

    /// Whether its scales are per 256 columns.
    var isInSupers: Bool { type == SWL_Q4_K || type == SWL_Q5_K || type == SWL_Q6_K }

    /// The bytes of a row in ``type``.
    var nativeRowBytes: Int { GGUFType(rawValue: type.rawValue)?.rowBytes(columns) ?? rowBytes }

    /// With its panels, where the pack has it. Some rows of a tensor are packed only if they begin with a panel.
    func packed(in pack: WeightPack?) -> Matrix {
        guard let pack, let panels = pack.panels(of: name), firstRow.isMultiple(of: Int(SWL_PANEL)) else { return self }
        var matrix = self
        matrix.pack = pack
        matrix.packed = panels + swl_packed_bytes(type, firstRow, columns)
        return matrix
    }

    /// Some of the rows.
    func slice(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows && packed == nil)
        var matrix = self
        matrix.firstRow += range.lowerBound
        matrix.rows = range.count
        matrix.start = start + range.lowerBound * rowBytes
        return matrix
    }

    func row(_ index: Int) -> UnsafeRawPointer {
        precondition(index >= 0 && index < rows)
        return start + index * rowBytes
    }

    /// Whether the kernels multiply by rows as the file stores them.
    var hasPlainProducts: Bool { foreignType == nil && !isInSupers }

    /// Writes a row's elements, exactly as the file has them.
    /// - Parameter out: room for ``columns`` floats.
    func read(row index: Int, into out: UnsafeMutablePointer<Float>, _ kernels: swl_kernels = swl_best_kernels().pointee) {
        if let foreignType { swl_decode_row(foreignType, row(index), columns, out) } else { kernels.dequantize(type, row(index), columns, out) }
    }

    /// A row's elements as floats.
    func floats(row index: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: columns) { floats, initialized in
            guard let out = floats.baseAddress else { return }
            read(row: index, into: out)
            initialized = columns
        }
    }
}

extension swl_foreign_type {
    init?(_ type: GGUFType) {
        switch type {
        case .q4_1: self = SWL_Q4_1
        case .q5_0: self = SWL_Q5_0
        case .q5_1: self = SWL_Q5_1
        case .q2_K: self = SWL_Q2_K
        case .q3_K: self = SWL_Q3_K
        case .iq4_nl: self = SWL_IQ4_NL
        case .iq4_xs: self = SWL_IQ4_XS
        case .mxfp4: self = SWL_MXFP4
        default: return nil
        }
    }
}

extension GGUFType {
    /// The types that models may have, for messages.
    static let readable = allCases.filter { swl_type($0) != nil || swl_foreign_type($0) != nil }

    /// `F32, F16 and BF16`
    static func list(_ types: [GGUFType]) -> String {
        types.dropLast().map(\.name).joined(separator: ", ") + (types.count > 1 ? " and " : "") + (types.last?.name ?? "")
    }
}

extension swl_type {
    init?(_ type: GGUFType) {
        switch type {
        case .f32: self = SWL_F32
        case .f16: self = SWL_F16
        case .q4_0: self = SWL_Q4_0
        case .q8_0: self = SWL_Q8_0
        case .q4_K: self = SWL_Q4_K
        case .q5_K: self = SWL_Q5_K
        case .q6_K: self = SWL_Q6_K
        case .bf16: self = SWL_BF16
        default: return nil
        }
    }
}

extension GGUFTensor {
    /// A row's elements, exactly as the file has them; `nil` where the type is none of those that models may have.
    package func floats(row: Int) -> [Float]? { Matrix(self)?.floats(row: row) }
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

    /// Matrices of one shape that are one tensor.
    mutating func matrices(_ name: String, count: Int, rows: Int, columns: Int) throws -> [Matrix] {
        let all = try matrix(try file.tensor(name), shape: [columns, rows, count])
        return (0..<count).map { all.slice($0 * rows..<($0 + 1) * rows) }
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
                "\(file.path): the tensor \(tensor.name) is \(tensor.type.name); Swiftlet reads \(GGUFType.list(GGUFType.readable)). Use a file in one of these.")
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
