import Jinja

/// Everything about one call to a chat model: what it is given, and how its answer is read.
package struct ChatPrompt: Sendable {
    package let tokens: [Token]
    /// For ``GenerationRequest/spelled``.
    package let spelled: [Token: [UInt8]]
    /// `nil` where an answer is plain text.
    package let parser: AnswerParser?
    /// What the model was made to begin its answer with, of which the rest follows.
    package let opening: String
    /// What the answer is held to; `nil` where the model decides.
    package let constraint: ToolConstraint?

    /// - Parameters:
    ///   - conversation: without its tools.
    ///   - tools: the functions as the client sent them and as they are called; none for ``ToolChoice/none``.
    ///   - takesSeveral: whether the model may call more than one.
    /// - Throws: ``InferenceError`` if the template cannot render the conversation.
    package init(
        _ conversation: Conversation, _ tools: [Tool], _ choice: ToolChoice, takesSeveral: Bool = true, _ template: ChatTemplate,
        _ tokenizer: any Tokenizer
    ) throws {
        let tools = choice == .none ? [] : tools
        var conversation = conversation
        conversation.tools = tools.map(\.definition)
        var prompt = try template.prompt(for: conversation)
        let end = String(prompt.string.suffix(64))
        if tools.isEmpty, template.reasoning == nil {
            parser = nil
        } else {
            parser = AnswerParser(template.toolCalls, tools, reasoning: template.reasoning, prompt: end, takesSeveral: takesSeveral)
        }
        constraint = ToolConstraint(
            choice, tools, template.toolCalls, takesSeveral: takesSeveral, reasoning: template.reasoning, isThinking: parser?.isThinking == true)
        opening = constraint?.opening ?? ""
        prompt.append(opening, isTrusted: true)
        tokens = template.encode(prompt, tokenizer)
        let marks = (tools.isEmpty ? [] : template.toolCalls.marks) + (template.reasoning.map { [$0.opening, $0.closing] } ?? [])
        let pairs = marks.compactMap { mark in tokenizer.specialToken(mark).map { ($0, Array(mark.utf8)) } }
        spelled = Dictionary(pairs) { first, _ in first }
    }
}
