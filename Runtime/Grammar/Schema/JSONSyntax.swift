/// The pieces that all JSON texts are made of, as rules that are added when first used.
struct JSONSyntax {
    private(set) var rules = RuleSet()
    private var numbers: [String: Int] = [:]

    init() { _ = rules.add("root") }

    mutating func setRoot(_ expression: Expression) { rules[0] = expression }

    /// A rule that is made once; `make` may call it, since its number is known before.
    mutating func rule(
        _ name: String, _ make: (inout JSONSyntax) throws(GrammarError) -> Expression
    ) throws(GrammarError) -> Expression {
        if let number = numbers[name] { return .rule(number) }
        let number = rules.add(name)
        numbers[name] = number
        rules[number] = try make(&self)
        return .rule(number)
    }

    /// A rule of its own for one use.
    mutating func newRule(_ name: String) -> Int { rules.add(name) }
    mutating func define(_ number: Int, _ expression: Expression) { rules[number] = expression }

    private mutating func fixed(_ name: String, _ expression: Expression) -> Expression {
        if let number = numbers[name] { return .rule(number) }
        let number = rules.add(name, expression)
        numbers[name] = number
        return .rule(number)
    }

    // MARK: Space

    /// None, one space, or a line's end with its indentation: enough for every usual style, and no room to wander off in.
    mutating func space() -> Expression {
        fixed("space", .choice([
            .empty, .text(" "), .sequence([.text("\n"), .repeated(.character(ScalarSet(" \t")), atLeast: 0, atMost: 40)]),
        ]))
    }

    // MARK: Texts

    /// One character of a string's value, as JSON writes it: itself, or an escape where it must be one.
    static func written(_ set: ScalarSet) -> Expression {
        let mustEscape = ScalarSet([0x00...0x1f, 0x22...0x22, 0x5c...0x5c])
        var choices: [Expression] = []
        let plain = set.subtracting(mustEscape)
        if !plain.isEmpty { choices.append(.character(plain)) }
        for (scalar, text) in shortEscapes where set.contains(scalar) { choices.append(.text("\\" + text)) }
        for scalar in UInt32(0)..<0x20 where set.contains(scalar) && !shortEscapes.contains(where: { $0.0 == scalar }) {
            choices.append(.text("\\u00\(scalar < 16 ? "0" : "")\(String(scalar, radix: 16))"))
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private static let shortEscapes: [(UInt32, String)] = [
        (0x22, "\""), (0x5c, "\\"), (0x08, "b"), (0x0c, "f"), (0x0a, "n"), (0x0d, "r"), (0x09, "t"),
    ]

    /// Any character of a string, also as `\u` and four digits; surrogates only in pairs.
    mutating func character() -> Expression {
        let hexadecimal = Expression.character(ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66]))
        let notD = Expression.character(ScalarSet([0x30...0x39, 0x41...0x43, 0x45...0x46, 0x61...0x63, 0x65...0x66]))
        let d = Expression.character(ScalarSet("dD"))
        func digits(_ count: Int) -> Expression { .repeated(hexadecimal, atLeast: count, atMost: count) }
        return fixed("character", .choice([
            .character(ScalarSet([0x20...0x21, 0x23...0x5b, 0x5d...0x10ffff])),
            .sequence([.text("\\"), .character(ScalarSet("\"\\/bfnrt"))]),
            .sequence([.text("\\u"), .choice([
                .sequence([notD, digits(3)]),
                .sequence([d, .character(ScalarSet("01234567")), digits(2)]),
                .sequence([d, .character(ScalarSet("89abAB")), digits(2), .text("\\u"), d, .character(ScalarSet("cdefCDEF")), digits(2)]),
            ])]),
        ]))
    }

    mutating func string(atLeast: Int = 0, atMost: Int? = nil) -> Expression {
        let character = character()
        let name = atLeast == 0 && atMost == nil ? "string" : "string-\(atLeast)-\(atMost.map(String.init) ?? "")"
        return fixed(name, .sequence([.text("\""), .repeated(character, atLeast: atLeast, atMost: atMost), .text("\"")]))
    }

    /// The text `value` in quotes.
    static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            if let (_, escape) = shortEscapes.first(where: { $0.0 == scalar.value }) {
                text += "\\" + escape
            } else if scalar.value < 0x20 {
                text += "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    // MARK: Numbers

    static let digit = Expression.character(.digits)

    /// A whole number without sign or leading zeros; up to 18 digits, so that every reader can hold it.
    static let natural = Expression.choice([
        .text("0"), .sequence([.character(ScalarSet([0x31...0x39])), .repeated(digit, atLeast: 0, atMost: 17)]),
    ])

    mutating func integer() -> Expression { fixed("integer", .sequence([.optional(.text("-")), Self.natural])) }

    mutating func number() -> Expression {
        let exponent = Expression.sequence([
            .character(ScalarSet("eE")), .optional(.character(ScalarSet("+-"))), .character(.digits), .optional(Self.digit),
        ])
        return fixed("number", .sequence([
            .optional(.text("-")), Self.natural, .optional(.sequence([.text("."), .repeated(Self.digit, atLeast: 1, atMost: 17)])),
            .optional(exponent),
        ]))
    }

    // MARK: Values

    mutating func boolean() -> Expression { fixed("boolean", .choice([.text("true"), .text("false")])) }

    mutating func anyValue() throws(GrammarError) -> Expression {
        try rule("value") { syntax throws(GrammarError) in
            .choice([
                try syntax.anyObject(), try syntax.anyArray(), syntax.string(), syntax.number(), syntax.boolean(), .text("null"),
            ])
        }
    }

    mutating func anyObject() throws(GrammarError) -> Expression {
        try rule("object") { syntax throws(GrammarError) in
            let member = syntax.member(syntax.string(), try syntax.anyValue())
            return syntax.braced("{", syntax.list(of: member, atLeast: 0, atMost: nil), "}")
        }
    }

    mutating func anyArray() throws(GrammarError) -> Expression {
        try rule("array") { syntax throws(GrammarError) in
            syntax.braced("[", syntax.list(of: try syntax.anyValue(), atLeast: 0, atMost: nil), "]")
        }
    }

    mutating func member(_ name: Expression, _ value: Expression) -> Expression { .sequence([name, .text(":"), space(), value]) }

    mutating func comma() -> Expression { .sequence([.text(","), space()]) }

    mutating func braced(_ open: String, _ content: Expression, _ close: String) -> Expression {
        .sequence([.text(open), space(), content, space(), .text(close)])
    }

    mutating func list(of item: Expression, atLeast: Int, atMost: Int?) -> Expression {
        if atMost == 0 { return .empty }
        let more = Expression.sequence([comma(), item])
        let whole = Expression.sequence([item, .repeated(more, atLeast: max(atLeast - 1, 0), atMost: atMost.map { $0 - 1 })])
        return atLeast == 0 ? .optional(whole) : whole
    }
}
