import ArgumentParser
import Inference
import SwiftletSystem
import Wire

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the tokens of a text.",
        discussion: "With --format json: {\"tokens\": [...]}.")

    @OptionGroup var model: ModelReference

    @Option(help: "The text.")
    var text: String?

    @Flag(help: "Read the text from standard input.")
    var stdin = false

    @Flag(
        inversion: .prefixedNo,
        help: "Add what the model's input begins and ends with, and let special tokens that are spelled out in the text become those.")
    var special = true

    @OptionGroup var format: FormatOption

    func validate() throws {
        guard (text != nil) != stdin else { throw ValidationError("Give the text either with --text or with --stdin.") }
    }

    func run() throws {
        let tokenizer = try ModelFile(path: model.path()).makeTokenizer()
        guard let text = try text ?? String(validating: StandardInput.readToEnd(), as: UTF8.self) else {
            throw CommandError("Standard input is not UTF-8 text.")
        }
        let tokens = special ? tokenizer.encodeForModel(text, special: true) : tokenizer.encode(text, special: false)
        if format.format == .json {
            let numbers = tokens.map { JSON.integer(Int64($0)) }
            return print(String(decoding: try JSON.encode(["tokens": JSON.array(numbers)]), as: UTF8.self))
        }
        print(try Report(columns: ["token", "text"], rows: tokens.map { [.integer(Int64($0)), tokenizer.shown($0)] }).text(as: format.format))
    }
}

extension Tokenizer {
    /// A token's text for a table; bytes that are only a part of a character, and control characters, are escaped.
    func shown(_ token: Token) -> JSON {
        let text = String(decoding: bytes(of: token), as: UTF8.self).debugDescription
        return .string(String(text.dropFirst().dropLast()))
    }
}
