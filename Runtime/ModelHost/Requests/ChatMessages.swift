import Inference
import Wire

extension RequestFields {
    /// `messages`, `tools` and `chat_template_kwargs`, as the model's template gets them.
    func conversation() throws -> Conversation {
        let body = try ordered()
        guard let messages = body["messages"], messages != .null else { throw APIError.missing("messages") }
        guard let items = messages.array else { throw APIError.wrongType("messages", "an array") }
        guard !items.isEmpty else { throw APIError.wrongValue("messages", "there must be at least one message.") }
        var variables: [OrderedJSON.Member] = []
        if let value = body["chat_template_kwargs"], value != .null {
            guard let members = value.members else { throw APIError.wrongType("chat_template_kwargs", "an object") }
            variables = members
            for name in ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"] where value[name] != nil {
                throw APIError.wrongValue("chat_template_kwargs", "'\(name)' is not a variable of your own.")
            }
        }
        return Conversation(
            messages: try items.enumerated().map { try ChatMessage.checked($1, at: "messages[\($0)]") }, variables: variables)
    }
}

/// Checks one of `messages`. Fields that are not known are passed on: a model's template may know them.
private enum ChatMessage {
    static func checked(_ message: OrderedJSON, at place: String) throws -> OrderedJSON {
        guard let members = message.members else { throw APIError.wrongType(place, "an object") }
        guard let role = message["role"]?.string else { throw APIError.missing("\(place).role") }
        guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
            throw APIError.wrongValue("\(place).role", "it is one of system, developer, user, assistant and tool.")
        }
        for field in ["function_call", "audio"] where message[field] ?? .null != .null {
            throw APIError.invalidRequest(
                "This model host does not support '\(field)'.", parameter: "\(place).\(field)", code: "unsupported_parameter")
        }
        let calls = try toolCalls(message, at: place)
        switch message["content"] ?? .null {
        case .string: break
        case .array(let parts): try check(parts, at: "\(place).content")
        case .null where role == "assistant" && (calls || message["reasoning_content"]?.string != nil): break
        case .null: throw APIError.missing("\(place).content")
        default: throw APIError.wrongType("\(place).content", "a string or an array of parts")
        }
        // "developer" is what newer models of OpenAI call the system message.
        return .object(members.map { $0.name == "role" && role == "developer" ? .init("role", .string("system")) : $0 })
    }

    private static func check(_ parts: [OrderedJSON], at place: String) throws {
        for (index, part) in parts.enumerated() {
            guard part["type"]?.string == "text" else { throw APIError.wrongValue("\(place)[\(index)].type", "this model reads text alone.") }
            guard part["text"]?.string != nil else { throw APIError.missing("\(place)[\(index)].text") }
        }
    }

    /// - Returns: whether there are any.
    private static func toolCalls(_ message: OrderedJSON, at place: String) throws -> Bool {
        if message["role"]?.string == "tool", message["tool_call_id"]?.string == nil { throw APIError.missing("\(place).tool_call_id") }
        guard let value = message["tool_calls"], value != .null else { return false }
        guard let calls = value.array else { throw APIError.wrongType("\(place).tool_calls", "an array") }
        for (index, call) in calls.enumerated() {
            let place = "\(place).tool_calls[\(index)]"
            guard let function = call["function"] else { throw APIError.missing("\(place).function") }
            guard function["name"]?.string != nil else { throw APIError.missing("\(place).function.name") }
            guard let text = function["arguments"]?.string else { throw APIError.wrongType("\(place).function.arguments", "JSON text") }
            guard let arguments = try? OrderedJSON(parsing: text.utf8), arguments.members != nil else {
                throw APIError.wrongValue("\(place).function.arguments", "it is not the text of a JSON object.")
            }
        }
        return !calls.isEmpty
    }
}
