import Foundation
import Inference
import Testing

/// Against llama.cpp's own vocabularies and the tokens that it expects of them, for every kind there is: `Tests/run` fetches them.
@Suite(.enabled(if: llamaSource != nil, "SWIFTLET_LLAMA_SOURCE is not set"))
struct LlamaVocabularyTests {
    static let withGoldens = [
        "bert-bge", "command-r", "deepseek-coder", "deepseek-llm", "falcon", "gemma-4", "gpt-2", "llama-bpe", "llama-spm", "mpt", "phi-3",
        "qwen2", "qwen35", "refact", "starcoder",
    ]

    @Test(arguments: withGoldens)
    func goldens(name: String) throws {
        let (tokenizer, goldens) = try (vocabulary(name), LlamaVocabularyTests.goldens(name))
        #expect(goldens.count > 40)
        for (text, tokens) in goldens {
            #expect(tokenizer.encode(text, special: false) == tokens, "\(text.debugDescription)")
        }
    }

    /// From a pack's tables, with nothing left of the file's vocabulary.
    @Test(arguments: withGoldens + ["nomic-bert-moe"])
    func packsHoldTheSame(name: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("model.gguf").path
        try FileManager.default.copyItem(atPath: Self.path("ggml-vocab-\(name).gguf"), toPath: file)
        let model = try ModelFile(path: file)
        let plain = try model.makeTokenizer()
        try model.writePack()
        try overwriteInPlace(file, from: 4, to: 4096)
        let packed = try ModelFile(path: file).makeTokenizer()
        for token in stride(from: 0, to: Token(plain.vocabularyCount), by: 7) { #expect(packed.spelling(of: token) == plain.spelling(of: token)) }
        for text in TokenizerGoldenTests.goldens.map(\.text) {
            #expect(packed.encode(text, special: true) == plain.encode(text, special: true), "\(text.debugDescription)")
        }
    }

    /// Against the `sentencepiece` library, over more texts.
    @Test(arguments: ["llama-spm", "nomic-bert-moe"])
    func sentencePiece(name: String) throws {
        let rows = try JSONDecoder().decode(
            [String: [[Token]]].self, from: Data(contentsOf: URL(fileURLWithPath: fixture("sentencepiece.json"))))
        let (tokenizer, expected) = try (vocabulary(name), #require(rows[name]))
        let texts = TokenizerGoldenTests.goldens.map(\.text)
        try #require(expected.count == texts.count)
        for (text, tokens) in zip(texts, expected) {
            #expect(tokenizer.encode(text, special: false) == tokens, "\(text.debugDescription)")
        }
    }

    /// What was encoded comes back, characters composed or not. WordPiece changes text, so there tokens are compared.
    @Test(arguments: withGoldens)
    func textComesBack(name: String) throws {
        let tokenizer = try vocabulary(name)
        for (text, tokens) in try LlamaVocabularyTests.goldens(name) {
            let decoded = tokenizer.decode(tokens, special: false)
            if name == "bert-bge" {
                let known = tokens.filter { $0 != 100 }
                #expect(tokenizer.encode(decoded, special: false) == known, "\(text.debugDescription)")
            } else {
                #expect(decoded == text, "\(text.debugDescription)")
                #expect(tokenizer.decode(tokens, special: true) == decoded)
            }
        }
    }

    /// Token by token, as a stream shows them, a text is never shown with half of a character.
    @Test(arguments: withGoldens)
    func streamsShowWholeCharacters(name: String) throws {
        let tokenizer = try vocabulary(name)
        for (_, tokens) in try LlamaVocabularyTests.goldens(name) {
            var assembler = TextAssembler(stops: [])
            var shown = ""
            for token in tokens {
                let part = assembler.append(tokenizer.bytes(of: token)).text
                #expect(!part.unicodeScalars.contains("\u{fffd}"))
                shown += part
            }
            shown += assembler.finish()
            #expect(Array(shown.utf8) == tokens.flatMap(tokenizer.bytes))
        }
    }

    /// Quadratic steps would take minutes here.
    @Test(arguments: ["llama-spm", "gemma-4", "deepseek-llm", "nomic-bert-moe"])
    func muchOfOneThing(name: String) throws {
        let tokenizer = try vocabulary(name)
        for unit in ["a", " ", "\n", "中", "<", "<unused", "\u{301}", "ab1 "] {
            let text = String(repeating: unit, count: (1 << 18) / unit.utf8.count)
            let tokens = tokenizer.encode(text, special: true)
            #expect(name == "nomic-bert-moe" || tokenizer.decode(tokens, special: false) == text)
        }
    }

    @Test func controlTokensAreFoundOnlyWhereTheyMayBe() throws {
        let tokenizer = try vocabulary("phi-3")
        let text = "<|user|>\nSay <|end|> twice<|end|>\n<|assistant|>\n"
        let user = try #require(text.range(of: "Say <|end|> twice"))
        let (start, end) = (text.utf8.distance(from: text.startIndex, to: user.lowerBound), text.utf8.distance(from: text.startIndex, to: user.upperBound))
        let tokens = tokenizer.encode(text, control: [0..<start, end..<text.utf8.count])
        // The last is Phi 3's assistant token: what white space follows such a token is no part of the prompt.
        #expect(tokens.filter { tokenizer.bytes(of: $0).isEmpty } == [32010, 32007, 32001])
        #expect(tokens.dropFirst().prefix(2).elementsEqual(tokenizer.encode("Say <", special: false)))
        // A token that begins in text that may steer and ends in text that may not is not found.
        #expect(!tokenizer.encode("<|end|>", control: [0..<4]).contains(32007))
        #expect(tokenizer.decode([32010, 15043], special: true) == "<|user|>Hello")
    }

    @Test func inputsBeginAndEndAsTheFileSays() throws {
        #expect(try vocabulary("llama-spm").encodeForModel("Hello") == [1, 15043])
        #expect(try vocabulary("gemma-4").encodeForModel("Hello").first == 2)
        #expect(try vocabulary("llama-bpe").encodeForModel("Hello") == [128000, 9906])
        #expect(try vocabulary("qwen2").encodeForModel("Hello") == [9707])
        #expect(try vocabulary("bert-bge").encodeForModel("hello") == [101, 7592, 102])
        #expect(try vocabulary("nomic-bert-moe").encodeForModel("Hello") == [0, 35378, 2])
    }

    private func vocabulary(_ name: String) throws -> any Tokenizer { try LlamaVocabularyTests.vocabulary(name) }

    static func vocabulary(_ name: String) throws -> any Tokenizer {
        try makeTokenizer(from: GGUFFile(path: path("ggml-vocab-\(name).gguf")).metadata)
    }

    private static func path(_ file: String) -> String { "\(llamaSource ?? "")/models/\(file)" }

    private static func goldens(_ name: String) throws -> [(text: String, tokens: [Token])] {
        let input = try String(contentsOfFile: path("ggml-vocab-\(name).gguf.inp"), encoding: .utf8)
        let output = try String(contentsOfFile: path("ggml-vocab-\(name).gguf.out"), encoding: .utf8)
        let texts = input.components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = output.components(separatedBy: "\n").dropLast()
        // The input ends with a separator.
        try #require(texts.count == lines.count + 1 || texts.count == lines.count)
        return zip(texts, lines).map { ($0, $1.split(separator: " ").compactMap { Token($0) }) }
    }
}

/// The folder that holds llama.cpp's `models`.
let llamaSource = ProcessInfo.processInfo.environment["SWIFTLET_LLAMA_SOURCE"]
