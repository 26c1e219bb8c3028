extension Filters {
    static let selections: [String: Filter] = [
        "map": { renderer, value, arguments in
            guard let name = arguments.positional.first else {
                var keywords = arguments.keywords
                guard let attribute = take("attribute", from: &keywords) else { throw TemplateError("map requires a filter argument") }
                let fallback = take("default", from: &keywords)
                if let unknown = keywords.first { throw TemplateError("Unexpected keyword argument '\(unknown.name)'") }
                return try renderer.generator(over: value.orNothing) { items in try items.map { try part($0, attribute, or: fallback, renderer) } }
            }
            let filter = try Methods.string("map", name).string
            let rest = Arguments(positional: Array(arguments.positional.dropFirst()), keywords: arguments.keywords)
            return try renderer.generator(over: value.orNothing) { items in try items.map { try renderer.apply(filter: filter, to: $0, rest) } }
        },
        "select": { try selected($0, $1, $2, keeps: true, byAttribute: false) },
        "reject": { try selected($0, $1, $2, keeps: false, byAttribute: false) },
        "selectattr": { try selected($0, $1, $2, keeps: true, byAttribute: true) },
        "rejectattr": { try selected($0, $1, $2, keeps: false, byAttribute: true) },
    ]

    private static func take(_ name: String, from keywords: inout [(name: String, value: Value)]) -> Value? {
        keywords.firstIndex { $0.name == name }.map { keywords.remove(at: $0).value }
    }

    private static func selected(
        _ renderer: Renderer, _ value: Value, _ arguments: Arguments, keeps: Bool, byAttribute: Bool
    ) throws -> Value {
        var positional = arguments.positional[...]
        var attribute: Value?
        if byAttribute {
            attribute = positional.popFirst()
            if attribute.map({ _ in false }) ?? true { throw TemplateError("Missing parameter for attribute name") }
        }
        let test = try positional.popFirst().map { try Methods.string("select", $0).string }
        let rest = Arguments(positional: Array(positional), keywords: arguments.keywords)
        return try renderer.generator(over: value.orNothing) { items in
            try items.filter { item in
                try renderer.charge(32)
                let subject = try attribute.map { try part(item, $0, renderer) } ?? item
                return try (test.map { try renderer.apply(test: $0, to: subject, rest) } ?? subject.isTrue) == keeps
            }
        }
    }
}

extension Value {
    /// What is false is nothing to these filters, even if it cannot be walked through.
    fileprivate var orNothing: Value { isTrue ? self : .undefined("") }
}
