import Grammar
import Testing
import Wire

@Suite struct TokenMaskTests {
    /// Words, their beginnings and mixtures across the borders of JSON's parts, and every byte.
    private static let pieces: [[UInt8]] = {
        let texts: [String] = [
            "{\"", "\":", "\": ", "\": \"", "\", \"", "\"}", "\"]}", "}}", "]]", "[[", "{}", "[]", "\",", "\"\n", "\n  ", "true", "tru", "alse", "null", "nul",
            "10", "-1", "0.", ".5", "e+", "name", "na", "me", "age", "name\":", "city\": \"", "é", "日本", "\\n", "\\\"", "\\u00", "a\"b", ", ", ",\"", "12}", "12, \"", "x", "xx", "xxx", "xxxx",
        ]
        let bytes: [[UInt8]] = (0..<256).map { [UInt8($0)] }
        let broken: [[UInt8]] = [[0xe6, 0x97], [0x97, 0xa5], [0xa5, 0x22]]
        return bytes + texts.map { Array($0.utf8) } + broken
    }()

    private let trie = TokenTrie(
        vocabularyCount: pieces.count + 2, bytes: { Int($0) < pieces.count ? pieces[Int($0)] : [] }, ends: { Int($0) == pieces.count })

    private static let schemas: [String] = [
        #"{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"city":{"type":"string","maxLength":9}},"required":["name"],"additionalProperties":false}"#,
        ##"{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"x":{"type":"array","items":{"$ref":"#/$defs/n"}},"xx":{"type":["number","null"]}},"required":["x","xx"]}}}"##,
        #"{"type":"array","items":{"anyOf":[{"enum":["x","xx","xxx","日本"]},{"type":"boolean"},{"const":null},{"type":"string","pattern":"^x+é?$"}]}}"#,
        #"{}"#,
    ]

    /// Whatever way a text was begun, exactly the tokens that the mask has can follow.
    @Test(arguments: schemas) func maskIsWhatTheMatcherAccepts(schema: String) throws {
        let grammar = try CompiledGrammar(schema: OrderedJSON(parsing: schema.utf8), for: trie)
        var dice = Dice(state: 7)
        for _ in 0..<20 {
            var matcher = GrammarMatcher(grammar)
            for _ in 0..<60 {
                let mask = matcher.allowedTokens
                var allowed: [Int32] = []
                for token in 0..<Int32(trie.vocabularyCount) {
                    var next = matcher
                    let accepts = next.accept(token)
                    #expect(accepts == mask.contains(token), "token \(token)")
                    if accepts, Int(token) < Self.pieces.count { allowed.append(token) }
                }
                // Longer tokens more often, so that texts come forward.
                guard let token = allowed.max(by: { _, _ in Bool.random(using: &dice) }), matcher.accept(token) else { break }
            }
        }
    }

    @Test func deepStacksAreSharedAndReturnToTheirCallers() throws {
        let grammar = try grammar("root ::= \"(\" root \")\" | \"[\" root \"]\" | \"x\"")
        var matcher = GrammarMatcher(grammar)
        let opened = matcher.accept((String(repeating: "([", count: 2000) + "x").utf8)
        #expect(opened)
        for closing in (0..<4000).map({ $0.isMultiple(of: 2) ? "]" : ")" }) {
            let mask = matcher.allowedTokens
            #expect(mask.contains(Int32(Character(closing).asciiValue!)))
            #expect(!mask.contains(Int32(Character(closing == "]" ? ")" : "]").asciiValue!)))
            let closed = matcher.accept(closing.utf8)
            #expect(closed)
        }
        #expect(matcher.canEnd && matcher.allowedTokens.contains(256))
    }

    @Test func aRefusedTokenChangesNothing() throws {
        let grammar = try grammar("root ::= \"ab\"")
        var matcher = GrammarMatcher(grammar)
        let refused = [matcher.accept("ac".utf8), matcher.accept(256), matcher.accept(-1), matcher.accept(9999)]
        #expect(!refused.contains(true))
        let goesOn = matcher.accept("ab".utf8)
        #expect(goesOn && matcher.canEnd)
        let isOver = (matcher.accept("a".utf8), matcher.accept(256))
        #expect(isOver == (false, true))
    }

    @Test func excludedScoresBecomeImpossible() throws {
        let grammar = try grammar("root ::= [b-d]")
        var scores = [Float](repeating: 1, count: 300)
        let mask = GrammarMatcher(grammar).allowedTokens
        scores.withUnsafeMutableBufferPointer { mask.apply(to: $0) }
        #expect(scores.indices.filter { scores[$0] == 1 } == [98, 99, 100])
        #expect(scores.allSatisfy { $0 == 1 || $0 == -.infinity })
    }

    /// A grammar that is at exponentially many places at once ends in a refusal, soon.
    @Test func ambiguityIsBounded() throws {
        let grammar = try grammar("root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"a\" s \"z\" | \"b\"")
        var matcher = GrammarMatcher(grammar)
        let follows = matcher.accept(String(repeating: "a", count: 1000).utf8)
        #expect(!follows)
        let short = matcher.accept("aabxy".utf8)
        #expect(short && matcher.canEnd)
    }

    /// What came before in one text is not worked out for the next, however deep it is nested.
    @Test(arguments: schemas) func masksAreWorkedOutOnce(schema: String) throws {
        let grammar = try CompiledGrammar(schema: OrderedJSON(parsing: schema.utf8), for: trie)
        func walk() -> Int {
            var dice = Dice(state: 3)
            var matcher = GrammarMatcher(grammar)
            var steps = 0
            for _ in 0..<120 {
                let mask = matcher.allowedTokens
                let allowed = (0..<Int32(Self.pieces.count)).filter(mask.contains)
                guard let token = allowed.randomElement(using: &dice), matcher.accept(token) else { break }
                steps += 1
            }
            return steps
        }
        let steps = walk()
        let before = grammar.masksWorkedOut
        #expect(before <= steps + 1 && steps > 0)
        #expect(walk() == steps && grammar.masksWorkedOut == before)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 128, 300]) func masksOfAnyLengthApply(padding: Int) throws {
        let grammar = try grammar("root ::= [\\x00-\\x7f]")
        let mask = GrammarMatcher(grammar).allowedTokens
        var scores = [Float](repeating: 1, count: 257 + padding)
        scores.withUnsafeMutableBufferPointer { mask.apply(to: $0) }
        #expect(scores.indices.filter { scores[$0] == 1 } == Array(0..<128))
    }
}
