/// `"%s of %d" % (…)`, as Python has it.
struct PercentFormat {
    private let format: [Text.Unit]
    private let renderer: Renderer
    private let mapping: Dict?
    private var values: ArraySlice<Value>
    private var place = 0
    private var result: [Text.Unit] = []
    private let isMarkup: Bool

    static func format(_ format: Text, _ value: Value, _ renderer: Renderer) throws -> Text {
        var formatter = PercentFormat(format, value, renderer)
        return try formatter.run()
    }

    private init(_ format: Text, _ value: Value, _ renderer: Renderer) {
        (self.format, self.renderer, isMarkup) = (format.units, renderer, format.isMarkup)
        mapping = value.dict
        if case .series(let series) = value, series.kind == .tuple { values = series.items[...] } else { values = [value] }
    }

    private mutating func run() throws -> Text {
        try renderer.charge(format.count)
        while place < format.count {
            let end = format[place...].firstIndex { $0.code == 0x25 } ?? format.count
            result += format[place..<end]
            place = end + 1
            if end < format.count { try field() }
        }
        guard values.isEmpty || mapping != nil else { throw TemplateError("not all arguments converted during string formatting") }
        return Text(result, isMarkup: isMarkup)
    }

    private mutating func next() throws -> Unicode.Scalar {
        guard place < format.count else { throw TemplateError("incomplete format") }
        place += 1
        return format[place - 1].scalar
    }

    private mutating func value() throws -> Value {
        guard let value = values.popFirst() else { throw TemplateError("not enough arguments for format string") }
        return value
    }

    private mutating func field() throws {
        let percent = format[place - 1]
        var scalar = try next()
        var named: Value?
        if scalar == "(" {
            var name: [Text.Unit] = []
            while try next() != ")" { name.append(format[place - 1]) }
            guard let mapping else { throw TemplateError("format requires a mapping") }
            guard let value = mapping[Text(name)] else { throw TemplateError("KeyError: \(Text(name).quoted.string)") }
            named = value
            scalar = try next()
        }
        var layout = NumberLayout()
        var isLeft = false
        flags: while true {
            switch scalar {
            case "-": isLeft = true
            case "+": layout.sign = "+"
            case " ": layout.sign = layout.sign == "+" ? "+" : " "
            case "0": layout.isZeroPadded = true
            case "#": layout.isAlternate = true
            default: break flags
            }
            scalar = try next()
        }
        var width = try count(&scalar)
        if let given = width, given < 0 { (isLeft, width) = (true, given == .min ? .max : -given) }
        if scalar == "." {
            scalar = try next()
            layout.precision = max(0, try count(&scalar) ?? 0)
        }
        while ["h", "l", "L"].contains(scalar) { scalar = try next() }
        if scalar == "%" {
            result.append(percent)
            return
        }
        let value = try named ?? self.value()
        try renderer.charge(max(width ?? 0, 0))
        try renderer.charge(layout.precision ?? 0)
        let text = try converted(value, scalar, layout, width: isLeft ? nil : width)
        let padding = Array(repeating: Text.Unit(" ", isTrusted: true), count: max(0, (width ?? 0) - text.count))
        result += isLeft ? text.units + padding : padding + text.units
    }

    /// A number, or `*`, which takes the next value.
    private mutating func count(_ scalar: inout Unicode.Scalar) throws -> Int? {
        if scalar == "*" {
            guard let count = try value().integer else { throw TemplateError("* wants int") }
            scalar = try next()
            return count
        }
        var digits = ""
        while ("0"..."9").contains(scalar) {
            digits.unicodeScalars.append(scalar)
            scalar = try next()
        }
        if digits.isEmpty { return nil }
        guard let count = Int(digits) else { throw TemplateError("width too big") }
        return count
    }

    private func converted(_ value: Value, _ conversion: Unicode.Scalar, _ layout: NumberLayout, width: Int?) throws -> Text {
        switch conversion {
        case "s", "r", "a":
            try renderer.charge(value.size)
            let text = conversion == "s" ? value.shown : value.represented
            let escaped = isMarkup ? text.escaped : text
            return layout.precision.map { escaped.slice(0..<min($0, escaped.count)) } ?? escaped
        case "c":
            if let text = value.text, text.count == 1 { return text }
            guard let scalar = value.integer.flatMap(UInt32.init(exactly:)).flatMap(Unicode.Scalar.init) else { throw TemplateError("%c requires int or char") }
            return Text(String(scalar))
        case "d", "i", "u":
            var number = value.integer
            if case .float(let float) = value { number = Int(exactly: float.rounded(.towardZero)) }
            guard let number else { throw TemplateError("%\(conversion) format: a real number is required, not \(value.typeName)") }
            return Text(layout.text(number, radix: 10, width: width))
        case "x", "X", "o":
            guard let number = value.integer else { throw TemplateError("%\(conversion) format: an integer is required, not \(value.typeName)") }
            return Text(layout.text(number, radix: conversion == "o" ? 8 : 16, isLarge: conversion == "X", width: width))
        case "e", "E", "f", "F", "g", "G":
            guard let number = value.number else { throw TemplateError("must be real number, not \(value.typeName)") }
            return Text(layout.text(number, Character(conversion), width: width))
        default:
            throw TemplateError("unsupported format character '\(conversion)'")
        }
    }
}

/// How a number is laid out, in `%` and in `format`.
struct NumberLayout {
    var sign: Unicode.Scalar?
    var isZeroPadded = false
    var isAlternate = false
    var grouping: Character?
    var precision: Int?

    func text(_ number: Int, radix: Int, isLarge: Bool = false, width: Int?) -> String {
        var digits = String(number.magnitude, radix: radix, uppercase: isLarge)
        if let precision, digits.count < precision { digits = String(repeating: "0", count: precision - digits.count) + digits }
        let prefix = isAlternate ? [16: isLarge ? "0X" : "0x", 8: "0o", 2: "0b"][radix] ?? "" : ""
        return laidOut(digits, isNegative: number < 0, prefix: prefix, groupSize: radix == 10 ? 3 : 4, width: width)
    }

    /// - Parameter conversion: `e`, `f` or `g`, small or large.
    func text(_ number: Double, _ conversion: Character, suffix: String = "", width: Int?) -> String {
        if !number.isFinite {
            let word = number.isNaN ? "nan" : "inf"
            return laidOut(conversion.isUppercase ? word.uppercased() : word, isNegative: number < 0, groupSize: 0, width: width)
        }
        let digits = PythonNumber.printed(number.magnitude, precision ?? 6, conversion, keepsPoint: isAlternate)
        return laidOut(digits + suffix, isNegative: number.sign == .minus, groupSize: 3, width: width)
    }

    /// - Parameter width: to which zeros are put before the digits, if they are wanted.
    func laidOut(_ digits: String, isNegative: Bool, prefix: String = "", groupSize: Int, width: Int?) -> String {
        let head = (isNegative ? "-" : sign.map { $0 == "-" ? "" : String($0) } ?? "") + prefix
        let whole = String(digits.prefix { $0.isHexDigit && ($0.isNumber || groupSize == 4) })
        let rest = digits.dropFirst(whole.count)
        let room = isZeroPadded ? (width ?? 0) - head.count - rest.count : 0
        guard let grouping, groupSize > 0 else { return head + String(repeating: "0", count: max(0, room - whole.count)) + whole + rest }
        var grouped = NumberLayout.grouped(whole, grouping, groupSize)
        var padded = whole
        while grouped.count < room {
            padded = "0" + padded
            grouped = NumberLayout.grouped(padded, grouping, groupSize)
        }
        return head + grouped + rest
    }

    private static func grouped(_ digits: String, _ separator: Character, _ size: Int) -> String {
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % size == 0 { result.append(separator) }
            result.append(digit)
        }
        return result
    }
}
