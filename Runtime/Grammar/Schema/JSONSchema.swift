import Wire

/// Turns a JSON schema into the rules of the texts that fit it.
///
/// The keywords are those of OpenAI's structured outputs (https://platform.openai.com/docs/guides/structured-outputs), and more
/// where it costs nothing. Members come in the schema's order. A keyword that would need what an automaton cannot do is refused by
/// its name; words that say nothing about a value's shape are passed over.
package struct JSONSchema {
    private let document: OrderedJSON
    var syntax = JSONSyntax()
    private var depth = 0

    private static let deepest = 64

    private init(_ document: OrderedJSON) { self.document = document }

    /// - Throws: ``GrammarError`` that names the place in the schema.
    static func rules(for schema: OrderedJSON) throws(GrammarError) -> RuleSet {
        var compiler = JSONSchema(schema)
        let root = try compiler.value(schema, at: "#")
        compiler.syntax.setRoot(root)
        return compiler.syntax.rules
    }

    /// A value that fits a schema of its own, within a larger grammar.
    static func value(_ schema: OrderedJSON, _ syntax: inout JSONSyntax) throws(GrammarError) -> Expression {
        var compiler = JSONSchema(schema)
        compiler.syntax = syntax
        let value = try compiler.value(schema, at: "#")
        syntax = compiler.syntax
        return value
    }

    /// The rules of any JSON object: OpenAI's `json_object`.
    static func rulesForAnyObject() throws(GrammarError) -> RuleSet {
        var syntax = JSONSyntax()
        let object = try syntax.anyObject()
        syntax.setRoot(object)
        return syntax.rules
    }

    // MARK: Any schema

    /// - Parameter place: a JSON pointer for messages.
    mutating func value(_ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        guard depth < Self.deepest else { throw error(place, "the schema is nested more than \(Self.deepest) deep") }
        depth += 1
        defer { depth -= 1 }
        if let allowed = schema.bool {
            guard allowed else { throw error(place, "nothing fits the schema 'false'") }
            return try syntax.anyValue()
        }
        guard schema.members != nil else { throw error(place, "a schema is an object") }
        try refuseUnsupported(schema, at: place)
        if let reference = schema["$ref"] { return try self.reference(reference, at: place) }
        if let constant = schema["const"] { return literal(constant) }
        if let choices = schema["enum"] {
            guard let values = choices.array, !values.isEmpty else { throw error(place, "'enum' is a list of values") }
            return .choice(values.map { literal($0) })
        }
        // Alternatives that exclude each other, as discriminated unions have them, are the same with either word.
        for word in ["anyOf", "oneOf"] {
            guard let alternatives = schema[word] else { continue }
            guard let schemas = alternatives.array, !schemas.isEmpty else { throw error(place, "'\(word)' is a list of schemas") }
            var choices: [Expression] = []
            for (index, alternative) in schemas.enumerated() { choices.append(try value(alternative, at: "\(place)/\(word)/\(index)")) }
            return .choice(choices)
        }
        if let parts = schema["allOf"] {
            guard let schemas = parts.array, schemas.count == 1 else { throw error(place, "'allOf' of several schemas is not supported") }
            return try value(schemas[0], at: "\(place)/allOf/0")
        }
        return try typed(schema, at: place)
    }

    private mutating func typed(_ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        switch schema["type"] {
        case .string(let type)?: return try value(ofType: type, schema, at: place)
        case .array(let types)?:
            guard !types.isEmpty else { throw error(place, "'type' names no type") }
            var choices: [Expression] = []
            for type in types {
                guard let name = type.string else { throw error(place, "'type' is a name or a list of names") }
                choices.append(try value(ofType: name, schema, at: place))
            }
            return .choice(choices)
        case nil:
            // Keywords that only one type has tell the type.
            if schema["properties"] != nil || schema["additionalProperties"] != nil || schema["required"] != nil {
                return try object(schema, at: place)
            }
            if schema["items"] != nil || schema["prefixItems"] != nil { return try array(schema, at: place) }
            for word in ["pattern", "format", "minLength", "maxLength"] where schema[word] != nil { return try string(schema, at: place) }
            for word in Self.rangeWords + ["multipleOf"] where schema[word] != nil {
                return try number(schema, isInteger: false, at: place)
            }
            return try syntax.anyValue()
        default: throw error(place, "'type' is a name or a list of names")
        }
    }

    private mutating func value(ofType type: String, _ schema: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        switch type {
        case "object": return try object(schema, at: place)
        case "array": return try array(schema, at: place)
        case "string": return try string(schema, at: place)
        case "integer": return try number(schema, isInteger: true, at: place)
        case "number": return try number(schema, isInteger: false, at: place)
        case "boolean": return syntax.boolean()
        case "null": return .text("null")
        default: throw error(place, "there is no type '\(type)'")
        }
    }

    func error(_ place: String, _ what: String) -> GrammarError { GrammarError("The schema cannot be used: \(what) (at \(place)).") }

    private func refuseUnsupported(_ schema: OrderedJSON, at place: String) throws(GrammarError) {
        for member in schema.members ?? [] where Self.unsupported.contains(member.name) {
            if member.name == "uniqueItems", member.value == .bool(false) { continue }
            throw error(place, "'\(member.name)' is not supported")
        }
    }

    private static let unsupported: Set = [
        "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "patternProperties", "propertyNames",
        "minProperties", "maxProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "minContains", "maxContains",
        "uniqueItems", "contentEncoding", "contentMediaType", "contentSchema", "$dynamicRef", "$recursiveRef",
    ]

    static let rangeWords = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]

    /// A whole number from 0 that stands at a keyword.
    func count(_ word: String, in schema: OrderedJSON, at place: String) throws(GrammarError) -> Int? {
        guard let value = schema[word] else { return nil }
        guard let number = value.number, let count = Int(exactly: number), (0...100_000).contains(count) else {
            throw error(place, "'\(word)' is not a whole number from 0 to 100000")
        }
        return count
    }

    // MARK: References

    /// A schema that is referred to is a rule of its own, so that it may contain itself.
    private mutating func reference(_ reference: OrderedJSON, at place: String) throws(GrammarError) -> Expression {
        guard let pointer = reference.string, pointer == "#" || pointer.hasPrefix("#/") else {
            throw error(place, "'$ref' must point into this schema, as '#/$defs/name' does")
        }
        var target = document
        for part in pointer.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) where pointer != "#" {
            let name = part.unescapedPointer
            guard let next = target[name] ?? Int(name).flatMap({ index in target.array.flatMap { $0.indices.contains(index) ? $0[index] : nil } })
            else { throw error(place, "'$ref' points to '\(pointer)', which is not there") }
            target = next
        }
        let name = "ref:\(pointer)"
        let outer = depth
        defer { depth = outer }
        if let known = referenced[name] { return .rule(known) }
        guard target != .object([.init("$ref", reference)]) else { throw error(place, "'$ref' points to itself") }
        let number = syntax.newRule(name)
        referenced[name] = number
        let expression = try value(target, at: pointer)
        syntax.define(number, expression)
        return .rule(number)
    }

    private var referenced: [String: Int] = [:]
}

extension Substring {
    /// `~1` is a slash and `~0` a tilde in a JSON pointer.
    fileprivate var unescapedPointer: String {
        split(separator: "~1", omittingEmptySubsequences: false).map { $0.split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~") }
            .joined(separator: "/")
    }
}

extension CompiledGrammar {
    /// What fits a JSON schema.
    /// - Throws: ``GrammarError`` that names the place in the schema and what cannot be used.
    package convenience init(schema: OrderedJSON, for trie: TokenTrie) throws(GrammarError) {
        try self.init(JSONSchema.rules(for: schema), for: trie)
    }

    /// Any JSON object.
    package static func anyObject(for trie: TokenTrie) throws(GrammarError) -> CompiledGrammar {
        try CompiledGrammar(JSONSchema.rulesForAnyObject(), for: trie)
    }
}
