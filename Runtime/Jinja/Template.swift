/// A Jinja template, read once and rendered any number of times, from any thread.
///
/// It is the language that chat templates in model files are written in: jinja2 as `transformers` sets it up, with
/// `trim_blocks`, `lstrip_blocks`, `break` and `continue`, the `generation` tag, `raise_exception`, `strftime_now` and its own
/// `tojson`, in a sandbox where data does not change. What differs: integers have 64 bits, generators are made whole at once, and
/// there is a bound on time, memory and depth, so that a template from anywhere gives a result or an error, soon.
package struct Template: Sendable {
    private let body: [Statement]

    /// - Throws: ``TemplateError`` with the line that is wrong.
    package init(_ source: String) throws {
        body = try Parser.parse(source)
    }

    /// - Parameters:
    ///   - context: the names that the template knows.
    ///   - now: the time that `strftime_now` tells, in seconds since 1970; the present if `nil`.
    /// - Returns: the rendered text, in which each character is marked as its origin was.
    /// - Throws: ``TemplateError`` with the line, and ``TemplateError/isRaised`` if the template itself refused.
    package func render(_ context: [(name: String, value: Value)], now: Int? = nil) throws -> Text {
        let renderer = Renderer(allowance: context.reduce(0) { $0 + $1.value.size }, now: now)
        return try renderer.render(body, context)
    }
}
