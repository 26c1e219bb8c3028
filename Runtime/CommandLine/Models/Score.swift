import ArgumentParser
import Glibc
import Inference
import Wire

struct Score: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how probable a text is to a model: the log probability of each token, and the perplexity.",
        discussion: """
            Each token's log probability (natural logarithm) is after those before it; the first has none. \
            With --format json: {"tokens": [...], "logprobs": [...], "perplexity": x}.
            """)

    @OptionGroup var model: ModelReference

    @Option(help: "The text.")
    var text: String?

    @Option(help: "The tokens' numbers instead, separated by commas.")
    var tokens: TokenList?

    @Option(help: "The GGUF file of a LoRA adapter that the model has for it.")
    var adapter: String?

    @Flag(help: "Compute with 32-bit floats, slowly: what quantized arithmetic is compared with.")
    var exact = false

    @OptionGroup var cache: CacheOption
    @OptionGroup var format: FormatOption

    func validate() throws {
        guard (text != nil) != (tokens != nil) else { throw ValidationError("Give either --text or --tokens.") }
    }

    func run() async throws {
        var configuration = exact
            ? Engine.Configuration(cacheType: .f32, packing: .none) : Engine.Configuration(cacheType: cache.type)
        if let adapter { configuration.adapters = [adapter: adapter] }
        let engine = try Engine(path: model.path(), configuration: configuration)
        defer { engine.shutdown() }
        let tokens = tokens?.tokens ?? engine.tokenizer.encodeForModel(text ?? "", special: true)
        guard tokens.count >= 2 else { throw CommandError("There is nothing to score: a text of two tokens or more is needed.") }
        let logprobs = try await engine.score(tokens, adapter: adapter).map(Double.init)
        let perplexity = exp(-logprobs.reduce(0, +) / Double(logprobs.count))
        if format.format == .json {
            let result: [String: JSON] = [
                "tokens": .array(tokens.map { .integer(Int64($0)) }), "logprobs": .array(logprobs.map(JSON.number)),
                "perplexity": .number(perplexity),
            ]
            return print(String(decoding: try JSON.encode(result), as: UTF8.self))
        }
        let rows = zip(tokens, [.null] + logprobs.map(JSON.number)).map { [.integer(Int64($0)), engine.tokenizer.shown($0), $1] }
        print(try Report(columns: ["token", "text", "logprob"], rows: rows).text(as: format.format))
        if format.format == .table { print("\nperplexity \(perplexity)") }
    }
}

/// `1,2,3`
struct TokenList: ExpressibleByArgument {
    let tokens: [Token]

    init(tokens: [Token]) { self.tokens = tokens }

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Token($0) }
        tokens = numbers.compactMap { $0 }
        guard tokens.count == numbers.count else { return nil }
    }
}
