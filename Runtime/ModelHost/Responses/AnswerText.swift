import Inference

/// What an answer says, or a piece of one.
struct AnswerText {
    var content = ""
    var reasoning = ""
    var calls: [AnsweredCall] = []
    /// Of the tokens that it begins, where they are asked for.
    var scores: [ScoredToken] = []

    static func += (text: inout AnswerText, more: [AnswerText]) {
        for piece in more {
            text.content += piece.content
            text.reasoning += piece.reasoning
            text.calls += piece.calls
            text.scores += piece.scores
        }
    }
}

/// A call with its place in the answer and the name by which its result will be sent back.
struct AnsweredCall: Encodable {
    let index: Int
    let id: String
    let call: ToolCall
    /// In a stream, a call's head comes first and then its arguments.
    enum Part { case head, arguments, whole }
    var part = Part.whole

    private enum CodingKeys: String, CodingKey { case index, id, type, function }
    private enum FunctionKeys: String, CodingKey { case name, arguments }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if part != .whole { try container.encode(index, forKey: .index) }
        var function = container.nestedContainer(keyedBy: FunctionKeys.self, forKey: .function)
        if part != .arguments {
            try container.encode(id, forKey: .id)
            try container.encode("function", forKey: .type)
            try function.encode(call.name, forKey: .name)
        }
        try function.encode(part == .head ? "" : call.arguments, forKey: .arguments)
    }
}

/// Reads an answer's text as it comes.
struct AnswerReader {
    private var parser: AnswerParser?
    private var opening: String
    private var callCount = 0

    /// - Parameter prompt: `nil` for an answer that is plain text.
    init(_ prompt: ChatPrompt?) { (parser, opening) = (prompt?.parser, prompt?.opening ?? "") }

    /// OpenAI's word for how the answer ended.
    func finishReason(_ outcome: Generation.Outcome) -> String {
        callCount > 0 && outcome.finishReason == .stop ? "tool_calls" : outcome.finishReason.name
    }

    mutating func append(_ text: String) -> [AnswerText] {
        guard parser != nil else { return [AnswerText(content: text)] }
        defer { opening = "" }
        return texts(of: parser?.append(opening + text) ?? [])
    }

    mutating func finish() -> [AnswerText] { texts(of: parser?.finish() ?? []) }

    private mutating func texts(of parts: [AnswerParser.Part]) -> [AnswerText] {
        parts.map { part in
            switch part {
            case .content(let text): return AnswerText(content: text)
            case .reasoning(let text): return AnswerText(reasoning: text)
            case .call(let call):
                defer { callCount += 1 }
                return AnswerText(calls: [AnsweredCall(index: callCount, id: AnswerReader.newID(), call: call)])
            }
        }
    }

    /// Nine letters and digits, which is the one form that all families' templates take.
    private static func newID() -> String {
        let characters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        return String((0..<9).compactMap { _ in characters.randomElement() })
    }
}
