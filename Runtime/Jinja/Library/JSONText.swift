/// `tojson` as transformers has it: Python's `json.dumps`, with all characters as they are.
struct JSONText {
    private let asciiOnly: Bool
    private let indent: Text?
    private let itemSeparator: Text
    private let keySeparator: Text
    private let sortsKeys: Bool
    private let renderer: Renderer
    private var result: [Text.Unit] = []

    static func dump(
        _ value: Value, asciiOnly: Value?, indent: Value?, separators: Value?, sortsKeys: Value?, _ renderer: Renderer
    ) throws -> Text {
        var indentation: Text?
        if let indent, !indent.isNone {
            if let width = indent.integer { try renderer.charge(max(0, width)) }
            guard let text = indent.text ?? indent.integer.map({ Text(String(repeating: " ", count: max(0, $0))) }) else {
                throw TemplateError("tojson: indent is a number or a string")
            }
            indentation = text
        }
        var (item, key): (Text, Text) = (indentation == nil ? ", " : ",", ": ")
        if let separators, !separators.isNone {
            let parts = try renderer.items(of: separators).map { try Methods.string("tojson", $0) }
            guard parts.count == 2 else { throw TemplateError("tojson: separators are two strings") }
            (item, key) = (parts[0], parts[1])
        }
        var writer = JSONText(
            asciiOnly: asciiOnly?.isTrue ?? false, indent: indentation, itemSeparator: item, keySeparator: key,
            sortsKeys: sortsKeys?.isTrue ?? false, renderer: renderer)
        try renderer.charge(value.size)
        try writer.write(value, level: 1)
        return Text(writer.result)
    }

    private init(asciiOnly: Bool, indent: Text?, itemSeparator: Text, keySeparator: Text, sortsKeys: Bool, renderer: Renderer) {
        (self.asciiOnly, self.indent, self.itemSeparator, self.keySeparator) = (asciiOnly, indent, itemSeparator, keySeparator)
        (self.sortsKeys, self.renderer) = (sortsKeys, renderer)
    }

    private mutating func write(_ value: Value, level: Int) throws {
        switch value {
        case .string(let text): write(text)
        case .none, .bool, .int, .float: result += JSONText.scalar(value).units
        case .series(let series) where series.kind == .list || series.kind == .tuple || series.kind == .group:
            try write("[", "]", count: series.items.count, level) { writer, index in try writer.write(series.items[index], level: level + 1) }
        case .dict(let dict):
            var entries = try dict.entries.map { (key: $0, name: try JSONText.name(of: $0), value: $1) }
            if sortsKeys { try entries.sort { try Value.less($0.key, $1.key) } }
            try write("{", "}", count: entries.count, level) { writer, index in
                writer.write(entries[index].name)
                writer.result += writer.keySeparator.units
                try writer.write(entries[index].value, level: level + 1)
            }
        default: throw TemplateError("Object of type \(value.typeName) is not JSON serializable")
        }
    }

    private mutating func write(_ open: Text, _ close: Text, count: Int, _ level: Int, _ item: (inout JSONText, Int) throws -> Void) throws {
        func lineBreak(_ level: Int) throws -> [Text.Unit] {
            guard let indent else { return [] }
            try renderer.charge(indent.count, times: level)
            return Text("\n").units + repeatElement(indent.units, count: level).joined()
        }
        result += open.units
        for index in 0..<count {
            if index > 0 { result += itemSeparator.units }
            result += try lineBreak(level)
            try item(&self, index)
        }
        if count > 0 { result += try lineBreak(level - 1) }
        result += close.units
    }

    private static func scalar(_ value: Value) -> Text {
        switch value {
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): Text(String(number))
        case .float(let number):
            number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : Text(PythonNumber.text(number))
        default: "null"
        }
    }

    private static func name(of key: Value) throws -> Text {
        switch key {
        case .string(let text): return text
        case .none, .bool, .int, .float: return scalar(key)
        default: throw TemplateError("keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private mutating func write(_ text: Text) {
        let quote = Text("\"").units
        result += quote
        for unit in text.units { write(unit) }
        result += quote
    }

    private mutating func write(_ unit: Text.Unit) {
        func escape(_ text: String) { result += text.unicodeScalars.map(unit.with) }
        switch unit.code {
        case 0x22: escape("\\\"")
        case 0x5c: escape("\\\\")
        case 0x0a: escape("\\n")
        case 0x0d: escape("\\r")
        case 0x09: escape("\\t")
        case 0x08: escape("\\b")
        case 0x0c: escape("\\f")
        case ..<0x20: escape(JSONText.escaped(UInt16(unit.code)))
        case 0x7f... where asciiOnly: for half in String(unit.scalar).utf16 { escape(JSONText.escaped(half)) }
        default: result.append(unit)
        }
    }

    private static func escaped(_ half: UInt16) -> String {
        let digits = String(half, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
