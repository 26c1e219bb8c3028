extension Filters {
    static let texts: [String: Filter] = [
        "string": { renderer, value, arguments in
            try arguments.none("string")
            return try .string(renderer.shown(value))
        },
        "upper": { renderer, value, arguments in try plain("upper", arguments, renderer.shown(value).uppercased) },
        "lower": { renderer, value, arguments in try plain("lower", arguments, renderer.shown(value).lowercased) },
        "capitalize": { renderer, value, arguments in try plain("capitalize", arguments, renderer.shown(value).capitalized) },
        "title": { renderer, value, arguments in try plain("title", arguments, titled(renderer.shown(value))) },
        "trim": { renderer, value, arguments in
            let characters = try arguments.bind("trim", "chars")[0]
            return try .string(renderer.shown(value).stripped(characters.flatMap { $0.isNone ? nil : $0 }.map { try Methods.string("trim", $0) }))
        },
        "center": { renderer, value, arguments in
            var arguments = arguments
            if arguments.positional.isEmpty, arguments.keywords.isEmpty { arguments.positional = [.int(80)] }
            return try Methods.padded("center", renderer.shown(value), renderer, arguments) { total, width in total / 2 + (total & width & 1) }
        },
        "replace": { renderer, value, arguments in
            let bound = try arguments.bind("replace", "old", "new", "count")
            let old = try renderer.shown(required(bound[0], "replace", "old"))
            let new = try renderer.shown(required(bound[1], "replace", "new"))
            var text = try renderer.shown(value)
            text.isMarkup = false
            return try .string(Methods.replace(text, old, new, limit: bound[2], renderer))
        },
        "indent": { renderer, value, arguments in
            let bound = try arguments.bind("indent", "width", "first", "blank")
            let indent: Text
            switch bound[0] {
            case .string(let text)?: indent = text
            case let width?:
                let width = try Methods.integer("indent", width)
                try renderer.charge(max(0, width))
                indent = Text(String(repeating: " ", count: max(0, width)))
            case nil: indent = "    "
            }
            return try .string(indented(Methods.string("indent", value), by: indent, first: bound[1]?.isTrue ?? false, blank: bound[2]?.isTrue ?? false, renderer))
        },
        "truncate": { renderer, value, arguments in
            let bound = try arguments.bind("truncate", "length", "killwords", "end", "leeway")
            let length = try bound[0].map { try Methods.integer("truncate", $0) } ?? 255
            let end = try bound[2].map { try Methods.string("truncate", $0) } ?? "..."
            let leeway = try bound[3].flatMap { $0.isNone ? nil : try Methods.integer("truncate", $0) } ?? 5
            guard length >= end.count else { throw TemplateError("expected length >= \(end.count), got \(length)") }
            guard leeway >= 0 else { throw TemplateError("expected leeway >= 0, got \(leeway)") }
            let text = try renderer.shown(value)
            if text.count - leeway <= length { return .string(text) }
            let head = text.slice(0..<length - end.count)
            let kept = bound[1]?.isTrue ?? false ? head : head.lastIndex(of: " ").map { head.slice(0..<$0) } ?? head
            return .string(kept + end)
        },
        "wordcount": { renderer, value, arguments in
            try arguments.none("wordcount")
            var (count, isInside) = (0, false)
            for unit in try renderer.shown(value).units {
                let properties = unit.scalar.properties
                let isWord = properties.isXIDContinue || properties.numericType != nil
                if isWord, !isInside { count += 1 }
                isInside = isWord
            }
            return .int(count)
        },
        "format": { renderer, value, arguments in
            guard arguments.keywords.isEmpty || arguments.positional.isEmpty else {
                throw TemplateError("can't handle positional and keyword arguments at the same time")
            }
            let values: Value =
                arguments.keywords.isEmpty ? try .tuple(arguments.positional) : try .dict(arguments.keywords.map { (Text($0.name), $0.value) })
            return try .string(PercentFormat.format(renderer.shown(value), values, renderer))
        },
        "escape": escape, "e": escape,
        "forceescape": { renderer, value, arguments in
            try arguments.none("forceescape")
            var text = try renderer.shown(value)
            text.isMarkup = false
            return try renderer.text(text.escaped)
        },
        "safe": { renderer, value, arguments in
            try arguments.none("safe")
            var text = try renderer.shown(value)
            text.isMarkup = true
            return .string(text)
        },
        "striptags": { renderer, value, arguments in
            try arguments.none("striptags")
            return try .string(withoutTags(renderer.shown(value)))
        },
        "urlencode": { renderer, value, arguments in
            try arguments.none("urlencode")
            switch value {
            case .dict, .series:
                let pairs = try value.dict.map(\.entries) ?? renderer.items(of: value).map { pair in
                    let items = try renderer.items(of: pair)
                    guard items.count == 2 else { throw TemplateError("urlencode takes pairs") }
                    return (items[0], items[1])
                }
                let parts = try pairs.map { try quoted(renderer.shown($0), isQuery: true) + "=" + quoted(renderer.shown($1), isQuery: true) }
                return try renderer.text(Text.joined(parts, separator: "&"))
            default: return try renderer.text(quoted(renderer.shown(value), isQuery: false))
            }
        },
        "tojson": { renderer, value, arguments in
            let bound = try arguments.bind("tojson", "ensure_ascii", "indent", "separators", "sort_keys")
            return try .string(JSONText.dump(value, asciiOnly: bound[0], indent: bound[1], separators: bound[2], sortsKeys: bound[3], renderer))
        },
    ]

    private static let escape: Filter = { renderer, value, arguments in
        try arguments.none("escape")
        return try renderer.text(renderer.shown(value).escaped)
    }

    private static func plain(_ filter: String, _ arguments: Arguments, _ text: Text) throws -> Value {
        try arguments.none(filter)
        return .string(text)
    }

    /// Words begin behind space, hyphens and opening brackets.
    private static func titled(_ text: Text) -> Text {
        let breaks = Set("-({[<".unicodeScalars.map(\.value))
        var isInside = false
        return text.map { unit in
            let isBreak = unit.isSpace || breaks.contains(unit.code)
            defer { isInside = !isBreak }
            let properties = unit.scalar.properties
            return (isInside ? properties.lowercaseMapping : properties.uppercaseMapping).unicodeScalars.map(unit.with)
        }
    }

    private static func indented(_ text: Text, by indent: Text, first: Bool, blank: Bool, _ renderer: Renderer) throws -> Text {
        let lines = (text + "\n").lines()
        try renderer.charge(indent.count, times: lines.count)
        let parts = lines.enumerated().map { index, line in
            index == 0 ? (first ? indent + line : line) : blank || !line.isEmpty ? indent + line : line
        }
        var result = Text.joined(parts, separator: "\n")
        result.isMarkup = text.isMarkup
        return result
    }

    private static func withoutTags(_ text: Text) -> Text {
        var units: [Text.Unit] = []
        var rest = text.units[...]
        while let open = rest.firstIndex(where: { $0.code == 0x3c }), let close = rest[open...].firstIndex(where: { $0.code == 0x3e }) {
            units += rest[..<open]
            rest = rest[(close + 1)...]
        }
        return Text.joined(Text(units + rest).split(nil), separator: " ")
    }

    private static func quoted(_ text: Text, isQuery: Bool) -> Text {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~".utf8)
        return Text(text.map { unit in
            String(unit.scalar).utf8.flatMap { byte -> [Text.Unit] in
                if plain.contains(byte) || (byte == 0x2f && !isQuery) { return [unit] }
                if byte == 0x20, isQuery { return [unit.with("+")] }
                let digits = String(byte, radix: 16, uppercase: true)
                return ("%" + (digits.count < 2 ? "0" : "") + digits).unicodeScalars.map(unit.with)
            }
        }.units)
    }
}
