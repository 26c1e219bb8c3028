import Testing
import Wire

@Suite struct OrderedJSONTests {
    private func parse(_ text: String) throws -> OrderedJSON { try OrderedJSON(parsing: text.utf8) }

    @Test func membersKeepTheirOrder() throws {
        let value = try parse(#" {"z": 1, "a": {"y": null, "b": [true, false]}, "m": -2.5e1, "z": 3} "#)
        #expect(value.members?.map(\.name) == ["z", "a", "m"])
        #expect(value["z"] == .integer(3))
        #expect(value["a"]?.members?.map(\.name) == ["y", "b"])
        #expect(value["a"]?["b"] == .array([.bool(true), .bool(false)]))
        #expect(value["m"] == .number(-25))
    }

    @Test func numbersThatDoNotFitAreDoubles() throws {
        #expect(try parse("9223372036854775807") == .integer(.max))
        #expect(try parse("9223372036854775808") == .number(0x1p63))
        #expect(try parse("-0") == .integer(0))
        #expect(try parse("1.0") == .number(1))
    }

    @Test func stringsAreUnescaped() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\té€😀""#) == .string("\"\\/\u{8}\u{c}\n\r\té€😀"))
        #expect(try parse(#""\ud83d x \ude00""#) == .string("\u{fffd} x \u{fffd}"))
        #expect(try parse(#""\ud83d\u0041""#) == .string("\u{fffd}A"))
    }

    @Test(arguments: [
        "", " ", "{", "[1,", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", "1e", "+1", "tru", "nul", "\"a", "\"\\x\"", "\"\\u12g4\"",
        "\"\u{1}\"", "1 2", "1e999", "[1}", "{\"a\":1]", String(repeating: "[", count: 501),
    ])
    func anythingElseIsRefused(text: String) {
        #expect(throws: APIError.self) { try parse(text) }
    }

    @Test func deepNestingIsRefusedAndWhatIsAllowedParses() throws {
        #expect(try parse(String(repeating: "[", count: 500) + String(repeating: "]", count: 500)).array?.count == 1)
        #expect(throws: APIError.self) { try parse(String(repeating: "{\"a\":", count: 100_000)) }
    }

    @Test func brokenUTF8IsRefused() {
        #expect(throws: APIError.self) { try OrderedJSON(parsing: [0x22, 0xff, 0x22]) }
    }
}
