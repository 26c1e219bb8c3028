/// One rendering of a template.
final class Renderer {
    private(set) var output: [Text.Unit] = []
    private var workLeft: Int
    private var depth = 0
    /// Where it is, for errors.
    var line = 1
    let now: Int?
    /// What a `filter` statement or a block `set` has rendered, for its first filter.
    var filtered = Value.none
    // Macros hold the scope that holds them, and namespaces may hold each other: taken apart when the rendering ends.
    private var scopesWithMacros: [Scope] = []
    private var namespaces: [Namespace] = []

    /// - Parameter allowance: the size of the context: a long conversation may cost more.
    init(allowance: Int, now: Int?) {
        workLeft = Limits.work + Limits.workPerUnit * min(allowance, Limits.valueSize)
        self.now = now
    }

    func render(_ body: [Statement], _ context: [(name: String, value: Value)]) throws -> Text {
        defer {
            scopesWithMacros.forEach { $0.variables = [:] }
            namespaces.forEach { $0.removeAll() }
        }
        let names = Scope(Dictionary(context.map { ($0.name, $0.value) }) { _, last in last }, in: nil)
        do {
            _ = try execute(body, in: Scope(in: names))
        } catch let error as TemplateError {
            throw error.at(line: line)
        }
        return Text(output)
    }

    // MARK: Bounds

    /// Counts work: a value or code point that is copied or looked at is 1, a list's item 16, a step of the evaluation 32.
    /// - Throws: ``TemplateError`` when the template has done too much.
    func charge(_ work: Int) throws {
        workLeft -= work
        guard workLeft >= 0 else { throw TemplateError("the template takes too long") }
    }

    /// For what is not made yet and may be very large.
    /// - Throws: as ``charge(_:)``.
    func charge(_ count: Int, times: Int) throws {
        let (work, isOver) = count.multipliedReportingOverflow(by: times)
        try charge(isOver ? Int.max / 2 : max(0, work))
    }

    /// - Throws: ``TemplateError`` when calls and expressions stand in each other too deeply.
    func deeper<T>(_ body: () throws -> T) throws -> T {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Limits.depth else { throw TemplateError("the template calls itself too deeply") }
        return try body()
    }

    // MARK: What it makes

    func write(_ text: Text) throws {
        try charge(text.count)
        guard output.count + text.count <= Limits.output else { throw TemplateError("the template renders more than \(Limits.output) characters") }
        output += text.units
    }

    /// What `body` writes.
    func captured(_ body: () throws -> Void) throws -> Text {
        let outer = output
        output = []
        defer { output = outer }
        try body()
        return Text(output)
    }

    func namespace() -> Namespace {
        let namespace = Namespace()
        namespaces.append(namespace)
        return namespace
    }

    func text(_ text: Text) throws -> Value {
        try charge(text.count)
        return .string(text)
    }

    func list(_ items: [Value]) throws -> Value {
        try charge(16 * items.count)
        return try .list(items)
    }

    /// A generator of what `make` makes of the items of `source`.
    func generator(over source: Value, _ make: @escaping ([Value]) throws -> [Value]) throws -> Value {
        try charge(64)
        var depth = 0
        if case .object(let inner as Generator) = source { depth = inner.depth + 1 }
        guard depth < Limits.generators else { throw TemplateError("there are more than \(Limits.generators) generators in each other") }
        return .object(
            Generator(depth: depth) { [self] in
                let items = try make(items(of: source))
                try charge(16 * items.count)
                return items
            })
    }

    /// `str(value)`
    func shown(_ value: Value) throws -> Text {
        try charge(value.size)
        return value.shown
    }

    func defineMacro(_ definition: MacroDefinition, in scope: Scope) -> Value {
        scopesWithMacros.append(scope)
        return .object(Macro(definition, in: scope))
    }
}
