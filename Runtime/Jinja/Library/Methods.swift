/// What Python's values have behind a dot.
enum Methods {
    private typealias StringMethod = @Sendable (Text, Renderer, Arguments) throws -> Value

    /// The attribute `name`; `nil` if a value of this type has none.
    static func find(_ name: String, of value: Value, _ renderer: Renderer) -> Value? {
        switch value {
        case .string(let text):
            guard let method = strings[name] else { return nil }
            return function(name) { renderer, arguments in
                guard arguments.keywords.isEmpty || withKeywords.contains(name) else { throw TemplateError("str.\(name)() takes no keyword arguments") }
                try renderer.charge(text.count)
                return try method(text, renderer, arguments)
            }
        case .dict(let dict): return find(name, of: dict)
        case .series(let series): return find(name, of: series)
        case .float(let number) where name == "is_integer":
            return function(name) { _, arguments in
                try arguments.none(name)
                return .bool(number.rounded() == number)
            }
        case .object(let loop as Loop): return LoopMembers.find(name, of: loop)
        case .object(let cycler as Cycler): return find(name, of: cycler)
        case .object(let macro as Macro): return find(name, of: macro)
        default: return nil
        }
    }

    private static let withKeywords: Set = ["split", "rsplit", "splitlines", "expandtabs", "format"]

    static func function(_ name: String, _ body: @escaping Function.Body) -> Value { .object(Function(name, body)) }

    /// The sandbox that transformers uses lets no template change data.
    private static func forbidden(_ name: String, _ type: String) -> Value {
        .undefined("access to attribute '\(name)' of '\(type)' object is unsafe.")
    }

    private static func find(_ name: String, of dict: Dict) -> Value? {
        switch name {
        case "items":
            return view(name, .items) { try dict.entries.map { try .tuple([$0, $1]) } }
        case "keys": return view(name, .keys) { dict.keys }
        case "values": return view(name, .values) { dict.values }
        case "copy":
            return function(name) { _, arguments in
                try arguments.none(name)
                return .dict(dict)
            }
        case "get":
            return function(name) { renderer, arguments in
                // Python's takes no keywords here.
                guard arguments.keywords.isEmpty, (1...2).contains(arguments.positional.count) else { throw TemplateError("get expected 1 or 2 arguments") }
                try renderer.charge(arguments.positional[0].size)
                return dict[try Key(arguments.positional[0])] ?? (arguments.positional.count > 1 ? arguments.positional[1] : .none)
            }
        case "pop", "popitem", "clear", "update", "setdefault": return forbidden(name, "dict")
        default: return nil
        }
    }

    private static func view(_ name: String, _ kind: Series.Kind, _ items: @escaping () throws -> [Value]) -> Value {
        function(name) { renderer, arguments in
            try arguments.none(name)
            let items = try items()
            try renderer.charge(16 * items.count)
            return .series(try Series(kind, items))
        }
    }

    private static func find(_ name: String, of series: Series) -> Value? {
        guard series.kind.isIndexed else { return nil }
        switch name {
        case "grouper" where series.kind == .group: return series.items[0]
        case "list" where series.kind == .group: return series.items[1]
        case "count":
            return function(name) { renderer, arguments in
                let item = try arguments.one(name, "value")
                return .int(try series.items.filter { try Operators.equal($0, item, renderer) }.count)
            }
        case "index":
            return function(name) { renderer, arguments in
                let item = try arguments.one(name, "value")
                guard let index = try series.items.firstIndex(where: { try Operators.equal($0, item, renderer) }) else {
                    throw TemplateError("\(item.represented.string) is not in list")
                }
                return .int(index)
            }
        case "copy" where series.kind == .list:
            return function(name) { _, arguments in
                try arguments.none(name)
                return .series(series)
            }
        case "append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear":
            return series.kind == .list ? forbidden(name, "list") : nil
        default: return nil
        }
    }

    private static func find(_ name: String, of cycler: Cycler) -> Value? {
        switch name {
        case "current": return cycler.items[cycler.place]
        case "next":
            return function(name) { _, _ in
                defer { cycler.place = (cycler.place + 1) % cycler.items.count }
                return cycler.items[cycler.place]
            }
        case "reset":
            return function(name) { _, _ in
                cycler.place = 0
                return .none
            }
        default: return nil
        }
    }

    private static func find(_ name: String, of macro: Macro) -> Value? {
        switch name {
        case "name": .trusted(macro.definition.name)
        case "arguments": try? .tuple(macro.definition.parameters.map { .trusted($0.name) })
        case "caller": .bool(macro.definition.uses.contains("caller"))
        case "catch_kwargs": .bool(macro.definition.uses.contains("kwargs"))
        case "catch_varargs": .bool(macro.definition.uses.contains("varargs"))
        default: nil
        }
    }
}

/// What `loop` knows.
enum LoopMembers {
    static func find(_ name: String, of loop: Loop) -> Value? {
        let count = loop.items.count
        switch name {
        case "index": return .int(loop.index + 1)
        case "index0": return .int(loop.index)
        case "revindex": return .int(count - loop.index)
        case "revindex0": return .int(count - loop.index - 1)
        case "first": return .bool(loop.index == 0)
        case "last": return .bool(loop.index == count - 1)
        case "length": return .int(count)
        case "depth": return .int(loop.depth + 1)
        case "depth0": return .int(loop.depth)
        case "previtem": return loop.index > 0 ? loop.items[loop.index - 1] : .undefined("there is no previous item")
        case "nextitem": return loop.index + 1 < count ? loop.items[loop.index + 1] : .undefined("there is no next item")
        case "cycle":
            return Methods.function(name) { _, arguments in
                guard !arguments.positional.isEmpty else { throw TemplateError("no items for cycling given") }
                return arguments.positional[loop.index % arguments.positional.count]
            }
        case "changed":
            return Methods.function(name) { renderer, arguments in
                defer { loop.lastChecked = arguments.positional }
                guard let last = loop.lastChecked, last.count == arguments.positional.count else { return .bool(true) }
                return .bool(try !zip(last, arguments.positional).allSatisfy { try Operators.equal($0, $1, renderer) })
            }
        default: return nil
        }
    }
}
