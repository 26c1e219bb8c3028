/// A regular expression of the kind by which vocabularies split text into words, as a tree.
///
/// It has alternatives, groups (`(…)`, `(?:…)`, `(?i:…)`), sets with categories (`[^\r\n\p{L}]`, `\s`, `\S`, `\d`), the greedy
/// quantifiers `?`, `*`, `+`, `{n}`, `{n,m}`, the end `$`, and the lookaheads `(?=…)` and `(?!…)` at one character. `(*SKIP)` at the
/// end of an alternative makes a match that is passed over as if nothing had matched there.
indirect enum Pattern: Hashable, Sendable {
    case set(CharacterSet)
    case sequence([Pattern])
    /// The first that matches is taken.
    case alternatives([Pattern])
    case repeated(Pattern, least: Int, most: Int?)
    /// The next character is of the set. The end of the text is not.
    case before(CharacterSet)
    /// The next character is not of the set, or the text ends.
    case notBefore(CharacterSet)
    case skip

    struct SyntaxError: Error {
        let message: String
    }

    init(_ source: String) throws(SyntaxError) {
        var parser = PatternParser(rest: Array(source.unicodeScalars)[...])
        self = try parser.alternatives(anyCase: false)
        guard parser.rest.isEmpty else { throw SyntaxError(message: "an unexpected ')'") }
    }
}

private struct PatternParser {
    var rest: ArraySlice<Unicode.Scalar>

    typealias Failure = Pattern.SyntaxError

    mutating func alternatives(anyCase: Bool) throws(Failure) -> Pattern {
        var branches = [try sequence(anyCase: anyCase)]
        while take("|") { branches.append(try sequence(anyCase: anyCase)) }
        return branches.count == 1 ? branches[0] : .alternatives(branches)
    }

    private mutating func sequence(anyCase: Bool) throws(Failure) -> Pattern {
        var items: [Pattern] = []
        while let next = rest.first, next != "|", next != ")" { items.append(try quantified(try atom(anyCase: anyCase))) }
        return items.count == 1 ? items[0] : .sequence(items)
    }

    private mutating func quantified(_ item: Pattern) throws(Failure) -> Pattern {
        if take("?") { return .repeated(item, least: 0, most: 1) }
        if take("*") { return .repeated(item, least: 0, most: nil) }
        if take("+") { return .repeated(item, least: 1, most: nil) }
        guard take("{") else { return item }
        let least = try number()
        let most = take(",") ? try number() : least
        try expect("}")
        guard least <= most else { throw Failure(message: "a repetition of more than its end") }
        return .repeated(item, least: least, most: most)
    }

    private mutating func atom(anyCase: Bool) throws(Failure) -> Pattern {
        let next = rest.removeFirst()
        switch next {
        case "(": return try group(anyCase: anyCase)
        case "[":
            guard !anyCase else { throw Failure(message: "a set in a group of any case") }
            return .set(try set())
        case "$": return .notBefore(CharacterSet().inverted)
        case "\\": return .set(try escaped())
        case "*", "+", "?", "{": throw Failure(message: "a quantifier of nothing")
        default: return .set(anyCase ? PatternParser.anyCase(next) : CharacterSet(next))
        }
    }

    private mutating func group(anyCase: Bool) throws(Failure) -> Pattern {
        let inner: Pattern
        if take("*SKIP") {
            inner = .skip
        } else if take("?!") {
            inner = .notBefore(try oneSet())
        } else if take("?=") {
            inner = .before(try oneSet())
        } else if take("?i:") {
            inner = try alternatives(anyCase: true)
        } else {
            _ = take("?:")
            inner = try alternatives(anyCase: anyCase)
        }
        try expect(")")
        return inner
    }

    private mutating func oneSet() throws(Failure) -> CharacterSet {
        guard case .set(let set) = try atom(anyCase: false) else { throw Failure(message: "a lookahead at more than one character") }
        return set
    }

    /// What follows `[`.
    private mutating func set() throws(Failure) -> CharacterSet {
        let isNegated = take("^")
        var set = CharacterSet()
        var isFirst = true
        while isFirst || rest.first != "]" {
            isFirst = false
            guard let next = rest.popFirst() else { throw Failure(message: "a set without its ']'") }
            if next == "\\" {
                let member = try escaped()
                guard !member.isNegated else { throw Failure(message: "a negated class in a set") }
                if let low = member.onlyMember, let high = try rangeEnd() { set.insert(low...max(low, high)) } else { set.formUnion(member) }
            } else if let high = try rangeEnd() {
                guard next.value <= high else { throw Failure(message: "a range that ends before it begins") }
                set.insert(next.value...high)
            } else {
                set.insert(next.value...next.value)
            }
        }
        try expect("]")
        return isNegated ? set.inverted : set
    }

    /// The end of a range whose begin was read, if it is one. A hyphen at the end of a set is itself.
    private mutating func rangeEnd() throws(Failure) -> UInt32? {
        guard rest.first == "-", let high = rest.dropFirst().first, high != "]" else { return nil }
        rest.removeFirst(2)
        guard high == "\\" else { return high.value }
        guard let member = try escaped().onlyMember else { throw Failure(message: "a range that ends in a class") }
        return member
    }

    /// What follows a backslash.
    private mutating func escaped() throws(Failure) -> CharacterSet {
        guard let next = rest.popFirst() else { throw Failure(message: "a backslash at the end") }
        switch next {
        case "r": return CharacterSet("\r")
        case "n": return CharacterSet("\n")
        case "t": return CharacterSet("\t")
        case "s": return .whitespace
        case "S": return CharacterSet.whitespace.inverted
        case "d": return CharacterSet(category: "Nd") ?? CharacterSet()
        case "p", "P":
            try expect("{")
            guard let end = rest.firstIndex(of: "}") else { throw Failure(message: "a category without its '}'") }
            let name = String(String.UnicodeScalarView(rest[..<end]))
            rest = rest[(end + 1)...]
            guard let set = CharacterSet(category: name) else { throw Failure(message: "the unknown category \(name)") }
            return next == "P" ? set.inverted : set
        default:
            guard !next.properties.isAlphabetic, !("0"..."9").contains(next) else { throw Failure(message: "the unknown escape \\\(next)") }
            return CharacterSet(next)
        }
    }

    private mutating func number() throws(Failure) -> Int {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest.dropFirst(digits.count)
        guard let number = Int(String(String.UnicodeScalarView(digits))), number <= 64 else { throw Failure(message: "a repetition without a number up to 64") }
        return number
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.unicodeScalars) else { return false }
        rest = rest.dropFirst(text.unicodeScalars.count)
        return true
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws(Failure) {
        guard rest.popFirst() == scalar else { throw Failure(message: "a missing '\(scalar)'") }
    }

    /// An ASCII letter in both cases, and what else Unicode folds into it.
    private static func anyCase(_ scalar: Unicode.Scalar) -> CharacterSet {
        guard scalar.isASCII, scalar.properties.isAlphabetic else { return CharacterSet(scalar) }
        var set = CharacterSet()
        for value in [scalar.value | 0x20, scalar.value & ~0x20] { set.insert(value...value) }
        if scalar == "s" || scalar == "S" { set.insert(0x17f...0x17f) }
        if scalar == "k" || scalar == "K" { set.insert(0x212a...0x212a) }
        return set
    }
}

extension CharacterSet {
    fileprivate var onlyMember: UInt32? {
        guard categories == 0, !isNegated, ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }
}
