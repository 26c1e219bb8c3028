import Wire

extension JSONSchema {
    // MARK: Texts

    mutating func string(_ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        let least = try count("minLength", in: schema, at: place)
        let most = try count("maxLength", in: schema, at: place)
        guard most.map({ (least ?? 0) <= $0 }) ?? true else { throw error(place, "'minLength' is above 'maxLength'") }
        let pattern = try schema["pattern"].map { (value) throws(GrammarError) in
            guard let text = value.string else { throw error(place, "'pattern' is a text") }
            return text
        }
        let format = try schema["format"].flatMap { (value) throws(GrammarError) in
            guard let name = value.string else { throw error(place, "'format' is a name") }
            guard let pattern = Self.formats[name] else {
                throw error(place, "the format '\(name)' is not supported; supported are \(Self.formats.keys.sorted().joined(separator: ", "))")
            }
            return pattern
        }
        guard [pattern != nil, format != nil, least != nil || most != nil].count(where: { $0 }) <= 1 else {
            throw error(place, "'pattern', 'format' and a text's length cannot be combined")
        }
        guard let pattern = pattern ?? format else { return syntax.string(atLeast: least ?? 0, atMost: most) }
        do {
            let content = try PatternParser.parse(pattern, written: JSONSyntax.written)
            return .sequence([.text("\""), content, .text("\"")])
        } catch {
            throw self.error(place, error.message)
        }
    }

    /// RFC 3339 dates and times, ISO 8601 durations, and addresses in their usual forms, as patterns.
    private static let formats: [String: String] = {
        let date = #"[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"#
        let time = #"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"#
        let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
        let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        let hexadecimal = "[0-9a-fA-F]"
        let group = "\(hexadecimal){1,4}"
        return [
            "date": "^\(date)$",
            "time": "^\(time)$",
            "date-time": "^\(date)T\(time)$",
            "duration": #"^P(?:(?:[0-9]{1,6}D|[0-9]{1,6}M(?:[0-9]{1,6}D)?|[0-9]{1,6}Y(?:[0-9]{1,6}M(?:[0-9]{1,6}D)?)?)(?:T(?:[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))?|T(?:[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S)|[0-9]{1,6}W)$"#,
            "email": #"^[A-Za-z0-9_+-]{1,30}(?:\.[A-Za-z0-9_+-]{1,30}){0,3}@"# + #"\#(label)(?:\.\#(label)){1,4}$"#,
            "hostname": #"^\#(label)(?:\.\#(label)){0,6}$"#,
            "ipv4": #"^\#(byte)\.\#(byte)\.\#(byte)\.\#(byte)$"#,
            "ipv6": "^(?:\(group):){7}\(group)$|^(?:\(group)(?::\(group)){0,5})?::(?:\(group))?$",
            "uuid": "^\(hexadecimal){8}-\(hexadecimal){4}-\(hexadecimal){4}-\(hexadecimal){4}-\(hexadecimal){12}$",
        ]
    }()

    // MARK: Numbers

    mutating func number(_ schema: OrderedJSON, isInteger: Bool, at place: String) throws(GrammarError) -> Expression {
        let (low, isLowInclusive) = try bound("minimum", "exclusiveMinimum", in: schema, at: place, isTighter: >)
        let (high, isHighInclusive) = try bound("maximum", "exclusiveMaximum", in: schema, at: place, isTighter: <)
        let step = try schema["multipleOf"].map { (value) throws(GrammarError) in
            guard let step = value.number, step > 0 else { throw error(place, "'multipleOf' is a number above 0") }
            return step
        }
        if let step, !(isInteger && step == 1) {
            guard low == nil, high == nil else { throw error(place, "'multipleOf' cannot be combined with bounds") }
            return try multiple(of: step, isInteger: isInteger, at: place)
        }
        guard low != nil || high != nil else { return isInteger ? syntax.integer() : syntax.number() }
        let range: Expression?
        do {
            range = try NumberRange(allowsFraction: !isInteger).expression(
                from: low, isLowInclusive: isLowInclusive, to: high, isHighInclusive: isHighInclusive)
        } catch {
            throw self.error(place, error.message)
        }
        guard let range else { throw error(place, "no number lies between the bounds") }
        return range
    }

    /// The tighter of two bounds, with whether it belongs to the range itself.
    private func bound(
        _ inclusive: String, _ exclusive: String, in schema: OrderedJSON, at place: String, isTighter: (Double, Double) -> Bool
    ) throws(GrammarError) -> (Double?, Bool) {
        func number(_ word: String) throws(GrammarError) -> Double? {
            guard let value = schema[word] else { return nil }
            guard let number = value.number else { throw error(place, "'\(word)' is a number") }
            return number
        }
        let (including, excluding) = (try number(inclusive), try number(exclusive))
        guard let excluding else { return (including, true) }
        guard let including, isTighter(including, excluding) else { return (excluding, false) }
        return (including, true)
    }

    /// Whole numbers by their remainder, digit by digit; fractions for steps like 0.01, which limit the digits.
    private mutating func multiple(of step: Double, isInteger: Bool, at place: String) throws(GrammarError) -> Expression {
        let sign = Expression.optional(.text("-"))
        if !isInteger, let digits = (1...9).first(where: { step == Double("1e-\($0)") }) {
            return .sequence([sign, JSONSyntax.natural, .optional(.sequence([.text("."), .repeated(JSONSyntax.digit, atLeast: 1, atMost: digits)]))])
        }
        guard let divisor = Int(exactly: step), divisor <= 1000 else {
            throw error(place, "'multipleOf' is supported for whole numbers up to 1000 and for 0.1, 0.01 and so on")
        }
        let remainders = (0..<divisor).map { _ in syntax.newRule("\(place)/remainder") }
        for remainder in 0..<divisor {
            let next = (0..<10).map { Expression.sequence([.text(String($0)), .rule(remainders[(remainder * 10 + $0) % divisor])]) }
            syntax.define(remainders[remainder], .choice(next + (remainder == 0 ? [.empty] : [])))
        }
        let leading = (1..<10).map { Expression.sequence([.text(String($0)), .rule(remainders[$0 % divisor])]) }
        return .sequence([sign, .choice([.text("0")] + leading)])
    }
}
