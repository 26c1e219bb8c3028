import Foundation
import Inference
import Testing

/// LoRA adapters against transformers with the weights merged: `make_adapter_fixtures.py` made adapters and numbers.
@Suite(.timeLimit(.minutes(2))) struct AdapterTests {
    struct Reference: Decodable, CustomTestStringConvertible {
        var model: String
        var adapter: String?
        var prompt: [Token]
        var logProbabilities: [Float]
        var last: [Float]
        var testDescription: String { adapter ?? "\(model) alone" }
    }

    static let references: [Reference] =
        FileManager.default.contents(atPath: fixture("adapters/adapters.json")).flatMap { try? JSONDecoder().decode([Reference].self, from: $0) } ?? []

    private func engine(
        _ model: String = "llama.gguf", _ names: [String] = ["llama-all", "llama-few"], packing: Engine.Configuration.Packing = .none,
        kernels: String? = nil
    ) throws -> Engine {
        let adapters = Dictionary(uniqueKeysWithValues: names.map { ($0, fixture("adapters/\($0).gguf")) })
        return try Engine(
            path: fixture("architectures/\(model)"),
            configuration: .init(threads: 2, kernels: kernels, cacheType: .f32, packing: packing, adapters: adapters))
    }

    @Test(arguments: references, ["portable", nil])
    func scores(reference: Reference, kernels: String?) async throws {
        let engine = try engine(reference.model, reference.adapter.map { [$0] } ?? [], kernels: kernels)
        defer { engine.shutdown() }
        let (scores, last) = (try await engine.score(reference.prompt, adapter: reference.adapter), try await engine.predict(after: reference.prompt, adapter: reference.adapter))
        for (ours, theirs) in [(scores, reference.logProbabilities), (last, reference.last)] {
            let worst = zip(ours, theirs).map { ($0 - $1).magnitude }.max() ?? .infinity
            #expect(ours.count == theirs.count && worst < 1e-4, "off by \(worst)")
        }
    }

    /// Sequences of both adapters and of none, in the same steps: each comes out as alone, bit for bit.
    @Test(arguments: [Engine.Configuration.Packing.none, .memory])
    func aBatchMayMixThem(packing: Engine.Configuration.Packing) async throws {
        let engine = try engine(packing: packing)
        defer { engine.shutdown() }
        let prompt = try #require(Self.references.first?.prompt)
        let jobs = (0..<9).map { index in (tokens: Array(prompt.dropLast(index)), adapter: [nil, "llama-all", "llama-few"][index % 3]) }
        var alone: [[Float]] = []
        for job in jobs { alone.append(try await engine.score(job.tokens, adapter: job.adapter)) }
        #expect(Set(alone.map { $0[3] }).count == 3, "three sets of weights")
        let together = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for (index, job) in jobs.enumerated() { group.addTask { (index, try await engine.score(job.tokens, adapter: job.adapter)) } }
            return try await group.reduce(into: [Int: [Float]]()) { $0[$1.0] = $1.1 }
        }
        for (index, scores) in alone.enumerated() { #expect(together[index] == scores) }
    }

    @Test func aPrefixIsSharedWithinAnAdapterOnly() async throws {
        let engine = try engine()
        defer { engine.shutdown() }
        let prompt = try #require(Self.references.first?.prompt)
        func cached(_ adapter: String?) async throws -> Int {
            let generation = try engine.generate(GenerationRequest(prompt: prompt, maximumTokens: 1, tenant: "a", adapter: adapter, ignoresEnd: true))
            return await generation.outcome.cachedTokens
        }
        for adapter in [nil, "llama-all", "llama-few"] {
            #expect(try await cached(adapter) == 0)
            #expect(try await cached(adapter) == (prompt.count - 1) / 16 * 16)
        }
    }

    @Test(arguments: [
        ("mistral.gguf", "phi3", "made for the architecture \"phi3\""), ("qwen3.gguf", "llama-all", "made for the architecture \"llama\""),
        ("llama3.gguf", "llama-all", "does not have: it was made for another model"), ("mixtral.gguf", "llama-all", "does not have"),
        ("nomic-bert.gguf", "llama-all", "makes embeddings"),
        ("llama.gguf", "llama-embedding", "it changes token_embd.weight, and Swiftlet adapts neither embeddings nor experts"),
        ("mixtral.gguf", "mixtral-experts", "it changes blk.0.ffn_gate_exps.weight, and Swiftlet adapts neither embeddings nor experts"),
    ])
    func thatCannotBeUsed(model: String, adapter: String, message: String) async throws {
        let engine = try engine(model, [adapter])
        defer { engine.shutdown() }
        #expect("\(try #require(engine.adapterProblems[adapter]))".contains(message))
        guard engine.description.canGenerate else { return }
        // The model itself works.
        #expect(try await engine.score([1, 2, 3]).count == 2)
        await #expect(throws: InferenceError.self) { try await engine.score([1, 2, 3], adapter: adapter) }
    }

    @Test func damaged() throws {
        let sound = Array(try #require(FileManager.default.contents(atPath: fixture("adapters/llama-few.gguf"))))
        func changed(_ from: String, _ to: String) throws -> [UInt8] {
            var bytes = Data(sound)
            while let range = bytes.range(of: Data(from.utf8)) { bytes.replaceSubrange(range, with: to.utf8) }
            return Array(bytes)
        }
        for (bytes, message) in [
            (Array(sound.prefix(sound.count / 2)), "incomplete download"), (try changed("adapter.type", "adapter.tipe"), "adapter.type"),
            (try changed("blk.0.attn_q", "blk.0.attn_k"), "do not fit"),
            (try changed("blk.1.attn_q.weight.lora_a", "blk.1.attn_q.weight.lora_c"), "no part of a LoRA adapter"),
            (try changed("blk.1.attn_q.weight.lora_b", "blk.1.attn_x.weight.lora_b"), "lacks the tensor blk.1.attn_q.weight.lora_b"),
        ] {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).gguf").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let engine = try Engine(path: fixture("architectures/llama.gguf"), configuration: .init(threads: 1, packing: .none, adapters: ["broken": path]))
            defer { engine.shutdown() }
            #expect("\(try #require(engine.adapterProblems["broken"]))".contains(message), "\(engine.adapterProblems)")
        }
    }

    @Test func unknownNamesAreTold() throws {
        let engine = try engine()
        defer { engine.shutdown() }
        #expect(engine.adapterNames == ["llama-all", "llama-few"] && engine.adapterProblems.isEmpty)
        let error = #expect(throws: InferenceError.self) { try engine.generate(GenerationRequest(prompt: [1], maximumTokens: 1, adapter: "nope")) }
        #expect(error?.message.contains("no adapter \"nope\"; it has llama-all, llama-few") == true)
    }
}
