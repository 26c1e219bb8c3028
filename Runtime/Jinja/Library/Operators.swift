#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Arithmetic and comparison, as Python has them.
enum Operators {
    private static let tooLarge = TemplateError("an integer is too large: there are 64 bits")

    static func negated(_ value: Value) throws -> Value {
        if case .float(let number) = value { return .float(-number) }
        if case .undefined(let missing) = value { throw TemplateError(missing) }
        guard let number = value.integer else { throw TemplateError("bad operand type for unary -: '\(value.typeName)'") }
        guard number != .min else { throw tooLarge }
        return .int(-number)
    }

    static func positive(_ value: Value) throws -> Value {
        if case .float = value { return value }
        if case .undefined(let missing) = value { throw TemplateError(missing) }
        guard let number = value.integer else { throw TemplateError("bad operand type for unary +: '\(value.typeName)'") }
        return .int(number)
    }

    static func calculate(_ operation: Arithmetic, _ a: Value, _ b: Value, _ renderer: Renderer) throws -> Value {
        if operation == .modulo, case .string(let format) = a {
            return .string(try PercentFormat.format(format, b, renderer))
        }
        if case .undefined(let missing) = a { throw TemplateError(missing) }
        if case .undefined(let missing) = b { throw TemplateError(missing) }
        if let x = a.integer, let y = b.integer { return try calculate(operation, x, y) }
        if let x = a.number, let y = b.number { return .float(try calculate(operation, x, y)) }
        switch (operation, a, b) {
        case (.add, .string(let x), .string(let y)):
            let isMarkup = x.isMarkup || y.isMarkup
            try renderer.charge(x.count + y.count)
            return .string(isMarkup ? Text(x.escaped.units + y.escaped.units, isMarkup: true) : x + y)
        case (.add, .series(let x), .series(let y)) where x.kind == y.kind && (x.kind == .list || x.kind == .tuple):
            try renderer.charge(16 * (x.items.count + y.items.count))
            return .series(try Series(x.kind, x.items + y.items))
        case (.multiply, .string, _), (.multiply, .series, _): if let count = b.integer { return try repeated(a, count, renderer) }
        case (.multiply, _, .string), (.multiply, _, .series): if let count = a.integer { return try repeated(b, count, renderer) }
        default: break
        }
        throw TemplateError("unsupported operand type(s) for \(operation.rawValue): '\(a.typeName)' and '\(b.typeName)'")
    }

    private static func repeated(_ value: Value, _ count: Int, _ renderer: Renderer) throws -> Value {
        let count = max(0, count)
        switch value {
        case .string(let text):
            try renderer.charge(max(text.count, 1), times: count)
            return .string(Text(repeatElement(text.units, count: text.isEmpty ? 0 : count).joined(), isMarkup: text.isMarkup))
        case .series(let series) where series.kind == .list || series.kind == .tuple:
            try renderer.charge(16 * max(series.items.count, 1), times: count)
            return .series(try Series(series.kind, Array(repeatElement(series.items, count: series.items.isEmpty ? 0 : count).joined())))
        default: throw TemplateError("can't multiply '\(value.typeName)'")
        }
    }

    private static func calculate(_ operation: Arithmetic, _ x: Int, _ y: Int) throws -> Value {
        func checked(_ result: (partialValue: Int, overflow: Bool)) throws -> Value {
            guard !result.overflow else { throw tooLarge }
            return .int(result.partialValue)
        }
        switch operation {
        case .add: return try checked(x.addingReportingOverflow(y))
        case .subtract: return try checked(x.subtractingReportingOverflow(y))
        case .multiply: return try checked(x.multipliedReportingOverflow(by: y))
        case .divide: return .float(try calculate(.divide, Double(x), Double(y)))
        case .floorDivide, .modulo:
            guard y != 0 else { throw TemplateError("integer division or modulo by zero") }
            guard y != -1 else { return operation == .modulo ? .int(0) : try checked(x.multipliedReportingOverflow(by: -1)) }
            // Python rounds down, and the remainder has the divisor's sign.
            let (quotient, remainder) = x.quotientAndRemainder(dividingBy: y)
            let isBelow = remainder != 0 && (remainder < 0) != (y < 0)
            return .int(operation == .modulo ? remainder + (isBelow ? y : 0) : quotient - (isBelow ? 1 : 0))
        case .power:
            guard y >= 0 else { return .float(try calculate(.power, Double(x), Double(y))) }
            return try power(x, y)
        }
    }

    private static func power(_ base: Int, _ exponent: Int) throws -> Value {
        var (result, square, rest) = (1, base, exponent)
        while rest > 0 {
            if rest & 1 == 1 {
                let (product, isOver) = result.multipliedReportingOverflow(by: square)
                guard !isOver else { throw tooLarge }
                result = product
            }
            rest >>= 1
            guard rest > 0 else { break }
            let (next, isOver) = square.multipliedReportingOverflow(by: square)
            guard !isOver else { throw tooLarge }
            square = next
        }
        return .int(result)
    }

    private static func calculate(_ operation: Arithmetic, _ x: Double, _ y: Double) throws -> Double {
        switch operation {
        case .add: return x + y
        case .subtract: return x - y
        case .multiply: return x * y
        case .power:
            guard x != 0 || y >= 0 else { throw TemplateError("0.0 cannot be raised to a negative power") }
            let result = pow(x, y)
            guard result.isFinite || !x.isFinite || !y.isFinite else { throw TemplateError("numerical result out of range") }
            guard !result.isNaN || x.isNaN || y.isNaN else { throw TemplateError("complex numbers are not supported") }
            return result
        case .divide:
            guard y != 0 else { throw TemplateError("division by zero") }
            return x / y
        case .floorDivide, .modulo:
            guard y != 0 else { throw TemplateError("float floor division by zero") }
            var remainder = fmod(x, y)
            var quotient = (x - remainder) / y
            if remainder == 0 {
                remainder = copysign(0, y)
            } else if (remainder < 0) != (y < 0) {
                remainder += y
                quotient -= 1
            }
            return operation == .modulo ? remainder : quotient.rounded()
        }
    }

    // MARK: Comparison

    static func compare(_ comparison: Comparison, _ a: Value, _ b: Value, _ renderer: Renderer) throws -> Bool {
        switch comparison {
        case .equal: try equal(a, b, renderer)
        case .notEqual: try !equal(a, b, renderer)
        case .less: try less(a, b, comparison, renderer)
        case .greater: try less(b, a, comparison, renderer)
        case .lessOrEqual: try !isNotANumber(a, b) && (equal(a, b, renderer) || less(a, b, comparison, renderer))
        case .greaterOrEqual: try !isNotANumber(a, b) && (equal(a, b, renderer) || less(b, a, comparison, renderer))
        case .isIn: try contains(b, a, renderer)
        case .isNotIn: try !contains(b, a, renderer)
        }
    }

    static func equal(_ a: Value, _ b: Value, _ renderer: Renderer) throws -> Bool {
        try renderer.charge(min(a.size, b.size))
        return Value.equal(a, b)
    }

    private static func less(_ a: Value, _ b: Value, _ comparison: Comparison, _ renderer: Renderer) throws -> Bool {
        try renderer.charge(min(a.size, b.size))
        return try Value.less(a, b, comparison.rawValue)
    }

    private static func isNotANumber(_ a: Value, _ b: Value) -> Bool { a.number?.isNaN == true || b.number?.isNaN == true }

    /// `item in container`
    static func contains(_ container: Value, _ item: Value, _ renderer: Renderer) throws -> Bool {
        switch container {
        case .undefined: return false
        case .string(let text):
            guard let part = item.text else { throw TemplateError("'in <string>' requires string as left operand, not \(item.typeName)") }
            try renderer.charge(text.count + part.count)
            return text.contains(part)
        case .series(let series): return try series.items.contains { try equal($0, item, renderer) }
        case .dict(let dict):
            try renderer.charge(item.size)
            return dict[try Key(item)] != nil
        case .object(let generator as Generator):
            while let next = try generator.next() { if try equal(next, item, renderer) { return true } }
            return false
        default: throw TemplateError("argument of type '\(container.typeName)' is not iterable")
        }
    }
}
