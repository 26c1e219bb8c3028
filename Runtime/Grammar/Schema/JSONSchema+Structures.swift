import Wire

extension JSONSchema {
    // MARK: Objects

    mutating func object(_ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        let properties = schema["properties"]?.members ?? []
        let required = try requiredNames(schema, properties, at: place)
        let additional = try additionalMember(schema, properties, at: place)
        if properties.isEmpty, additional == nil {
            // Without a word about members, any may come; where they are forbidden, none.
            return schema["properties"] == nil && schema["additionalProperties"] == nil ? try syntax.anyObject() : syntax.braced("{", .empty, "}")
        }
        var members: [(expression: Expression, isRequired: Bool)] = []
        for property in properties {
            let number = syntax.newRule("\(place)/properties/\(property.name)")
            let value = try value(property.value, at: "\(place)/properties/\(property.name)")
            syntax.define(number, syntax.member(.text(JSONSyntax.quoted(property.name)), value))
            members.append((.rule(number), required.contains(property.name)))
        }
        return syntax.braced("{", sequence(of: members, then: additional, at: place), "}")
    }

    private func requiredNames(_ schema: OrderedJSON, _ properties: [OrderedJSON.Member], at place: String) throws(GrammarError) -> Set<String> {
        guard let list = schema["required"] else { return [] }
        guard let values = list.array else { throw error(place, "'required' is a list of names") }
        var names: Set<String> = []
        for value in values {
            guard let name = value.string else { throw error(place, "'required' is a list of names") }
            guard properties.contains(where: { $0.name == name }) else {
                throw error(place, "'required' names '\(name)', which is not among the properties")
            }
            names.insert(name)
        }
        return names
    }

    /// A member beside the named ones; `nil` where there may be none.
    private mutating func additionalMember(
        _ schema: OrderedJSON, _ properties: [OrderedJSON.Member], at place: String
    ) throws(GrammarError) -> Expression? {
        guard let additional = schema["additionalProperties"], additional != .bool(false) else { return nil }
        let value = try value(additional, at: "\(place)/additionalProperties")
        let names = properties.map { Array($0.name.unicodeScalars) }
        let name = names.isEmpty ? syntax.string() : .sequence([.text("\""), Self.text(outside: names), .text("\"")])
        let number = syntax.newRule("\(place)/additionalProperties")
        syntax.define(number, syntax.member(name, value))
        return .rule(number)
    }

    /// Any text but `names`. Written without escapes, which could spell one of them.
    private static func text(outside names: [[Unicode.Scalar]]) -> Expression {
        let plain = ScalarSet([0x20...0x21, 0x23...0x5b, 0x5d...0x10ffff])
        let firsts = Dictionary(grouping: names.filter { !$0.isEmpty }) { $0[0] }
        let others = plain.subtracting(ScalarSet(firsts.keys.map { $0.value...$0.value }))
        var choices: [Expression] = names.contains([]) ? [] : [.empty]
        choices.append(.sequence([.character(others), .anyNumber(of: .character(plain))]))
        for (first, names) in firsts.sorted(by: { $0.key < $1.key }) where plain.contains(first.value) {
            choices.append(.sequence([.text(String(Character(first))), text(outside: names.map { Array($0.dropFirst()) })]))
        }
        return .choice(choices)
    }

    /// Members in their order with commas between those that come, whichever these are.
    private mutating func sequence(
        of members: [(expression: Expression, isRequired: Bool)], then additional: Expression?, at place: String
    ) -> Expression {
        let comma = syntax.comma()
        // From the last to the first: what may follow when nothing has come yet, and when something has.
        var atStart = additional.map { syntax.list(of: $0, atLeast: 0, atMost: nil) } ?? .empty
        var behind = additional.map { Expression.anyNumber(of: .sequence([comma, $0])) } ?? .empty
        for (index, member) in members.enumerated().reversed() {
            // Rules, so that the rest is not written down twice for each member before it.
            let rest = syntax.newRule("\(place)/behind/\(index)")
            syntax.define(rest, behind)
            let first = Expression.sequence([member.expression, .rule(rest)])
            let next = Expression.sequence([comma, member.expression, .rule(rest)])
            atStart = member.isRequired ? first : .choice([first, atStart])
            behind = member.isRequired ? next : .choice([next, .rule(rest)])
        }
        return atStart
    }

    // MARK: Arrays

    mutating func array(_ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        let least = try count("minItems", in: schema, at: place) ?? 0
        let most = try count("maxItems", in: schema, at: place)
        guard most.map({ least <= $0 }) ?? true else { throw error(place, "'minItems' is above 'maxItems'") }
        var prefix: [Expression] = []
        for (index, item) in (schema["prefixItems"]?.array ?? []).enumerated() {
            prefix.append(try value(item, at: "\(place)/prefixItems/\(index)"))
        }
        let items = schema["items"]
        guard !prefix.isEmpty else {
            if items == .bool(false) { return syntax.braced("[", .empty, "]") }
            let number = syntax.newRule("\(place)/items")
            let item = try value(items ?? .bool(true), at: "\(place)/items")
            syntax.define(number, item)
            return syntax.braced("[", syntax.list(of: .rule(number), atLeast: least, atMost: most), "]")
        }
        let comma = syntax.comma()
        var parts = prefix.enumerated().flatMap { $0.offset == 0 ? [$0.element] : [comma, $0.element] }
        let leastMore = max(least - prefix.count, 0)
        if items == .bool(false) {
            guard leastMore == 0 else { throw error(place, "'minItems' asks for more items than 'prefixItems' has") }
        } else {
            guard most.map({ $0 >= prefix.count }) ?? true else { throw error(place, "'maxItems' is below the number of 'prefixItems'") }
            let item = try value(items ?? .bool(true), at: "\(place)/items")
            parts.append(.repeated(.sequence([comma, item]), atLeast: leastMore, atMost: most.map { $0 - prefix.count }))
        }
        return syntax.braced("[", .sequence(parts), "]")
    }

    // MARK: Fixed values

    mutating func literal(_ value: OrderedJSON) -> Expression {
        switch value {
        case .null: return .text("null")
        case .bool(let flag): return .text(flag ? "true" : "false")
        case .integer(let number): return .text(String(number))
        case .number(let number): return .text(number.description)
        case .string(let text): return .text(JSONSyntax.quoted(text))
        case .array(let values):
            let comma = syntax.comma()
            let parts = values.enumerated().flatMap { $0.offset == 0 ? [literal($0.element)] : [comma, literal($0.element)] }
            return syntax.braced("[", .sequence(parts), "]")
        case .object(let members):
            let comma = syntax.comma()
            let parts = members.enumerated().flatMap { index, member in
                let part = syntax.member(.text(JSONSyntax.quoted(member.name)), literal(member.value))
                return index == 0 ? [part] : [comma, part]
            }
            return syntax.braced("{", .sequence(parts), "}")
        }
    }
}
