import Foundation
import Inference
import Testing

/// Against transformers, computed in 64-bit floats on the same weights: `make_model_fixtures.py` made the models and the
/// numbers. The models differ in their weights' type, in how rotary embeddings are scaled, and in whether the output matrix
/// is the embedding's.
@Suite struct ModelReferenceTests {
    struct LlamaReference: Decodable, CustomTestStringConvertible {
        struct Distribution: Decodable {
            var length: Int
            var logProbabilities: [Float]
        }

        var model: String
        var prompt: [Token]
        /// Of the prompt's tokens after the first.
        var logProbabilities: [Float]
        /// Of all tokens that could follow the prompt's first ones.
        var distributions: [Distribution]
        var greedy: [Token]
        var greedyText: String
        var testDescription: String { model }
    }

    struct BertReference: Decodable, CustomTestStringConvertible {
        var model: String
        var inputs: [[Token]]
        var embeddings: [[Float]]
        var testDescription: String { model }
    }

    static let llamas: [LlamaReference] = load("tiny-llama.json")
    static let berts: [BertReference] = load("tiny-bert.json")
    static let builds = ["portable", "avx2", "avx512"]

    @Test func theFixturesAreThere() {
        #expect(Self.llamas.count == 5 && Self.berts.count == 2)
    }

    @Test(arguments: llamas, builds)
    func llama(reference: LlamaReference, build: String) async throws {
        guard let engine = try engine(reference.model, kernels: build, isExact: true) else { return }
        defer { engine.shutdown() }
        expectClose(try await engine.score(reference.prompt), reference.logProbabilities, 2e-5)
        for distribution in reference.distributions {
            let ours = try await engine.predict(after: Array(reference.prompt.prefix(distribution.length)))
            expectClose(ours, distribution.logProbabilities, 2e-5)
        }
    }

    /// With keys and values as 16-bit floats, as the engine keeps them otherwise.
    @Test(arguments: llamas)
    func llamaWithTheUsualCache(reference: LlamaReference) async throws {
        let engine = try Engine(path: fixture(reference.model), configuration: .init(threads: 2, packing: .none))
        defer { engine.shutdown() }
        expectClose(try await engine.score(reference.prompt), reference.logProbabilities, 5e-3)
        #expect(engine.tokenizer.encode("The quick fox and a naïve kite: 30 days 日本 🦊!", special: false) == reference.prompt)
        let generation = try engine.generate(GenerationRequest(prompt: reference.prompt, maximumTokens: 32))
        var text = ""
        for await case .text(let piece, _) in generation.events { text += piece }
        // The reference's text goes on to its 32nd token; ours leaves out the one that ends the answer.
        #expect(text == reference.greedyText.replacingOccurrences(of: "<|im_end|>", with: ""))
        #expect(await generation.outcome.completionTokens == 32)
    }

    /// With activations as bytes, as packed weights take them. Rounding to 127ths of a block's largest number changes a sum of
    /// products by about 0.5 % of its spread, and these models' scores, which spread over several units, by some hundredths.
    @Test(arguments: llamas, builds)
    func packedLlama(reference: LlamaReference, build: String) async throws {
        guard let engine = try engine(reference.model, kernels: build) else { return }
        defer { engine.shutdown() }
        let differences = zip(try await engine.score(reference.prompt), reference.logProbabilities).map { ($0 - $1).magnitude }
        #expect(differences.count == reference.prompt.count - 1)
        #expect(differences.allSatisfy { $0 <= 0.2 } && differences.reduce(0, +) / Float(differences.count) <= 0.04, "\(differences)")
    }

    @Test(arguments: berts, builds)
    func packedBert(reference: BertReference, build: String) async throws {
        guard let engine = try engine(reference.model, kernels: build) else { return }
        defer { engine.shutdown() }
        let ours = try await engine.embed(reference.inputs)
        for (vector, expected) in zip(ours, reference.embeddings) { #expect(zip(vector, expected).reduce(0) { $0 + $1.0 * $1.1 } >= 0.9995) }
        for (input, vector) in zip(reference.inputs, ours) { #expect(try await engine.embed([input]) == [vector]) }
    }

    @Test(arguments: berts, builds)
    func bert(reference: BertReference, build: String) async throws {
        guard let engine = try engine(reference.model, kernels: build, isExact: true) else { return }
        defer { engine.shutdown() }
        let ours = try await engine.embed(reference.inputs)
        #expect(ours.count == reference.embeddings.count)
        for (vector, expected) in zip(ours, reference.embeddings) { expectClose(vector, expected, 2e-5) }
        for (input, vector) in zip(reference.inputs, ours) {
            #expect(try await engine.embed([input]) == [vector], "a vector does not depend on what is embedded with it")
        }
    }

    /// Against the torch model that was trained, with the same weights.
    @Test func theDemoModelAnswersAsInTorch() async throws {
        struct Reference: Decodable {
            var prompt: String
            var answer: String
        }
        let references: [Reference] = Self.load("demo-answers.json")
        let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Runtime/Inference/DemoModel").standardized
        let engine = try Engine(path: folder.appendingPathComponent("swiftlet-demo-q8_0.gguf").path, configuration: .init(packing: .none))
        defer { engine.shutdown() }
        #expect(references.count == 6)
        for reference in references {
            let prompt = engine.tokenizer.encode(reference.prompt, special: true)
            let generation = try engine.generate(GenerationRequest(prompt: prompt, maximumTokens: 160))
            var answer = ""
            for await case .text(let piece, _) in generation.events { answer += piece }
            #expect(answer == reference.answer)
            #expect(await generation.outcome.finishReason == .stop)
        }
    }

    /// all-MiniLM-L6-v2 against sentence-transformers: runs where `SWIFTLET_MINILM_GGUF` names the model as GGUF.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SWIFTLET_MINILM_GGUF"] != nil))
    func miniLM() async throws {
        struct Reference: Decodable {
            var sentences: [String]
            var embeddings: [[Float]]
        }
        let reference: Reference = Self.decode("minilm-embeddings.json")!
        let engine = try Engine(path: ProcessInfo.processInfo.environment["SWIFTLET_MINILM_GGUF"] ?? "", configuration: .init(packing: .memory))
        defer { engine.shutdown() }
        // Hugging Face reads a spelled-out [CLS] as the token.
        let ours = try await engine.embed(reference.sentences.map { engine.tokenizer.encodeForModel($0, special: true) })
        let cosines = zip(ours, reference.embeddings).map { zip($0, $1).reduce(0) { $0 + $1.0 * $1.1 } }
        let quantized = engine.file.tensors.contains { $0.type == .q8_0 }
        #expect(cosines.count == 12)
        #expect(cosines.reduce(0, +) / Float(cosines.count) >= 0.999, "\(cosines)")
        #expect(quantized || cosines.allSatisfy { $0 >= 0.9999 }, "\(cosines)")
    }

    /// - Returns: `nil` where this machine does not run the build.
    private func engine(_ model: String, kernels: String? = nil, isExact: Bool = false) throws -> Engine? {
        do {
            return try Engine(
                path: fixture(model),
                configuration: .init(threads: 2, kernels: kernels, cacheType: isExact ? .f32 : .f16, packing: isExact ? .none : .memory))
        } catch let error as InferenceError where error.message.contains("does not run the kernels") && kernels != "portable" {
            return nil
        }
    }

    private static func load<T: Decodable>(_ name: String) -> [T] { decode(name) ?? [] }

    private static func decode<T: Decodable>(_ name: String) -> T? {
        FileManager.default.contents(atPath: fixture(name)).flatMap { try? JSONDecoder().decode(T.self, from: $0) }
    }
}

private func expectClose(_ ours: [Float], _ reference: [Float], _ tolerance: Float, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(ours.count == reference.count, sourceLocation: sourceLocation)
    let worst = zip(ours, reference).map { ($0 - $1).magnitude }
    #expect(worst.allSatisfy { $0 <= tolerance }, "off by \(worst.max() ?? 0)", sourceLocation: sourceLocation)
}
