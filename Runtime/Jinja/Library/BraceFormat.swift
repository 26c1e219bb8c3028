/// `"{} of {name:>8}".format(…)`, as Python has it.
struct BraceFormat {
    private let arguments: Arguments
    private let renderer: Renderer
    private let isMarkup: Bool
    private var nextIndex = 0
    private var numbersItself: Bool?

    static func format(_ format: Text, _ arguments: Arguments, _ renderer: Renderer) throws -> Text {
        try renderer.charge(format.count)
        var formatter = BraceFormat(arguments: arguments, renderer: renderer, isMarkup: format.isMarkup)
        return Text(try formatter.run(format.units[...], depth: 2).units, isMarkup: format.isMarkup)
    }

    private init(arguments: Arguments, renderer: Renderer, isMarkup: Bool) {
        (self.arguments, self.renderer, self.isMarkup) = (arguments, renderer, isMarkup)
    }

    private mutating func run(_ format: ArraySlice<Text.Unit>, depth: Int) throws -> Text {
        guard depth >= 0 else { throw TemplateError("Max string recursion exceeded") }
        var result: [Text.Unit] = []
        var rest = format
        while let unit = rest.popFirst() {
            switch unit.scalar {
            case "{" where rest.first?.scalar == "{", "}" where rest.first?.scalar == "}":
                result.append(rest.removeFirst())
            case "}": throw TemplateError("Single '}' encountered in format string")
            case "{":
                var level = 1
                guard let end = rest.firstIndex(where: { unit in
                    level += unit.scalar == "{" ? 1 : unit.scalar == "}" ? -1 : 0
                    return level == 0
                }) else { throw TemplateError("expected '}' before end of string") }
                result += try field(rest[..<end], depth: depth).units
                rest = rest[(end + 1)...]
            default: result.append(unit)
            }
        }
        return Text(result)
    }

    /// `name!conversion:layout`
    private mutating func field(_ field: ArraySlice<Text.Unit>, depth: Int) throws -> Text {
        var bracketDepth = 0
        let nameEnd = field.firstIndex { unit in
            bracketDepth += unit.scalar == "[" ? 1 : unit.scalar == "]" ? -1 : 0
            return bracketDepth == 0 && (unit.scalar == "!" || unit.scalar == ":")
        } ?? field.endIndex
        var value = try value(field[..<nameEnd])
        var rest = field[nameEnd...]
        if rest.first?.scalar == "!" {
            switch rest.dropFirst().first?.scalar {
            case "s": value = .string(try renderer.shown(value))
            case "r", "a": value = .string(value.represented)
            default: throw TemplateError("Unknown conversion specifier in format string")
            }
            rest = rest.dropFirst(2)
            guard rest.isEmpty || rest.first?.scalar == ":" else { throw TemplateError("expected ':' after conversion specifier") }
        }
        let layout = try run(rest.dropFirst(), depth: depth - 1)
        let text = try FormatLayout(layout).apply(to: value, renderer)
        try renderer.charge(text.count)
        return isMarkup ? text.escaped : text
    }

    /// `0`, `name`, `name.part[key]`
    private mutating func value(_ path: ArraySlice<Text.Unit>) throws -> Value {
        let end = path.firstIndex { $0.scalar == "." || $0.scalar == "[" } ?? path.endIndex
        var value = try argument(Text.string(path[..<end]))
        var rest = path[end...]
        while let mark = rest.popFirst() {
            if mark.scalar == "." {
                let end = rest.firstIndex { $0.scalar == "." || $0.scalar == "[" } ?? rest.endIndex
                guard end > rest.startIndex else { throw TemplateError("Empty attribute in format string") }
                value = try renderer.attribute(Text.string(rest[..<end]), of: value, renderer.line)
                rest = rest[end...]
            } else if mark.scalar == "[", let end = rest.firstIndex(where: { $0.scalar == "]" }) {
                let key = Text(rest[..<end])
                value = try renderer.item(Int(key.string).map(Value.int) ?? .string(key), of: value)
                rest = rest[(end + 1)...]
            } else {
                throw TemplateError("Only '.' or '[' may follow ']' in format field specifier")
            }
        }
        return value
    }

    private mutating func argument(_ name: String) throws -> Value {
        if name.isEmpty || name.allSatisfy(\.isNumber) {
            guard numbersItself != !name.isEmpty else {
                throw TemplateError("cannot switch between manual field specification and automatic field numbering")
            }
            numbersItself = name.isEmpty
            let index = name.isEmpty ? nextIndex : Int(name) ?? .max
            nextIndex += 1
            guard index < arguments.positional.count else {
                throw TemplateError("Replacement index \(index) out of range for positional args tuple")
            }
            return arguments.positional[index]
        }
        guard let (_, value) = arguments.keywords.first(where: { $0.name == name }) else { throw TemplateError("KeyError: '\(name)'") }
        return value
    }
}

/// What stands behind a field's colon: `[[fill]align][sign][#][0][width][,][.precision][type]`.
private struct FormatLayout {
    private var fill = Text.Unit(" ", isTrusted: true)
    private var alignment: Unicode.Scalar?
    private var width: Int?
    private var type: Unicode.Scalar?
    private var number = NumberLayout()

    /// Whether there is no layout at all.
    private let isPlain: Bool

    init(_ text: Text) throws {
        isPlain = text.isEmpty
        var rest = text.units[...]
        let alignments: Set<Unicode.Scalar> = ["<", ">", "=", "^"]
        if rest.count > 1, alignments.contains(rest[1].scalar) {
            fill = rest.removeFirst()
            alignment = rest.removeFirst().scalar
        } else if let first = rest.first?.scalar, alignments.contains(first) {
            alignment = rest.removeFirst().scalar
        }
        func skip(_ scalars: Unicode.Scalar...) -> Unicode.Scalar? {
            guard let first = rest.first?.scalar, scalars.contains(first) else { return nil }
            rest = rest.dropFirst()
            return first
        }
        func count() throws -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0.code) }
            rest = rest.dropFirst(digits.count)
            if digits.isEmpty { return nil }
            guard let count = Int(Text.string(digits)), count < 1 << 24 else { throw TemplateError("Too many decimal digits in format string") }
            return count
        }
        number.sign = skip("+", "-", " ")
        number.isAlternate = skip("#") != nil
        number.isZeroPadded = skip("0") != nil
        width = try count()
        number.grouping = skip(",", "_").map(Character.init)
        if skip(".") != nil {
            guard let precision = try count() else { throw TemplateError("Format specifier missing precision") }
            number.precision = precision
        }
        type = rest.popFirst()?.scalar
        guard rest.isEmpty else { throw TemplateError("Invalid format specifier") }
    }

    func apply(to value: Value, _ renderer: Renderer) throws -> Text {
        try renderer.charge(width ?? 0)
        try renderer.charge(number.precision ?? 0)
        switch value {
        case .string(let text):
            guard type == nil || type == "s" else { throw unknown(value) }
            return padded(number.precision.map { text.slice(0..<min($0, text.count)) } ?? text, isNumber: false)
        case .bool where isPlain: return value.shown
        case .int, .bool, .float: return padded(Text(try text(value)), isNumber: true)
        default:
            guard isPlain || value.isUndefined else { throw TemplateError("unsupported format string passed to \(value.typeName).__format__") }
            return try padded(renderer.shown(value), isNumber: false)
        }
    }

    private func text(_ value: Value) throws -> String {
        let zeros = number.isZeroPadded && alignment == nil || alignment == "=" && fill.code == 0x30 ? width : nil
        var layout = number
        layout.isZeroPadded = zeros != nil
        if let integer = value.integer {
            switch type {
            case nil, "d", "n":
                guard number.precision == nil else { throw TemplateError("Precision not allowed in integer format specifier") }
                return layout.text(integer, radix: 10, width: zeros)
            case "x", "X": return layout.text(integer, radix: 16, isLarge: type == "X", width: zeros)
            case "o": return layout.text(integer, radix: 8, width: zeros)
            case "b": return layout.text(integer, radix: 2, width: zeros)
            case "c":
                guard let scalar = UInt32(exactly: integer).flatMap(Unicode.Scalar.init) else { throw TemplateError("%c arg not in range(0x110000)") }
                return String(scalar)
            default: break
            }
        }
        guard let float = value.number else { throw unknown(value) }
        switch type {
        case nil where number.precision == nil:
            let text = PythonNumber.text(float.magnitude)
            return layout.laidOut(text, isNegative: float.sign == .minus, groupSize: 3, width: zeros)
        case nil, "n": return layout.text(float, "g", width: zeros)
        case "%": return layout.text(float * 100, "f", suffix: "%", width: zeros)
        case "e"?, "E"?, "f"?, "F"?, "g"?, "G"?: return layout.text(float, type.map(Character.init) ?? "g", width: zeros)
        default: throw unknown(value)
        }
    }

    private func unknown(_ value: Value) -> TemplateError {
        TemplateError("Unknown format code '\(type.map(String.init) ?? "")' for object of type '\(value.typeName)'")
    }

    private func padded(_ text: Text, isNumber: Bool) -> Text {
        let total = max(0, (width ?? 0) - text.count)
        let filler = number.isZeroPadded && alignment == nil && !isNumber ? Text.Unit("0", isTrusted: true) : fill
        let before = switch alignment {
        case "<": 0
        case ">", "=": total
        case "^": total / 2
        default: isNumber ? total : 0
        }
        return Text(repeatElement(filler, count: before) + text.units + repeatElement(filler, count: total - before))
    }
}
