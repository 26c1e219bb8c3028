/// How a family of models writes calls, told by its chat template.
package enum ToolCallFormat: Hashable, Sendable, CaseIterable {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen 2.5 and 3, and many others.
    case hermes
    /// `<tool_call><function=name><parameter=key>value</parameter></function></tool_call>`: Qwen3-Coder, Nemotron.
    case parameterTags
    /// `<tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>`: GLM 4.
    case argumentTags
    /// `[TOOL_CALLS][{"name": …, "arguments": {…}}]`, and newer `[TOOL_CALLS]name[ARGS]{…}`.
    case mistral
    /// The whole answer is `{"name": …, "parameters": {…}}`, perhaps behind `<|python_tag|>`: Llama 3, and models whose template
    /// says nothing else.
    case bare
    /// `<function=name>{…}</function>`: Functionary 3.1.
    case functionTags
    /// `functools[{"name": …, "arguments": {…}}]`: Firefunction.
    case functools
    /// `<|tool_call|>[{"name": …, "arguments": {…}}]`: Granite, Phi 4.
    case markedList
    /// `<|START_ACTION|>[{"tool_name": …, "parameters": {…}}]<|END_ACTION|>`: Command R7B.
    case action
    /// `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>…<｜tool▁sep｜>…<｜tool▁call▁end｜><｜tool▁calls▁end｜>`: DeepSeek.
    case deepSeek

    /// - Parameter template: a chat template's text.
    package init(template: String) {
        let signs: [(ToolCallFormat, [String])] = [
            (.deepSeek, ["<｜tool▁calls▁begin｜>"]), (.mistral, ["[TOOL_CALLS]"]), (.parameterTags, ["<function=", "<parameter="]),
            (.argumentTags, ["<arg_key>", "<tool_call>"]), (.action, ["<|START_ACTION|>"]), (.hermes, ["<tool_call>"]),
            (.functionTags, ["<function="]), (.functools, ["functools"]), (.markedList, ["<|tool_call|>"]),
        ]
        self = signs.first { $0.1.allSatisfy { template.contains($0) } }?.0 ?? .bare
    }

    /// What a call, or a row of calls, begins with.
    var openings: [String] {
        switch self {
        case .hermes, .argumentTags: ["<tool_call>"]
        case .parameterTags: ["<tool_call>", "<function="]
        case .mistral: ["[TOOL_CALLS]"]
        case .bare: ["<|python_tag|>"]
        case .functionTags: ["<function="]
        case .functools: ["functools"]
        case .markedList: ["<|tool_call|>"]
        case .action: ["<|START_ACTION|>"]
        case .deepSeek: ["<｜tool▁calls▁begin｜>"]
        }
    }

    /// What ends it, where that is written.
    func closing(of opening: String) -> String? {
        switch self {
        case .hermes, .argumentTags: "</tool_call>"
        case .parameterTags: opening == "<tool_call>" ? "</tool_call>" : "</function>"
        case .functionTags: "</function>"
        case .markedList: "<|/tool_call|>"
        case .action: "<|END_ACTION|>"
        case .deepSeek: "<｜tool▁calls▁end｜>"
        case .mistral, .bare, .functools: nil
        }
    }

    /// Everything that may be a control token of the model, whose name is to show in the answer.
    var marks: [String] {
        let more: [String] =
            switch self {
            case .mistral: ["[ARGS]", "[CALL_ID]"]
            case .deepSeek: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"]
            default: []
            }
        return openings + openings.compactMap(closing) + more
    }
}

/// How a model sets its thoughts apart from its answer.
package struct ReasoningFormat: Hashable, Sendable {
    let opening: String
    let closing: String

    /// - Parameter template: a chat template's text; `nil` comes of one that knows no thoughts.
    package init?(template: String) {
        let pairs = [("<think>", "</think>"), ("[THINK]", "[/THINK]")]
        guard let (opening, closing) = pairs.first(where: { template.contains($0.1) }) else { return nil }
        (self.opening, self.closing) = (opening, closing)
    }
}
