/// A value of Python's, as far as templates have them.
///
/// Lists and dictionaries never change, because transformers runs templates in a sandbox that forbids it; only a `namespace` does.
package enum Value {
    /// What a missing name or attribute gives; the text says what is missing, for the error when it is used.
    case undefined(String)
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(Text)
    case series(Series)
    case dict(Dict)
    case object(Object)
}

extension Value {
    package static func string(_ text: String, isTrusted: Bool) -> Value { .string(Text(text, isTrusted: isTrusted)) }

    /// - Throws: ``TemplateError`` when the values nest too deeply.
    package static func list(_ items: [Value]) throws -> Value { .series(try Series(.list, items)) }

    /// - Throws: ``TemplateError`` when the values nest too deeply.
    package static func dict(_ members: [(Text, Value)]) throws -> Value {
        .dict(try Dict(members.map { (.string($0), $1) }))
    }

    static func tuple(_ items: [Value]) throws -> Value { .series(try Series(.tuple, items)) }

    /// A text that the interpreter made.
    static func trusted(_ text: String) -> Value { .string(Text(text)) }

    /// How deep it is, and how large.
    var extent: Extent {
        switch self {
        case .string(let text): Extent(height: 0, size: text.count + 1)
        case .series(let series): series.extent
        case .dict(let dict): dict.extent
        default: Extent(height: 0, size: 1)
        }
    }

    /// What it costs to look at all of it.
    var size: Int { extent.size }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var isNone: Bool { if case .none = self { true } else { false } }
    var text: Text? { if case .string(let text) = self { text } else { nil } }
    var dict: Dict? { if case .dict(let dict) = self { dict } else { nil } }

    /// An integer; booleans are 0 and 1, as in Python.
    var integer: Int? {
        switch self {
        case .int(let number): number
        case .bool(let flag): flag ? 1 : 0
        default: nil
        }
    }

    var number: Double? {
        if case .float(let number) = self { number } else { integer.map(Double.init) }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let flag): flag
        case .int(let number): number != 0
        case .float(let number): number != 0
        case .string(let text): !text.isEmpty
        case .series(let series): !series.items.isEmpty
        case .dict(let dict): !dict.keys.isEmpty
        case .object: true
        }
    }

    /// Python's name of its type.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .float: "float"
        case .string(let text): text.isMarkup ? "Markup" : "str"
        case .series(let series): series.kind.typeName
        case .dict: "dict"
        case .object(let object): object.typeName
        }
    }
}

/// How deep values stand in each other, and how many values and code points they are.
///
/// A list can hold another one twice, and so on: few statements make values of exponential size. What walks through values may
/// do so on the stack and in one go because both are bounded.
struct Extent {
    let height: Int
    let size: Int

    init(height: Int, size: Int) { (self.height, self.size) = (height, size) }

    /// - Throws: ``TemplateError`` when that is too much.
    init(over values: [Value]) throws {
        var (height, size) = (0, 1)
        for value in values {
            let extent = value.extent
            height = max(height, extent.height)
            size += extent.size
            guard size <= Limits.valueSize else { throw TemplateError("a value is too large") }
        }
        guard height < Limits.valueHeight else { throw TemplateError("values are nested more than \(Limits.valueHeight) deep") }
        (self.height, self.size) = (height + 1, size)
    }
}

/// A row of values: Python's list, its tuple, and what it has for parts of others.
package final class Series {
    enum Kind: Equatable {
        case list, tuple, keys, values, items
        /// What `groupby` gives: a tuple whose two parts have the names `grouper` and `list`.
        case group
        case range(from: Int, to: Int, step: Int)

        var typeName: String {
            switch self {
            case .list: "list"
            case .tuple, .group: "tuple"
            case .keys: "dict_keys"
            case .values: "dict_values"
            case .items: "dict_items"
            case .range: "range"
            }
        }

        /// A view of a dictionary can be walked through, not indexed.
        var isIndexed: Bool {
            switch self {
            case .keys, .values, .items: false
            case .list, .tuple, .range, .group: true
            }
        }
    }

    let kind: Kind
    let items: [Value]
    let extent: Extent

    init(_ kind: Kind, _ items: [Value]) throws {
        (self.kind, self.items) = (kind, items)
        extent = try Extent(over: items)
    }
}

/// A dictionary that keeps the order of its entries.
package final class Dict {
    let keys: [Value]
    let values: [Value]
    let extent: Extent
    private let places: [Key: Int]

    /// Of two entries with one key the last counts, in the first's place.
    init(_ entries: [(Value, Value)]) throws {
        var keys: [Value] = []
        var values: [Value] = []
        var places: [Key: Int] = [:]
        for (name, value) in entries {
            let key = try Key(name)
            if let place = places[key] {
                values[place] = value
            } else {
                places[key] = keys.count
                keys.append(name)
                values.append(value)
            }
        }
        (self.keys, self.values, self.places) = (keys, values, places)
        extent = try Extent(over: keys + values)
    }

    var entries: [(Value, Value)] { Array(zip(keys, values)) }
    subscript(key: Key) -> Value? { places[key].map { values[$0] } }
    subscript(name: Text) -> Value? { self[.text(name)] }
}

/// A value that can be a dictionary's key; what is equal in Python (`1`, `1.0` and `True`) is equal here.
enum Key: Hashable {
    case none
    case int(Int)
    case float(Double)
    case text(Text)
    case tuple([Key])
    case object(ObjectIdentifier)

    /// - Throws: ``TemplateError`` for what cannot be a key: a list, a dictionary.
    init(_ value: Value) throws {
        switch value {
        case .none: self = .none
        case .bool(let flag): self = .int(flag ? 1 : 0)
        case .int(let number): self = .int(number)
        case .float(let number): self = Int(exactly: number).map(Key.int) ?? .float(number)
        case .string(let text): self = .text(text)
        case .series(let series) where series.kind == .tuple: self = .tuple(try series.items.map(Key.init))
        case .object(let object): self = .object(ObjectIdentifier(object))
        case .undefined, .series, .dict: throw TemplateError("unhashable type: '\(value.typeName)'")
        }
    }
}
