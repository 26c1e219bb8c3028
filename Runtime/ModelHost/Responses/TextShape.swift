import FoundationEssentials
import Inference
import Ledger
import Wire

/// Which of OpenAI's two APIs for text.
enum TextKind {
    case chat, completion

    var usageKind: UsageRow.Kind { self == .chat ? .chat : .completion }
}

/// OpenAI's response objects for one call, whole and in chunks.
struct TextShape: Sendable {
    let kind: TextKind
    let call: UUIDv7
    let created: Date
    let model: String
    /// Whether every chunk but the last has `usage: null`, as OpenAI's have when usage is asked for.
    let streamsUsage: Bool

    func body(text: String, finishReason: String, usage: TokenUsage, timings: Timings) -> some Encodable {
        Object(
            head: head(isChunk: false), choices: [Choice(kind: kind, message: text, finishReason: finishReason)], usage: usage,
            showsUsage: true, timings: timings)
    }

    /// The first chunk of a chat: who speaks.
    var opening: (some Encodable)? { kind == .chat ? chunk(Choice(kind: kind, role: "assistant", delta: "")) : nil }

    func chunk(text: String) -> some Encodable { chunk(Choice(kind: kind, delta: text)) }

    /// The chunk that ends the choice.
    func ending(finishReason: String, timings: Timings) -> some Encodable {
        Object(
            head: head(isChunk: true), choices: [Choice(kind: kind, delta: kind == .chat ? nil : "", finishReason: finishReason)],
            showsUsage: streamsUsage, timings: timings)
    }

    /// The last chunk, when usage is asked for.
    func closing(usage: TokenUsage) -> some Encodable {
        Object(head: head(isChunk: true), choices: [], usage: usage, showsUsage: true)
    }

    private func chunk(_ choice: Choice) -> Object { Object(head: head(isChunk: true), choices: [choice], showsUsage: streamsUsage) }

    private func head(isChunk: Bool) -> Object.Head {
        switch kind {
        case .chat:
            .init(
                id: "chatcmpl-\(call)", object: isChunk ? "chat.completion.chunk" : "chat.completion",
                created: Int(created.timeIntervalSince1970), model: model)
        case .completion:
            .init(id: "cmpl-\(call)", object: "text_completion", created: Int(created.timeIntervalSince1970), model: model)
        }
    }
}

private struct Object: Encodable {
    struct Head {
        let id: String
        let object: String
        let created: Int
        let model: String
    }

    let head: Head
    let choices: [Choice]
    var usage: TokenUsage?
    let showsUsage: Bool
    var timings: Timings?

    private enum CodingKeys: String, CodingKey { case id, object, created, model, choices, usage, timings }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(head.id, forKey: .id)
        try container.encode(head.object, forKey: .object)
        try container.encode(head.created, forKey: .created)
        try container.encode(head.model, forKey: .model)
        try container.encode(choices, forKey: .choices)
        if showsUsage { try container.encode(usage, forKey: .usage) }
        try container.encodeIfPresent(timings, forKey: .timings)
    }
}

/// The one choice of a response: a message, a piece of one, or text.
private struct Choice: Encodable {
    let kind: TextKind
    var role: String?
    var message: String?
    var delta: String?
    var finishReason: String?

    private enum CodingKeys: String, CodingKey {
        case index, message, delta, text, logprobs
        case finishReason = "finish_reason"
    }
    private enum MessageKeys: String, CodingKey { case role, content, refusal }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(0, forKey: .index)
        try container.encodeNil(forKey: .logprobs)
        try container.encode(finishReason, forKey: .finishReason)
        switch kind {
        case .completion:
            try container.encode(message ?? delta ?? "", forKey: .text)
        case .chat where message != nil:
            var part = container.nestedContainer(keyedBy: MessageKeys.self, forKey: .message)
            try part.encode("assistant", forKey: .role)
            try part.encode(message, forKey: .content)
            try part.encodeNil(forKey: .refusal)
        case .chat:
            var part = container.nestedContainer(keyedBy: MessageKeys.self, forKey: .delta)
            try part.encodeIfPresent(role, forKey: .role)
            try part.encodeIfPresent(delta, forKey: .content)
        }
    }
}
