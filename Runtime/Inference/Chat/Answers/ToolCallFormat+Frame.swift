import Grammar
import Wire

/// How a family's calls are written, as a grammar.
extension ToolCallFormat {
    /// Written before the first call.
    var beforeCalls: String {
        switch self {
        case .hermes: "<tool_call>\n"
        case .parameterTags: "<tool_call>\n<function="
        case .argumentTags: "<tool_call>"
        case .mistral: "[TOOL_CALLS]["
        case .bare: ""
        case .functionTags: "<function="
        case .functools: "functools["
        case .markedList: "<|tool_call|>["
        case .action: "<|START_ACTION|>["
        case .deepSeek: "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>"
        }
    }

    /// A call up to its arguments. It ends without a space before a brace, because models write both as one token.
    func head(of name: String) -> String {
        let quoted = JSONText.quoted(name)
        return switch self {
        case .hermes, .mistral, .functools, .markedList: "{\"name\": \(quoted), \"arguments\":"
        case .bare: "{\"name\": \(quoted), \"parameters\":"
        case .action: "{\"tool_name\": \(quoted), \"parameters\":"
        case .functionTags: "\(name)>"
        case .parameterTags: "\(name)>\n"
        case .argumentTags: "\(name)\n"
        case .deepSeek: "\(name)\n```json\n"
        }
    }

    /// The rest of a call.
    func tail(of tool: Tool) -> Frame {
        let json = Frame.sequence([.space, .json(tool.parameters, isStrict: tool.isStrict), .space])
        return switch self {
        case .hermes, .mistral, .functools, .markedList, .bare, .action: .sequence([json, .text("}")])
        case .functionTags: json
        case .deepSeek: .sequence([json, .text("```<｜tool▁call▁end｜>")])
        case .parameterTags: members(of: tool, opening: { "<parameter=\($0)>\n" }, closing: "\n</parameter>", then: .text("\n"))
        case .argumentTags:
            members(of: tool, opening: { "<arg_key>\($0)</arg_key>\n<arg_value>" }, closing: "</arg_value>", then: .text("\n"))
        }
    }

    /// Between a call and the next one; `nil` where an answer has one call.
    private var betweenCalls: Frame? {
        switch self {
        case .hermes: .text("\n</tool_call>\n<tool_call>\n")
        case .parameterTags: .text("</function>\n</tool_call>\n<tool_call>\n<function=")
        case .argumentTags: .text("</tool_call>\n<tool_call>")
        case .mistral, .functools, .markedList, .action: .sequence([.text(","), .space])
        case .deepSeek: .text("\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>")
        case .bare, .functionTags: nil
        }
    }

    private var behindCalls: Frame {
        switch self {
        case .hermes: .sequence([.space, .text("</tool_call>")])
        case .parameterTags: .text("</function>\n</tool_call>")
        case .argumentTags: .text("</tool_call>")
        case .mistral, .functools, .markedList: .sequence([.space, .text("]")])
        case .bare: .sequence([])
        case .functionTags: .text("</function>")
        case .action: .sequence([.space, .text("]<|END_ACTION|>")])
        case .deepSeek: .text("<｜tool▁calls▁end｜>")
        }
    }

    /// What follows ``beforeCalls``, or the head of a call that is begun.
    func calls(of tools: [Tool], takesSeveral: Bool, begun: Tool? = nil) -> Frame {
        let call = Frame.choice(tools.map { .sequence([.text(head(of: $0.name)), tail(of: $0)]) })
        let first = begun.map(tail) ?? call
        guard takesSeveral, let betweenCalls else { return .sequence([first, behindCalls]) }
        return .sequence([first, .anyNumber(of: .sequence([betweenCalls, call])), behindCalls])
    }

    /// Any answer, in which whatever is a call fits its function's schema. Where calls have no mark, an answer that begins
    /// like one is one, and one that begins as a thought does is one.
    func answer(with tools: [Tool], takesSeveral: Bool, reasoning: ReasoningFormat?) -> Frame {
        let calls = calls(of: tools, takesSeveral: takesSeveral)
        guard self != .bare else {
            let mark = "<|python_tag|>"
            let others = "{[ \t\r\n" + (reasoning?.opening.prefix(1) ?? "")
            return .choice([.sequence([.space, calls]), .freeText(notBeginningWith: others, mark: mark, call: .sequence([.space, calls]))])
        }
        let mark = openings[0]
        return .freeText(mark: mark, call: .sequence([.text(String(beforeCalls.dropFirst(mark.count))), calls]))
    }

    // MARK: Values without JSON's quotes

    /// The schema's properties in their order; texts as they are, up to `closing`.
    private func members(of tool: Tool, opening: (String) -> String, closing: String, then: Frame) -> Frame {
        let required = Set((tool.parameters["required"]?.array ?? []).compactMap(\.string))
        let definitions = ["$defs", "definitions"].compactMap { name in tool.parameters[name].map { OrderedJSON.Member(name, $0) } }
        // From the last to the first, since what is behind a text belongs to its end.
        return (tool.parameters["properties"]?.members ?? []).reversed().reduce(.sequence([])) { rest, property in
            let ending = Frame.sequence([.text(closing), then, rest])
            let value: Frame
            if property.value["type"]?.string == "string" {
                let choices = property.value["enum"]?.array?.compactMap(\.string) ?? property.value["const"].flatMap(\.string).map { [$0] }
                value = choices.map { .sequence([.choice($0.map { .text($0) }), ending]) } ?? .textUpTo(mark: closing, then: .sequence([then, rest]))
            } else {
                let schema = definitions.reduce(property.value) { $0.with($1.name, $1.value) }
                value = .sequence([.json(schema, isStrict: tool.isStrict), ending])
            }
            let member = Frame.sequence([.text(opening(property.name)), value])
            return required.contains(property.name) ? member : .choice([member, rest])
        }
    }
}
