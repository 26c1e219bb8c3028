import Foundation
import Inference
import Testing

/// The fixtures' folders are as transformers saves models; the GGUF files beside them were made from the same weights in Python.
@Suite struct ImportTests {
    @Test func llama() throws {
        try expect("Import/llama", .q8_0, becomes: "Import/llama-q8_0.gguf")
    }

    @Test func bert() throws {
        try expect("Import/bert", .f16, becomes: "Import/bert-f16.gguf")
    }

    /// Log probabilities from transformers, in F32: tokenizer, row order and rotary factors must all be right.
    @Test func anImportedModelComputesWhatTheOriginalDoes() async throws {
        struct Golden: Decodable {
            var text: String
            var tokens: [Token]
            var logprobs: [Float]
        }
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("Import/llama-scores.json"))))
        let path = try importing("Import/llama", .f32)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let engine = try Engine(path: path, configuration: .init(threads: 1, cacheType: .f32, packing: .none))
        defer { engine.shutdown() }
        #expect(engine.tokenizer.encodeForModel(golden.text, special: true) == golden.tokens)
        let logprobs = try await engine.score(golden.tokens)
        #expect(logprobs.count == golden.logprobs.count)
        #expect(zip(logprobs, golden.logprobs).allSatisfy { abs($0 - $1) < 1e-3 }, "\(logprobs) \(golden.logprobs)")
    }

    /// Each architecture's models as transformers saves them: the file has the tensors and numbers of the one that was made in
    /// Python, which ``ArchitectureTests`` compare with transformers.
    @Test(arguments: [
        "llama", "llama3", "mistral", "mixtral", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "phi3-long", "qwen3-embedding",
    ])
    func decoders(model: String) async throws {
        let copy = try Copy("Import/decoders/\(model)")
        defer { copy.removeAll() }
        try FileManager.default.copyItem(
            atPath: fixture("Import/decoders/tokenizer.json"), toPath: copy.url.appendingPathComponent("tokenizer.json").path)
        let path = copy.url.appendingPathComponent("out.gguf").path
        try ModelImport(folder: copy.url.path, type: .f32, name: model).write(to: path)
        let (made, expected) = (try GGUFFile(path: path), try GGUFFile(path: fixture("architectures/\(model).gguf")))
        #expect(Set(made.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
        for tensor in expected.tensors {
            let same = try made.tensor(tensor.name)
            #expect(same.shape == tensor.shape && same.type == tensor.type, "\(tensor.name)")
            if tensor.name != "rope_freqs.weight" { #expect(same.bytes.elementsEqual(tensor.bytes), "\(tensor.name)") }
        }
        // What the file says beside the tokenizer, the architecture's numbers first of all.
        let architecture = try expected.metadata.requiredString("general.architecture")
        for key in expected.metadata.keys where key.hasPrefix(architecture + ".") {
            let (a, b) = (made.metadata, expected.metadata)
            #expect(a.integer(key) == b.integer(key) && a.bool(key) == b.bool(key) && a.string(key) == b.string(key), "\(key)")
            if let number = b.float(key) { #expect(abs((a.float(key) ?? .nan) - number) <= 1e-6 * abs(number), "\(key)") }
        }
        let configuration = Engine.Configuration(threads: 1, cacheType: .f32, packing: .none)
        let (ours, theirs) = (try Engine(path: path, configuration: configuration), try Engine(path: expected.path, configuration: configuration))
        defer {
            ours.shutdown()
            theirs.shutdown()
        }
        let tokens: [Token] = [5, 17, 99, 250, 3, 42]
        #expect(ours.tokenizer.encodeForModel("The quick fox", special: true) == theirs.tokenizer.encodeForModel("The quick fox", special: true))
        if ours.description.canEmbed {
            #expect(try await ours.embed([tokens]) == theirs.embed([tokens]))
        } else {
            let (a, b) = (try await ours.predict(after: tokens), try await theirs.predict(after: tokens))
            #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    @Test(arguments: ["nomic-bert", "xlm-roberta"])
    func encoders(model: String) async throws {
        let path = try importing("Import/encoders/\(model)", .f32)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let (made, expected) = (try GGUFFile(path: path), try GGUFFile(path: fixture("architectures/\(model).gguf")))
        #expect(Set(made.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
        for tensor in expected.tensors { #expect(try made.tensor(tensor.name).bytes.elementsEqual(tensor.bytes), "\(tensor.name)") }
        var (vectors, tokens): ([[[Float]]], [[Token]]) = ([], [])
        for model in [path, expected.path] {
            let engine = try Engine(path: model, configuration: .init(threads: 1, packing: .none))
            defer { engine.shutdown() }
            #expect(engine.description.contextLength == 128)
            vectors.append(try await engine.embed([[5, 17, 42, 8], [9]]))
            tokens.append(engine.tokenizer.encodeForModel("The quick fox", special: true))
        }
        #expect(vectors[0] == vectors[1])
        if model == "xlm-roberta" { #expect(tokens[0] == tokens[1] && tokens[0].first == 0 && tokens[0].last == 2) }
    }

    /// As newer versions of transformers save it.
    @Test func bertWithItsVocabularyInTokenizerFile() throws {
        let copy = try Copy("Import/bert")
        defer { copy.removeAll() }
        try copy.remove("vocab.txt")
        let file = copy.url.appendingPathComponent("tokenizer.json")
        try FileManager.default.copyItem(atPath: fixture("Import/bert-tokenizer.json"), toPath: file.path)
        let out = copy.url.appendingPathComponent("out.gguf").path
        try ModelImport(folder: copy.url.path, type: .f16, name: "tiny").write(to: out)
        try expect(out, becomes: "Import/bert-f16.gguf")
        for (from, to, message) in [
            ("\"lowercase\":true", "\"lowercase\":false", "its vocabulary is cased"), ("\"WordPiece\"", "\"WordLevel\"", "not a BERT's"),
            ("[SEP]", "[sep]", "tokenizer.json can't be used: it lacks [SEP]"),
        ] {
            let text = try String(contentsOf: URL(fileURLWithPath: fixture("Import/bert-tokenizer.json")), encoding: .utf8).replacing(": ", with: ":")
            #expect(text.contains(from))
            try Data(text.replacing(from, with: to).utf8).write(to: file)
            #expect { try ModelImport(folder: copy.url.path, type: .f16, name: "x") } throws: { "\($0)".contains(message) }
        }
    }

    /// `make_imported_tokenizer_fixtures.py` asked Hugging Face's tokenizers.
    @Test(arguments: ["llama", "gemma", "unigram"])
    func tokenizers(name: String) throws {
        struct Encoded: Decodable {
            var tokenizer, text: String
            var tokens: [Token]
        }
        let copy = try Copy("Import/tokenizers")
        defer { copy.removeAll() }
        try FileManager.default.moveItem(at: copy.url.appendingPathComponent("\(name).json"), to: copy.url.appendingPathComponent("tokenizer.json"))
        let path = copy.url.appendingPathComponent("out.gguf").path
        try ModelImport(folder: copy.url.path, type: .f32, name: name).write(to: path)
        let tokenizer = try ModelFile(path: path, .none).makeTokenizer()
        let all = try JSONDecoder().decode([Encoded].self, from: Data(contentsOf: copy.url.appendingPathComponent("encoded.json")))
        for encoded in all where encoded.tokenizer == name {
            #expect(tokenizer.encode(encoded.text, special: false) == encoded.tokens, "\(encoded.text.debugDescription)")
        }
        #expect(tokenizer.addsEndOfSequence == (name == "unigram"))
    }

    @Test func quantizationIsGGMLs() throws {
        let reference = try GGUFFile(path: fixture("quantized.gguf"))
        let source = try reference.tensor("f32")
        for (name, type) in [("f16", GGUFType.f16), ("q8_0", .q8_0), ("q4_0", .q4_0)] {
            var bytes: [UInt8] = []
            for row in 0..<source.rowCount {
                let values = (0..<source.rowLength).map { source.bytes.load(fromByteOffset: 4 * (row * source.rowLength + $0), as: Float.self) }
                #expect(type.encode(values, into: &bytes))
            }
            #expect(try bytes == Array(reference.tensor(name).bytes), "\(name)")
        }
    }

    @Test func numbersThatDoNotFitAreRefused() {
        for type in [GGUFType.f32, .f16, .q8_0, .q4_0] {
            for value in [Float.nan, .infinity, -.infinity] {
                var bytes: [UInt8] = []
                #expect(!type.encode([Float](repeating: 0, count: 31) + [value], into: &bytes))
            }
            var bytes: [UInt8] = []
            #expect(type.encode([Float](repeating: .leastNonzeroMagnitude, count: 32), into: &bytes))
            #expect(type.encode([Float](repeating: .greatestFiniteMagnitude, count: 32), into: &bytes) == (type == .f32))
        }
    }

    @Test func fourBitsKeepTheOutputInEight() throws {
        let path = try importing("Import/llama", .q4_0)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try GGUFFile(path: path)
        #expect(try file.tensor("output.weight").type == .q8_0 && file.tensor("token_embd.weight").type == .q4_0)
        #expect(try file.tensor("blk.0.attn_q.weight").type == .q4_0 && file.tensor("blk.0.attn_norm.weight").type == .f32)
    }

    @Test func whatCannotBeImportedIsSaid() throws {
        try expectFailure("is not a model folder: it has no config.json") { try $1.remove("config.json") }
        try expectFailure(#"its architecture is "GPTNeoXForCausalLM"; Swiftlet imports BertModel, Gemma2ForCausalLM, Gemma3ForCausalLM, LlamaForCausalLM, "#) {
            try $1.replace("config.json", "BertModel", "GPTNeoXForCausalLM")
        }
        try expectFailure("config.json can't be used: it lacks hidden_size") { try $1.replace("config.json", "hidden_size", "hide") }
        try expectFailure("num_hidden_layers is not of the right type") {
            try $1.replace("config.json", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": \"1\"")
        }
        try expectFailure("lacks the tensor encoder.layer.1.") {
            try $1.replace("config.json", "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2")
        }
        try expectFailure("it has the tensor \"encoder.layer.9.x\", which Swiftlet does not know") {
            try $1.write("model.safetensors", try Data(contentsOf: $0.appendingPathComponent("model.safetensors")).adding("encoder.layer.9.x"))
        }
    }

    @Test func moreThatCannotBeImported() throws {
        try expectFailure("a size in it is 1000000000") { try $1.replace("config.json", "\"vocab_size\": 12", "\"vocab_size\": 1000000000") }
        try expectFailure("has the shape [12, 32], but config.json asks for [13, 32]") {
            try $1.replace("config.json", "\"vocab_size\": 12", "\"vocab_size\": 13")
        }
        try expectFailure("vocab.txt can't be used: it is not there, nor is tokenizer.json") { try $1.remove("vocab.txt") }
        try expectFailure("it lacks [SEP]") { try $1.replace("vocab.txt", "[SEP]", "[sep]") }
        try expectFailure("has no model.safetensors, nor model.safetensors.index.json") { try $1.remove("model.safetensors") }
        try expectFailure("its header is longer than the file") { try $1.write("model.safetensors", Data([255, 255, 255, 255, 0, 0, 0, 0])) }
        try expectFailure("reaches past its end; it may be an incomplete download") {
            try $1.write("model.safetensors", Data(contentsOf: $0.appendingPathComponent("model.safetensors")).dropLast(4))
        }
        try expectFailure("Cannot create /no/such/folder/x.gguf: No such file or directory.", to: "/no/such/folder/x.gguf") { _, _ in }
        // Renaming must never put a file in a device's place.
        try expectFailure("Cannot replace /dev/null", to: "/dev/null") { _, _ in }
    }

    /// The header of the weights is read like a stranger's: whatever is in it, there is an error or a file.
    @Test func damagedWeights() throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: fixture("Import/bert/model.safetensors")))
        let headerLength = Int(original[0]) | Int(original[1]) << 8
        var random = SplitMix64(seed: 11)
        let copy = try Copy("Import/bert")
        defer { copy.removeAll() }
        for _ in 0..<500 {
            var damaged = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[Int.random(in: 0..<8 + headerLength, using: &random)] = Array("0123456789[],{}\"".utf8).randomElement(using: &random)!
            }
            try copy.write("model.safetensors", damaged)
            let plan = try? ModelImport(folder: copy.url.path, type: .f32, name: "x")
            try? plan?.write(to: copy.url.appendingPathComponent("out.gguf").path)
        }
    }

    // MARK: Help

    private func importing(_ folder: String, _ type: ModelImport.WeightType) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf").path
        try ModelImport(folder: fixture(folder), type: type, name: "tiny").write(to: path)
        return path
    }

    private func expect(_ folder: String, _ type: ModelImport.WeightType, becomes name: String) throws {
        let path = try importing(folder, type)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try expect(path, becomes: name)
    }

    private func expect(_ path: String, becomes name: String) throws {
        let (made, expected) = (try GGUFFile(path: path), try GGUFFile(path: fixture(name)))
        #expect(made.metadata.keys == expected.metadata.keys)
        for key in expected.metadata.keys {
            let (a, b) = (made.metadata, expected.metadata)
            #expect(
                a.string(key) == b.string(key) && a.integer(key) == b.integer(key) && a.float(key) == b.float(key) && a.bool(key) == b.bool(key)
                    && a.strings(key) == b.strings(key) && a.integers(key) == b.integers(key), "\(key)")
        }
        #expect(Set(made.tensors.map(\.name)) == Set(expected.tensors.map(\.name)))
        for tensor in expected.tensors {
            let same = try made.tensor(tensor.name)
            #expect(same.shape == tensor.shape && same.type == tensor.type, "\(tensor.name)")
            if tensor.name == "rope_freqs.weight" {
                let pairs = (0..<tensor.elementCount).map { i in [same, tensor].map { $0.bytes.load(fromByteOffset: 4 * i, as: Float.self) } }
                #expect(pairs.allSatisfy { abs($0[0] - $0[1]) < 1e-5 * abs($0[1]) }, "\(pairs)")
            } else {
                #expect(same.bytes.elementsEqual(tensor.bytes), "\(tensor.name)")
            }
        }
    }

    /// Changes a copy of the tiny BERT and expects that the import fails for that.
    private func expectFailure(
        _ message: String, to path: String? = nil, sourceLocation: SourceLocation = #_sourceLocation, _ change: (URL, Copy) throws -> Void
    ) throws {
        let copy = try Copy("Import/bert")
        defer { copy.removeAll() }
        try change(URL(fileURLWithPath: fixture("Import/bert")), copy)
        let out = path ?? copy.url.appendingPathComponent("out.gguf").path
        #expect(sourceLocation: sourceLocation) {
            try ModelImport(folder: copy.url.path, type: .f32, name: "x").write(to: out)
        } throws: {
            "\($0)".contains(message) && $0 is InferenceError
        }
        #expect(path != nil || !FileManager.default.fileExists(atPath: out))
    }
}

extension Data {
    /// A safetensors file with one more tensor of one element, which is another's first.
    fileprivate func adding(_ name: String) -> Data {
        let length = withUnsafeBytes { Int(UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))) }
        let header = Data("{\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},".utf8) + self[9..<8 + length]
        return Swift.withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header + self[(8 + length)...]
    }
}

/// A copy of a fixture that may be changed.
private struct Copy {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")

    init(_ name: String) throws { try FileManager.default.copyItem(atPath: fixture(name), toPath: url.path) }

    func remove(_ name: String) throws { try FileManager.default.removeItem(at: url.appendingPathComponent(name)) }

    func write(_ name: String, _ data: Data) throws {
        try remove(name)
        try data.write(to: url.appendingPathComponent(name))
    }

    func replace(_ name: String, _ old: String, _ new: String) throws {
        let text = try String(contentsOf: url.appendingPathComponent(name), encoding: .utf8)
        try write(name, Data(text.replacingOccurrences(of: old, with: new).utf8))
    }

    func removeAll() { try? FileManager.default.removeItem(at: url) }
}
