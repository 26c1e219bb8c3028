/// The names that statements see: their own, and those around them.
final class Scope {
    var variables: [String: Value]
    let parent: Scope?

    init(_ variables: [String: Value] = [:], in parent: Scope?) { (self.variables, self.parent) = (variables, parent) }

    subscript(name: String) -> Value? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }
}

/// What a function, a filter or a test is called with.
struct Arguments {
    var positional: [Value] = []
    var keywords: [(name: String, value: Value)] = []

    /// The arguments in the order of `names`; `nil` where one is not given.
    /// - Throws: ``TemplateError`` if there are too many, or others.
    func bind(_ function: String, _ names: String...) throws -> [Value?] {
        guard positional.count <= names.count else {
            throw TemplateError("\(function)() takes at most \(names.count) arguments (\(positional.count) given)")
        }
        var bound: [Value?] = positional + Array(repeating: nil, count: names.count - positional.count)
        for (name, value) in keywords {
            guard let place = names.firstIndex(of: name) else { throw TemplateError("\(function)() got an unexpected keyword argument '\(name)'") }
            guard case nil = bound[place] else { throw TemplateError("\(function)() got multiple values for argument '\(name)'") }
            bound[place] = value
        }
        return bound
    }

    /// The one argument that there must be.
    func one(_ function: String, _ name: String) throws -> Value {
        guard let value = try bind(function, name)[0] else { throw TemplateError("\(function)() is missing its argument '\(name)'") }
        return value
    }

    func none(_ function: String) throws { _ = try bind(function) }
}
