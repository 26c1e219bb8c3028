import ArgumentParser
import FoundationEssentials
import Inference
import Wire

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast a model runs here, and how near that is to what the machine can do.",
        discussion: """
            Generation: milliseconds until the model is loaded, tokens per second of a prompt, and of as many answers together as \
            --parallel says. Weights are packed before anything is measured. Embedding (--embed FILE, a document per line): documents \
            and tokens per second, and milliseconds for the shortest line by itself.
            """)

    @OptionGroup var model: ModelReference

    @Option(help: "Tokens of the prompt.")
    var prompt: Int = 512

    @Option(help: "Tokens to generate.")
    var generate: Int = 64

    @Option(help: "How many answers are generated together, separated by commas.")
    var parallel: TokenList = TokenList(tokens: [1, 8])

    @Option(help: "Threads that compute (default: one per core).")
    var threads: Int?

    @Option(help: "Embed the lines of this file instead.")
    var embed: String?

    @OptionGroup var format: FormatOption

    func validate() throws {
        guard prompt >= 1, generate >= 2 else { throw ValidationError("--prompt must be at least 1, and --generate at least 2.") }
        guard parallel.tokens.allSatisfy({ (1...1024).contains($0) }) else { throw ValidationError("--parallel takes numbers from 1 to 1024.") }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be from 1 to 256.") }
    }

    func run() async throws {
        let path = try model.path()
        var configuration = Engine.Configuration()
        if let threads { configuration.threads = threads }
        configuration.maximumSequences = max(configuration.maximumSequences, Int(parallel.tokens.max() ?? 1))
        // The first start may pack the weights; the second is what every other start is.
        try Engine(path: path, configuration: configuration).shutdown()
        let clock = ContinuousClock()
        let begun = clock.now
        let engine = try Engine(path: path, configuration: configuration)
        defer { engine.shutdown() }
        let roof = try Roof(threads: configuration.threads)
        var result: [String: JSON] = [
            "load_ms": .number(begun.duration(to: clock.now).seconds * 1e3), "threads": .integer(Int64(configuration.threads)),
            "roof_gigabytes_per_second": .number(roof.gigabytesPerSecond),
            "roof_gigaproducts_per_second": roof.gigaproductsPerSecond.map(JSON.number) ?? .null,
        ]
        let measured =
            if let embed { try await embedding(engine, file: embed) } else { try await generation(engine, roof) }
        result.merge(measured) { _, new in new }
        print(try shown(result))
    }

    private func generation(_ engine: Engine, _ roof: Roof) async throws -> [String: JSON] {
        let benchmark = GenerationBenchmark(promptTokens: prompt, generatedTokens: generate)
        let prefill = try await benchmark.prefill(engine)
        var decode: [String: JSON] = [:]
        var gigabytes = 0.0
        for sequences in parallel.tokens.map(Int.init) {
            let rate = try await benchmark.decode(engine, sequences: sequences)
            decode[String(sequences)] = .number(rate)
            gigabytes = max(gigabytes, rate / Double(sequences) * Double(engine.bytesPerStep) / 1e9)
        }
        return [
            "prefill_tokens_per_second": .number(prefill), "decode_tokens_per_second": .object(decode),
            "gigabytes_per_second": .number(gigabytes), "bandwidth_share": .number(gigabytes / roof.gigabytesPerSecond),
            "products_share": roof.gigaproductsPerSecond.map { .number(prefill * Double(engine.productsPerToken) / 1e9 / $0) } ?? .null,
        ]
    }

    private func embedding(_ engine: Engine, file: String) async throws -> [String: JSON] {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let inputs = text.split(whereSeparator: \.isNewline).map { engine.tokenizer.encodeForModel(String($0)) }
        guard let shortest = inputs.min(by: { $0.count < $1.count }) else { throw CommandError("\(file) has no lines.") }
        let benchmark = EmbeddingBenchmark(inputs: inputs)
        let seconds = try await benchmark.seconds(engine)
        return [
            "documents_per_second": .number(Double(inputs.count) / seconds),
            "tokens_per_second": .number(Double(inputs.reduce(0) { $0 + $1.count }) / seconds),
            "single_ms": .number(try await EmbeddingBenchmark(inputs: [shortest]).seconds(engine, rounds: 51) * 1e3),
        ]
    }

    private func shown(_ result: [String: JSON]) throws -> String {
        guard format.format != .json else { return String(decoding: try JSON.encode(result), as: UTF8.self) }
        let rows = result.sorted { $0.key < $1.key }.map { [JSON.string($0.key), $0.value] }
        return try Report(columns: ["measure", "value"], rows: rows).text(as: format.format)
    }
}
