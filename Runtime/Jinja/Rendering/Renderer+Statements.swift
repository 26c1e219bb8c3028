extension Renderer {
    /// How statements went on.
    enum Flow {
        case onward, leaveLoop, nextRound
    }

    func execute(_ body: [Statement], in scope: Scope) throws -> Flow {
        for statement in body {
            try charge(32)
            let flow = try execute(statement, in: scope)
            if flow != .onward { return flow }
        }
        return .onward
    }

    private func execute(_ statement: Statement, in scope: Scope) throws -> Flow {
        line = statement.line
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(shown(evaluate(expression, in: scope)))
        case .choice(let branches, let otherwise): return try choose(branches, otherwise, in: scope)
        case .loop(let definition):
            let items = try evaluate(definition.items, in: scope)
            try run(definition, over: items, in: scope, depth: 0)
        case .set(let target, let expression): try assign(evaluate(expression, in: scope), to: target, in: scope)
        case .setBlock(let target, let filter, let body): try assignBlock(target, filter, body, in: scope)
        case .with(let values, let body):
            let inner = Scope(in: scope)
            for (target, expression) in values { try assign(evaluate(expression, in: scope), to: target, in: inner) }
            return try deeper { try execute(body, in: inner) }
        case .macro(let definition): scope.variables[definition.name] = defineMacro(definition, in: scope)
        case .call(let call, let caller): try write(shown(evaluateCall(call, in: scope, caller: defineMacro(caller, in: scope))))
        case .filter(let filter, let body): try write(shown(self.filter(body, filter, in: scope)))
        case .block(let body):
            // A block sees what the whole template sees, not the loop around it.
            var top = scope
            while let parent = top.parent, parent.parent != nil { top = parent }
            _ = try deeper { try execute(body, in: Scope(in: top)) }
        case .generation(let body): return try deeper { try execute(body, in: scope) }
        case .leaveLoop: return .leaveLoop
        case .nextRound: return .nextRound
        case .failure(let message): throw TemplateError(message)
        }
        return .onward
    }

    private func choose(_ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement], in scope: Scope) throws -> Flow {
        for (condition, body) in branches where try evaluate(condition, in: scope).isTrue { return try deeper { try execute(body, in: scope) } }
        return try deeper { try execute(otherwise, in: scope) }
    }

    private func filter(_ body: [Statement], _ filter: Expression, in scope: Scope) throws -> Value {
        let text = try captured { _ = try deeper { try execute(body, in: Scope(in: scope)) } }
        let outer = filtered
        defer { filtered = outer }
        filtered = .string(text)
        return try evaluate(filter, in: scope)
    }

    private func assignBlock(_ target: Target, _ filter: Expression?, _ body: [Statement], in scope: Scope) throws {
        if let filter { return try assign(self.filter(body, filter, in: scope), to: target, in: scope) }
        let text = try captured { _ = try deeper { try execute(body, in: Scope(in: scope)) } }
        try assign(.string(text), to: target, in: scope)
    }

    func assign(_ value: Value, to target: Target, in scope: Scope) throws {
        switch target {
        case .name(let name): scope.variables[name] = value
        case .member(let space, let member):
            guard case .object(let object as Namespace)? = scope[space] else { throw TemplateError("cannot assign attribute on non-namespace object") }
            object[member] = value
        case .tuple(let targets):
            let values = try items(of: value)
            guard values.count == targets.count else {
                throw TemplateError(
                    values.count < targets.count
                        ? "not enough values to unpack (expected \(targets.count), got \(values.count))"
                        : "too many values to unpack (expected \(targets.count))")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, in: scope) }
        }
    }

    // MARK: Loops

    func run(_ definition: ForDefinition, over value: Value, in scope: Scope, depth: Int) throws {
        try deeper {
            var items = try items(of: value)
            if let condition = definition.condition {
                items = try items.filter { item in
                    let inner = Scope(in: scope)
                    try assign(item, to: definition.target, in: inner)
                    return try evaluate(condition, in: inner).isTrue
                }
            }
            if items.isEmpty {
                _ = try execute(definition.otherwise, in: Scope(in: scope))
                return
            }
            let loop = Loop(items, definition, in: scope, depth: depth)
            for (index, item) in items.enumerated() {
                try charge(64)
                loop.index = index
                let inner = Scope(["loop": .object(loop)], in: scope)
                try assign(item, to: definition.target, in: inner)
                if try execute(definition.body, in: inner) == .leaveLoop { break }
            }
        }
    }

    /// What a `for` walks through.
    func items(of value: Value) throws -> [Value] {
        switch value {
        case .undefined: return []
        case .string(let text):
            try charge(16 * text.count)
            return text.units.map { .string(Text(CollectionOfOne($0))) }
        case .series(let series): return series.items
        case .dict(let dict): return dict.keys
        case .object(let generator as Generator): return try generator.rest()
        case .object(let loop as Loop):
            return try loop.items.enumerated().map { try .tuple([$1, .int($0)]) }
        default: throw TemplateError("'\(value.typeName)' object is not iterable")
        }
    }
}
