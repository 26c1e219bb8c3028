import Grammar
import Testing
import Wire

@Suite struct PatternTests {
    private static let patterns = [
        "^abc$", "abc", "^a|b$", "^(a|bc)+$", "^[a-c]{2,3}$", "^[^a-c]*$", "^a.c$", #"^\d+(\.\d+)?$"#, #"^\w+\s\w+$"#, #"^\S*$"#, "^a*?b+?$", "^(?:ab){2}$", "^x{0,2}y?$",
        #"^[\d\-x]+$"#, #"^\[a\]\{2\}$"#, "", "^$", "b$", "^a", "^(a|)b$", "^é+$", #"^[\u00e0-\u00ff]$"#, "^a{2}b{1,}$",
    ]
    private static let texts = [
        "", "a", "b", "c", "ab", "abc", "xabcx", "bc", "abcbc", "aa", "bb", "abab", "aaa", "d", "de", "12", "12.5", "12.", "-1", "x-1", "foo bar", "foo  bar", "aab", "xxy", "xy",
        "[a]{2}", "é", "éé", "à", "ac", "a\nc", "aXc", "ÿ", "aabb", "aabbb", "日本", " ",
    ]

    /// Compared with Swift's own regular expressions.
    @Test(arguments: patterns) func language(pattern: String) throws {
        let reference = try Regex(pattern).asciiOnlyCharacterClasses()
        let grammar = try schema(#"{"type":"string","pattern":\#(String(decoding: JSON.encode(pattern), as: UTF8.self))}"#)
        for text in Self.texts {
            let written = try String(decoding: JSON.encode(text), as: UTF8.self)
            #expect(grammar.allows(written) == (try reference.firstMatch(in: text) != nil), "\(written) in \(pattern)")
        }
    }
}
