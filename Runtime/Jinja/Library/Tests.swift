/// jinja2's tests: what follows `is`.
enum Tests {
    typealias Test = @Sendable (Renderer, Value, Arguments) throws -> Bool

    static let all: [String: Test] = kinds.merging(comparisons) { first, _ in first }

    private static let kinds: [String: Test] = [
        "defined": { _, value, _ in !value.isUndefined },
        "undefined": { _, value, _ in value.isUndefined },
        "none": { _, value, _ in value.isNone },
        "boolean": { _, value, _ in if case .bool = value { true } else { false } },
        "true": { _, value, _ in if case .bool(true) = value { true } else { false } },
        "false": { _, value, _ in if case .bool(false) = value { true } else { false } },
        "integer": { _, value, _ in if case .int = value { true } else { false } },
        "float": { _, value, _ in if case .float = value { true } else { false } },
        "number": { _, value, _ in value.number != nil },
        "string": { _, value, _ in value.text != nil },
        "mapping": { _, value, _ in value.dict != nil },
        "sequence": { _, value, _ in
            switch value {
            case .undefined, .string, .dict: true
            case .series(let series): series.kind.isIndexed
            default: false
            }
        },
        "iterable": { _, value, _ in
            switch value {
            case .undefined, .string, .dict, .series: true
            case .object(let object): object is Generator || object is Loop
            default: false
            }
        },
        "callable": { _, value, _ in
            switch value {
            case .undefined: true
            case .object(let object): object is Function || object is Macro || object is Loop || object is Joiner
            default: false
            }
        },
        "escaped": { _, value, _ in value.text?.isMarkup == true },
        "filter": { _, value, _ in value.text.map { Filters.all[$0.string] != nil } ?? false },
        "test": { _, value, _ in value.text.map { all[$0.string] != nil } ?? false },
        "lower": { renderer, value, _ in try renderer.shown(value).isAll(uppercase: false) },
        "upper": { renderer, value, _ in try renderer.shown(value).isAll(uppercase: true) },
        "odd": { renderer, value, _ in try Operators.calculate(.modulo, value, .int(2), renderer).number == 1 },
        "even": { renderer, value, _ in try Operators.calculate(.modulo, value, .int(2), renderer).number == 0 },
        "divisibleby": { renderer, value, arguments in
            try Operators.calculate(.modulo, value, arguments.one("divisibleby", "num"), renderer).number == 0
        },
        "sameas": { _, value, arguments in
            switch (value, try arguments.one("sameas", "other")) {
            case (.bool(let a), .bool(let b)): a == b
            case (.bool, _), (_, .bool): false
            case (.int(let a), .int(let b)): a == b
            case (.none, .none): true
            case (.string(let a), .string(let b)): a == b
            case (.series(let a), .series(let b)): a === b
            case (.dict(let a), .dict(let b)): a === b
            case (.object(let a), .object(let b)): a === b
            default: false
            }
        },
        "in": { renderer, value, arguments in try Operators.contains(arguments.one("in", "seq"), value, renderer) },
    ]

    private static let comparisons: [String: Test] = {
        let names: [(Comparison, [String])] = [
            (.equal, ["==", "eq", "equalto"]), (.notEqual, ["!=", "ne"]), (.less, ["<", "lt", "lessthan"]), (.lessOrEqual, ["<=", "le"]),
            (.greater, [">", "gt", "greaterthan"]), (.greaterOrEqual, [">=", "ge"]),
        ]
        var tests: [String: Test] = [:]
        for (comparison, aliases) in names {
            for name in aliases {
                tests[name] = { renderer, value, arguments in try Operators.compare(comparison, value, arguments.one(name, "b"), renderer) }
            }
        }
        return tests
    }()
}
