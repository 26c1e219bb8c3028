import Grammar
import Testing
import Wire

@Suite struct JSONSchemaTests {
    struct Case: CustomTestStringConvertible {
        let schema: String
        let allowed: [String]
        let refused: [String]
        var testDescription: String { schema }
    }

    static let cases: [Case] = [
        Case(
            schema: #"{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"string"}},"required":["b","a"],"additionalProperties":false}"#,
            allowed: [#"{"b":1,"a":"x"}"#, #"{ "b": -20, "a": "" }"#, "{\n  \"b\": 1,\n  \"a\": \"é😀\\n\\u00e9\\ud83d\\ude00\"\n}"],
            refused: [#"{"a":"x","b":1}"#, #"{"b":1}"#, #"{"b":01,"a":""}"#, #"{"b":1.5,"a":""}"#, #"{"b":1,"a":"\#n"}"#, #"{"b":1,"a":"\ud83d"}"#, #"{"b":1,"a":"","c":1}"#, #"{"b":1,"a":""}x"#]),
        Case(
            schema: #"{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"},"c":{"type":"null"}},"required":["b"]}"#,
            allowed: [#"{"b":null}"#, #"{"a":null,"b":null}"#, #"{"b":null,"c":null}"#, #"{"a":null,"b":null,"c":null}"#],
            refused: ["{}", #"{"a":null}"#, #"{"a":null,"c":null}"#, #"{,"b":null}"#, #"{"b":null,}"#, #"{"c":null,"b":null}"#]),
        Case(
            schema: #"{"type":"object","properties":{"ab":{"type":"boolean"}},"additionalProperties":{"type":"integer"}}"#,
            allowed: ["{}", #"{"ab":true}"#, #"{"ab":false,"a":1,"abc":2,"":3}"#, #"{"x":1}"#], refused: [#"{"ab":1}"#, #"{"x":true}"#, #"{"x":1,"ab":2}"#]),
        Case(schema: #"{"type":"object"}"#, allowed: ["{}", #"{"a":[1,{"b":null}],"c":-1.5e-3}"#], refused: ["[]", "{", #"{"a"}"#]),
        Case(schema: #"{"type":"object","properties":{},"additionalProperties":false}"#, allowed: ["{}", "{ }"], refused: [#"{"a":1}"#]),
        Case(schema: #"{"enum":["a\"b","c",1,null,[1,"x"],{"k":true}]}"#, allowed: [#""a\"b""#, #""c""#, "1", "null", #"[1, "x"]"#, #"{"k":true}"#], refused: [#""a""#, "2", "[1]"]),
        Case(schema: #"{"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":3}"#, allowed: ["[true]", "[true, false, true]"], refused: ["[]", "[true,true,true,true]", "[true,]", "[1]"]),
        Case(schema: #"{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}"#, allowed: [#"["a",1]"#], refused: [#"["a"]"#, #"["a",1,2]"#, #"[1,"a"]"#]),
        Case(schema: #"{"type":["string","null"],"minLength":2,"maxLength":3}"#, allowed: ["null", #""ab""#, #""日本語""#, #""\n\n""#], refused: [#""a""#, #""abcd""#]),
        Case(
            schema: ##"{"anyOf":[{"$ref":"#/$defs/leaf"},{"$ref":"#/$defs/node"}],"$defs":{"leaf":{"type":"integer"},"node":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#"}}},"required":["kids"],"additionalProperties":false}}}"##,
            allowed: ["7", #"{"kids":[1,{"kids":[]},{"kids":[{"kids":[2]}]}]}"#], refused: [#"{"kids":["a"]}"#, #"{"kids":[}"#]),
        Case(schema: #"{"type":"string","pattern":"^[A-Z]{2}\\d+$"}"#, allowed: [#""AB1""#, #""XY007""#], refused: [#""A1""#, #""AB""#, #""AB1 ""#]),
        Case(schema: #"{"type":"string","pattern":"a\"|\\\\|\\t"}"#, allowed: [#""a\"""#, #""x\\y""#, #""\t""#], refused: [#""ab""#, #""""#]),
        Case(schema: #"{"type":"string","format":"date"}"#, allowed: [#""2026-11-21""#], refused: [#""2026-13-01""#, #""2026-02-30""#, #""21.11.2026""#]),
        Case(schema: #"{"type":"string","format":"date-time"}"#, allowed: [#""2026-11-21T09:04:02Z""#, #""2026-11-21T09:04:02.5+01:00""#], refused: [#""2026-11-21 09:04""#, #""2026-11-21T25:04:02Z""#]),
        Case(schema: #"{"type":"string","format":"uuid"}"#, allowed: [#""0190163d-8694-739b-aea5-966c26f8ad91""#], refused: [#""0190163d""#]),
        Case(schema: #"{"type":"string","format":"ipv4"}"#, allowed: [#""192.168.0.255""#], refused: [#""256.1.1.1""#, #""1.2.3""#]),
        Case(schema: #"{"type":"string","format":"email"}"#, allowed: [#""a.b+c@example.co.uk""#], refused: [#""a@b""#, #""a b@c.de""#]),
        Case(schema: #"{"type":"string","format":"duration"}"#, allowed: [#""P1Y2M3DT4H5M6S""#, #""PT5M""#, #""P3W""#], refused: [#""P""#, #""PT""#, #""5M""#]),
        Case(schema: #"{"type":"integer","multipleOf":7}"#, allowed: ["0", "7", "-14", "7777", "100002"], refused: ["1", "8", "100003", "07", ""]),
        Case(schema: #"{"type":"number","multipleOf":0.01}"#, allowed: ["0", "1.25", "-3.5"], refused: ["1.255", "1."]),
        Case(schema: #"{"allOf":[{"type":"boolean"}],"title":"T","description":"D","default":true}"#, allowed: ["true"], refused: ["1"]),
        Case(schema: "true", allowed: ["1", "[[]]", "{}", #""x""#], refused: ["", "x"]),
    ]

    @Test(arguments: cases) func language(_ example: Case) throws {
        let grammar = try schema(example.schema)
        for text in example.allowed { #expect(grammar.allows(text), "\(text) should fit") }
        for text in example.refused { #expect(!grammar.allows(text), "\(text) should not fit") }
    }

    static let mistaken: [(String, String)] = [
        (#"{"type":"strin"}"#, "no type 'strin'"), (#"{"type":"object","patternProperties":{}}"#, "'patternProperties'"), (#"{"not":{}}"#, "'not'"),
        (##"{"$ref":"https://example.com/x"}"##, "point into"), (##"{"$ref":"#/$defs/a"}"##, "not there"), (##"{"type":"string","pattern":"(?=a)b"}"##, "look-around"),
        (#"{"type":"string","pattern":"(a"}"#, "no ')'"), (#"{"type":"string","format":"color"}"#, "'color'"), (#"{"enum":[]}"#, "'enum'"), ("false", "nothing fits"), ("3", "is an object"),
        (#"{"type":"object","properties":{"a":{}},"required":["b"]}"#, "'b'"), (#"{"type":"integer","minimum":5,"maximum":4}"#, "no number"),
        (#"{"type":"string","minLength":3,"maxLength":2}"#, "above"), (#"{"type":"array","uniqueItems":true}"#, "'uniqueItems'"), (#"{"type":"string","minLength":-1}"#, "'minLength'"),
        (##"{"anyOf":[{"type":"object","properties":{"x":{"type":"strin"}}}]}"##, "#/anyOf/0/properties/x"), (##"{"$ref":"#"}"##, "itself"),
        (##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##, "itself"),
    ]

    @Test(arguments: mistaken)
    func mistakes(text: String, reason: String) {
        #expect { try schema(text) } throws: { error in "\(error)".contains(reason) }
    }

    /// Compared with arithmetic on every number of a grid.
    @Test(arguments: [
        (-12.0, 105.0), (0, 9), (1, 1), (-7.5, -2.25), (99, 101), (0.5, 3), (-0.125, 0.125), (10, nil), (nil, -10), (nil, 25.5), (1000, 20000), (0, 0), (-3, nil),
    ] as [(Double?, Double?)])
    func numbersBetweenBounds(low: Double?, high: Double?) throws {
        for isExclusive in [false, true] {
            func bounds(_ isInteger: Bool) -> String {
                let words = isExclusive ? ("exclusiveMinimum", "exclusiveMaximum") : ("minimum", "maximum")
                let parts = [low.map { "\"\(words.0)\":\($0)" }, high.map { "\"\(words.1)\":\($0)" }].compactMap { $0 }
                return #"{"type":"\#(isInteger ? "integer" : "number")",\#(parts.joined(separator: ","))}"#
            }
            func isInside(_ value: Double) -> Bool {
                if isExclusive { return (low.map { value > $0 } ?? true) && (high.map { value < $0 } ?? true) }
                return (low.map { value >= $0 } ?? true) && (high.map { value <= $0 } ?? true)
            }
            let integers = try? schema(bounds(true))
            let numbers = try? schema(bounds(false))
            for eighth in -130 * 8...130 * 8 {
                let value = Double(eighth) / 8
                let text = value == value.rounded() ? String(Int(value)) : value.description
                #expect((numbers?.allows(text) ?? false) == isInside(value), "\(text) in \(bounds(false))")
                if eighth.isMultiple(of: 8) {
                    #expect((integers?.allows(text) ?? false) == isInside(value), "\(text) in \(bounds(true))")
                    #expect(!(integers?.allows(text + ".0") ?? false))
                    #expect((numbers?.allows(text + ".000") ?? false) == isInside(value), "\(text).000")
                }
            }
            for value in [1000, 1001, 9999, 15000, 20000, 20001, 100_000] {
                #expect((integers?.allows(String(value)) ?? false) == isInside(Double(value)), "\(value) in \(bounds(true))")
            }
        }
    }
}
