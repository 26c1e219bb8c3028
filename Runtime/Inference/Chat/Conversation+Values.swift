import Jinja
import Wire

extension Conversation {
    /// The names that transformers gives a chat template.
    func context(beginning: String, end: String) throws -> [(name: String, value: Value)] {
        var context: [(name: String, value: Value)] = [
            ("messages", try .list(messages.map { try Conversation.value($0) })),
            ("tools", tools.isEmpty ? .none : try .list(tools.map { try Conversation.value($0) })), ("documents", .none),
            ("add_generation_prompt", .bool(addsGenerationPrompt)), ("bos_token", .string(beginning, isTrusted: true)),
            ("eos_token", .string(end, isTrusted: true)),
        ]
        for variable in variables { context.append((variable.name, try Conversation.value(variable.value))) }
        return context
    }

    /// Words of the protocol, which templates put between the marks of their control tokens: `'<|' + message.role + '|>'`.
    /// Where they say who speaks and what a part is, they are as trustworthy as the template. Nothing else that comes in is.
    private static let protocolWords: Set = [
        "system", "developer", "user", "assistant", "tool", "function", "text", "object", "string", "number", "integer", "boolean", "array", "null",
    ]

    private static func value(_ json: OrderedJSON) throws -> Value {
        switch json {
        case .null: return .none
        case .bool(let flag): return .bool(flag)
        case .integer(let number): return .int(Int(number))
        case .number(let number): return .float(number)
        case .string(let text): return .string(text, isTrusted: false)
        case .array(let items): return try .list(items.map(value))
        case .object(let members):
            return try .dict(
                members.map { member in
                    let name = Text(member.name, isTrusted: false)
                    if ["role", "type"].contains(member.name), let word = member.value.string, protocolWords.contains(word) {
                        return (name, .string(word, isTrusted: true))
                    }
                    return (name, try value(member.value))
                })
        }
    }
}
