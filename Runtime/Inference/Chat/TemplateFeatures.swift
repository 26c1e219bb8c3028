import Jinja
import Wire

/// What a chat template takes, found by trying: conversations are rendered once, and looked at for what came through.
///
/// OpenAI's clients send one shape for all models; templates were written for one model each.
package struct TemplateFeatures: Hashable, Sendable {
    /// Content in parts, where others take text alone.
    var takesParts = false
    /// Content in parts only.
    var needsParts = false
    /// A turn of the role `system`.
    var takesSystem = false
    /// The arguments of a tool call as the JSON text that clients send; others take an object.
    var takesArgumentsAsText = false
    /// A tool call's turn whose content is `null`.
    var takesNoContent = false
    /// `tools`.
    package var takesTools = false

    init(of template: Template, _ beginning: String, _ end: String) {
        func rendered(_ messages: [OrderedJSON], tools: [OrderedJSON] = []) -> String? {
            let conversation = Conversation(messages: messages, tools: tools)
            return try? template.render(conversation.context(beginning: beginning, end: end)).string
        }
        func message(_ role: String, _ content: OrderedJSON, _ more: OrderedJSON.Member...) -> OrderedJSON {
            .object([.init("role", .string(role)), .init("content", content)] + more)
        }
        let needle = "needle"
        let question = message("user", .string("question"))
        let parts = OrderedJSON.array([.object([.init("type", .string("text")), .init("text", .string(needle))])])
        let ofParts = rendered([message("user", parts)])
        takesParts = ofParts.map { $0.contains(needle) && !$0.contains("'type'") && !$0.contains("\"type\"") } ?? false
        needsParts = takesParts && rendered([message("user", .string(needle))])?.contains(needle) != true
        takesSystem = rendered([message("system", .string(needle)), question])?.contains(needle) == true

        let tool = OrderedJSON.object([
            .init("type", .string("function")),
            .init("function", .object([
                .init("name", .string(needle)), .init("description", .string("d")),
                .init("parameters", .object([
                    .init("type", .string("object")), .init("properties", .object([.init("p", .object([.init("type", .string("string")), .init("description", .string("d"))]))])),
                    .init("required", .array([.string("p")])),
                ])),
            ])),
        ])
        takesTools = rendered([question], tools: [tool])?.contains(needle) == true
        func called(content: OrderedJSON, arguments: OrderedJSON) -> String? {
            let call = OrderedJSON.object([
                .init("id", .string("call00001")), .init("type", .string("function")),
                .init("function", .object([.init("name", .string("f")), .init("arguments", arguments)])),
            ])
            let answer = message("tool", .string("answer"), .init("tool_call_id", .string("call00001")), .init("name", .string("f")))
            return rendered([question, message("assistant", content, .init("tool_calls", .array([call]))), answer], tools: [tool])
        }
        let asText = called(content: .string(""), arguments: .string(#"{"argument": "value"}"#))
        takesArgumentsAsText = asText?.contains(#"{"argument": "value"}"#) == true
        let arguments: OrderedJSON = takesArgumentsAsText ? .string(#"{"argument": "value"}"#) : .object([.init("argument", .string("value"))])
        takesNoContent = called(content: .null, arguments: arguments).map { $0.contains("argument") && !$0.contains("None") } ?? false
    }

    /// The conversation in the shape that the template takes.
    func adapted(_ conversation: Conversation) -> Conversation {
        var conversation = conversation
        conversation.messages = conversation.messages.map(adapted)
        if !takesSystem { conversation.messages = TemplateFeatures.withoutSystem(conversation.messages) }
        return conversation
    }

    private func adapted(_ message: OrderedJSON) -> OrderedJSON {
        var message = message
        switch message["content"] {
        case .array(let parts)? where !takesParts:
            if let text = OrderedJSON.array(parts).contentText { message = message.with("content", .string(text)) }
        case .string(let text)? where needsParts:
            message = message.with("content", .array([.object([.init("type", .string("text")), .init("text", .string(text))])]))
        case nil, .null?:
            if !takesNoContent || message["tool_calls"] == nil { message = message.with("content", .string("")) }
        default: break
        }
        if !takesArgumentsAsText, let calls = message["tool_calls"]?.array {
            message = message.with("tool_calls", .array(calls.map(TemplateFeatures.withArgumentsAsObject)))
        }
        return message
    }

    private static func withArgumentsAsObject(_ call: OrderedJSON) -> OrderedJSON {
        guard let function = call["function"], let text = function["arguments"]?.string, let arguments = try? OrderedJSON(parsing: text.utf8) else { return call }
        return call.with("function", function.with("arguments", arguments))
    }

    /// What the system says goes before the next user's text.
    private static func withoutSystem(_ messages: [OrderedJSON]) -> [OrderedJSON] {
        var instructions: [String] = []
        var result: [OrderedJSON] = []
        for message in messages {
            let text = message["content"]?.contentText
            if message["role"]?.string == "system", let text {
                instructions.append(text)
            } else if message["role"]?.string == "user", let text, !instructions.isEmpty {
                result.append(message.with("content", .string((instructions + [text]).joined(separator: "\n\n"))))
                instructions = []
            } else {
                result.append(message)
            }
        }
        if !instructions.isEmpty { result.append(.object([.init("role", .string("user")), .init("content", .string(instructions.joined(separator: "\n\n")))])) }
        return result
    }
}
