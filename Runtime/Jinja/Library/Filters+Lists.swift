extension Filters {
    static let lists: [String: Filter] = [
        "default": fallback, "d": fallback,
        "length": count, "count": count,
        "first": { renderer, value, arguments in
            try arguments.none("first")
            if case .object(let generator as Generator) = value { return try generator.next() ?? .undefined("No first item, sequence was empty.") }
            if let text = value.text { return text.isEmpty ? .undefined("No first item, sequence was empty.") : .string(text.slice(0..<1)) }
            return try renderer.items(of: value).first ?? .undefined("No first item, sequence was empty.")
        },
        "last": { renderer, value, arguments in
            try arguments.none("last")
            if case .object = value { throw TemplateError("'\(value.typeName)' object is not reversible") }
            if let text = value.text { return text.isEmpty ? .undefined("No last item, sequence was empty.") : .string(text.slice(text.count - 1..<text.count)) }
            return try renderer.items(of: value).last ?? .undefined("No last item, sequence was empty.")
        },
        "list": { renderer, value, arguments in
            try arguments.none("list")
            return try renderer.list(renderer.items(of: value))
        },
        "items": { renderer, value, arguments in
            try arguments.none("items")
            return try renderer.generator(over: .undefined("")) { _ in
                if value.isUndefined { return [] }
                guard let dict = value.dict else { throw TemplateError("Can only get item pairs from a mapping.") }
                return try dict.entries.map { try .tuple([$0, $1]) }
            }
        },
        "reverse": { renderer, value, arguments in
            try arguments.none("reverse")
            if let text = value.text { return .string(Text(text.units.reversed())) }
            let items = try renderer.items(of: value)
            return try renderer.generator(over: .undefined("")) { _ in items.reversed() }
        },
        "join": { renderer, value, arguments in
            let bound = try arguments.bind("join", "d", "attribute")
            let separator = try bound[0].map { try renderer.shown($0) } ?? ""
            let attribute = bound[1].flatMap { $0.isNone ? nil : $0 }
            let parts = try renderer.items(of: value).map { item in
                try renderer.shown(attribute.map { try part(item, $0, renderer) } ?? item)
            }
            try renderer.charge(separator.count, times: parts.count)
            return try renderer.text(Text.joined(parts, separator: separator))
        },
        "sum": { renderer, value, arguments in
            let bound = try arguments.bind("sum", "attribute", "start")
            let attribute = bound[0].flatMap { $0.isNone ? nil : $0 }
            return try renderer.items(of: value).reduce(bound[1] ?? .int(0)) { sum, item in
                try Operators.calculate(.add, sum, attribute.map { try part(item, $0, renderer) } ?? item, renderer)
            }
        },
        "min": { renderer, value, arguments in try extreme("min", value, arguments, renderer) { try Value.less($0, $1) } },
        "max": { renderer, value, arguments in try extreme("max", value, arguments, renderer) { try Value.less($1, $0, ">") } },
        "sort": { renderer, value, arguments in
            let bound = try arguments.bind("sort", "reverse", "case_sensitive", "attribute")
            let keys = try keys(bound[2], isCaseSensitive: bound[1]?.isTrue ?? false, renderer)
            let pairs = try renderer.items(of: value).map { (key: try keys($0), item: $0) }
            return try renderer.list(sorted(pairs, isReversed: bound[0]?.isTrue ?? false, renderer))
        },
        "dictsort": { renderer, value, arguments in
            let bound = try arguments.bind("dictsort", "case_sensitive", "by", "reverse")
            let by = bound[1]?.text?.string ?? "key"
            guard by == "key" || by == "value" else { throw TemplateError("You can only sort by either \"key\" or \"value\"") }
            if case .undefined(let missing) = value { throw TemplateError(missing) }
            guard let dict = value.dict else { throw TemplateError("'\(value.typeName)' object has no attribute 'items'") }
            let isCaseSensitive = bound[0]?.isTrue ?? false
            let pairs = try dict.entries.map { key, entry in
                (key: [folded(by == "key" ? key : entry, isCaseSensitive)], item: try Value.tuple([key, entry]))
            }
            return try renderer.list(sorted(pairs, isReversed: bound[2]?.isTrue ?? false, renderer))
        },
        "unique": { renderer, value, arguments in
            let bound = try arguments.bind("unique", "case_sensitive", "attribute")
            let keys = try keys(bound[1], isCaseSensitive: bound[0]?.isTrue ?? false, renderer)
            return try renderer.generator(over: value) { items in
                var seen: Set<Key> = []
                return try items.filter { item in
                    try renderer.charge(item.size)
                    return seen.insert(try Key(.tuple(keys(item)))).inserted
                }
            }
        },
        "groupby": { renderer, value, arguments in
            let bound = try arguments.bind("groupby", "attribute", "default", "case_sensitive")
            let attribute = try required(bound[0], "groupby", "attribute")
            let isCaseSensitive = bound[2]?.isTrue ?? false
            let pairs = try renderer.items(of: value).map { item in
                (key: [folded(try part(item, attribute, or: bound[1], renderer), isCaseSensitive)], item: item)
            }
            var groups: [(key: Value, items: [Value])] = []
            for (key, item) in try sortedPairs(pairs, isReversed: false, renderer) {
                if let last = groups.last, try Operators.equal(last.key, key[0], renderer) {
                    groups[groups.count - 1].items.append(item)
                } else {
                    groups.append((key[0], [item]))
                }
            }
            return try renderer.list(
                groups.map { group in
                    // The name as the first item spells it.
                    let first = try part(group.items[0], attribute, or: bound[1], renderer)
                    return .series(try Series(.group, [first, .list(group.items)]))
                })
        },
        "batch": { renderer, value, arguments in
            let bound = try arguments.bind("batch", "linecount", "fill_with")
            let count = try Methods.integer("batch", required(bound[0], "batch", "linecount"))
            return try renderer.generator(over: value) { items in
                guard count > 0 else { return items.isEmpty ? [] : [try .list(items)] }
                var rows = stride(from: 0, to: items.count, by: count).map { Array(items[$0..<min($0 + count, items.count)]) }
                if let fill = bound[1], !fill.isNone, let last = rows.last, last.count < count {
                    try renderer.charge(16, times: count)
                    rows[rows.count - 1] += Array(repeating: fill, count: count - last.count)
                }
                return try rows.map { try renderer.list($0) }
            }
        },
        "slice": { renderer, value, arguments in
            let bound = try arguments.bind("slice", "slices", "fill_with")
            let slices = try Methods.integer("slice", required(bound[0], "slice", "slices"))
            return try renderer.generator(over: value) { items in
                guard slices != 0 else { throw TemplateError("integer division or modulo by zero") }
                guard slices > 0 else { return [] }
                try renderer.charge(64, times: slices)
                let (each, more) = items.count.quotientAndRemainder(dividingBy: slices)
                var start = 0
                return try (0..<slices).map { index in
                    let end = start + each + (index < more ? 1 : 0)
                    defer { start = end }
                    let fill = bound[1].flatMap { $0.isNone || index < more ? nil : [$0] } ?? []
                    return try renderer.list(items[start..<end] + fill)
                }
            }
        },
        "attr": { renderer, value, arguments in
            let name = try renderer.shown(arguments.one("attr", "name")).string
            if case .object(let namespace as Namespace) = value, let entry = namespace[Text(name)] { return entry }
            return Methods.find(name, of: value, renderer) ?? .undefined("'\(value.typeName) object' has no attribute '\(name)'")
        },
    ]

    private static let count: Filter = { _, value, arguments in
        try arguments.none("length")
        return .int(try length(value))
    }

    private static let fallback: Filter = { _, value, arguments in
        let bound = try arguments.bind("default", "default_value", "boolean")
        let isMissing = value.isUndefined || (bound[1]?.isTrue ?? false && !value.isTrue)
        return isMissing ? bound[0] ?? .trusted("") : value
    }

    // MARK: Parts and keys

    /// What `attribute` (`a.b.0`, or a number) stands for in `item`.
    /// - Parameter fallback: stands for what is not there, at each step.
    static func part(_ item: Value, _ attribute: Value, or fallback: Value? = nil, _ renderer: Renderer) throws -> Value {
        let names = attribute.text.map { $0.split(".").map(Value.string) } ?? [attribute]
        return try names.reduce(item) { value, name in
            let digits = name.text.flatMap { $0.units.allSatisfy { (0x30...0x39).contains($0.code) } ? Int($0.string) : nil }
            let found = try renderer.item(digits.map(Value.int) ?? name, of: value)
            return found.isUndefined ? fallback ?? found : found
        }
    }

    private static func folded(_ value: Value, _ isCaseSensitive: Bool) -> Value {
        guard !isCaseSensitive, let text = value.text else { return value }
        return .string(text.lowercased)
    }

    /// What items are compared by: themselves, or some of their attributes.
    private static func keys(_ attributes: Value?, isCaseSensitive: Bool, _ renderer: Renderer) throws -> (Value) throws -> [Value] {
        guard let attributes, !attributes.isNone else { return { [folded($0, isCaseSensitive)] } }
        let paths = attributes.text.map { $0.split(",").map(Value.string) } ?? [attributes]
        return { item in try paths.map { folded(try part(item, $0, renderer), isCaseSensitive) } }
    }

    private static func extreme(
        _ filter: String, _ value: Value, _ arguments: Arguments, _ renderer: Renderer, _ isBetter: (Value, Value) throws -> Bool
    ) throws -> Value {
        let bound = try arguments.bind(filter, "case_sensitive", "attribute")
        let keys = try keys(bound[1], isCaseSensitive: bound[0]?.isTrue ?? false, renderer)
        let items = try renderer.items(of: value)
        guard var best = items.first else { return .undefined("No aggregated item, sequence was empty.") }
        for item in items.dropFirst() {
            try renderer.charge(item.size)
            if try isBetter(keys(item)[0], keys(best)[0]) { best = item }
        }
        return best
    }

    private static func sorted(_ pairs: [(key: [Value], item: Value)], isReversed: Bool, _ renderer: Renderer) throws -> [Value] {
        try sortedPairs(pairs, isReversed: isReversed, renderer).map(\.item)
    }

    /// Equal items stay in their order, also when all are reversed.
    private static func sortedPairs(
        _ pairs: [(key: [Value], item: Value)], isReversed: Bool, _ renderer: Renderer
    ) throws -> [(key: [Value], item: Value)] {
        let rounds = Int.bitWidth - pairs.count.leadingZeroBitCount
        try renderer.charge(pairs.reduce(0) { $1.key.reduce($0 + 8) { $0 + $1.size } }, times: rounds)
        func isBefore(_ a: [Value], _ b: [Value]) throws -> Bool {
            for (x, y) in zip(a, b) where !Value.equal(x, y) { return try Value.less(x, y) }
            return false
        }
        // Swift's sort is stable.
        return try pairs.sorted { try isReversed ? isBefore($1.key, $0.key) : isBefore($0.key, $1.key) }
    }
}
