/// llama.cpp's grammar notation: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
///
/// Left recursion, and rules that name single tokens (`<[1000]>`), are refused.
struct GBNFParser {
    private let scalars: [Unicode.Scalar]
    private var place = 0
    private var depth = 0
    private var rules = RuleSet()
    private var numbers: [String: Int] = [:]
    private var defined: Set<String> = []

    private static let longestText = 1 << 20
    private static let deepest = 200
    private static let mostRepetitions = 100_000

    static func parse(_ text: String) throws(GrammarError) -> RuleSet {
        guard text.utf8.count <= longestText else { throw GrammarError("The grammar is longer than 1 MiB.") }
        var parser = GBNFParser(scalars: Array(text.unicodeScalars))
        return try parser.grammar()
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private mutating func grammar() throws(GrammarError) -> RuleSet {
        // The language is the rule `root`, wherever it stands.
        _ = number(of: "root")
        skipSpace(overLines: true)
        while place < scalars.count {
            try definition()
            skipSpace(overLines: true)
        }
        for rule in rules.rules where !defined.contains(rule.name) {
            throw GrammarError(
                rule.name == "root" ? "The grammar has no rule 'root'." : "The grammar uses the rule '\(rule.name)', which is not defined.")
        }
        return rules
    }

    private mutating func definition() throws(GrammarError) {
        let name = try name()
        skipSpace(overLines: false)
        guard take("::=") else { throw wrong("'::=' is expected behind the rule's name '\(name)'") }
        guard defined.insert(name).inserted else { throw wrong("the rule '\(name)' is defined twice") }
        skipSpace(overLines: true)
        let number = number(of: name)
        rules[number] = try alternatives(isNested: false)
        guard place == scalars.count || isLineEnd(scalars[place]) else { throw wrong("'\(scalars[place])' cannot stand here") }
    }

    private mutating func number(of name: String) -> Int {
        if let number = numbers[name] { return number }
        let number = rules.add(name)
        numbers[name] = number
        return number
    }

    // MARK: Expressions

    private mutating func alternatives(isNested: Bool) throws(GrammarError) -> Expression {
        guard depth < Self.deepest else { throw wrong("groups are nested more than \(Self.deepest) deep") }
        depth += 1
        defer { depth -= 1 }
        var choices = [try sequence(isNested: isNested)]
        while take("|") {
            skipSpace(overLines: true)
            choices.append(try sequence(isNested: isNested))
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence(isNested: Bool) throws(GrammarError) -> Expression {
        var parts: [Expression] = []
        while let part = try item() {
            parts.append(try repetition(of: part))
            skipSpace(overLines: isNested)
        }
        skipSpace(overLines: isNested)
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func item() throws(GrammarError) -> Expression? {
        guard place < scalars.count else { return nil }
        switch scalars[place] {
        case "\"":
            place += 1
            var text = ""
            while !take("\"") { text.unicodeScalars.append(try character(in: "a text")) }
            return .text(text)
        case "[":
            return .character(try characterClass())
        case ".":
            place += 1
            return .character(.all)
        case "(":
            place += 1
            skipSpace(overLines: true)
            let group = try alternatives(isNested: true)
            guard take(")") else { throw wrong("a closing parenthesis is expected") }
            return group
        case "<", "!":
            throw wrong("single tokens in a grammar are not supported; write their text")
        case let scalar where isName(scalar):
            return .rule(number(of: try name()))
        default:
            return nil
        }
    }

    private mutating func repetition(of part: Expression) throws(GrammarError) -> Expression {
        var result = part
        while true {
            skipSpace(overLines: false)
            if take("*") {
                result = .anyNumber(of: result)
            } else if take("+") {
                result = .repeated(result, atLeast: 1, atMost: nil)
            } else if take("?") {
                result = .optional(result)
            } else if take("{") {
                skipSpace(overLines: false)
                let least = try count() ?? 0
                skipSpace(overLines: false)
                var most: Int? = least
                if take(",") {
                    skipSpace(overLines: false)
                    most = try count()
                    skipSpace(overLines: false)
                }
                guard take("}") else { throw wrong("a closing brace is expected") }
                guard most.map({ $0 >= least }) ?? true else { throw wrong("the highest count is below the lowest") }
                result = .repeated(result, atLeast: least, atMost: most)
            } else {
                return result
            }
        }
    }

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        place += 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let first = try character(in: "a character class").value
            if place + 1 < scalars.count, scalars[place] == "-", scalars[place + 1] != "]" {
                place += 1
                let last = try character(in: "a character class").value
                guard first <= last else { throw wrong("a range of characters runs backwards") }
                ranges.append(first...last)
            } else {
                ranges.append(first...first)
            }
        }
        let set = isNegated ? ScalarSet(ranges).inverted : ScalarSet(ranges)
        guard !set.isEmpty else { throw wrong("a character class allows nothing") }
        return set
    }

    // MARK: Characters

    private mutating func character(in what: String) throws(GrammarError) -> Unicode.Scalar {
        guard place < scalars.count else { throw wrong("\(what) has no end") }
        let scalar = scalars[place]
        place += 1
        guard scalar == "\\" else { return scalar }
        guard place < scalars.count else { throw wrong("\(what) has no end") }
        let escape = scalars[place]
        place += 1
        switch escape {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "x": return try hexadecimal(digits: 2)
        case "u": return try hexadecimal(digits: 4)
        case "U": return try hexadecimal(digits: 8)
        case "\\", "\"", "[", "]", "-", "^", "'", "/", ".", "(", ")", "{", "}", "|", "*", "+", "?", "$": return escape
        default: throw wrong("'\\\(escape)' is no escape")
        }
    }

    private mutating func hexadecimal(digits: Int) throws(GrammarError) -> Unicode.Scalar {
        guard let scalar = scalars.hexadecimal(digits: digits, at: &place).flatMap(Unicode.Scalar.init) else {
            throw wrong("\(digits) hexadecimal digits of a character are expected")
        }
        return scalar
    }

    private mutating func count() throws(GrammarError) -> Int? {
        guard let value = scalars.decimal(at: &place) else { return nil }
        guard value <= Self.mostRepetitions else { throw wrong("a repetition is over \(Self.mostRepetitions)") }
        return value
    }

    private mutating func name() throws(GrammarError) -> String {
        let start = place
        while place < scalars.count, isName(scalars[place]) { place += 1 }
        guard place > start else { throw wrong("a rule's name is expected") }
        return String(String.UnicodeScalarView(scalars[start..<place]))
    }

    private func isName(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (Character(scalar).isLetter || Character(scalar).isNumber || scalar == "-" || scalar == "_")
    }

    private func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" }

    private mutating func take(_ text: StaticString) -> Bool {
        let wanted = String(describing: text).unicodeScalars
        guard scalars[place...].starts(with: wanted) else { return false }
        place += wanted.count
        return true
    }

    /// Skips spaces and comments.
    private mutating func skipSpace(overLines: Bool) {
        while place < scalars.count {
            let scalar = scalars[place]
            if scalar == "#" {
                while place < scalars.count, !isLineEnd(scalars[place]) { place += 1 }
            } else if scalar == " " || scalar == "\t" || (overLines && isLineEnd(scalar)) {
                place += 1
            } else {
                return
            }
        }
    }

    private func wrong(_ what: String) -> GrammarError {
        let line = scalars[..<min(place, scalars.count)].count { $0 == "\n" } + 1
        return GrammarError("The grammar is wrong in line \(line): \(what).")
    }
}
