import Grammar
import Testing

@Suite struct GBNFTests {
    struct Case: CustomTestStringConvertible {
        let grammar: String
        let allowed: [String]
        let refused: [String]
        var testDescription: String { grammar }
    }

    /// Most are from the notation's own documentation and tests in llama.cpp (grammars/README.md, tests/test-grammar-integration.cpp).
    static let cases: [Case] = [
        Case(
            grammar: "root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= number\nnumber ::= [0-9]+",
            allowed: ["42", "1+2+3+4+5", "123+456"], refused: ["+", "/ 3", "1+2+3+4+5+", "12a45", ""]),
        Case(
            grammar: """
                # arithmetic
                root  ::= (expr "=" term "\\n")+
                expr  ::= term ([-+*/] term)*
                term  ::= num | "(" expr ")"  # nested
                num   ::= [0-9]+
                """,
            allowed: ["(((1+(2))*3)-4)=1\n", "1=1\n2-1=1\n"], refused: ["1=1", "((1=1\n", "1==1\n"]),
        Case(grammar: #"root ::= "a"*"#, allowed: ["", "a", "aaaa"], refused: ["b", "ab"]),
        Case(grammar: #"root ::= "a"+ "b"?"#, allowed: ["a", "aab"], refused: ["", "b", "abb"]),
        Case(grammar: #"root ::= "a"{3} | "b"{2,} | "c"{,2}"#, allowed: ["aaa", "bb", "bbbbb", "", "cc"], refused: ["aa", "aaaa", "b", "ccc"]),
        Case(grammar: #"root ::= ("ab" | [c-e]){2,3} "." "#, allowed: ["abab.", "cde.", "abcab."], refused: ["ab.", "cdecd.", "aab."]),
        Case(grammar: #"root ::= [^\n"]+ "\"" "\x41" "\u00e9" "\U0001F600""#, allowed: ["héllo\"Aé😀"], refused: ["a\nb\"Aé😀", "\"Aé😀"]),
        Case(grammar: #"root ::= ... [\]\-^a]"#, allowed: ["日本語]", "abc-", "ab😀^"], refused: ["日本]", "abcb"]),
        Case(grammar: "root ::= [あ-ん]+ \"。\"", allowed: ["ひらがな。"], refused: ["ヒ。", "。"]),
        Case(grammar: "root ::= a |\n  b\na ::= \"x\"\nb ::= (\n \"y\"\n \"z\" )", allowed: ["x", "yz"], refused: ["y", "xyz"]),
        Case(grammar: "root ::= list\nlist ::= \"x\" list?", allowed: ["x", String(repeating: "x", count: 5000)], refused: ["", "xy"]),
        Case(grammar: "root ::= \"(\" root \")\" | \"\"", allowed: ["", "()", "((()))"], refused: ["(", "(()", "())"]),
        Case(grammar: "root ::= (\"a\"* \"b\"*)* \"c\"", allowed: ["c", "ababbac"], refused: ["", "abca"]),
        Case(grammar: "root ::= \"abc\" | \"abd\" | \"ab\" | \"\" | \"abcabc\"", allowed: ["abc", "abd", "ab", "", "abcabc"], refused: ["a", "abca"]),
    ]

    @Test(arguments: cases) func language(_ example: Case) throws {
        let grammar = try grammar(example.grammar)
        for text in example.allowed { #expect(grammar.allows(text), "\(text) should fit") }
        for text in example.refused { #expect(!grammar.allows(text), "\(text) should not fit") }
    }

    static let mistaken: [(String, String)] = [
        ("", "no rule 'root'"), ("root ::= a", "'a'"), ("a ::= \"x\"", "no rule 'root'"), ("root = \"a\"", "line 1"), ("root ::= \"a", "has no end"),
        ("root ::= (\"a\"", "parenthesis"), ("root ::= [z-a]", "backwards"), ("root ::= \"\\q\"", "no escape"), ("root ::= \"a\"{3,2}", "below"),
        ("root ::= \"a\"{9999999}", "repetition"), ("root ::= \"a\"\nroot ::= \"b\"", "twice"), ("root ::= <think> \"a\"", "single tokens"),
        ("root ::= \"a\"\n\nx ::= \"b\" )", "line 3"), ("root ::= [^\\U00000000-\\U0010FFFF]", "allows nothing"),
        ("root ::= root \"a\" | \"a\"", "begin with itself"), ("root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a", "begin with itself"),
        ("root ::= \"a\"{50000} \"b\"{50000} (\"c\" [^a]){50000}", "too large"), ("root ::= " + String(repeating: "(", count: 5000), "nested"),
    ]

    @Test(arguments: mistaken)
    func mistakes(text: String, reason: String) {
        #expect { try grammar(text) } throws: { error in "\(error)".contains(reason) }
    }
}
