/// Makes statements of a template's text, as jinja2's parser does.
struct Parser {
    private let lexemes: [(lexeme: Lexeme, line: Int)]
    private var place = 0
    private var nesting = 0
    /// What the macros around name of `caller`, `varargs` and `kwargs`.
    var macroUses: [Set<String>] = []
    var loopDepth = 0
    /// Filters and tests that there are not: wrong at once, except under a condition, where jinja2 finds out when it gets there.
    var unknown: [TemplateError] = []
    var blocks: Set<String> = []

    /// - Throws: ``TemplateError`` with a line.
    static func parse(_ source: String) throws -> [Statement] {
        var parser = Parser(lexemes: try Lexer.read(source))
        do {
            let body = try parser.body(until: [])
            if let error = parser.unknown.first { throw error }
            return body
        } catch let error as TemplateError {
            throw error.at(line: parser.line)
        }
    }

    private init(lexemes: [(lexeme: Lexeme, line: Int)]) { self.lexemes = lexemes }

    // MARK: Reading along

    var current: Lexeme? { place < lexemes.count ? lexemes[place].lexeme : nil }
    var following: Lexeme? { place + 1 < lexemes.count ? lexemes[place + 1].lexeme : nil }
    var line: Int { place < lexemes.count ? lexemes[place].line : lexemes.last?.line ?? 1 }
    mutating func advance() { place += 1 }

    func isHere(_ symbol: String) -> Bool { current == .symbol(symbol) }
    func isHere(name: String) -> Bool { current == .name(name) }

    mutating func skip(_ symbol: String) -> Bool {
        guard isHere(symbol) else { return false }
        advance()
        return true
    }

    mutating func skip(name: String) -> Bool {
        guard isHere(name: name) else { return false }
        advance()
        return true
    }

    func unexpected(_ expected: String) -> TemplateError {
        TemplateError("expected \(expected), got \(current?.shown ?? "the template's end")", line: line)
    }

    mutating func expect(_ lexeme: Lexeme) throws {
        guard current == lexeme else { throw unexpected(lexeme.shown) }
        advance()
    }

    mutating func name() throws -> String {
        guard case .name(let name) = current else { throw unexpected("a name") }
        advance()
        return name
    }

    /// - Throws: when `body` is nested too deeply.
    mutating func nested<T>(_ body: (inout Parser) throws -> T) throws -> T {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Limits.nesting else { throw TemplateError("the template is nested more than \(Limits.nesting) deep", line: line) }
        return try body(&self)
    }

    // MARK: Text, output, statements

    /// Statements up to one of the tags in `ends`, whose name is the current lexeme then; up to the template's end if there are none.
    mutating func body(until ends: [String]) throws -> [Statement] {
        try nested { parser in
            var body: [Statement] = []
            while let lexeme = parser.current {
                let line = parser.line
                switch lexeme {
                case .text(let text):
                    parser.advance()
                    body.append(Statement(kind: .text(text), line: line))
                case .outputBegin:
                    parser.advance()
                    body.append(Statement(kind: .output(try parser.tuple()), line: line))
                    try parser.expect(.outputEnd)
                case .statementBegin:
                    parser.advance()
                    guard case .name(let tag) = parser.current else { throw parser.unexpected("a tag's name") }
                    if ends.contains(tag) { return body }
                    parser.advance()
                    if let kind = try parser.statement(tag) { body.append(Statement(kind: kind, line: line)) }
                    try parser.expect(.statementEnd)
                default:
                    throw parser.unexpected("text")
                }
            }
            guard ends.isEmpty else { throw TemplateError("the template ends where \(ends.joined(separator: " or ")) is expected", line: parser.line) }
            return body
        }
    }

    /// The rest of a block's tag, its body and the name of its end.
    mutating func block(until ends: [String]) throws -> [Statement] {
        _ = skip(":")
        try expect(.statementEnd)
        return try body(until: ends)
    }

    /// As ``block(until:)``, and past the name of its one end.
    mutating func block(until end: String) throws -> [Statement] {
        let body = try block(until: [end])
        advance()
        return body
    }
}
