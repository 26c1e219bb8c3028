/// What stands between a template's braces, piece by piece.
enum Lexeme: Equatable, Sendable {
    /// The template's own text.
    case text(Text)
    /// `{{`, `}}`, `{%`, `%}`
    case outputBegin, outputEnd, statementBegin, statementEnd
    case name(String)
    case string(Text)
    case int(Int)
    case float(Double)
    case symbol(String)

    /// For messages.
    var shown: String {
        switch self {
        case .text: "text"
        case .outputBegin: "'{{'"
        case .outputEnd: "'}}'"
        case .statementBegin: "'{%'"
        case .statementEnd: "'%}'"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .int, .float: "a number"
        case .symbol(let symbol): "'\(symbol)'"
        }
    }
}

/// Reads templates as jinja2's lexer does with `trim_blocks` and `lstrip_blocks`, which transformers sets: the first line break
/// behind a statement goes, and so does the space before one that begins a line.
struct Lexer {
    private let source: [Text.Unit]
    private var place = 0
    private var line = 1
    /// Whether what was read last ended with a line break.
    private var isAtLineStart = true
    private(set) var lexemes: [(lexeme: Lexeme, line: Int)] = []

    /// - Throws: ``TemplateError`` with a line.
    static func read(_ source: String) throws -> [(lexeme: Lexeme, line: Int)] {
        var lexer = Lexer(source)
        guard lexer.source.count <= Limits.source else { throw TemplateError("the template is longer than \(Limits.source) characters") }
        do {
            try lexer.readAll()
        } catch let error as TemplateError {
            throw error.at(line: lexer.line)
        }
        return lexer.lexemes
    }

    private init(_ source: String) {
        // Line breaks are one character, and the last one does not count.
        var units: [Text.Unit] = []
        var wasReturn = false
        for scalar in source.unicodeScalars {
            if scalar == "\n", wasReturn { wasReturn = false; continue }
            wasReturn = scalar == "\r"
            units.append(Text.Unit(wasReturn ? "\n" : scalar, isTrusted: true))
        }
        if units.last?.code == 0x0a { units.removeLast() }
        self.source = units
    }

    private mutating func add(_ lexeme: Lexeme, line: Int? = nil) { lexemes.append((lexeme, line ?? self.line)) }

    private mutating func advance(to end: Int) {
        for unit in source[place..<end] where unit.code == 0x0a { line += 1 }
        if end > place { isAtLineStart = source[end - 1].code == 0x0a }
        place = end
    }

    private func isHere(_ text: StaticString, at index: Int) -> Bool {
        index + text.utf8CodeUnitCount <= source.count
            && text.withUTF8Buffer { zip($0, source[index...]).allSatisfy { UInt32($0) == $1.code } }
    }

    private func character(_ index: Int) -> Unicode.Scalar? { index < source.count ? source[index].scalar : nil }
    private func skippingSpace(_ start: Int) -> Int { source[start...].firstIndex { !$0.isSpace } ?? source.count }

    private mutating func readAll() throws {
        while place < source.count {
            guard let open = (place..<source.count).first(where: { isHere("{{", at: $0) || isHere("{%", at: $0) || isHere("{#", at: $0) }) else {
                add(.text(Text(source[place...])))
                return
            }
            // `-` takes the space before, `+` keeps it, and without either a statement that begins a line takes its indentation.
            let sign = character(open + 2)
            let isOutput = isHere("{{", at: open)
            let text = strippedText(upTo: open, sign: sign, isOutput: isOutput)
            if !text.isEmpty { add(.text(text)) }
            advance(to: open)
            let inside = open + (sign == "-" || (sign == "+" && !isOutput) ? 3 : 2)
            if isHere("{#", at: open) {
                try skipComment(inside)
            } else if !isOutput, try readRaw(inside) {
                continue
            } else {
                add(isOutput ? .outputBegin : .statementBegin)
                advance(to: inside)
                try readCode(isOutput: isOutput)
            }
        }
    }

    private func strippedText(upTo open: Int, sign: Unicode.Scalar?, isOutput: Bool) -> Text {
        let text = Text(source[place..<open])
        if sign == "-" { return text.stripped(nil, left: false) }
        guard !isOutput, sign != "+" else { return text }
        let lineStart = text.units.lastIndex { $0.code == 0x0a }.map { $0 + 1 } ?? 0
        guard lineStart > 0 || isAtLineStart, text.units[lineStart...].allSatisfy(\.isSpace) else { return text }
        return text.slice(0..<lineStart)
    }

    /// The end of `-%}`, `+%}` or `%}` at `index`, with the space that goes with it.
    private func blockEnd(_ index: Int, _ mark: StaticString) -> Int? {
        switch character(index) {
        case "-": return isHere(mark, at: index + 1) ? skippingSpace(index + 3) : nil
        case "+": return isHere(mark, at: index + 1) ? index + 3 : nil
        default:
            guard isHere(mark, at: index) else { return nil }
            return character(index + 2) == "\n" ? index + 3 : index + 2
        }
    }

    private mutating func skipComment(_ inside: Int) throws {
        for index in inside..<max(inside, source.count) {
            guard let end = blockEnd(index, "#}") else { continue }
            return advance(to: end)
        }
        throw TemplateError("missing end of comment tag")
    }

    /// `{% raw %}…{% endraw %}`.
    private mutating func readRaw(_ inside: Int) throws -> Bool {
        let name = skippingSpace(inside)
        guard isHere("raw", at: name) else { return false }
        let close = skippingSpace(name + 3)
        let begin: Int
        if isHere("-%}", at: close) { begin = skippingSpace(close + 3) } else if isHere("%}", at: close) { begin = close + 2 } else { return false }
        advance(to: begin)
        for open in place..<max(place, source.count) where isHere("{%", at: open) {
            let sign = character(open + 2)
            let word = skippingSpace(min(open + (sign == "-" || sign == "+" ? 3 : 2), source.count))
            guard isHere("endraw", at: word), let end = blockEnd(skippingSpace(word + 6), "%}") else { continue }
            let text = strippedText(upTo: open, sign: sign, isOutput: false)
            if !text.isEmpty { add(.text(text)) }
            advance(to: end)
            return true
        }
        throw TemplateError("missing end of raw directive")
    }

    private mutating func readCode(isOutput: Bool) throws {
        var open: [Unicode.Scalar] = []
        while let scalar = character(place) {
            if source[place].isSpace {
                advance(to: skippingSpace(place))
                continue
            }
            if open.isEmpty, let end = codeEnd(isOutput: isOutput) {
                add(isOutput ? .outputEnd : .statementEnd)
                return advance(to: end)
            }
            switch scalar {
            case "0"..."9": try readNumber()
            case "'", "\"": try readString(scalar)
            case let scalar where scalar == "_" || scalar.properties.isXIDStart: readName()
            default: try readSymbol(scalar, &open)
            }
        }
        throw TemplateError("the template ends inside '\(isOutput ? "{{" : "{%")'")
    }

    private func codeEnd(isOutput: Bool) -> Int? {
        guard isOutput else { return blockEnd(place, "%}") }
        if isHere("-}}", at: place) { return skippingSpace(place + 3) }
        return isHere("}}", at: place) ? place + 2 : nil
    }

    private mutating func readName() {
        let end = source[place...].firstIndex { !$0.scalar.properties.isXIDContinue } ?? source.count
        add(.name(Text.string(source[place..<end])))
        advance(to: end)
    }

    private static let symbols: [StaticString] = [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ]

    private mutating func readSymbol(_ scalar: Unicode.Scalar, _ open: inout [Unicode.Scalar]) throws {
        guard let symbol = Lexer.symbols.first(where: { isHere($0, at: place) }) else {
            throw TemplateError("unexpected char \(Text(String(scalar)).quoted.string)")
        }
        switch scalar {
        case "(": open.append(")")
        case "[": open.append("]")
        case "{": open.append("}")
        case ")", "]", "}":
            guard let expected = open.popLast() else { throw TemplateError("unexpected '\(scalar)'") }
            guard expected == scalar else { throw TemplateError("unexpected '\(scalar)', expected '\(expected)'") }
        default: break
        }
        add(.symbol(symbol.description))
        advance(to: place + symbol.utf8CodeUnitCount)
    }
}

/// Numbers and strings.
extension Lexer {
    private mutating func readNumber() throws {
        func digits(_ start: Int, _ isDigit: (Unicode.Scalar) -> Bool) -> Int {
            var end = start
            while let scalar = character(end) {
                if isDigit(scalar) { end += 1 } else if scalar == "_", end > start, character(end + 1).map(isDigit) == true { end += 2 } else { break }
            }
            return end
        }
        func isDecimal(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
        let bases: [Unicode.Scalar: Int] = ["x": 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2]
        if character(place) == "0", let base = character(place + 1).flatMap({ bases[$0] }) {
            let end = digits(place + 2) { $0.isASCII && Int(String($0), radix: base) != nil }
            if end > place + 2 { return try addInteger(place + 2..<end, radix: base, end: end) }
        }
        let whole = digits(place, isDecimal)
        var end = whole
        if character(end) == ".", digits(end + 1, isDecimal) > end + 1 { end = digits(end + 1, isDecimal) }
        if let mark = character(end), mark == "e" || mark == "E" {
            let sign = character(end + 1).map { $0 == "+" || $0 == "-" } == true ? 1 : 0
            let exponent = digits(end + 1 + sign, isDecimal)
            if exponent > end + 1 + sign { end = exponent }
        }
        // `list.0.5` is two indices.
        let isIndex = place > 0 && source[place - 1].code == 0x2e
        guard end > whole, !isIndex else {
            // 007 is 0 and 0 and 7 for jinja2, which then fails.
            let isZero = character(place) == "0" && source[place..<whole].contains { $0.code != 0x30 && $0.code != 0x5f }
            let stop = isZero ? place + 1 : whole
            return try addInteger(place..<stop, radix: 10, end: stop)
        }
        guard let number = Double(Text.string(source[place..<end]).filter { $0 != "_" }) else { throw TemplateError("invalid number") }
        add(.float(number))
        advance(to: end)
    }

    private mutating func addInteger(_ range: Range<Int>, radix: Int, end: Int) throws {
        let digits = Text.string(source[range]).filter { $0 != "_" }
        guard let number = Int(digits, radix: radix) else { throw TemplateError("the number \(digits.prefix(40)) is too large") }
        add(.int(number))
        advance(to: end)
    }

    private mutating func readString(_ quote: Unicode.Scalar) throws {
        var index = place + 1
        while let scalar = character(index), scalar != quote { index += scalar == "\\" ? 2 : 1 }
        guard index < source.count else { throw TemplateError("unexpected char \(Text(String(quote)).quoted.string)") }
        add(.string(try Lexer.unescaped(source[place + 1..<index])))
        advance(to: index + 1)
    }

    /// Python's escapes in strings.
    private static func unescaped(_ units: ArraySlice<Text.Unit>) throws -> Text {
        let simple: [Unicode.Scalar: Unicode.Scalar] = [
            "\\": "\\", "'": "'", "\"": "\"", "a": "\u{07}", "b": "\u{08}", "f": "\u{0c}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{0b}",
        ]
        var result: [Text.Unit] = []
        var rest = units
        func number(_ count: ClosedRange<Int>, radix: Int) throws -> Unicode.Scalar {
            let digits = rest.prefix(count.upperBound).prefix { $0.scalar.isASCII && Int(String($0.scalar), radix: radix) != nil }
            guard digits.count >= count.lowerBound, let code = UInt32(Text.string(digits), radix: radix), code < 0x110000 else {
                throw TemplateError("a string has a broken escape")
            }
            rest = rest.dropFirst(digits.count)
            return Unicode.Scalar(code) ?? "\u{fffd}"
        }
        while let unit = rest.popFirst() {
            guard unit.scalar == "\\", let kind = rest.first else {
                result.append(unit)
                continue
            }
            if ("0"..."7").contains(kind.scalar) {
                result.append(unit.with(try number(1...3, radix: 8)))
                continue
            }
            rest = rest.dropFirst()
            switch kind.scalar {
            case "\n": break
            case "x": result.append(unit.with(try number(2...2, radix: 16)))
            case "u": result.append(unit.with(try number(4...4, radix: 16)))
            case "U": result.append(unit.with(try number(8...8, radix: 16)))
            case "N": throw TemplateError("characters by name (\\N) are not supported")
            case let scalar:
                if let plain = simple[scalar] { result.append(unit.with(plain)) } else { result += [unit, kind] }
            }
        }
        return Text(result)
    }
}
