extension Methods {
    /// Python's methods of strings.
    static let strings: [String: @Sendable (Text, Renderer, Arguments) throws -> Value] = [
        "strip": { text, _, arguments in .string(text.stripped(try characters("strip", arguments))) },
        "lstrip": { text, _, arguments in .string(text.stripped(try characters("lstrip", arguments), right: false)) },
        "rstrip": { text, _, arguments in .string(text.stripped(try characters("rstrip", arguments), left: false)) },
        "split": { text, renderer, arguments in try split("split", text, renderer, arguments) { $0.split($1, limit: $2) } },
        "rsplit": { text, renderer, arguments in try split("rsplit", text, renderer, arguments) { $0.splitFromRight($1, limit: $2) } },
        "splitlines": { text, renderer, arguments in
            let keepsEnds = try arguments.bind("splitlines", "keepends")[0]?.isTrue ?? false
            return try renderer.list(text.lines(keepingEnds: keepsEnds).map(Value.string))
        },
        "partition": { text, _, arguments in
            let separator = try separator("partition", arguments)
            guard let place = text.firstIndex(of: separator) else { return try .tuple([.string(text), .trusted(""), .trusted("")]) }
            return try parts(text, place, separator)
        },
        "rpartition": { text, _, arguments in
            let separator = try separator("rpartition", arguments)
            guard let place = text.lastIndex(of: separator) else { return try .tuple([.trusted(""), .trusted(""), .string(text)]) }
            return try parts(text, place, separator)
        },
        "startswith": { text, _, arguments in .bool(try affixes("startswith", text, arguments) { $0.starts(with: $1) }) },
        "endswith": { text, _, arguments in .bool(try affixes("endswith", text, arguments) { $0.ends(with: $1) }) },
        "removeprefix": { text, _, arguments in
            let prefix = try string("removeprefix", arguments.one("removeprefix", "prefix"))
            return .string(text.starts(with: prefix) ? text.slice(prefix.count..<text.count) : text)
        },
        "removesuffix": { text, _, arguments in
            let suffix = try string("removesuffix", arguments.one("removesuffix", "suffix"))
            return .string(text.ends(with: suffix) ? text.slice(0..<text.count - suffix.count) : text)
        },
        "replace": { text, renderer, arguments in
            let bound = try arguments.bind("replace", "old", "new", "count")
            guard let old = bound[0], let new = bound[1] else { throw TemplateError("replace expected at least 2 arguments") }
            let (from, to) = (try string("replace", old), try string("replace", new))
            return .string(try replace(text, from, text.isMarkup ? to.escaped : to, limit: bound[2], renderer))
        },
        "find": { text, _, arguments in .int(try find("find", text, arguments) { $0.firstIndex(of: $1) } ?? -1) },
        "rfind": { text, _, arguments in .int(try find("rfind", text, arguments) { $0.lastIndex(of: $1) } ?? -1) },
        "index": { text, _, arguments in .int(try found(find("index", text, arguments) { $0.firstIndex(of: $1) })) },
        "rindex": { text, _, arguments in .int(try found(find("rindex", text, arguments) { $0.lastIndex(of: $1) })) },
        "count": { text, _, arguments in
            let (part, range) = try search("count", text, arguments)
            return .int(range.map { text.slice($0).indices(of: part).count } ?? 0)
        },
        "join": { text, renderer, arguments in
            let items = try renderer.items(of: arguments.one("join", "iterable"))
            let parts = try items.enumerated().map { index, item in
                guard let part = item.text else { throw TemplateError("sequence item \(index): expected str instance, \(item.typeName) found") }
                return part
            }
            try renderer.charge(text.count, times: parts.count)
            try renderer.charge(parts.reduce(0) { $0 + $1.count })
            return .string(Text.joined(parts, separator: text))
        },
        "format": { text, renderer, arguments in .string(try BraceFormat.format(text, arguments, renderer)) },
        "upper": { text, _, arguments in try plain("upper", arguments, text.uppercased) },
        "lower": { text, _, arguments in try plain("lower", arguments, text.lowercased) },
        "casefold": { text, _, arguments in try plain("casefold", arguments, text.lowercased) },
        "capitalize": { text, _, arguments in try plain("capitalize", arguments, text.capitalized) },
        "title": { text, _, arguments in try plain("title", arguments, text.titled) },
        "swapcase": { text, _, arguments in try plain("swapcase", arguments, text.swappedCase) },
        "center": { text, renderer, arguments in
            try padded("center", text, renderer, arguments) { total, width in total / 2 + (total & width & 1) }
        },
        "ljust": { text, renderer, arguments in try padded("ljust", text, renderer, arguments) { _, _ in 0 } },
        "rjust": { text, renderer, arguments in try padded("rjust", text, renderer, arguments) { total, _ in total } },
        "zfill": { text, renderer, arguments in
            let width = try integer("zfill", arguments.one("zfill", "width"))
            try renderer.charge(max(0, width))
            let sign = text.units.first.map { $0.code == 0x2b || $0.code == 0x2d } == true ? 1 : 0
            let zeros = Text(String(repeating: "0", count: max(0, width - text.count)))
            return .string(text.slice(0..<sign) + zeros + text.slice(sign..<text.count))
        },
        "expandtabs": { text, renderer, arguments in
            let size = try arguments.bind("expandtabs", "tabsize")[0].map { try integer("expandtabs", $0) } ?? 8
            try renderer.charge(max(0, size), times: text.count)
            var column = 0
            return .string(
                text.map { unit in
                    if unit.code == 0x09 {
                        let width = size > 0 ? size - column % size : 0
                        column += width
                        return Array(repeating: unit.with(" "), count: width)
                    }
                    column = unit.code == 0x0a || unit.code == 0x0d ? 0 : column + 1
                    return [unit]
                })
        },
        "isupper": { text, _, arguments in try flag("isupper", arguments, text.isAll(uppercase: true)) },
        "islower": { text, _, arguments in try flag("islower", arguments, text.isAll(uppercase: false)) },
        "isspace": { text, _, arguments in try flag("isspace", arguments, text.isNonempty(\.isSpace)) },
        "isalpha": { text, _, arguments in try flag("isalpha", arguments, text.isNonempty(\.scalar.isLetter)) },
        "isdigit": { text, _, arguments in try flag("isdigit", arguments, text.isNonempty(\.scalar.isDigit)) },
        "isdecimal": { text, _, arguments in
            try flag("isdecimal", arguments, text.isNonempty { $0.scalar.properties.generalCategory == .decimalNumber })
        },
        "isnumeric": { text, _, arguments in try flag("isnumeric", arguments, text.isNonempty { $0.scalar.properties.numericType != nil }) },
        "isalnum": { text, _, arguments in
            try flag("isalnum", arguments, text.isNonempty { $0.scalar.isLetter || $0.scalar.properties.numericType != nil })
        },
        "isascii": { text, _, arguments in try flag("isascii", arguments, text.units.allSatisfy(\.scalar.isASCII)) },
        "isprintable": { text, _, arguments in try flag("isprintable", arguments, text.units.allSatisfy(\.scalar.isPrintable)) },
        "istitle": { text, _, arguments in try flag("istitle", arguments, text.titled == text && text.units.contains(where: \.scalar.properties.isCased)) },
        "isidentifier": { text, _, arguments in
            let isStart = text.units.first.map { $0.code == 0x5f || $0.scalar.properties.isXIDStart } ?? false
            return try flag("isidentifier", arguments, isStart && text.units.allSatisfy(\.scalar.properties.isXIDContinue))
        },
    ]

    // MARK: Arguments

    static func string(_ function: String, _ value: Value) throws -> Text {
        guard let text = value.text else { throw TemplateError("\(function)() argument must be str, not \(value.typeName)") }
        return text
    }

    static func integer(_ function: String, _ value: Value) throws -> Int {
        guard let number = value.integer else { throw TemplateError("\(function)(): '\(value.typeName)' object cannot be interpreted as an integer") }
        return number
    }

    private static func characters(_ function: String, _ arguments: Arguments) throws -> Text? {
        guard let value = try arguments.bind(function, "chars")[0], !value.isNone else { return nil }
        return try string(function, value)
    }

    private static func separator(_ function: String, _ arguments: Arguments) throws -> Text {
        let separator = try string(function, arguments.one(function, "sep"))
        guard !separator.isEmpty else { throw TemplateError("empty separator") }
        return separator
    }

    private static func plain(_ function: String, _ arguments: Arguments, _ text: Text) throws -> Value {
        try arguments.none(function)
        return .string(text)
    }

    private static func flag(_ function: String, _ arguments: Arguments, _ flag: Bool) throws -> Value {
        try arguments.none(function)
        return .bool(flag)
    }

    // MARK: What several share

    private static func parts(_ text: Text, _ place: Int, _ separator: Text) throws -> Value {
        let end = place + separator.count
        return try .tuple([.string(text.slice(0..<place)), .string(text.slice(place..<end)), .string(text.slice(end..<text.count))])
    }

    private static func split(
        _ function: String, _ text: Text, _ renderer: Renderer, _ arguments: Arguments, _ body: (Text, Text?, Int) -> [Text]
    ) throws -> Value {
        let bound = try arguments.bind(function, "sep", "maxsplit")
        var separator: Text?
        if let value = bound[0], !value.isNone { separator = try string(function, value) }
        guard separator?.isEmpty != true else { throw TemplateError("empty separator") }
        let limit = try bound[1].map { try integer(function, $0) } ?? -1
        return try renderer.list(body(text, separator, limit < 0 ? .max : limit).map(Value.string))
    }

    /// - Parameter limit: how often at most; `nil` and negative numbers are no limit.
    static func replace(_ text: Text, _ old: Text, _ new: Text, limit: Value?, _ renderer: Renderer) throws -> Text {
        var most = Int.max
        if let limit, !limit.isNone { most = try integer("replace", limit) }
        let places = text.indices(of: old, limit: most < 0 ? .max : most)
        try renderer.charge(new.count, times: places.count)
        try renderer.charge(text.count)
        return text.replacing(old, at: places, with: new)
    }

    /// The text that is searched for, and where; `nil` if that range lies behind the end.
    private static func search(_ function: String, _ text: Text, _ arguments: Arguments) throws -> (Text, Range<Int>?) {
        let bound = try arguments.bind(function, "sub", "start", "end")
        guard let part = bound[0] else { throw TemplateError("\(function)() takes at least 1 argument (0 given)") }
        return (try string(function, part), try range(function, text, bound[1], bound[2]))
    }

    private static func range(_ function: String, _ text: Text, _ start: Value?, _ end: Value?) throws -> Range<Int>? {
        func place(_ value: Value?) throws -> Int? {
            guard let value, !value.isNone else { return nil }
            let index = try integer(function, value)
            return index < 0 ? max(0, index + text.count) : index
        }
        let from = try place(start) ?? 0
        let to = min(try place(end) ?? text.count, text.count)
        return from <= to ? from..<to : nil
    }

    private static func find(_ function: String, _ text: Text, _ arguments: Arguments, _ body: (Text, Text) -> Int?) throws -> Int? {
        let (part, range) = try search(function, text, arguments)
        guard let range else { return nil }
        return body(text.slice(range), part).map { $0 + range.lowerBound }
    }

    private static func found(_ place: Int?) throws -> Int {
        guard let place else { throw TemplateError("substring not found") }
        return place
    }

    /// Whether the text begins (ends) with one of several.
    private static func affixes(_ function: String, _ text: Text, _ arguments: Arguments, _ body: (Text, Text) -> Bool) throws -> Bool {
        let bound = try arguments.bind(function, "prefix", "start", "end")
        guard let value = bound[0] else { throw TemplateError("\(function)() takes at least 1 argument (0 given)") }
        guard let range = try range(function, text, bound[1], bound[2]) else { return false }
        let part = text.slice(range)
        if case .series(let series) = value, series.kind == .tuple { return try series.items.contains { body(part, try string(function, $0)) } }
        guard let affix = value.text else {
            throw TemplateError("\(function) first arg must be str or a tuple of str, not \(value.typeName)")
        }
        return body(part, affix)
    }

    static func padded(
        _ function: String, _ text: Text, _ renderer: Renderer, _ arguments: Arguments, _ left: (_ total: Int, _ width: Int) -> Int
    ) throws -> Value {
        let bound = try arguments.bind(function, "width", "fillchar")
        guard let width = try bound[0].map({ try integer(function, $0) }) else { throw TemplateError("\(function) expected at least 1 argument") }
        let fill = try bound[1].map { try string(function, $0) } ?? " "
        guard fill.count == 1 else { throw TemplateError("The fill character must be exactly one character long") }
        try renderer.charge(max(0, width))
        let total = max(0, width - text.count)
        let before = left(total, width)
        func filling(_ count: Int) -> [Text.Unit] { Array(repeating: fill.units[0], count: count) }
        return .string(Text(filling(before) + text.units + filling(total - before), isMarkup: text.isMarkup))
    }
}

extension Text {
    fileprivate func isNonempty(_ condition: (Unit) -> Bool) -> Bool { !isEmpty && units.allSatisfy(condition) }
}

extension Unicode.Scalar {
    fileprivate var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    fileprivate var isDigit: Bool { properties.numericType == .decimal || properties.numericType == .digit }
}
