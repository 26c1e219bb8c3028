/// Makes of a model file one with smaller weights.
package struct Quantization {
    /// What matrices become. The `_m` kinds give those that matter most more bits, as llama.cpp's kinds of these names do.
    package enum Kind: String, CaseIterable, Sendable {
        case q8_0, q4_0, q4_k_m, q5_k_m, q6_k

        fileprivate var type: GGUFType {
            switch self {
            case .q8_0: .q8_0
            case .q4_0: .q4_0
            case .q4_k_m: .q4_K
            case .q5_k_m: .q5_K
            case .q6_k: .q6_K
            }
        }

        /// GGUF's `general.file_type`.
        fileprivate var fileType: UInt32 {
            switch self {
            case .q4_0: 2
            case .q8_0: 7
            case .q4_k_m: 15
            case .q5_k_m: 17
            case .q6_k: 18
            }
        }
    }

    private var writer = GGUFWriter()
    /// How many tensors of each type the new file has.
    package let tensorCounts: [(type: GGUFType, count: Int)]

    /// Plans the new file; no weights are read.
    /// - Throws: ``InferenceError`` if a tensor's type can't be read, by name.
    package init(_ file: GGUFFile, to kind: Kind) throws {
        for (key, value) in file.encodedPairs where !["general.file_type", "general.quantization_version", "general.alignment"].contains(key) {
            writer.set(key, .encoded(value))
        }
        writer.set("general.file_type", .uint32(kind.fileType))
        writer.set("general.quantization_version", .uint32(2))
        let mix = Mix(file, kind)
        for tensor in file.tensors {
            guard let matrix = Matrix(tensor) else {
                throw InferenceError(
                    .unsupported,
                    "\(file.path): the tensor \(tensor.name.quotedForMessage) is \(tensor.type.name); Swiftlet quantizes what is \(GGUFType.list(GGUFType.readable)).")
            }
            guard let type = mix.type(of: tensor), type != tensor.type else {
                writer.tensors.append(GGUFWriter.Tensor(copying: tensor))
                continue
            }
            writer.tensors.append(
                GGUFWriter.Tensor(name: tensor.name, shape: tensor.shape, type: type) { row, floats in
                    floats.withUnsafeMutableBufferPointer { if let out = $0.baseAddress { matrix.read(row: row, into: out) } }
                })
        }
        let counts = writer.tensors.reduce(into: [:]) { $0[$1.type, default: 0] += 1 }
        tensorCounts = counts.sorted { $0.value > $1.value }.map { ($0.key, $0.value) }
    }

    /// - Parameters:
    ///   - configuration: says how many threads work at once.
    ///   - progress: is told the share that is written, 0 to 1.
    /// - Throws: ``InferenceError``; a file that was at `path` is then still there.
    package func write(to path: String, _ configuration: Engine.Configuration = .init(), progress: (Double) -> Void = { _ in }) throws {
        try writer.write(to: path, team: configuration.makeTeam(), progress: progress)
    }
}

/// Which type each tensor gets.
/// Source: `llama_tensor_get_type` in https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp
private struct Mix {
    let kind: Quantization.Kind
    let hasOutput: Bool
    let layerCount: Int
    let hasManyExperts: Bool

    init(_ file: GGUFFile, _ kind: Quantization.Kind) {
        self.kind = kind
        hasOutput = file.tensorIfPresent("output.weight") != nil
        let architecture = file.metadata.string("general.architecture") ?? ""
        layerCount = file.metadata.integer("\(architecture).block_count") ?? 0
        hasManyExperts = file.metadata.integer("\(architecture).expert_count") == 8
    }

    /// `nil` where it stays what it is: vectors, and tables that are small or looked up in.
    func type(of tensor: GGUFTensor) -> GGUFType? {
        let name = tensor.name
        guard tensor.shape.count > 1, name.hasSuffix("weight"), !name.contains("_norm.weight"), !name.contains("ffn_gate_inp.weight"),
            !["position_embd.weight", "token_types.weight"].contains(name)
        else { return nil }
        let type = wanted(name)
        return [type, .q8_0, .f16].first { tensor.rowLength % $0.blockLength == 0 }
    }

    private func wanted(_ name: String) -> GGUFType {
        // The matrix that answers are read from, which without one of its own is that of the tokens.
        if name == "output.weight" || name == "token_embd.weight" && !hasOutput { return kind == .q8_0 ? .q8_0 : .q6_K }
        guard kind == .q4_k_m || kind == .q5_k_m else { return kind.type }
        let layer = name.hasPrefix("blk.") ? Int(name.dropFirst(4).prefix { $0 != "." }) ?? 0 : 0
        if name.contains("attn_v.weight") { return hasManyExperts ? .q8_0 : needsMore(layer) ? .q6_K : kind.type }
        if name.contains("attn_k.weight"), hasManyExperts { return .q8_0 }
        if name.contains("attn_output.weight"), hasManyExperts { return .q5_K }
        if name.contains("attn_qkv.weight") { return kind == .q4_k_m ? .q5_K : .q6_K }
        if name.contains("ffn_down"), needsMore(layer) { return .q6_K }
        return kind.type
    }

    /// The first eighth of the layers, the last one, and each third between them.
    private func needsMore(_ layer: Int) -> Bool {
        let eighth = layerCount / 8
        return layer < eighth || layer >= 7 * layerCount / 8 || (layer - eighth) % 3 == 2
    }
}
