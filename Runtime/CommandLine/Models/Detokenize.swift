import ArgumentParser
import Inference
import Wire

struct Detokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the text of tokens.",
        discussion: "Control tokens are shown by their names. With --format json: {\"text\": \"...\"}.")

    @OptionGroup var model: ModelReference

    @Option(help: "The tokens' numbers, separated by commas.")
    var tokens: TokenList

    @Flag(inversion: .prefixedNo, help: "Show control tokens.")
    var special = true

    @OptionGroup var format: FormatOption

    func run() throws {
        let tokenizer = try makeTokenizer(from: GGUFFile(path: model.path()).metadata)
        if let unknown = tokens.tokens.first(where: { !(0..<tokenizer.vocabularyCount).contains(Int($0)) }) {
            throw CommandError("There is no token \(unknown); this model has 0 to \(tokenizer.vocabularyCount - 1).")
        }
        let text = tokenizer.decode(tokens.tokens, special: special)
        print(format.format == .json ? String(decoding: try JSON.encode(["text": JSON.string(text)]), as: UTF8.self) : text)
    }
}
