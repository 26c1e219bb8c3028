import Grammar
import Testing
import Wire

/// Damaged texts give an error or a grammar, never a crash; what is accepted can be used.
@Suite struct FuzzTests {
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

    @Test func damagedGrammars() {
        var dice = Dice(state: 1)
        for _ in 0..<5000 {
            let text = mutated(Self.grammars.randomElement(using: &dice) ?? "", Self.grammars, &dice)
            if let grammar = try? grammar(text) { use(grammar, &dice) }
        }
    }

    @Test func damagedSchemas() {
        var dice = Dice(state: 2)
        for _ in 0..<5000 {
            let text = mutated(Self.schemas.randomElement(using: &dice) ?? "", Self.schemas, &dice)
            if let grammar = try? schema(text) { use(grammar, &dice) }
        }
    }
}
