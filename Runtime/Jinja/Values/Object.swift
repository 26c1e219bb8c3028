/// What is neither data nor text: namespaces, macros, functions. One rendering makes, uses and drops it.
package class Object {
    var typeName: String { "object" }
    var shown: String { "<\(typeName)>" }
}

/// `namespace()`: the one thing a template can change.
final class Namespace: Object {
    private(set) var entries: [(name: Text, value: Value)] = []
    private var places: [Text: Int] = [:]

    override var typeName: String { "Namespace" }

    subscript(name: Text) -> Value? {
        get { places[name].map { entries[$0].value } }
        set {
            guard let newValue else { return }
            if let place = places[name] {
                entries[place].value = newValue
            } else {
                places[name] = entries.count
                entries.append((name, newValue))
            }
        }
    }

    func removeAll() {
        entries = []
        places = [:]
    }
}

/// A function of the interpreter's, or a method of a value.
final class Function: Object {
    typealias Body = (Renderer, Arguments) throws -> Value
    let name: String
    let body: Body

    init(_ name: String, _ body: @escaping Body) { (self.name, self.body) = (name, body) }
    override var typeName: String { "builtin_function_or_method" }
    override var shown: String { "<built-in function \(name)>" }
}

/// What a macro's statement defines, with the scope it sees.
final class Macro: Object {
    let definition: MacroDefinition
    let scope: Scope

    init(_ definition: MacroDefinition, in scope: Scope) { (self.definition, self.scope) = (definition, scope) }
    override var typeName: String { "Macro" }
    override var shown: String { "<Macro '\(definition.name)'>" }
}

/// Python's generator: filters like `map` give one. It can be walked through once, has no length, and what goes wrong in making
/// its items goes wrong only when someone walks.
final class Generator: Object {
    private var items: ArraySlice<Value> = []
    private var make: (() throws -> [Value])?
    /// How many generators make their items of each other's.
    let depth: Int

    init(depth: Int, _ make: @escaping () throws -> [Value]) { (self.depth, self.make) = (depth, make) }
    override var typeName: String { "generator" }
    override var shown: String { "<generator object>" }

    private func begin() throws {
        guard let make else { return }
        self.make = nil
        items = try make()[...]
    }

    func next() throws -> Value? {
        try begin()
        return items.popFirst()
    }

    func rest() throws -> [Value] {
        try begin()
        defer { items = [] }
        return Array(items)
    }
}

/// `cycler(…)`.
final class Cycler: Object {
    let items: [Value]
    var place = 0

    init(_ items: [Value]) { self.items = items }
    override var typeName: String { "Cycler" }
}

/// `joiner(…)`: nothing the first time, then its separator.
final class Joiner: Object {
    let separator: Value
    var isUsed = false

    init(_ separator: Value) { self.separator = separator }
    override var typeName: String { "Joiner" }
}

/// `loop`, inside a `for`.
final class Loop: Object {
    let items: [Value]
    let definition: ForDefinition
    /// Where the `for` stands, for a recursive one that is called again.
    let scope: Scope
    let depth: Int
    var index = 0
    var lastChecked: [Value]?

    init(_ items: [Value], _ definition: ForDefinition, in scope: Scope, depth: Int) {
        (self.items, self.definition, self.scope, self.depth) = (items, definition, scope, depth)
    }
    override var typeName: String { "LoopContext" }
    override var shown: String { "<LoopContext \(index + 1)/\(items.count)>" }
}
