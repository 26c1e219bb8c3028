/// Why a template cannot be read, or cannot be rendered with what it was given.
package struct TemplateError: Error, Equatable, CustomStringConvertible {
    /// For a person: what is wrong.
    package let message: String
    /// The template's line, from 1.
    package private(set) var line: Int?
    /// Whether the template itself refused what it was given, with `raise_exception`.
    package private(set) var isRaised: Bool

    init(_ message: String, line: Int? = nil, isRaised: Bool = false) {
        (self.message, self.line, self.isRaised) = (message, line, isRaised)
    }

    func at(line: Int) -> TemplateError { TemplateError(message, line: self.line ?? line, isRaised: isRaised) }

    package var description: String { (line.map { "line \($0): " } ?? "") + message }
}

/// What keeps a template, which came with a model from anywhere, from taking the machine.
enum Limits {
    /// Of a template's source, in code points.
    static let source = 1 << 20
    /// How deep parentheses and statements stand in each other while they are read.
    static let nesting = 64
    /// How deep the expressions that were read are: a chain of 120 sums is that deep.
    static let expressionHeight = 120
    static let valueHeight = 100
    /// Values and code points in one value.
    static let valueSize = 16 << 20
    /// How deep evaluation goes, through expressions, statements, macros and recursive loops.
    static let depth = 250
    /// How many filters like `map` stand behind each other.
    static let generators = 32
    /// What a rendering may cost, in code points copied twice; see ``Renderer/charge(_:)``.
    static let work = 48 << 20
    /// The same for each code point it is given: templates copy a conversation a few times.
    static let workPerUnit = 64
    /// Code points.
    static let output = 16 << 20
    /// jinja2's sandbox has this limit.
    static let range = 100_000
}
