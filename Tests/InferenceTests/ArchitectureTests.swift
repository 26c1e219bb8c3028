import Foundation
import Inference
import Testing

/// Each architecture against transformers, computed in 64-bit floats on the same weights: `make_architecture_fixtures.py` made
/// the models and the numbers.
@Suite struct ArchitectureTests {
    struct DecoderReference: Decodable, CustomTestStringConvertible {
        var model: String
        var prompt: [Token]
        /// Of the prompt's tokens after the first.
        var logProbabilities: [Float]
        /// Of all tokens that could follow the prompt.
        var last: [Float]
        var greedy: [Token]
        var testDescription: String { model }
    }

    struct EncoderReference: Decodable, CustomTestStringConvertible {
        var model: String
        /// Of the first inputs, where the tokenizer is compared, too.
        var texts: [String]?
        var inputs: [[Token]]
        var embeddings: [[Float]]
        var testDescription: String { model }
    }

    static let decoders: [DecoderReference] = load("decoders.json")
    static let encoders: [EncoderReference] = load("encoders.json")

    @Test func everyArchitectureHasAReference() throws {
        let names = try (Self.decoders.map(\.model) + Self.encoders.map(\.model)).map { model in
            try GGUFFile(path: fixture("architectures/\(model)")).metadata.requiredString("general.architecture")
        }
        #expect(Set(names) == ["llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "bert", "nomic-bert"])
    }

    @Test(arguments: decoders, ["portable", "best"])
    func scores(reference: DecoderReference, kernels: String) async throws {
        let engine = try engine(reference.model, kernels: kernels, cacheType: .f32, packing: .none)
        defer { engine.shutdown() }
        expectClose(try await engine.score(reference.prompt), reference.logProbabilities, 5e-5)
        expectClose(try await engine.predict(after: reference.prompt), reference.last, 5e-5)
    }

    /// With everything as users have it, but exact weights.
    @Test(arguments: decoders)
    func greedyAnswer(reference: DecoderReference) async throws {
        let engine = try engine(reference.model, kernels: "best", cacheType: .f16, packing: .none)
        defer { engine.shutdown() }
        let generation = try engine.generate(GenerationRequest(prompt: reference.prompt, maximumTokens: 32, ignoresEnd: true))
        var text: [UInt8] = []
        for await case .text(let piece, _) in generation.events { text += piece.utf8 }
        let expected = reference.greedy.flatMap(engine.tokenizer.bytes)
        #expect(String(decoding: text, as: UTF8.self) == String(decoding: expected, as: UTF8.self))
    }

    /// A batch of texts, one of which is longer than a step.
    @Test(arguments: encoders)
    func embeddings(reference: EncoderReference) async throws {
        let engine = try engine(reference.model, kernels: "best", cacheType: .f32, packing: .none, embeddingTokensPerStep: 24)
        defer { engine.shutdown() }
        #expect(engine.description.canEmbed)
        for (text, tokens) in zip(reference.texts ?? [], reference.inputs) { #expect(engine.tokenizer.encodeForModel(text, special: true) == tokens) }
        let ours = try await engine.embed(reference.inputs)
        for (vector, expected) in zip(ours, reference.embeddings) { expectClose(vector, expected, 2e-5) }
        for (input, vector) in zip(reference.inputs, ours) { #expect(try await engine.embed([input]) == [vector]) }
    }

    private func engine(
        _ model: String, kernels: String, cacheType: Engine.Configuration.CacheType, packing: Engine.Configuration.Packing,
        embeddingTokensPerStep: Int = 256
    ) throws -> Engine {
        try Engine(
            path: fixture("architectures/\(model)"),
            configuration: .init(
                threads: 2, embeddingTokensPerStep: embeddingTokensPerStep, kernels: kernels == "best" ? nil : kernels, cacheType: cacheType,
                packing: packing))
    }

    private static func load<T: Decodable>(_ name: String) -> [T] {
        FileManager.default.contents(atPath: fixture("architectures/\(name)")).flatMap { try? JSONDecoder().decode([T].self, from: $0) } ?? []
    }

    private func expectClose(_ ours: [Float], _ reference: [Float], _ tolerance: Float, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(ours.count == reference.count, sourceLocation: sourceLocation)
        let worst = zip(ours, reference).map { ($0 - $1).magnitude }
        #expect(worst.allSatisfy { $0 <= tolerance }, "off by \(worst.max() ?? 0)", sourceLocation: sourceLocation)
    }
}
