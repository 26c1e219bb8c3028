import Grammar
import TestSupport
import Testing
import Wire

/// Damaged texts give an error or a grammar, soon and in bounded memory; what is accepted can be used.
@Suite(.serialized) struct FuzzTests {
    private static let grammars = GBNFTests.cases.map(\.grammar)
    private static let schemas = JSONSchemaTests.cases.map(\.schema)

    private func mutated(_ text: String, _ others: [String], _ dice: inout Dice) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
            let place = Int.random(in: 0...bytes.count, using: &dice)
            switch Int.random(in: 0..<5, using: &dice) {
            case 0 where place < bytes.count: bytes.remove(at: place)
            case 1: bytes.insert("()[]{}|*+?\"\\:,^$-0a~#/ \n".utf8.randomElement(using: &dice) ?? 0, at: place)
            case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &dice)
            case 3:
                let other = Array((others.randomElement(using: &dice) ?? "").utf8)
                bytes.insert(contentsOf: other.prefix(Int.random(in: 0...other.count, using: &dice)), at: place)
            default:
                let end = Int.random(in: place...bytes.count, using: &dice)
                bytes.append(contentsOf: bytes[place..<end])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func use(_ grammar: CompiledGrammar, _ dice: inout Dice) {
        var matcher = GrammarMatcher(grammar)
        for _ in 0..<20 {
            let mask = matcher.allowedTokens
            let allowed = (0..<Int32(256)).filter(mask.contains)
            guard let token = allowed.randomElement(using: &dice) else { break }
            // A grammar that is at too many places at once is not followed further.
            guard matcher.accept(token) else { break }
        }
    }

    @Test func damagedGrammars() throws {
        try staysWithinBounds(Dice(state: 1), of: Self.grammars, grammar)
    }

    @Test func damagedSchemas() throws {
        try staysWithinBounds(Dice(state: 2), of: Self.schemas, schema)
    }

    private func staysWithinBounds(_ dice: Dice, of texts: [String], _ compile: (String) throws -> CompiledGrammar) throws {
        var dice = dice
        let bounds = Bounds()
        var compiled = 0
        for _ in 0..<10_000 {
            // One in eight is not a damaged text, but random characters that have a meaning in one.
            let text = Int.random(in: 0..<8, using: &dice) > 0
                ? mutated(texts.randomElement(using: &dice) ?? "", texts, &dice)
                : String((0..<Int.random(in: 0...200, using: &dice)).map { _ in "root::=()[]{}|*+?\"\\,:^$-09a~# \n".randomElement(using: &dice) ?? "x" })
            let start = Bounds.processorTime
            if let grammar = try? compile(text) {
                compiled += 1
                use(grammar, &dice)
            }
            #expect(Bounds.processorTime - start < 1, "\(text.debugDescription)")
        }
        #expect((500..<9500).contains(compiled))
        #expect(try bounds.growth() < 256 << 20)
    }
}
