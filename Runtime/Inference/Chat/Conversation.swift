import Wire

/// What a chat template renders, in the shapes of OpenAI's API.
package struct Conversation: Sendable {
    /// Objects with a `role` (`system`, `user`, `assistant`, `tool`, or what the model's template knows besides) and the fields
    /// that belong to it: `content` (text, or text in parts), `tool_calls`, `tool_call_id`, `reasoning_content`.
    package var messages: [OrderedJSON]
    /// The functions that the model may call: objects with `type` and `function`.
    package var tools: [OrderedJSON]
    /// Whether it ends with the head of the assistant's turn, for the model to go on.
    package var addsGenerationPrompt: Bool
    /// Names for the template besides: `chat_template_kwargs`, as `enable_thinking`.
    package var variables: [OrderedJSON.Member]

    package init(
        messages: [OrderedJSON], tools: [OrderedJSON] = [], addsGenerationPrompt: Bool = true, variables: [OrderedJSON.Member] = []
    ) {
        (self.messages, self.tools, self.addsGenerationPrompt, self.variables) = (messages, tools, addsGenerationPrompt, variables)
    }
}

extension OrderedJSON {
    /// An object with `value` under `name`, in the place of what was there.
    func with(_ name: String, _ value: OrderedJSON) -> OrderedJSON {
        var members = members ?? []
        if let place = members.firstIndex(where: { $0.name == name }) {
            members[place] = Member(name, value)
        } else {
            members.append(Member(name, value))
        }
        return .object(members)
    }

    /// The text of a message's content that is text, or text in parts; `nil` where it is something else.
    package var contentText: String? {
        switch self {
        case .string(let text): text
        case .array(let parts): parts.allSatisfy { $0["text"]?.string != nil } ? parts.compactMap { $0["text"]?.string }.joined() : nil
        default: nil
        }
    }
}
