import Foundation
import Grammar
import Inference
import Wire

/// What a mask costs at a vocabulary of the size that models have now:
///
///     .build/release/benchmark-masks .build/llama-source/models/ggml-vocab-qwen2.gguf
///
/// For each schema, a document that fits it is written token by token: the mask is found and applied to as many scores as there
/// are tokens, and the token taken. The first time masks are worked out, afterwards most are there.
@main enum Masks {
    static let cases: [(name: String, schema: String, text: String)] = [
        ("person", #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"email":{"type":"string"}},"required":["name","age","email"],"additionalProperties":false}"#,
         #"{"name": "Ada Lovelace", "age": 36, "email": "ada.lovelace@example.org"}"#),
        ("ticket", #"{"type":"object","properties":{"title":{"type":"string","maxLength":120},"priority":{"enum":["low","medium","high","urgent"]},"labels":{"type":"array","items":{"type":"string"},"maxItems":8},"estimate":{"anyOf":[{"type":"number"},{"type":"null"}]},"steps":{"type":"array","items":{"type":"object","properties":{"action":{"type":"string"},"expected":{"type":"string"}},"required":["action","expected"],"additionalProperties":false}}},"required":["title","priority","labels","estimate","steps"],"additionalProperties":false}"#,
         #"{"title": "The invoice page shows yesterday's total after midnight", "priority": "high", "labels": ["billing", "time zones", "regression"], "estimate": 2.5, "steps": [{"action": "Open the invoice at 00:05 UTC", "expected": "Today's total"}, {"action": "Reload the page", "expected": "The same total, and no flicker"}]}"#),
        ("tree", ##"{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"value":{"type":"string","pattern":"^[a-z]{1,12}$"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["value","children"],"additionalProperties":false}}}"##,
         #"{"value": "root", "children": [{"value": "left", "children": [{"value": "leaf", "children": []}, {"value": "twig", "children": []}]}, {"value": "right", "children": []}]}"#),
        ("any", "{}", #"{"a": [1, 2.5e3, true, null, {"b": "\u00e9t\u00e9 \"quoted\"", "c": []}], "note": "a longer text, as models write them, with commas and words"}"#),
    ]

    static func main() throws {
        guard CommandLine.arguments.count == 2 else {
            FileHandle.standardError.write(Data("Usage: benchmark-masks VOCABULARY.gguf\n".utf8))
            exit(2)
        }
        let tokenizer = try makeTokenizer(from: GGUFFile(path: CommandLine.arguments[1]).metadata)
        let clock = ContinuousClock()
        var trie: TokenTrie?
        let building = clock.measure {
            trie = TokenTrie(vocabularyCount: tokenizer.vocabularyCount, bytes: tokenizer.bytes(of:), ends: tokenizer.isEndOfGeneration)
        }
        guard let trie else { return }
        print("\(tokenizer.vocabularyCount) tokens; their trie is made in \(building), once per model")
        print("schema   tokens   compiled     first text: mean, worst     later texts: median, 99th, worst (µs per token)")
        for (name, schema, text) in cases {
            var grammar: CompiledGrammar?
            let compiling = try clock.measure { grammar = try CompiledGrammar(schema: OrderedJSON(parsing: schema.utf8), for: trie) }
            guard let grammar else { return }
            let tokens = tokenizer.encode(text, special: false)
            var scores = [Float](repeating: 0, count: tokenizer.vocabularyCount)
            func write() -> [Double] {
                var matcher = GrammarMatcher(grammar)
                return tokens.map { token in
                    let time = clock.measure {
                        scores.withUnsafeMutableBufferPointer { matcher.allowedTokens.apply(to: $0) }
                        guard matcher.accept(token) else { fatalError("\(name): the text does not fit its schema") }
                    }
                    return time / .microseconds(1)
                }
            }
            let first = write()
            let later = (0..<50).flatMap { _ in write() }.sorted()
            let numbers = [first.reduce(0, +) / Double(first.count), first.max() ?? 0, later[later.count / 2], later[later.count * 99 / 100], later[later.count - 1]]
            print(name, tokens.count, "\(compiling)", numbers.map { String(format: "%.1f", $0) }.joined(separator: "  "), separator: "   ")
        }
    }
}
