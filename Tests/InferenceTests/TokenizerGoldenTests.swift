import Foundation
import Inference
import Testing

/// Against the `tokenizers` library: `make_fixtures.py` wrote what it makes of hundreds of texts.
@Suite struct TokenizerGoldenTests {
    struct Golden: Decodable {
        var text: String
        var bytePair: [Token]
        var bytePairSpecial: [Token]?
        var wordPiece: [Token]
        var wordPieceSpecial: [Token]?
    }

    static let goldens: [Golden] = {
        let lines = (try? String(contentsOfFile: fixture("tokenizers.jsonl"), encoding: .utf8)) ?? ""
        return lines.utf8.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Golden.self, from: Data($0)) }
    }()

    @Test func theFixtureIsThere() {
        #expect(Self.goldens.count > 500)
    }

    @Test func bytePairs() throws {
        let tokenizer = try makeTokenizer(from: GGUFFile(path: fixture("demo-vocabulary.gguf")).metadata)
        for golden in Self.goldens {
            #expect(tokenizer.encode(golden.text, special: false) == golden.bytePair, "\(golden.text.debugDescription)")
            #expect(tokenizer.encode(golden.text, special: true) == golden.bytePairSpecial ?? golden.bytePair, "\(golden.text.debugDescription)")
            // Without control tokens nothing is lost.
            #expect(golden.bytePair.flatMap(tokenizer.bytes) == Array(golden.text.utf8))
        }
    }

    @Test func wordPieces() throws {
        let tokenizer = try makeTokenizer(from: GGUFFile(path: fixture("bert-vocabulary.gguf")).metadata)
        for golden in Self.goldens {
            #expect(tokenizer.encode(golden.text, special: false) == golden.wordPiece, "\(golden.text.debugDescription)")
            #expect(tokenizer.encode(golden.text, special: true) == golden.wordPieceSpecial ?? golden.wordPiece, "\(golden.text.debugDescription)")
        }
    }

    /// Against the regular expressions of the families' tokenizer.json files, as the `tokenizers` library runs them.
    @Test(arguments: PreTokenizer.all.map { $0.names[0] })
    func words(name: String) throws {
        let words = try JSONDecoder().decode([String: [[Int]]].self, from: Data(contentsOf: URL(fileURLWithPath: fixture("words.json"))))
        let expected = try #require(words[name])
        try #require(expected.count == Self.goldens.count)
        let splitter = try #require(PreTokenizer.named(name)).splitter()
        for (golden, lengths) in zip(Self.goldens, expected) {
            let bytes = Array(golden.text.utf8)
            var found: [Int] = []
            splitter.split(bytes, in: bytes.indices) { found.append($0.count) }
            #expect(found == lengths, "\(golden.text.debugDescription)")
        }
    }
}

/// The path of a file in `Fixtures`.
func fixture(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(name)").path
}
