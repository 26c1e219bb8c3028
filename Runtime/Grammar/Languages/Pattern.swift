/// The regular expressions of JSON Schema's `pattern` (ECMA-262 without look-around, back references and word boundaries,
/// which no finite automaton without them has).
struct PatternParser {
    private let pattern: String
    private let scalars: [Unicode.Scalar]
    /// How a character of the set is written in the output.
    private let written: (ScalarSet) -> Expression
    private var place = 0
    private var depth = 0

    private static let deepest = 100
    private static let mostRepetitions = 10_000

    /// What the texts that match `pattern` look like. A pattern that is not tied to the start (`^`) or the end (`$`) allows
    /// anything there, as JSON Schema has it.
    static func parse(_ pattern: String, written: @escaping (ScalarSet) -> Expression) throws(GrammarError) -> Expression {
        var parser = PatternParser(pattern: pattern, scalars: Array(pattern.unicodeScalars), written: written)
        let expression = try parser.branches(isWhole: true)
        guard parser.place == parser.scalars.count else { throw parser.wrong("a ')' has no '('") }
        return expression
    }

    private init(pattern: String, scalars: [Unicode.Scalar], written: @escaping (ScalarSet) -> Expression) {
        (self.pattern, self.scalars, self.written) = (pattern, scalars, written)
    }

    private func wrong(_ what: String) -> GrammarError { GrammarError("The pattern '\(pattern)' cannot be used: \(what).") }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard place < scalars.count, scalars[place] == scalar else { return false }
        place += 1
        return true
    }

    // MARK: Branches and what they consist of

    private mutating func branches(isWhole: Bool) throws(GrammarError) -> Expression {
        guard depth < Self.deepest else { throw wrong("groups are nested more than \(Self.deepest) deep") }
        depth += 1
        defer { depth -= 1 }
        var choices: [Expression] = []
        repeat { choices.append(try branch(isWhole: isWhole)) } while take("|")
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func branch(isWhole: Bool) throws(GrammarError) -> Expression {
        let anything = Expression.anyNumber(of: written(.all))
        var parts: [Expression] = []
        var isTiedToStart = false
        var isTiedToEnd = false
        while place < scalars.count, scalars[place] != "|", scalars[place] != ")" {
            guard !isTiedToEnd else { throw wrong("'$' stands before the end") }
            if take("^") {
                guard isWhole, parts.isEmpty else { throw wrong("'^' stands behind the start") }
                isTiedToStart = true
            } else if take("$") {
                guard isWhole else { throw wrong("'$' stands in a group") }
                isTiedToEnd = true
            } else {
                parts.append(try repetition(of: try atom()))
            }
        }
        guard isWhole else { return .sequence(parts) }
        return .sequence((isTiedToStart ? [] : [anything]) + parts + (isTiedToEnd ? [] : [anything]))
    }

    private mutating func atom() throws(GrammarError) -> Expression {
        let scalar = scalars[place]
        place += 1
        switch scalar {
        case "(":
            if take("?") {
                if take(":") {
                } else if take("<"), place < scalars.count, scalars[place] != "=", scalars[place] != "!" {
                    // A named group: its name changes nothing.
                    while place < scalars.count, !take(">") { place += 1 }
                } else {
                    throw wrong("look-around is not supported")
                }
            }
            let group = try branches(isWhole: false)
            guard take(")") else { throw wrong("a '(' has no ')'") }
            return group
        case "[": return written(try characterClass())
        case ".": return written(ScalarSet("\n\r\u{2028}\u{2029}").inverted)
        case "\\": return written(try escapedSet())
        case "*", "+", "?": throw wrong("'\(scalar)' has nothing to repeat")
        default: return written(ScalarSet(String(Character(scalar))))
        }
    }

    private mutating func repetition(of part: Expression) throws(GrammarError) -> Expression {
        let result: Expression
        if take("*") {
            result = .anyNumber(of: part)
        } else if take("+") {
            result = .repeated(part, atLeast: 1, atMost: nil)
        } else if take("?") {
            result = .optional(part)
        } else if let counts = try counts() {
            result = .repeated(part, atLeast: counts.least, atMost: counts.most)
        } else {
            return part
        }
        // A lazy repetition allows the same texts.
        _ = take("?")
        if place < scalars.count, ["*", "+", "?"].contains(scalars[place]) { throw wrong("a repetition is repeated") }
        return result
    }

    /// `{2}`, `{2,}` or `{2,5}`; a brace that begins none of them stands for itself.
    private mutating func counts() throws(GrammarError) -> (least: Int, most: Int?)? {
        let start = place
        guard take("{"), let least = try number() else {
            place = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = try number() }
        guard take("}") else {
            place = start
            return nil
        }
        guard most.map({ $0 >= least }) ?? true else { throw wrong("the highest count is below the lowest") }
        return (least, most)
    }

    private mutating func number() throws(GrammarError) -> Int? {
        guard let value = scalars.decimal(at: &place) else { return nil }
        guard value <= Self.mostRepetitions else { throw wrong("a repetition is over \(Self.mostRepetitions)") }
        return value
    }

    // MARK: Sets of characters

    private mutating func characterClass() throws(GrammarError) -> ScalarSet {
        let isNegated = take("^")
        var set = ScalarSet([])
        while !take("]") {
            guard place < scalars.count else { throw wrong("a '[' has no ']'") }
            let first = try classMember()
            if place + 1 < scalars.count, scalars[place] == "-", scalars[place + 1] != "]" {
                place += 1
                let last = try classMember()
                guard let low = first.onlyScalar, let high = last.onlyScalar, low <= high else {
                    throw wrong("a range of characters is not from a lower to a higher one")
                }
                set = set.union(ScalarSet([low...high]))
            } else {
                set = set.union(first)
            }
        }
        let result = isNegated ? set.inverted : set
        guard !result.isEmpty else { throw wrong("a character class allows nothing") }
        return result
    }

    private mutating func classMember() throws(GrammarError) -> ScalarSet {
        guard place < scalars.count else { throw wrong("a '[' has no ']'") }
        let scalar = scalars[place]
        place += 1
        guard scalar == "\\" else { return ScalarSet(String(Character(scalar))) }
        if take("b") { return ScalarSet("\u{8}") }
        return try escapedSet()
    }

    private mutating func escapedSet() throws(GrammarError) -> ScalarSet {
        guard place < scalars.count else { throw wrong("it ends with a backslash") }
        let scalar = scalars[place]
        place += 1
        switch scalar {
        case "d": return .digits
        case "D": return ScalarSet.digits.inverted
        case "w": return .wordCharacters
        case "W": return ScalarSet.wordCharacters.inverted
        case "s": return .space
        case "S": return ScalarSet.space.inverted
        case "n": return ScalarSet("\n")
        case "r": return ScalarSet("\r")
        case "t": return ScalarSet("\t")
        case "f": return ScalarSet("\u{c}")
        case "v": return ScalarSet("\u{b}")
        case "0": return ScalarSet("\0")
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "b", "B": throw wrong("word boundaries are not supported")
        case "1"..."9", "k": throw wrong("back references are not supported")
        case "p", "P": throw wrong("Unicode properties are not supported")
        case let letter where letter.isASCII && Character(letter).isLetter: throw wrong("'\\\(letter)' is no escape")
        default: return ScalarSet(String(Character(scalar)))
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(GrammarError) -> ScalarSet {
        guard let value = scalars.hexadecimal(digits: digits, at: &place) else { throw wrong("\(digits) hexadecimal digits are expected") }
        return ScalarSet([value...value])
    }
}

extension ScalarSet {
    fileprivate var onlyScalar: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }
}
