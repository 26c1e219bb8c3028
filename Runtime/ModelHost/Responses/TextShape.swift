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
    let showsScores: Bool

    func body(choices: [(text: AnswerText, finishReason: String)], usage: TokenUsage, timings: Timings) -> some Encodable {
        Object(
            head: head(isChunk: false),
            choices: choices.enumerated().map { index, choice in
                Choice(kind: kind, index: index, message: choice.text, finishReason: choice.finishReason, scores: scores(choice.text.scores))
            }, usage: usage, showsUsage: true, timings: timings)
    }

    /// The first chunk of a chat's choice: who speaks.
    func opening(_ index: Int) -> (some Encodable)? {
        kind == .chat ? chunk(Choice(kind: kind, index: index, role: "assistant", delta: AnswerText())) : nil
    }

    /// A piece of an answer; a call is two: its head, and its arguments.
    func chunks(_ index: Int, _ text: AnswerText) -> [some Encodable] {
        var parts: [AnswerText] = []
        if !text.content.isEmpty { parts.append(AnswerText(content: text.content)) }
        if !text.reasoning.isEmpty { parts.append(AnswerText(reasoning: text.reasoning)) }
        for call in text.calls {
            for part in [AnsweredCall.Part.head, .arguments] {
                var piece = call
                piece.part = part
                parts.append(AnswerText(calls: [piece]))
            }
        }
        return parts.enumerated().map { place, part in
            chunk(Choice(kind: kind, index: index, delta: part, scores: place == 0 ? scores(text.scores) : nil))
        }
    }

    /// The chunk that ends a choice.
    /// - Parameters:
    ///   - rest: scores of tokens that no text came of.
    ///   - timings: the call's, with its last choice.
    func ending(_ index: Int, finishReason: String, rest: [ScoredToken], timings: Timings?) -> some Encodable {
        Object(
            head: head(isChunk: true),
            choices: [Choice(kind: kind, index: index, delta: nil, finishReason: finishReason, scores: rest.isEmpty ? nil : scores(rest))],
            showsUsage: streamsUsage, timings: timings)
    }

    /// The last chunk, when usage is asked for.
    func closing(usage: TokenUsage) -> some Encodable {
        Object(head: head(isChunk: true), choices: [], usage: usage, showsUsage: true)
    }

    private func chunk(_ choice: Choice) -> Object { Object(head: head(isChunk: true), choices: [choice], showsUsage: streamsUsage) }

    private func scores(_ tokens: [ScoredToken]) -> Choice.Scores? {
        guard showsScores else { return nil }
        return kind == .chat ? .chat(ChatScores(tokens: tokens)) : .completion(CompletionScores(tokens: tokens))
    }

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

/// A choice of a response: a message, a piece of one, or text.
private struct Choice: Encodable {
    enum Scores {
        case chat(ChatScores)
        case completion(CompletionScores)
    }

    let kind: TextKind
    let index: Int
    var role: String?
    var message: AnswerText?
    var delta: AnswerText?
    var finishReason: String?
    var scores: Scores?

    private enum CodingKeys: String, CodingKey {
        case index, message, delta, text, logprobs
        case finishReason = "finish_reason"
    }
    private enum MessageKeys: String, CodingKey {
        case role, content, refusal
        case reasoning = "reasoning_content"
        case calls = "tool_calls"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(index, forKey: .index)
        switch scores {
        case .chat(let scores): try container.encode(scores, forKey: .logprobs)
        case .completion(let scores): try container.encode(scores, forKey: .logprobs)
        case nil: try container.encodeNil(forKey: .logprobs)
        }
        try container.encode(finishReason, forKey: .finishReason)
        switch kind {
        case .completion:
            try container.encode((message ?? delta)?.content ?? "", forKey: .text)
        case .chat:
            var part = container.nestedContainer(keyedBy: MessageKeys.self, forKey: message == nil ? .delta : .message)
            if let message {
                try part.encode("assistant", forKey: .role)
                try part.encode(message.content.isEmpty && !message.calls.isEmpty ? nil : message.content, forKey: .content)
                try part.encodeNil(forKey: .refusal)
                try encodeMore(message, &part)
            } else if let delta {
                try part.encodeIfPresent(role, forKey: .role)
                if role != nil || !delta.content.isEmpty { try part.encode(delta.content, forKey: .content) }
                try encodeMore(delta, &part)
            }
        }
    }

    private func encodeMore(_ text: AnswerText, _ part: inout KeyedEncodingContainer<MessageKeys>) throws {
        if !text.reasoning.isEmpty { try part.encode(text.reasoning, forKey: .reasoning) }
        if !text.calls.isEmpty { try part.encode(text.calls, forKey: .calls) }
    }
}
