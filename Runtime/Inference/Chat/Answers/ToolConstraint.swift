import Wire

/// What an answer that must call a function looks like: how it begins, and the schema of the JSON that follows.
package struct ToolConstraint: Hashable, Sendable {
    /// Written for the model, which goes on behind it.
    package let opening: String
    /// What the JSON that follows fits; `nil` where the family writes arguments without JSON.
    package let schema: OrderedJSON?

    /// - Returns: `nil` where the model decides by itself.
    package init?(_ choice: ToolChoice, _ tools: [Tool], _ format: ToolCallFormat) {
        let named: Tool?
        switch choice {
        case .none, .auto: return nil
        case .named(let name): named = tools.first { $0.name == name }
        case .required: named = tools.count == 1 ? tools[0] : nil
        }
        if let named {
            opening = ToolConstraint.opening(of: named.name, format)
            schema = [.parameterTags, .argumentTags].contains(format) ? nil : named.parameters
        } else {
            opening = ToolConstraint.opening(format)
            schema = ToolConstraint.schema(of: tools, format)
        }
    }

    /// Up to the arguments' first brace. It ends without a space, because models write that with the brace as one token.
    private static func opening(of name: String, _ format: ToolCallFormat) -> String {
        let quoted = JSONText.quoted(name)
        return switch format {
        case .hermes: "<tool_call>\n{\"name\": \(quoted), \"arguments\":"
        case .parameterTags: "<tool_call>\n<function=\(name)>\n"
        case .argumentTags: "<tool_call>\(name)\n"
        case .mistral: "[TOOL_CALLS][{\"name\": \(quoted), \"arguments\":"
        case .bare: "{\"name\": \(quoted), \"parameters\":"
        case .functionTags: "<function=\(name)>"
        case .functools: "functools[{\"name\": \(quoted), \"arguments\":"
        case .markedList: "<|tool_call|>[{\"name\": \(quoted), \"arguments\":"
        case .action: "<|START_ACTION|>[{\"tool_name\": \(quoted), \"parameters\":"
        case .deepSeek: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>\(name)\n```json\n"
        }
    }

    /// Up to where the function's name is still open.
    private static func opening(_ format: ToolCallFormat) -> String {
        switch format {
        case .hermes: "<tool_call>\n"
        case .parameterTags: "<tool_call>\n<function="
        case .argumentTags: "<tool_call>"
        case .mistral: "[TOOL_CALLS]["
        case .bare: ""
        case .functionTags: "<function="
        case .functools: "functools["
        case .markedList: "<|tool_call|>["
        case .action: "<|START_ACTION|>["
        case .deepSeek: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
        }
    }

    /// One of the calls, as an object.
    private static func schema(of tools: [Tool], _ format: ToolCallFormat) -> OrderedJSON? {
        let names: (name: String, arguments: String)
        switch format {
        case .hermes, .mistral, .functools, .markedList: names = ("name", "arguments")
        case .bare: names = ("name", "parameters")
        case .action: names = ("tool_name", "parameters")
        case .parameterTags, .argumentTags, .functionTags, .deepSeek: return nil
        }
        let calls = tools.map { tool in
            OrderedJSON.object([
                .init("type", .string("object")),
                .init("properties", .object([
                    .init(names.name, .object([.init("const", .string(tool.name))])), .init(names.arguments, tool.parameters),
                ])),
                .init("required", .array([.string(names.name), .string(names.arguments)])), .init("additionalProperties", .bool(false)),
            ])
        }
        return .object([.init("anyOf", .array(calls))])
    }
}
