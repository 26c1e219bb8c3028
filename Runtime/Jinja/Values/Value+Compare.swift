extension Value {
    /// Python's `==`.
    static func equal(_ a: Value, _ b: Value) -> Bool {
        if let x = a.integer, let y = b.integer { return x == y }
        if let x = a.number, let y = b.number { return x == y }
        switch (a, b) {
        case (.undefined, .undefined), (.none, .none): return true
        case (.string(let x), .string(let y)): return x == y
        case (.series(let x), .series(let y)):
            if x === y { return true }
            guard x.kind.typeName == y.kind.typeName, x.items.count == y.items.count else { return false }
            return zip(x.items, y.items).allSatisfy(equal)
        case (.dict(let x), .dict(let y)):
            if x === y { return true }
            guard x.keys.count == y.keys.count else { return false }
            return x.entries.allSatisfy { key, value in
                guard let key = try? Key(key), let other = y[key] else { return false }
                return equal(value, other)
            }
        case (.object(let x), .object(let y)): return x === y
        default: return false
        }
    }

    /// Python's `<`.
    /// - Throws: ``TemplateError`` when the two have no order.
    static func less(_ a: Value, _ b: Value, _ operation: String = "<") throws -> Bool {
        if let x = a.integer, let y = b.integer { return x < y }
        if let x = a.number, let y = b.number { return x < y }
        switch (a, b) {
        case (.undefined(let missing), _), (_, .undefined(let missing)): throw TemplateError(missing)
        case (.string(let x), .string(let y)): return x < y
        case (.series(let x), .series(let y)) where x.kind == y.kind && (x.kind == .list || x.kind == .tuple):
            for (left, right) in zip(x.items, y.items) where !equal(left, right) { return try less(left, right, operation) }
            return x.items.count < y.items.count
        default:
            throw TemplateError("'\(operation)' not supported between instances of '\(a.typeName)' and '\(b.typeName)'")
        }
    }
}
