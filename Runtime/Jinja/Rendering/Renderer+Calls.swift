extension Renderer {
    /// - Parameter caller: the macro that a `call` statement's body is.
    func evaluateCall(_ expression: Expression, in scope: Scope, caller: Value? = nil) throws -> Value {
        guard case .call(let function, let arguments) = expression.kind else { return try evaluate(expression, in: scope) }
        let callee = try evaluate(function, in: scope)
        var values = try evaluate(arguments, in: scope)
        if let caller { values.keywords.append(("caller", caller)) }
        line = expression.line
        return try call(callee, values)
    }

    func evaluate(_ arguments: CallArguments, in scope: Scope) throws -> Arguments {
        var values = Arguments(
            positional: try arguments.positional.map { try evaluate($0, in: scope) },
            keywords: try arguments.keywords.map { ($0.name, try evaluate($0.value, in: scope)) })
        if let list = arguments.unpackedList { values.positional += try items(of: evaluate(list, in: scope)) }
        if let dict = arguments.unpackedDict {
            let value = try evaluate(dict, in: scope)
            guard let entries = value.dict?.entries else { throw TemplateError("argument after ** must be a mapping, not \(value.typeName)") }
            for (key, value) in entries {
                guard let name = key.text?.string else { throw TemplateError("keywords must be strings") }
                guard !values.keywords.contains(where: { $0.name == name }) else {
                    throw TemplateError("got multiple values for keyword argument '\(name)'")
                }
                values.keywords.append((name, value))
            }
        }
        return values
    }

    func call(_ callee: Value, _ arguments: Arguments) throws -> Value {
        switch callee {
        case .undefined(let missing): throw TemplateError(missing)
        case .object(let function as Function): return try function.body(self, arguments)
        case .object(let macro as Macro): return try call(macro, arguments)
        case .object(let loop as Loop):
            guard loop.definition.isRecursive else {
                throw TemplateError("The loop must have the 'recursive' marker to be called recursively.")
            }
            let items = try arguments.one("loop", "iterable")
            return .string(try captured { try run(loop.definition, over: items, in: loop.scope, depth: loop.depth + 1) })
        case .object(let joiner as Joiner):
            defer { joiner.isUsed = true }
            return joiner.isUsed ? joiner.separator : .trusted("")
        default: throw TemplateError("'\(callee.typeName)' object is not callable")
        }
    }

    private func call(_ macro: Macro, _ arguments: Arguments) throws -> Value {
        let definition = macro.definition
        let name = definition.name
        let scope = Scope(in: macro.scope)
        var keywords = arguments.keywords
        for (index, parameter) in definition.parameters.enumerated() {
            if index < arguments.positional.count {
                guard !keywords.contains(where: { $0.name == parameter.name }) else {
                    throw TemplateError("macro '\(name)' got multiple values for argument '\(parameter.name)'")
                }
                scope.variables[parameter.name] = arguments.positional[index]
            } else if let given = keywords.firstIndex(where: { $0.name == parameter.name }) {
                scope.variables[parameter.name] = keywords.remove(at: given).value
            } else if let initial = parameter.initial {
                scope.variables[parameter.name] = try evaluate(initial, in: scope)
            } else {
                scope.variables[parameter.name] = .undefined("parameter '\(parameter.name)' was not provided")
            }
        }
        let hasCaller = definition.parameters.contains { $0.name == "caller" }
        if definition.uses.contains("caller"), !hasCaller {
            let given = keywords.firstIndex { $0.name == "caller" }
            scope.variables["caller"] = given.map { keywords.remove(at: $0).value } ?? .undefined("No caller defined")
        }
        if definition.uses.contains("kwargs") {
            scope.variables["kwargs"] = try .dict(keywords.map { (Text($0.name), $0.value) })
        } else if let unknown = keywords.first {
            throw TemplateError("macro '\(name)' takes no keyword argument '\(unknown.name)'")
        }
        let rest = Array(arguments.positional.dropFirst(definition.parameters.count))
        if definition.uses.contains("varargs") {
            scope.variables["varargs"] = try .tuple(rest)
        } else if !rest.isEmpty {
            throw TemplateError("macro '\(name)' takes not more than \(definition.parameters.count) argument(s)")
        }
        let text = try captured { _ = try deeper { try execute(definition.body, in: scope) } }
        return try self.text(text)
    }
}
