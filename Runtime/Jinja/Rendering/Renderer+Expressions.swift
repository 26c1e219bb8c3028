extension Renderer {
    func evaluate(_ expression: Expression, in scope: Scope) throws -> Value {
        try charge(32)
        return try deeper {
            switch expression.kind {
            case .constant(let constant): constant.value
            case .name(let name): scope[name] ?? Globals.all[name].map { .object(Function(name, $0)) } ?? .undefined("'\(name)' is undefined")
            case .list(let items): try list(items.map { try evaluate($0, in: scope) })
            case .tuple(let items): try .tuple(items.map { try evaluate($0, in: scope) })
            case .dict(let entries): try dictionary(entries, in: scope)
            case .attribute(let value, let name): try attribute(name, of: evaluate(value, in: scope), expression.line)
            case .item(let value, let index): try item(expression, value, index, in: scope)
            case .slice(let value, let start, let end, let step): try slice(value, start, end, step, in: scope)
            case .call: try evaluateCall(expression, in: scope)
            case .filter(let value, let name, let arguments): try filter(value, name, arguments, expression.line, in: scope)
            case .test(let value, let name, let arguments): try test(value, name, arguments, expression.line, in: scope)
            case .not(let value): .bool(try !evaluate(value, in: scope).isTrue)
            case .negative(let value): try Operators.negated(evaluate(value, in: scope))
            case .positive(let value): try Operators.positive(evaluate(value, in: scope))
            case .arithmetic(let operation, let a, let b):
                try Operators.calculate(operation, evaluate(a, in: scope), evaluate(b, in: scope), self)
            case .concatenation(let parts): try concatenate(parts, in: scope)
            case .comparison(let value, let others): try compare(value, others, in: scope)
            case .and(let a, let b): try either(a, b, keepsTrue: false, in: scope)
            case .or(let a, let b): try either(a, b, keepsTrue: true, in: scope)
            case .conditional(let condition, let then, let otherwise): try conditional(condition, then, otherwise, in: scope)
            }
        }
    }

    // One function each, so that `evaluate`, which calls itself, takes little of the stack.

    private func dictionary(_ entries: [(key: Expression, value: Expression)], in scope: Scope) throws -> Value {
        try charge(32 * entries.count)
        return .dict(try Dict(entries.map { (try evaluate($0.key, in: scope), try evaluate($0.value, in: scope)) }))
    }

    private func concatenate(_ parts: [Expression], in scope: Scope) throws -> Value {
        var units: [Text.Unit] = []
        for part in parts { units += try shown(evaluate(part, in: scope)).units }
        return try text(Text(units))
    }

    private func either(_ a: Expression, _ b: Expression, keepsTrue: Bool, in scope: Scope) throws -> Value {
        let value = try evaluate(a, in: scope)
        return value.isTrue == keepsTrue ? value : try evaluate(b, in: scope)
    }

    private func conditional(_ condition: Expression, _ then: Expression, _ otherwise: Expression?, in scope: Scope) throws -> Value {
        if try evaluate(condition, in: scope).isTrue { return try evaluate(then, in: scope) }
        return try otherwise.map { try evaluate($0, in: scope) }
            ?? .undefined("the inline if-expression evaluated to false and no else section was defined.")
    }

    private func compare(_ value: Expression, _ others: [(Comparison, Expression)], in scope: Scope) throws -> Value {
        var left = try evaluate(value, in: scope)
        for (comparison, other) in others {
            let right = try evaluate(other, in: scope)
            guard try Operators.compare(comparison, left, right, self) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    // MARK: Parts of values

    /// `value.name`: what Python has under that name, before an entry of a dictionary.
    func attribute(_ name: String, of value: Value, _ line: Int) throws -> Value {
        self.line = line
        if case .undefined(let missing) = value { throw TemplateError(missing) }
        if let found = Methods.find(name, of: value, self) { return found }
        switch value {
        case .dict(let dict): if let entry = dict[Text(name)] { return entry }
        case .object(let object as Namespace): if let entry = object[Text(name)] { return entry }
        default: break
        }
        let owner = value.isNone ? "'None'" : "'\(value.typeName) object'"
        return .undefined("\(owner) has no attribute \(Text(name).quoted.string)")
    }

    private func item(_ expression: Expression, _ value: Expression, _ index: Expression, in scope: Scope) throws -> Value {
        let value = try evaluate(value, in: scope)
        let index = try evaluate(index, in: scope)
        line = expression.line
        return try item(index, of: value)
    }

    /// `value[index]`
    func item(_ index: Value, of value: Value) throws -> Value {
        if case .undefined(let missing) = value { throw TemplateError(missing) }
        try charge(index.size)
        switch (value, index) {
        case (.dict(let dict), _):
            if let entry = (try? Key(index)).flatMap({ dict[$0] }) { return entry }
        case (.series(let series), _) where series.kind.isIndexed:
            if let place = place(index, in: series.items.count) { return series.items[place] }
        case (.string(let text), _):
            if let place = place(index, in: text.count) { return .string(text.slice(place..<place + 1)) }
        default: break
        }
        guard let name = index.text else { return .undefined("\(value.typeName) object has no element \(index.represented.string)") }
        if case .dict = value {
            return Methods.find(name.string, of: value, self) ?? .undefined("'dict object' has no attribute \(name.quoted.string)")
        }
        return try attribute(name.string, of: value, line)
    }

    private func place(_ index: Value, in count: Int) -> Int? {
        guard let index = index.integer else { return nil }
        let place = index < 0 ? index + count : index
        return (0..<count).contains(place) ? place : nil
    }

    private func slice(_ value: Expression, _ start: Expression?, _ end: Expression?, _ step: Expression?, in scope: Scope) throws -> Value {
        let value = try evaluate(value, in: scope)
        func bound(_ expression: Expression?) throws -> Int? {
            guard let expression else { return nil }
            let bound = try evaluate(expression, in: scope)
            if bound.isNone { return nil }
            guard let index = bound.integer else { throw TemplateError("slice indices must be integers or None or have an __index__ method") }
            return index
        }
        let (from, to, by) = (try bound(start), try bound(end), try bound(step) ?? 1)
        guard by != 0 else { throw TemplateError("slice step cannot be zero") }
        switch value {
        case .undefined(let missing): throw TemplateError(missing)
        case .string(let text):
            return try self.text(Text(Renderer.places(text.count, from, to, by).map { text.units[$0] }, isMarkup: text.isMarkup))
        case .series(let series) where series.kind.isIndexed:
            let places = Renderer.places(series.items.count, from, to, by)
            try charge(16 * series.items.count)
            return .series(try Series(series.kind.slice(places), places.map { series.items[$0] }))
        default: throw TemplateError("'\(value.typeName)' object is not subscriptable")
        }
    }

    /// The places that Python's slice of `count` items takes.
    private static func places(_ count: Int, _ from: Int?, _ to: Int?, _ step: Int) -> Places {
        let (lowest, highest) = step > 0 ? (0, count) : (-1, count - 1)
        func clamped(_ index: Int) -> Int { min(max(index < 0 ? index + count : index, lowest), highest) }
        let start = from.map(clamped) ?? (step > 0 ? 0 : count - 1)
        let end = to.map(clamped) ?? (step > 0 ? count : -1)
        // A step beyond the end is as good as one to the end, and cannot overflow.
        return Places(from: start, to: end, by: min(max(step, -count - 1), count + 1))
    }

    // MARK: Filters and tests

    private func filter(_ value: Expression?, _ name: String, _ arguments: CallArguments, _ line: Int, in scope: Scope) throws -> Value {
        let value = try value.map { try evaluate($0, in: scope) } ?? filtered
        let arguments = try evaluate(arguments, in: scope)
        self.line = line
        return try apply(filter: name, to: value, arguments)
    }

    func apply(filter name: String, to value: Value, _ arguments: Arguments) throws -> Value {
        guard let filter = Filters.all[name] else { throw TemplateError("no filter named '\(name)'") }
        if let text = value.text { try charge(text.count) }
        return try filter(self, value, arguments)
    }

    private func test(_ value: Expression, _ name: String, _ arguments: CallArguments, _ line: Int, in scope: Scope) throws -> Value {
        let value = try evaluate(value, in: scope)
        let arguments = try evaluate(arguments, in: scope)
        self.line = line
        return .bool(try apply(test: name, to: value, arguments))
    }

    func apply(test name: String, to value: Value, _ arguments: Arguments) throws -> Bool {
        guard let test = Tests.all[name] else { throw TemplateError("no test named '\(name)'") }
        return try test(self, value, arguments)
    }
}

private struct Places: Sequence {
    let from, to, by: Int

    func makeIterator() -> StrideToIterator<Int> { stride(from: from, to: to, by: by).makeIterator() }
}

extension Series.Kind {
    fileprivate func slice(_ places: Places) -> Series.Kind {
        switch self {
        case .range(let start, _, let step):
            // Places are within a range of at most some thousands, so this stays small.
            .range(from: start + places.from * step, to: start + places.to * step, step: step * places.by)
        case .list: .list
        default: .tuple
        }
    }
}

extension Constant {
    fileprivate var value: Value {
        switch self {
        case .none: .none
        case .bool(let flag): .bool(flag)
        case .int(let number): .int(number)
        case .float(let number): .float(number)
        case .text(let text): .string(text)
        }
    }
}
