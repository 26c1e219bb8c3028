import Wire

/// A function that a model's answer calls.
package struct ToolCall: Hashable, Sendable {
    package let name: String
    /// The text of a JSON object, as the model wrote it.
    package let arguments: String

    package init(name: String, arguments: String) { (self.name, self.arguments) = (name, arguments) }
}

/// A function that a model may call.
package struct Tool: Sendable {
    package let name: String
    /// The JSON schema of its arguments.
    package let parameters: OrderedJSON
    /// As the client sent it, for the template: an object with `type` and `function`.
    package let definition: OrderedJSON
    /// Whether whatever calls it fits ``parameters``; a schema that cannot be held to is an error then.
    package let isStrict: Bool

    package init(name: String, parameters: OrderedJSON, definition: OrderedJSON, isStrict: Bool = false) {
        (self.name, self.parameters, self.definition, self.isStrict) = (name, parameters, definition, isStrict)
    }
}

/// Which functions a model is to call.
package enum ToolChoice: Hashable, Sendable {
    case none, auto, required
    case named(String)
}
