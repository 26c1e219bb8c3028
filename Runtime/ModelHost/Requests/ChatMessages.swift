import Inference
import Wire

extension RequestFields {
    /// `messages`: turns whose content is text, or text in parts.
    func chatMessages() throws -> [ChatMessage] {
        guard let messages = self["messages"] else { throw APIError.missing("messages") }
        guard let items = messages.array else { throw APIError.wrongType("messages", "an array") }
        guard !items.isEmpty else { throw APIError.wrongValue("messages", "there must be at least one message.") }
        return try items.enumerated().map { try RequestFields.chatMessage($1, at: "messages[\($0)]") }
    }

    private static func chatMessage(_ message: JSON, at place: String) throws -> ChatMessage {
        guard message.object != nil else { throw APIError.wrongType(place, "an object") }
        guard let role = message["role"]?.string else { throw APIError.missing("\(place).role") }
        guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
            throw APIError.wrongValue("\(place).role", "it is one of system, developer, user, assistant and tool.")
        }
        for field in ["tool_calls", "function_call", "audio"] where message[field] ?? .null != .null {
            throw APIError.invalidRequest(
                "This model host does not support '\(field)'.", parameter: "\(place).\(field)", code: "unsupported_parameter")
        }
        // "developer" is what newer models of OpenAI call the system message.
        return ChatMessage(
            role: role == "developer" ? "system" : role, content: try text(message["content"] ?? .null, at: "\(place).content"))
    }

    private static func text(_ content: JSON, at place: String) throws -> String {
        switch content {
        case .string(let text): return text
        case .array(let parts):
            return try parts.enumerated().map { index, part in
                guard part["type"] == "text" else {
                    throw APIError.wrongValue("\(place)[\(index)].type", "this model reads text alone.")
                }
                guard let text = part["text"]?.string else { throw APIError.missing("\(place)[\(index)].text") }
                return text
            }.joined()
        case .null: throw APIError.missing(place)
        default: throw APIError.wrongType(place, "a string or an array of parts")
        }
    }
}
