extension Parser {
    /// The statement of a tag, whose name has been read; up to the end of its last tag.
    mutating func statement(_ tag: String) throws -> Statement.Kind? {
        switch tag {
        case "if": return try choice()
        case "for": return try loop()
        case "set": return try set()
        case "with": return try with()
        case "macro": return try macro()
        case "call": return try call()
        case "filter":
            let filter = try filters(of: nil, needsOne: true)
            return .filter(filter, try block(until: "endfilter"))
        case "block": return try templateBlock()
        case "generation": return .generation(try block(until: "endgeneration"))
        case "print": return .output(try tuple())
        case "break", "continue":
            guard loopDepth > 0 else { throw TemplateError("'\(tag)' outside a loop") }
            return tag == "break" ? .leaveLoop : .nextRound
        case "include", "import", "from", "extends":
            while let lexeme = current, lexeme != .statementEnd { _ = lexeme; advance() }
            return .failure("there are no other templates to \(tag == "from" ? "import from" : tag)")
        default:
            throw TemplateError("unknown tag '\(tag)'")
        }
    }

    private mutating func choice() throws -> Statement.Kind {
        let unknownBefore = unknown.count
        var branches: [(condition: Expression, body: [Statement])] = []
        var otherwise: [Statement] = []
        while true {
            let condition = try tuple(withConditional: false)
            branches.append((condition, try block(until: ["elif", "else", "endif"])))
            let end = try name()
            if end == "elif" { continue }
            if end == "else" { otherwise = try block(until: "endif") }
            unknown.removeSubrange(unknownBefore...)
            return .choice(branches, otherwise: otherwise)
        }
    }

    private mutating func loop() throws -> Statement.Kind {
        let target = try target(untilIn: true)
        guard skip(name: "in") else { throw unexpected("'in'") }
        let items = try tuple(withConditional: false, ends: ["recursive"])
        let condition = skip(name: "if") ? try expression() : nil
        let isRecursive = skip(name: "recursive")
        loopDepth += 1
        let body = try block(until: ["endfor", "else"])
        loopDepth -= 1
        let hasElse = try name() == "else"
        let otherwise = hasElse ? try block(until: "endfor") : []
        return .loop(
            ForDefinition(target: target, items: items, condition: condition, isRecursive: isRecursive, body: body, otherwise: otherwise))
    }

    private mutating func set() throws -> Statement.Kind {
        let target = try target(untilIn: false)
        if skip("=") { return .set(target, try tuple()) }
        let filter = isHere("|") ? try filters(of: nil, needsOne: false) : nil
        return .setBlock(target, filter: filter, try block(until: "endset"))
    }

    private mutating func with() throws -> Statement.Kind {
        var values: [(Target, Expression)] = []
        while current != .statementEnd, !isHere(":") {
            if !values.isEmpty { try expect(.symbol(",")) }
            let target = try target(untilIn: false, isTuple: false)
            try expect(.symbol("="))
            values.append((target, try expression()))
        }
        return .with(values, try block(until: "endwith"))
    }

    private mutating func templateBlock() throws -> Statement.Kind {
        let name = try name()
        guard blocks.insert(name).inserted else { throw TemplateError("block '\(name)' defined twice") }
        while skip(name: "scoped") || skip(name: "required") {}
        let body = try block(until: ["endblock"])
        advance()
        if isHere(name: name) { advance() }
        return .block(body)
    }

    private mutating func macro() throws -> Statement.Kind {
        .macro(try macroDefinition(named: try assignable(name()), until: "endmacro"))
    }

    /// `{% call(parameters) macro(arguments) %}`: the body is a macro that the called one knows as `caller`.
    private mutating func call() throws -> Statement.Kind {
        let parameters = isHere("(") ? try parameters() : []
        let expression = try expression()
        guard case .call = expression.kind else { throw TemplateError("expected call") }
        return .call(expression, caller: try macroBody(named: "caller", parameters, until: "endcall"))
    }

    private mutating func macroDefinition(named name: String, until end: String) throws -> MacroDefinition {
        try macroBody(named: name, try parameters(), until: end)
    }

    private mutating func macroBody(named name: String, _ parameters: [MacroDefinition.Parameter], until end: String) throws -> MacroDefinition {
        let outerLoops = loopDepth
        loopDepth = 0
        macroUses.append([])
        let body = try block(until: end)
        loopDepth = outerLoops
        let uses = macroUses.removeLast()
        // What an inner macro names, the outer one does, too.
        if !macroUses.isEmpty { macroUses[macroUses.count - 1].formUnion(uses) }
        return MacroDefinition(name: name, parameters: parameters, body: body, uses: uses)
    }

    private mutating func parameters() throws -> [MacroDefinition.Parameter] {
        try expect(.symbol("("))
        var parameters: [MacroDefinition.Parameter] = []
        while !isHere(")") {
            if !parameters.isEmpty { try expect(.symbol(",")) }
            let name = try assignable(name())
            guard !parameters.contains(where: { $0.name == name }) else { throw TemplateError("duplicate argument '\(name)'") }
            if skip("=") {
                parameters.append(.init(name: name, initial: try expression()))
            } else {
                guard parameters.last?.initial == nil else { throw TemplateError("non-default argument follows default argument") }
                parameters.append(.init(name: name, initial: nil))
            }
        }
        advance()
        return parameters
    }

    // MARK: What is assigned to

    private func assignable(_ name: String) throws -> String {
        guard !["true", "false", "none", "True", "False", "None"].contains(name) else { throw TemplateError("can't assign to '\(name)'") }
        return name
    }

    /// - Parameter untilIn: of a `for`, where names end with `in` and members cannot be assigned to.
    private mutating func target(untilIn: Bool, isTuple: Bool = true) throws -> Target {
        if !untilIn, isTuple, case .name(let space) = current, following == .symbol(".") {
            advance()
            advance()
            return .member(space, Text(try name()))
        }
        var targets: [Target] = []
        var hasComma = false
        repeat {
            if (untilIn && isHere(name: "in")) || isHere("=") || isHere(")") || current == .statementEnd { break }
            if skip("(") {
                targets.append(try nested { try $0.target(untilIn: untilIn) })
                try expect(.symbol(")"))
            } else {
                let name = try assignable(name())
                guard !untilIn || name != "loop" else { throw TemplateError("can't assign to special loop variable in for-loop") }
                targets.append(.name(name))
            }
            guard isTuple, skip(",") else { break }
            hasComma = true
        } while true
        guard let first = targets.first else { throw unexpected("a name") }
        return hasComma ? .tuple(targets) : first
    }
}
