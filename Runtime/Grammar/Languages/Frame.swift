import Wire

/// Texts with JSON in them, as chat models write calls between marks.
package indirect enum Frame: Hashable, Sendable {
    case text(String)
    /// None, a space, or a line's end with its indentation.
    case space
    /// What fits a schema. One that cannot be held to is an error, or, where `isStrict` is false, any object.
    case json(OrderedJSON, isStrict: Bool)
    case sequence([Frame])
    case choice([Frame])
    case anyNumber(of: Frame)
    /// Any text up to the first place where this mark is; what follows it there is the last.
    case textUpTo(mark: String, then: Frame)
    /// Any text, that may end anywhere, and begins with none of the given characters; wherever the mark is, the frame follows it.
    case freeText(notBeginningWith: String = "", mark: String, call: Frame)
}

extension CompiledGrammar {
    /// - Throws: ``GrammarError`` that says what in a schema cannot be used.
    package convenience init(_ frame: Frame, for trie: TokenTrie) throws(GrammarError) {
        var compiler = FrameCompiler()
        let root = try compiler.expression(frame)
        compiler.syntax.setRoot(root)
        try self.init(compiler.syntax.rules, for: trie)
    }
}

private struct FrameCompiler {
    var syntax = JSONSyntax()

    mutating func expression(_ frame: Frame) throws(GrammarError) -> Expression {
        switch frame {
        case .text(let text): return .text(text)
        case .space: return syntax.space()
        case .json(let schema, let isStrict):
            let before = syntax
            do {
                return try JSONSchema.value(schema, &syntax)
            } catch {
                guard !isStrict else { throw error }
                syntax = before
                return try syntax.anyObject()
            }
        case .sequence(let parts): return .sequence(try expressions(parts))
        case .choice(let choices): return .choice(try expressions(choices))
        case .anyNumber(let part): return .anyNumber(of: try expression(part))
        case .textUpTo(let mark, let then):
            let behind = try expression(then)
            return search(for: mark, mayEnd: false) { _ in behind }
        case .freeText(let excluded, let mark, let call):
            let call = try expression(call)
            return search(for: mark, mayEnd: true, notBeginningWith: ScalarSet(excluded)) { .sequence([call, .rule($0)]) }
        }
    }

    private mutating func expressions(_ frames: [Frame]) throws(GrammarError) -> [Expression] {
        var expressions: [Expression] = []
        for frame in frames { expressions.append(try expression(frame)) }
        return expressions
    }

    /// Any text, watched for a mark: a rule for each number of the mark's characters that have just come, as Knuth, Morris and
    /// Pratt's search has it. Every rule calls the next as its last act, so that a long text takes no stack.
    /// - Parameter behind: what follows the mark; it is given the rule of a text that begins anew.
    private mutating func search(
        for mark: String, mayEnd: Bool, notBeginningWith excluded: ScalarSet = ScalarSet(""), behind: (Int) -> Expression
    ) -> Expression {
        let mark = Array(mark.unicodeScalars)
        let rules = mark.map { _ in syntax.newRule("text") }
        guard let anew = rules.first else { return .empty }
        let others = ScalarSet.all.subtracting(ScalarSet(mark.map { $0.value...$0.value }))
        func next(_ state: Int, excluding excluded: ScalarSet = ScalarSet("")) -> Expression {
            var choices: [Expression] = mayEnd ? [.empty] : []
            choices.append(.sequence([.character(others.subtracting(excluded)), .rule(anew)]))
            for scalar in Set(mark) where !excluded.contains(scalar.value) {
                let come = mark[..<state] + [scalar]
                let length = (0...come.count).last { mark.starts(with: come.suffix($0)) } ?? 0
                choices.append(.sequence([.text(String(scalar)), length == mark.count ? behind(anew) : .rule(rules[length])]))
            }
            return .choice(choices)
        }
        for (state, rule) in rules.enumerated() { syntax.define(rule, next(state)) }
        return excluded.isEmpty ? .rule(anew) : next(0, excluding: excluded)
    }
}
