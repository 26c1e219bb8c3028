/// Expressions, from what binds least to what binds most.
extension Parser {
    /// Expressions with commas between them are a tuple.
    mutating func tuple(withConditional: Bool = true, ends: [String] = []) throws -> Expression {
        let line = line
        var items: [Expression] = []
        var hasComma = false
        while true {
            if !items.isEmpty || hasComma {
                guard skip(",") else { break }
                hasComma = true
            }
            if isTupleEnd(ends) { break }
            items.append(withConditional ? try expression() : try nested { try $0.or() })
            if !isHere(",") { break }
        }
        if !hasComma {
            guard let item = items.first else { throw unexpected("an expression") }
            return item
        }
        return try Expression(.tuple(items), line: line)
    }

    private func isTupleEnd(_ ends: [String]) -> Bool {
        switch current {
        case nil, .outputEnd, .statementEnd, .symbol(")"): true
        case .name(let name): ends.contains(name)
        default: false
        }
    }

    mutating func expression() throws -> Expression { try nested { try $0.conditional() } }

    private mutating func conditional() throws -> Expression {
        let unknownBefore = unknown.count
        var value = try or()
        while isHere(name: "if") {
            let line = line
            advance()
            let condition = try or()
            let otherwise = skip(name: "else") ? try nested { try $0.conditional() } : nil
            value = try Expression(.conditional(condition, then: value, otherwise: otherwise), line: line)
            unknown.removeSubrange(unknownBefore...)
        }
        return value
    }

    private mutating func or() throws -> Expression {
        var left = try and()
        while isHere(name: "or") {
            let line = line
            advance()
            left = try Expression(.or(left, try and()), line: line)
        }
        return left
    }

    private mutating func and() throws -> Expression {
        var left = try not()
        while isHere(name: "and") {
            let line = line
            advance()
            left = try Expression(.and(left, try not()), line: line)
        }
        return left
    }

    private mutating func not() throws -> Expression {
        guard isHere(name: "not") else { return try comparison() }
        let line = line
        advance()
        return try Expression(.not(try nested { try $0.not() }), line: line)
    }

    private mutating func comparison() throws -> Expression {
        let line = line
        let value = try sum()
        var others: [(Comparison, Expression)] = []
        while true {
            if case .symbol(let symbol) = current, let comparison = Comparison(rawValue: symbol) {
                advance()
                others.append((comparison, try sum()))
            } else if skip(name: "in") {
                others.append((.isIn, try sum()))
            } else if isHere(name: "not"), following == .name("in") {
                advance()
                advance()
                others.append((.isNotIn, try sum()))
            } else {
                return others.isEmpty ? value : try Expression(.comparison(value, others), line: line)
            }
        }
    }

    private mutating func arithmetic(_ operations: [Arithmetic], _ operand: (inout Parser) throws -> Expression) throws -> Expression {
        var left = try operand(&self)
        while case .symbol(let symbol) = current, let operation = Arithmetic(rawValue: symbol), operations.contains(operation) {
            let line = line
            advance()
            left = try Expression(.arithmetic(operation, left, try operand(&self)), line: line)
        }
        return left
    }

    private mutating func sum() throws -> Expression { try arithmetic([.add, .subtract]) { try $0.concatenation() } }

    private mutating func concatenation() throws -> Expression {
        let line = line
        var parts = [try product()]
        while skip("~") { parts.append(try product()) }
        return parts.count == 1 ? parts[0] : try Expression(.concatenation(parts), line: line)
    }

    private mutating func product() throws -> Expression { try arithmetic([.multiply, .divide, .floorDivide, .modulo]) { try $0.power() } }
    private mutating func power() throws -> Expression { try arithmetic([.power]) { try $0.unary() } }

    private mutating func unary(withFilters: Bool = true) throws -> Expression {
        let line = line
        let value: Expression
        if skip("-") {
            value = try Expression(.negative(try nested { try $0.unary(withFilters: false) }), line: line)
        } else if skip("+") {
            value = try Expression(.positive(try nested { try $0.unary(withFilters: false) }), line: line)
        } else {
            value = try primary()
        }
        let whole = try postfix(of: value)
        return withFilters ? try filtersAndTests(of: whole) : whole
    }

    private mutating func primary() throws -> Expression {
        let line = line
        switch current {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return try Expression(.constant(.bool(true)), line: line)
            case "false", "False": return try Expression(.constant(.bool(false)), line: line)
            case "none", "None": return try Expression(.constant(.none), line: line)
            default:
                if ["caller", "varargs", "kwargs"].contains(name), !macroUses.isEmpty { macroUses[macroUses.count - 1].insert(name) }
                return try Expression(.name(name), line: line)
            }
        case .string(var text):
            advance()
            // Strings beside each other are one.
            while case .string(let more) = current {
                text += more
                advance()
            }
            return try Expression(.constant(.text(text)), line: line)
        case .int(let number):
            advance()
            return try Expression(.constant(.int(number)), line: line)
        case .float(let number):
            advance()
            return try Expression(.constant(.float(number)), line: line)
        case .symbol("("):
            advance()
            if skip(")") { return try Expression(.tuple([]), line: line) }
            let value = try tuple()
            try expect(.symbol(")"))
            return value
        case .symbol("["):
            advance()
            return try Expression(.list(try items(until: "]") { try $0.expression() }), line: line)
        case .symbol("{"):
            advance()
            let entries = try items(until: "}") { parser in
                let key = try parser.expression()
                try parser.expect(.symbol(":"))
                return (key: key, value: try parser.expression())
            }
            return try Expression(.dict(entries), line: line)
        default:
            throw unexpected("an expression")
        }
    }

    /// Items with commas between them, and one behind the last if you like.
    private mutating func items<Item>(until end: String, _ item: (inout Parser) throws -> Item) throws -> [Item] {
        var items: [Item] = []
        while !isHere(end) {
            if !items.isEmpty {
                try expect(.symbol(","))
                if isHere(end) { break }
            }
            items.append(try item(&self))
        }
        advance()
        return items
    }

    // MARK: What follows a value

    private mutating func postfix(of value: Expression) throws -> Expression {
        var value = value
        while true {
            let line = line
            if skip(".") {
                value = try attribute(of: value, line)
            } else if skip("[") {
                value = try subscripted(value, line)
            } else if isHere("(") {
                value = try Expression(.call(value, try arguments()), line: line)
            } else {
                return value
            }
        }
    }

    private mutating func attribute(of value: Expression, _ line: Int) throws -> Expression {
        switch current {
        case .name(let name):
            advance()
            return try Expression(.attribute(value, name), line: line)
        case .int(let index):
            advance()
            return try Expression(.item(value, try Expression(.constant(.int(index)), line: line)), line: line)
        default:
            throw unexpected("a name or a number")
        }
    }

    private mutating func subscripted(_ value: Expression, _ line: Int) throws -> Expression {
        let start = isHere(":") ? nil : try expression()
        if let start, !isHere(":") {
            guard isHere(",") else {
                try expect(.symbol("]"))
                return try Expression(.item(value, start), line: line)
            }
            var parts = [start]
            while skip(",") { parts.append(try expression()) }
            try expect(.symbol("]"))
            return try Expression(.item(value, try Expression(.tuple(parts), line: line)), line: line)
        }
        try expect(.symbol(":"))
        let end = isHere(":") || isHere("]") ? nil : try expression()
        let step = skip(":") && !isHere("]") ? try expression() : nil
        try expect(.symbol("]"))
        return try Expression(.slice(value, from: start, to: end, step: step), line: line)
    }

    private mutating func arguments() throws -> CallArguments {
        try expect(.symbol("("))
        var arguments = CallArguments()
        var isFirst = true
        while !isHere(")") {
            if !isFirst {
                try expect(.symbol(","))
                if isHere(")") { break }
            }
            isFirst = false
            if skip("*") {
                guard arguments.unpackedList == nil, arguments.unpackedDict == nil else { throw TemplateError("invalid syntax for function call expression") }
                arguments.unpackedList = try expression()
            } else if skip("**") {
                guard arguments.unpackedDict == nil else { throw TemplateError("invalid syntax for function call expression") }
                arguments.unpackedDict = try expression()
            } else if case .name(let name) = current, following == .symbol("=") {
                guard arguments.unpackedDict == nil else { throw TemplateError("invalid syntax for function call expression") }
                guard !arguments.keywords.contains(where: { $0.name == name }) else { throw TemplateError("keyword argument repeated: \(name)") }
                advance()
                advance()
                arguments.keywords.append((name, try expression()))
            } else {
                guard arguments.keywords.isEmpty, arguments.unpackedList == nil, arguments.unpackedDict == nil else {
                    throw TemplateError("invalid syntax for function call expression")
                }
                arguments.positional.append(try expression())
            }
        }
        advance()
        return arguments
    }

    private mutating func filtersAndTests(of value: Expression) throws -> Expression {
        var value = value
        while true {
            let line = line
            if isHere("|") {
                value = try filters(of: value, needsOne: false)
            } else if skip(name: "is") {
                value = try test(of: value, line)
            } else if isHere("(") {
                value = try Expression(.call(value, try arguments()), line: line)
            } else {
                return value
            }
        }
    }

    private mutating func dottedName() throws -> String {
        var whole = try name()
        while skip(".") { whole += "." + (try name()) }
        return whole
    }

    /// `| name(arguments) | …`
    /// - Parameter needsOne: whether a name comes first, without the bar, as in `{% filter name %}`.
    mutating func filters(of value: Expression?, needsOne: Bool) throws -> Expression {
        var value = value
        var isFirst = needsOne
        while isFirst || isHere("|") {
            let line = line
            if !isFirst { advance() }
            isFirst = false
            let name = try dottedName()
            if Filters.all[name] == nil { unknown.append(TemplateError("no filter named '\(name)'", line: line)) }
            let arguments = isHere("(") ? try arguments() : CallArguments()
            value = try Expression(.filter(value, name, arguments), line: line)
        }
        guard let value else { throw unexpected("a filter") }
        return value
    }

    private mutating func test(of value: Expression, _ line: Int) throws -> Expression {
        let isNegated = skip(name: "not")
        let name = try dottedName()
        if Tests.all[name] == nil { unknown.append(TemplateError("no test named '\(name)'", line: line)) }
        var arguments = CallArguments()
        if isHere("(") {
            arguments = try self.arguments()
        } else if startsTestArgument {
            if isHere(name: "is") { throw TemplateError("you cannot chain multiple tests with 'is'") }
            arguments.positional = [try postfix(of: try primary())]
        }
        let test = try Expression(.test(value, name, arguments), line: line)
        return isNegated ? try Expression(.not(test), line: line) : test
    }

    private var startsTestArgument: Bool {
        switch current {
        case .name(let name): !["else", "or", "and"].contains(name)
        case .string, .int, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}
