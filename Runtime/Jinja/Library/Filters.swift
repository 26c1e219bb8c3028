/// jinja2's filters: what follows `|`. Not there: `pprint`, `random`, `urlize`, `wordwrap` and `xmlattr`.
enum Filters {
    typealias Filter = @Sendable (Renderer, Value, Arguments) throws -> Value

    static let all: [String: Filter] = [texts, numbers, lists, selections].reduce(into: [:]) { all, more in
        all.merge(more) { first, _ in first }
    }

    /// The length that Python's `len` gives.
    static func length(_ value: Value) throws -> Int {
        switch value {
        case .undefined: 0
        case .string(let text): text.count
        case .series(let series): series.items.count
        case .dict(let dict): dict.keys.count
        case .object(let loop as Loop): loop.items.count
        default: throw TemplateError("object of type '\(value.typeName)' has no len()")
        }
    }

    /// - Throws: for what is missing and not optional.
    static func required(_ value: Value?, _ filter: String, _ name: String) throws -> Value {
        guard let value else { throw TemplateError("\(filter)() is missing its argument '\(name)'") }
        return value
    }

    static let numbers: [String: Filter] = [
        "abs": { _, value, arguments in
            try arguments.none("abs")
            if case .undefined(let missing) = value { throw TemplateError(missing) }
            if let number = value.integer {
                guard number != .min else { throw TemplateError("an integer is too large") }
                return .int(abs(number))
            }
            guard let number = value.number else { throw TemplateError("bad operand type for abs(): '\(value.typeName)'") }
            return .float(number.magnitude)
        },
        "int": { renderer, value, arguments in
            let bound = try arguments.bind("int", "default", "base")
            let base = try bound[1].map { try Methods.integer("int", $0) } ?? 10
            if case .undefined(let missing) = value { throw TemplateError(missing) }
            return try integer(value, base: base, renderer) ?? bound[0] ?? .int(0)
        },
        "float": { _, value, arguments in
            let bound = try arguments.bind("float", "default")
            if case .undefined(let missing) = value { throw TemplateError(missing) }
            if let number = value.number { return .float(number) }
            return value.text.flatMap { PythonNumber.float($0.string) }.map(Value.float) ?? bound[0] ?? .float(0)
        },
        "round": { renderer, value, arguments in
            let bound = try arguments.bind("round", "precision", "method")
            let precision = try bound[0].map { try Methods.integer("round", $0) } ?? 0
            let method = bound[1]?.text?.string ?? "common"
            guard ["common", "ceil", "floor"].contains(method) else { throw TemplateError("method must be common, ceil or floor") }
            if case .undefined(let missing) = value { throw TemplateError(missing) }
            guard let number = value.number else { throw TemplateError("type \(value.typeName) doesn't define __round__ method") }
            return try rounded(value, number, precision, method)
        },
        "filesizeformat": { _, value, arguments in
            let isBinary = try arguments.bind("filesizeformat", "binary")[0]?.isTrue ?? false
            guard let number = value.number ?? value.text.flatMap({ PythonNumber.float($0.string) }), number.isFinite else {
                throw TemplateError("could not convert to a number of bytes")
            }
            let base: Double = isBinary ? 1024 : 1000
            if number == 1 { return .trusted("1 Byte") }
            if number < base { return .trusted("\(Int(max(number, -1e15))) Bytes") }
            var size = number / base
            let prefixes = isBinary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
            var prefix = 0
            while size >= base, prefix < prefixes.count - 1 { size /= base; prefix += 1 }
            return .trusted("\(PythonNumber.fixed(size, digits: 1)) \(prefixes[prefix])")
        },
    ]

    private static func integer(_ value: Value, base: Int, _ renderer: Renderer) throws -> Value? {
        if let number = value.integer { return .int(number) }
        let text = value.text.map { $0.stripped(nil).string }
        if let text, let number = PythonNumber.integer(text, base: base) { return .int(number) }
        guard let number = value.number ?? text.flatMap(PythonNumber.float), number.isFinite else { return nil }
        guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw TemplateError("an integer is too large: there are 64 bits") }
        return .int(whole)
    }

    private static func rounded(_ value: Value, _ number: Double, _ precision: Int, _ method: String) throws -> Value {
        guard (-300...300).contains(precision) else { throw TemplateError("round(): the precision is out of range") }
        if method == "common" {
            if value.integer != nil, precision >= 0 { return .int(value.integer ?? 0) }
            let scale = precision < 0 ? PythonNumber.powerOfTen(-precision) : 1
            if value.integer != nil { return .int(Int(exactly: (number / scale).rounded(.toNearestOrEven) * scale) ?? 0) }
            guard number.isFinite else { return value }
            if precision < 0 { return .float((number / scale).rounded(.toNearestOrEven) * scale) }
            return .float(Double(PythonNumber.fixed(number, digits: precision)) ?? number)
        }
        let scale = PythonNumber.powerOfTen(precision)
        return .float((number * scale).rounded(method == "ceil" ? .up : .down) / scale)
    }
}
