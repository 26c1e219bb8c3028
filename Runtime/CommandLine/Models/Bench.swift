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
            and tokens per second, and milliseconds for the shortest line by itself. roof_share compares prompts and embedding with \
            the multiplications of bytes that this machine does at most, and decoding with the memory that it reads.
            """)

    @OptionGroup var model: ModelReference

    @Option(help: "Tokens of the prompt.")
    var prompt: Int = 512

    @Option(help: "Tokens to generate.")
    var generate: Int = 64

    @Option(help: "How many answers are generated together, separated by commas.")
    var parallel: TokenList = TokenList(tokens: [1, 8])

    @Option(help: "How often each is measured; the median counts.")
    var rounds: Int = 3

    @Option(help: "Threads that compute (default: one per core).")
    var threads: Int?

    @Option(name: .customLong("draft-max"), help: "How many tokens are guessed at once, at most, and verified (0 to 15). Answers of random weights turn in circles that are guessed too well, so the default is none.")
    var draftMaximum: Int = 0

    @Option(help: "Embed the lines of this file instead.")
    var embed: String?

    @OptionGroup var cache: CacheOption
    @OptionGroup var format: FormatOption

    func validate() throws {
        guard prompt >= 1, generate >= 2 else { throw ValidationError("--prompt must be at least 1, and --generate at least 2.") }
        guard rounds >= 1 else { throw ValidationError("--rounds must be at least 1.") }
        guard parallel.tokens.allSatisfy({ (1...1024).contains($0) }) else { throw ValidationError("--parallel takes numbers from 1 to 1024.") }
        guard Engine.Configuration.draftRange.contains(draftMaximum) else { throw ValidationError("--draft-max must be from 0 to 15.") }
        if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be from 1 to 256.") }
    }

    func run() async throws {
        let path = try model.path()
        var configuration = Engine.Configuration(cacheType: cache.type, draftMaximum: draftMaximum)
        if let threads { configuration.threads = threads }
        configuration.maximumSequences = max(configuration.maximumSequences, Int(parallel.tokens.max() ?? 1))
        // The first start may pack the weights; the second is what every other start is.
        try Engine(path: path, configuration: configuration).shutdown()
        let clock = ContinuousClock()
        let begun = clock.now
        let engine = try Engine(path: path, configuration: configuration)
        defer { engine.shutdown() }
        let load = begun.duration(to: clock.now).seconds * 1e3
        let before = try Roof(threads: configuration.threads)
        let speed = if let embed { try await embedding(engine, file: embed) } else { try await generation(engine) }
        // The machine may have been busy with other things at one of the two times.
        let roof = try before.higher(Roof(threads: configuration.threads))
        var result: [String: JSON] = [
            "load_ms": .number(load), "threads": .integer(Int64(configuration.threads)),
            "roof_gigabytes_per_second": .number(roof.gigabytesPerSecond),
            "roof_gigaproducts_per_second": roof.gigaproductsPerSecond.map(JSON.number) ?? .null,
            "roof_share": .object(speed.shares(of: roof)),
        ]
        result.merge(speed.measures) { _, new in new }
        print(try shown(result))
    }

    /// What was measured, and how to compare it with a roof.
    private struct Speed {
        var measures: [String: JSON]
        /// Tokens of prompts or documents in a second, times the multiplications for each.
        var gigaproductsPerSecond: Double
        /// By how many answers there were together.
        var gigabytesPerSecond: [String: Double] = [:]

        func shares(of roof: Roof) -> [String: JSON] {
            var shares: [String: JSON] = ["products": roof.gigaproductsPerSecond.map { .number(gigaproductsPerSecond / $0) } ?? .null]
            if !gigabytesPerSecond.isEmpty {
                shares["decode"] = .object(gigabytesPerSecond.mapValues { .number($0 / roof.gigabytesPerSecond) })
            }
            return shares
        }
    }

    private func generation(_ engine: Engine) async throws -> Speed {
        let benchmark = GenerationBenchmark(promptTokens: prompt, generatedTokens: generate, rounds: rounds)
        let prefill = try await benchmark.prefill(engine)
        var decode: [String: JSON] = [:]
        var gigabytes: [String: Double] = [:]
        for sequences in parallel.tokens.map(Int.init) {
            let rate = try await benchmark.decode(engine, sequences: sequences)
            decode[String(sequences)] = .number(rate)
            gigabytes[String(sequences)] = rate / Double(sequences) * Double(engine.bytesPerStep) / 1e9
        }
        return Speed(
            measures: [
                "prefill_tokens_per_second": .number(prefill), "decode_tokens_per_second": .object(decode),
                "gigabytes_per_second": .number(gigabytes.values.max() ?? 0),
            ],
            gigaproductsPerSecond: prefill * Double(engine.productsPerToken) / 1e9, gigabytesPerSecond: gigabytes)
    }

    private func embedding(_ engine: Engine, file: String) async throws -> Speed {
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw CommandError("\(file) can't be read as UTF-8 text: is it there, and a file?")
        }
        let inputs = text.split(whereSeparator: \.isNewline).map { engine.tokenizer.encodeForModel(String($0)) }
        guard let shortest = inputs.min(by: { $0.count < $1.count }) else { throw CommandError("\(file) has no lines.") }
        let tokens = inputs.reduce(0) { $0 + $1.count }
        let seconds = try await EmbeddingBenchmark(inputs: inputs).seconds(engine, rounds: rounds)
        let single = try await EmbeddingBenchmark(inputs: [shortest]).seconds(engine, rounds: 51)
        return Speed(
            measures: [
                "documents_per_second": .number(Double(inputs.count) / seconds), "tokens_per_second": .number(Double(tokens) / seconds),
                "single_ms": .number(single * 1e3),
            ],
            gigaproductsPerSecond: Double(tokens) / seconds * Double(engine.productsPerToken) / 1e9)
    }

    private func shown(_ result: [String: JSON]) throws -> String {
        guard format.format != .json else { return String(decoding: try JSON.encode(result), as: UTF8.self) }
        let rows = result.sorted { $0.key < $1.key }.map { [JSON.string($0.key), $0.value] }
        return try Report(columns: ["measure", "value"], rows: rows).text(as: format.format)
    }
}
