/// Turns a Hugging Face folder into a GGUF file.
package struct ModelImport {
    /// How matrices are stored; norms, biases and positions stay F32.
    package enum WeightType: String, CaseIterable, Sendable {
        case f32, f16, q8_0, q4_0

        var type: GGUFType {
            switch self {
            case .f32: .f32
            case .f16: .f16
            case .q8_0: .q8_0
            case .q4_0: .q4_0
            }
        }

        /// GGUF's `general.file_type`.
        fileprivate var fileType: UInt32 {
            switch self {
            case .f32: 0
            case .f16: 1
            case .q8_0: 7
            case .q4_0: 2
            }
        }
    }

    /// `architectures` in config.json that can be imported.
    package static let architectures = (["BertModel", "NomicBertModel", "XLMRobertaModel"] + DecoderFamily.all.map(\.className)).sorted()

    private let writer: GGUFWriter

    /// Reads the configuration, the tokenizer and the headers of the weights, and plans the file.
    /// - Parameter name: `general.name` of the new file.
    /// - Throws: ``InferenceError`` that says what is missing, damaged or not supported.
    package init(folder path: String, type: WeightType, name: String) throws {
        struct Config: Decodable { let architectures: [String]? }
        let folder = try HuggingFaceFolder(path)
        let architecture = try folder.decode(Config.self, from: "config.json").architectures?.first ?? "none"
        var writer = GGUFWriter()
        writer.set("general.name", .string(name))
        writer.set("general.file_type", .uint32(type.fileType))
        if type.type.blockLength > 1 { writer.set("general.quantization_version", .uint32(2)) }
        var plan = TensorPlan(folder: folder, tensors: try folder.tensors(), type: type.type)
        if let family = DecoderFamily.all.first(where: { $0.className == architecture }) {
            try DecoderImport(folder, family).plan(&writer, &plan)
        } else if architecture == "BertModel" || architecture == "XLMRobertaModel" {
            try BertImport(folder, isRoberta: architecture == "XLMRobertaModel").plan(&writer, &plan)
        } else if architecture == "NomicBertModel" {
            try NomicImport(folder).plan(&writer, &plan)
        } else {
            throw folder.unsupported(
                "its architecture is \(architecture.quotedForMessage); Swiftlet imports \(ModelImport.architectures.joined(separator: ", "))")
        }
        writer.tensors = try plan.finished()
        self.writer = writer
    }

    /// - Parameter progress: is told the share that is written, 0 to 1.
    /// - Throws: ``InferenceError``; a file that was at `path` is then still there.
    package func write(to path: String, progress: (Double) -> Void = { _ in }) throws {
        try writer.write(to: path, team: Engine.Configuration().makeTeam(), progress: progress)
    }
}

/// Which tensor of the folder becomes which of the file.
struct TensorPlan {
    let folder: HuggingFaceFolder
    let type: GGUFType
    private let sources: [String: SafeTensor]
    private var unused: Set<String>
    private var tensors: [GGUFWriter.Tensor] = []

    init(folder: HuggingFaceFolder, tensors: [String: SafeTensor], type: GGUFType) {
        self.folder = folder
        self.type = type
        sources = tensors
        unused = Set(tensors.keys)
    }

    func has(_ source: String) -> Bool { sources[source] != nil }

    /// A tensor that stays F32.
    /// - Parameters:
    ///   - firstRow: the first that the file has, of the folder's rows.
    ///   - more: what is added to each element.
    ///   - sourceElement: where an element of the file is in the folder's vector.
    mutating func vector(
        _ name: String, from source: String, shape: [Int], firstRow: Int = 0, adding more: Float = 0, sourceElement: ((Int) -> Int)? = nil
    ) throws {
        let tensor = try take(source, shape: shape)
        let kept = [shape[0] - firstRow] + shape.dropFirst()
        tensors.append(
            GGUFWriter.Tensor(name: name, shape: kept.reversed(), type: .f32) { row, elements in
                tensor.read(row: firstRow + row, into: &elements)
                if let sourceElement { elements = elements.indices.map { [elements] in elements[sourceElement($0)] } }
                if more != 0 { for index in elements.indices { elements[index] += more } }
            })
    }

    /// Matrices of one shape that become one tensor.
    mutating func matrices(_ name: String, from sources: [String], rows: Int, columns: Int) throws {
        let parts = try sources.map { try take($0, shape: [rows, columns]) }
        tensors.append(
            GGUFWriter.Tensor(name: name, shape: [columns, rows, parts.count], type: stored(columns, type)) {
                parts[$0 / rows].read(row: $0 % rows, into: &$1)
            })
    }

    /// A matrix of weights, `rows` × `columns`.
    /// - Parameter sourceRow: where a row of the file is in the folder's tensor.
    mutating func matrix(
        _ name: String, from source: String, rows: Int, columns: Int, sourceRow: @escaping (Int) -> Int = { $0 }
    ) throws {
        try add(name, from: source, shape: [rows, columns], type: stored(columns, type), sourceRow)
    }

    /// The matrix from which a generating model's answers are read. It loses most by coarse rounding, so it has at least 8 bits.
    mutating func outputMatrix(_ name: String, from source: String, rows: Int, columns: Int) throws {
        try add(name, from: source, shape: [rows, columns], type: stored(columns, type == .q4_0 ? .q8_0 : type)) { $0 }
    }

    /// A vector that is computed.
    mutating func vector(_ name: String, values: [Float]) {
        tensors.append(GGUFWriter.Tensor(name: name, shape: [values.count], type: .f32) { _, row in row = values })
    }

    /// A tensor that GGUF does without.
    mutating func ignore(_ source: String) { unused.remove(source) }

    /// - Throws: if a tensor was not asked for: an architecture that has more than we know would answer wrongly.
    func finished() throws -> [GGUFWriter.Tensor] {
        if let name = unused.min() {
            throw folder.unsupported("it has the tensor \(name.quotedForMessage), which Swiftlet does not know in this architecture")
        }
        return tensors
    }

    private mutating func add(
        _ name: String, from source: String, shape: [Int], type: GGUFType, _ sourceRow: @escaping (Int) -> Int
    ) throws {
        let tensor = try take(source, shape: shape)
        tensors.append(
            GGUFWriter.Tensor(name: name, shape: shape.reversed(), type: type) { tensor.read(row: sourceRow($0), into: &$1) })
    }

    private mutating func take(_ source: String, shape: [Int]) throws -> SafeTensor {
        guard let tensor = sources[source] else {
            throw InferenceError(.invalidFile, "\(folder.path) lacks the tensor \(source), or has it in a type other than F32, F16 and BF16.")
        }
        guard tensor.shape == shape else {
            throw InferenceError(
                .invalidFile, "\(folder.path): the tensor \(source) has the shape \(tensor.shape), but config.json asks for \(shape).")
        }
        unused.remove(source)
        return tensor
    }

    /// Rows that are not whole blocks are stored as F16.
    private func stored(_ columns: Int, _ type: GGUFType) -> GGUFType {
        columns % type.blockLength == 0 ? type : .f16
    }
}
