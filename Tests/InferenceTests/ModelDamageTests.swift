import Foundation
import Inference
import Testing

/// Files whose header is sound, but whose hyperparameters or tensors are not.
@Suite struct ModelDamageTests {
    private static let llama = "tiny-llama-q8_0.gguf"
    private static let bert = "tiny-bert-q8_0.gguf"

    @Test func hyperparametersThatLie() throws {
        try expectFailure(Self.llama, set("llama.attention.head_count", 3), "3")
        try expectFailure(Self.llama, set("llama.attention.head_count", 0), "llama.attention.head_count is 0")
        try expectFailure(Self.llama, set("llama.attention.head_count_kv", 3), "can't be shared evenly")
        try expectFailure(Self.llama, set("llama.attention.head_count_kv", 1), "blk.0.attn_k.weight has the shape [64, 48]")
        try expectFailure(Self.llama, set("llama.embedding_length", 32), "has the shape [64")
        try expectFailure(Self.llama, set("llama.embedding_length", .max), "llama.embedding_length is 4294967295")
        try expectFailure(Self.llama, set("llama.feed_forward_length", 97), "ffn_gate.weight has the shape [64, 96]")
        try expectFailure(Self.llama, set("llama.block_count", 3), "lacks the tensor blk.2.")
        try expectFailure(Self.llama, set("llama.block_count", 1), "has the tensor \"blk.1.")
        try expectFailure(Self.llama, set("llama.block_count", 1 << 24), "lacks the tensor")
        try expectFailure(Self.llama, set("llama.context_length", 0), "llama.context_length is 0")
        try expectFailure(Self.llama, set("llama.context_length", 1 << 31), "llama.context_length is 2147483648")
        try expectFailure(Self.llama, set("llama.rope.dimension_count", 25), "can't turn 25")
        try expectFailure(Self.llama, set("llama.attention.key_length", 7), "values that differ")
        try expectFailure(Self.llama, set("llama.attention.layer_norm_rms_epsilon", Float.nan.bitPattern), "must be a number above 0")
        try expectFailure(Self.llama, set("llama.rope.freq_base", Float(-1).bitPattern), "must be a number above 0")
        try expectFailure(Self.bert, set("bert.attention.head_count", 5), "can't be divided among 5 heads")
        try expectFailure(Self.bert, set("bert.pooling_type", 4), "bert.pooling_type 4 is not supported")
        try expectFailure(Self.bert, set("bert.context_length", 129), "position_embd.weight has the shape [64, 128]")
    }

    @Test func tensorsThatLie() throws {
        try expectFailure(Self.llama, replace("blk.1.ffn_up.weight", "blk.1.ffn_xx.weight"), "lacks the tensor blk.1.ffn_up.weight")
        try expectFailure(Self.llama, replace("output.weight", "outpux.weight"), "\"outpux.weight\", which Swiftlet does not know")
        try expectFailure(Self.llama, replace("token_embd.weight", "token_embx.weight"), "lacks the tensor token_embd.weight")
        try expectFailure(Self.bert, replace("blk.0.attn_q.bias", "blk.0.attn_x.bias"), "\"blk.0.attn_x.bias\", which Swiftlet does not know")
        // 34 bytes for 32 elements, as Q8_0 has; only the number of the type changes: 24 is I8, a byte for each.
        try expectFailure(Self.llama, { try Self.setType(of: "output.weight", to: 24, in: &$0) }, "output.weight is I8; Swiftlet reads F32, F16, Q4_0")
        try expectFailure(Self.llama, replace("llama.block_count", "llama.block_xount"), "lacks the metadata key llama.block_count")
        try expectFailure(Self.llama, { data in
            let range = try #require(data.range(of: Data("general.architecture".utf8)))
            data.replaceSubrange(range.upperBound + 12..<range.upperBound + 17, with: Data("mamba".utf8))
        }, "the architecture \"mamba\"; Swiftlet has llama, qwen2, qwen3, qwen3moe, gemma2, gemma3, phi3, bert, nomic-bert.")
    }

    @Test func weightsThatAreNotNumbers() async throws {
        let damaged = try file(Self.llama) { data in
            // The last tensors' data: scales of 0xffff are not numbers.
            data.replaceSubrange(data.count - 3400..<data.count, with: Data(repeating: 0xff, count: 3400))
        }
        defer { try? FileManager.default.removeItem(atPath: damaged) }
        let engine = try Engine(path: damaged, configuration: .init(threads: 1, packing: .memory))
        defer { engine.shutdown() }
        let outcome = await (try engine.generate(.init(prompt: [5], maximumTokens: 3))).outcome
        #expect(outcome.completionTokens == 0)
        if case .failed(let error) = outcome.finishReason { #expect(error.message.contains("not numbers")) } else { Issue.record() }
        await #expect(throws: InferenceError.self) { try await engine.score([5, 6, 7]) }
        await #expect(throws: InferenceError.self) { try await engine.predict(after: [5, 6, 7]) }
    }

    /// Whatever is done to a file: an error, or a model that runs.
    @Test(arguments: [llama, bert])
    func damage(name: String) async throws {
        let original = try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
        var random = SplitMix64(seed: 13)
        // Up to the tokens' names, and the tensors' names and shapes.
        let tensors = try #require(original.range(of: Data((name == Self.llama ? "output_norm.weight" : "token_embd.weight").utf8))).lowerBound
        for round in 0..<400 {
            var damaged = original
            let place = round % 2 == 0 ? Int(random.next() % 1200) : tensors - 200 + Int(random.next() % 1600)
            damaged[place] = round % 3 == 0 ? UInt8(random.next() % 256) : [0, 1, 0x7f, 0x80, 0xff][Int(random.next() % 5)]
            if round % 10 == 0 { damaged.removeLast(Int(random.next() % UInt64(damaged.count))) }
            let path = try file(name) { $0 = damaged }
            defer { try? FileManager.default.removeItem(atPath: path) }
            guard let engine = try? Engine(path: path, configuration: .init(threads: 1, packing: .memory)) else { continue }
            if engine.description.canGenerate {
                _ = try? await engine.score([1, 2, 3])
            } else {
                _ = try? await engine.embed([[1, 2, 3]])
            }
            engine.shutdown()
        }
    }

    // MARK: Making damage

    /// Sets a 32-bit value of the metadata.
    private func set(_ key: String, _ value: UInt32) -> (inout Data) throws -> Void {
        { data in
            let name = withUnsafeBytes(of: UInt64(key.utf8.count).littleEndian, Data.init(_:)) + Data(key.utf8)
            let range = try #require(data.range(of: name))
            data.replaceSubrange(range.upperBound + 4..<range.upperBound + 8, with: withUnsafeBytes(of: value.littleEndian, Data.init(_:)))
        }
    }

    private func replace(_ name: String, _ other: String) -> (inout Data) throws -> Void {
        { data in
            let length = withUnsafeBytes(of: UInt64(name.utf8.count).littleEndian, Data.init(_:))
            let range = try #require(data.range(of: length + Data(name.utf8)))
            data.replaceSubrange(range, with: length + Data(other.utf8))
        }
    }

    /// A tensor's entry: name, number of dimensions, dimensions, type.
    private static func setType(of tensor: String, to type: UInt8, in data: inout Data) throws {
        let name = withUnsafeBytes(of: UInt64(tensor.utf8.count).littleEndian, Data.init(_:)) + Data(tensor.utf8)
        let range = try #require(data.range(of: name))
        data[range.upperBound + 4 + 8 * Int(data[range.upperBound])] = type
    }

    private func file(_ name: String, _ damage: (inout Data) throws -> Void) throws -> String {
        var data = try Data(contentsOf: URL(fileURLWithPath: fixture(name)))
        try damage(&data)
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf")
        try data.write(to: url)
        return url.path
    }

    private func expectFailure(
        _ name: String, _ damage: @escaping (inout Data) throws -> Void, _ message: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let path = try file(name, damage)
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(sourceLocation: sourceLocation) { try Engine(path: path, configuration: .init(threads: 1, packing: .memory)) } throws: { error in
            #expect("\(error)".contains(message) && error is InferenceError, "\(error)", sourceLocation: sourceLocation)
            return true
        }
    }
}
