import Foundation
import Inference
import Testing

/// Every type of weights that people's files have.
@Suite struct WeightTypeTests {
    /// Against the `gguf` package: `make_weight_fixtures.py` wrote random blocks and what it reads from them.
    @Test func areReadExactly() throws {
        let file = try GGUFFile(path: fixture("weights.gguf"))
        let tensors = file.tensors.filter { !$0.name.hasSuffix("as floats") }
        #expect(
            tensors.map(\.type.name).sorted() == [
                "BF16", "F16", "IQ4_NL", "IQ4_XS", "MXFP4", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0",
            ])
        for tensor in tensors {
            let expected = try file.tensor("\(tensor.name) as floats")
            for row in 0..<tensor.rowCount { #expect(tensor.floats(row: row) == expected.floats(row: row), "\(tensor.name)") }
        }
    }

    /// A model whose weights are all converted: packed, it answers as its exact weights do.
    @Test func convertedWeightsAnswerTheSame() async throws {
        let path = fixture("tiny-llama-foreign.gguf")
        let (packed, exact) = try await (score(path, .memory), score(path, .none))
        #expect(packed.count == 39 && zip(packed, exact).allSatisfy { abs($0 - $1) < 0.05 })
        #expect(packed != exact)
        let conversions = try Conversion.all(in: GGUFFile(path: path)).map { "\($0)" }
        #expect(conversions.contains("Q3_K becomes Q6_K in 1 tensor, exactly."))
        #expect(conversions.count == 8)
    }

    /// - Parameter kinds: the most frequent first.
    @Test(arguments: [
        (Quantization.Kind.q8_0, ["Q8_0"]), (.q4_0, ["Q4_0", "Q6_K"]), (.q4_k_m, ["Q4_K", "Q6_K"]), (.q5_k_m, ["Q5_K", "Q6_K"]), (.q6_k, ["Q6_K"]),
    ])
    func quantizedModelsAnswerNearly(kind: Quantization.Kind, types: [String]) async throws {
        let out = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf").path
        defer { try? FileManager.default.removeItem(atPath: out) }
        let source = try GGUFFile(path: fixture("tiny-llama-mixed.gguf"))
        var shares: [Double] = []
        try Quantization(source, to: kind).write(to: out) { shares.append($0) }
        #expect(shares.last == 1 && shares == shares.sorted())
        let file = try GGUFFile(path: out)
        #expect(Set(file.tensors.filter { $0.shape.count > 1 }.map(\.type.name)) == Set(types))
        #expect(file.tensors.map(\.name) == source.tensors.map(\.name))
        #expect(Set(file.metadata.keys) == Set(source.metadata.keys).union(["general.file_type", "general.quantization_version"]))
        #expect(file.metadata.strings("tokenizer.ggml.tokens") == source.metadata.strings("tokenizer.ggml.tokens"))
        let (ours, theirs) = try await (score(out, .none), score(source.path, .none))
        let mean = zip(ours, theirs).reduce(0) { $0 + abs($1.0 - $1.1) } / Float(ours.count)
        #expect(mean < 0.2)
        // What needs no change is copied: twice gives the same file.
        let again = out + ".again"
        defer { try? FileManager.default.removeItem(atPath: again) }
        try Quantization(file, to: kind).write(to: again)
        #expect(try Data(contentsOf: URL(fileURLWithPath: again)) == Data(contentsOf: URL(fileURLWithPath: out)))
    }

    private func score(_ path: String, _ packing: Engine.Configuration.Packing) async throws -> [Float] {
        let engine = try Engine(path: path, configuration: .init(threads: 2, packing: packing))
        defer { engine.shutdown() }
        return try await engine.score(Array(5..<45))
    }
}
