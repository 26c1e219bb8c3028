import Grammar
import Inference
import Testing
import Wire

/// Thoughts, text and calls in what models write.
@Suite struct AnswerParserTests {
    private static let tools = ["get_weather", "add"].map { name in
        Tool(
            name: name,
            parameters: .object([
                .init("type", .string("object")),
                .init("properties", .object([
                    .init("city", .object([.init("type", .string("string"))])), .init("days", .object([.init("type", .string("integer"))])),
                ])),
            ]), definition: .null)
    }

    /// The parts as one line; the same whether the text comes whole, or in pieces of any size.
    private func parsed(
        _ text: String, _ format: ToolCallFormat?, thinks: Bool = false, prompt: String = "assistant\n", tools: [Tool] = tools, several: Bool = true
    ) -> String {
        let reasoning = thinks ? ReasoningFormat(template: "</think>") : nil
        let results = [Int.max, 1, 3, 7].map { size in
            var parser = AnswerParser(format, tools, reasoning: reasoning, prompt: prompt, takesSeveral: several)
            var parts: [AnswerParser.Part] = []
            var rest = Array(text)[...]
            while !rest.isEmpty {
                parts += parser.append(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            return AnswerParserTests.line(parts + parser.finish())
        }
        #expect(Set(results).count == 1, "\(results)")
        return results[0]
    }

    private static func line(_ parts: [AnswerParser.Part]) -> String {
        var line = ""
        var last = ""
        for part in parts {
            let (kind, text) =
                switch part {
                case .reasoning(let text): ("thought", text)
                case .content(let text): ("text", text)
                case .call(let call): ("call", "\(call.name)\(call.arguments)")
                }
            line += (kind == last && kind != "call" ? "" : (line.isEmpty ? "" : " ") + "\(kind):") + text
            last = kind
        }
        return line
    }

    @Test(arguments: [
        (ToolCallFormat.hermes, "<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": [1, \"}\"]}}\n</tool_call>", "call:add{\"a\": [1, \"}\"]}"),
        (.hermes, "Let me see.\n<tool_call>{\"arguments\": {}, \"name\": \"add\"}</tool_call>\n<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Zoë\"}}</tool_call>\n",
            "text:Let me see. call:add{} call:get_weather{\"city\": \"Zoë\"}"),
        (.hermes, "<tool_call>\n{\"name\": \"add\", \"arguments\": \"{\\\"a\\\": 1}\"}", "call:add{\"a\": 1}"),
        (.mistral, "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"a\": 1.0}, \"id\": \"x\"}, {\"name\": \"add\", \"arguments\": {}}]", "call:add{\"a\": 1.0} call:add{}"),
        (.mistral, "Hm [TOOL_CALLS]add[ARGS]{\"a\": 1}[TOOL_CALLS]get_weather[CALL_ID]1[ARGS]{}", "text:Hm call:add{\"a\": 1} call:get_weather{}"),
        (.bare, "{\"name\": \"add\", \"parameters\": {\"a\": 1}}", "call:add{\"a\": 1}"),
        (.bare, "<|python_tag|>{\"type\": \"function\", \"name\": \"add\", \"parameters\": {}}", "call:add{}"),
        (.bare, " [{\"function\": {\"name\": \"add\", \"arguments\": {\"a\": 2}}}]", "call:add{\"a\": 2}"),
        (.functionTags, "<function=add>{\"a\": 1}</function>", "call:add{\"a\": 1}"),
        (.functools, " functools[{\"name\": \"add\", \"arguments\": {\"a\": 1}}]", "call:add{\"a\": 1}"),
        (.markedList, "<|tool_call|>[{\"name\": \"add\", \"arguments\": {}}]<|/tool_call|>", "call:add{}"),
        (.action, "<|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"add\", \"parameters\": {\"a\": 1}}\n]<|END_ACTION|>", "call:add{\"a\": 1}"),
        (.parameterTags, "Sure.\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\n12 \"x\"\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
            "text:Sure. call:get_weather{\"city\": \"12 \\\"x\\\"\", \"days\": 3}"),
        (.parameterTags, "<function=add>\n</function>", "call:add{}"),
        (.argumentTags, "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>",
            "call:get_weather{\"city\": \"Oslo\", \"days\": 2}"),
        (.deepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\": 1}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
            "call:add{\"a\": 1} call:get_weather{}"),
        (.deepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "call:add{\"a\": 1}"),
    ])
    func calls(format: ToolCallFormat, text: String, expected: String) {
        #expect(parsed(text, format) == expected)
        #expect(parsed("<think>I could call it.</think>\n\n" + text, format, thinks: true) == "thought:I could call it. " + expected)
    }

    @Test(arguments: [
        (ToolCallFormat.hermes, "Write <tool_call> to call."), (.hermes, "<tool_call>{\"name\": \"unknown\", \"arguments\": {}}</tool_call>"),
        (.hermes, "<tool_call>{\"name\": \"add\", \"arguments\": {"), (.hermes, "a < b <tool"), (.hermes, "<tool_call>{\"name\": \"add\", \"arguments\": 5}</tool_call>"),
        (.bare, "{\"city\": \"Paris\", \"name\": \"add\"}"), (.bare, "{\"name\": \"unknown\", \"parameters\": {}}"), (.bare, "[1, 2, 3] is a list"),
        (.bare, "{\"name\": \"add\", "), (.bare, "The call {\"name\": \"add\", \"parameters\": {}} is not at the beginning."),
        (.mistral, "[TOOL_CALLS] are marked so"), (.functionTags, "<function=add>{\"a\": </function>"), (.functools, "functools is a module\n"),
        (.parameterTags, "<function=nothing>\n<parameter=a>\n1\n</parameter>\n</function>"), (.deepSeek, "<｜tool▁calls▁begin｜>x<｜tool▁calls▁end｜>"),
        (.hermes, "  indented\n\ntext \n"), (.hermes, "x"),
    ])
    func whatOnlyLooksLikeACallIsText(format: ToolCallFormat, text: String) {
        #expect(parsed(text, format) == "text:" + text)
        // Without tools there are no calls.
        #expect(parsed("<tool_call>{\"name\": \"add\", \"arguments\": {}}</tool_call>", format, tools: []) == "text:<tool_call>{\"name\": \"add\", \"arguments\": {}}</tool_call>")
    }

    @Test func thoughts() {
        #expect(parsed("<think>\nHm.\n\nSo.\n</think>\n\nYes.\n", .hermes, thinks: true) == "thought:Hm.\n\nSo. text:Yes.\n")
        #expect(parsed("Hm.\n</think>\n\nYes.", .hermes, thinks: true, prompt: "<|im_start|>assistant\n<think>\n") == "thought:Hm. text:Yes.")
        #expect(parsed("Hm, it never ends", nil, thinks: true, prompt: "<think>", tools: []) == "thought:Hm, it never ends")
        #expect(parsed("No <think>thought</think> here", .hermes, thinks: true) == "text:No <think>thought</think> here")
        #expect(parsed("<thin", .hermes, thinks: true) == "text:<thin")
        #expect(parsed("<think>\n\n</think>\n\nYes.", .hermes, thinks: true) == "text:Yes.")
        #expect(parsed("<think>Hm</think>", .hermes, thinks: true) == "thought:Hm")
        #expect(parsed("<think>Hm</think> x", .hermes) == "text:<think>Hm</think> x")
    }

    @Test func onlyOneCallIsTakenIfSoAsked() {
        let call = "<tool_call>{\"name\": \"add\", \"arguments\": {}}</tool_call>"
        #expect(parsed(call + call, .hermes, several: false) == "call:add{}")
    }

    @Test func formatsAreToldByTemplates() throws {
        #expect(ToolCallFormat(template: "…<tool_call>…") == .hermes)
        #expect(ToolCallFormat(template: "no tools") == .bare)
        #expect(ReasoningFormat(template: "no thoughts") == nil)
    }

    /// What an answer is made to begin with is read as a call, once the model has gone on as it must.
    @Test(arguments: ToolCallFormat.allCases) func aForcedCallIsRead(format: ToolCallFormat) throws {
        let constraint = try #require(ToolConstraint(.named("add"), Self.tools, format))
        let rest =
            switch format {
            case .hermes: " {\"days\": 1}}\n</tool_call>"
            case .parameterTags: "<parameter=days>\n1\n</parameter>\n</function>\n</tool_call>"
            case .argumentTags: "<arg_key>days</arg_key>\n<arg_value>1</arg_value>\n</tool_call>"
            case .mistral, .functools, .markedList: " {\"days\": 1}}]"
            case .action: " {\"days\": 1}}\n]<|END_ACTION|>"
            case .bare: " {\"days\": 1}}"
            case .functionTags: "{\"days\": 1}</function>"
            case .deepSeek: "{\"days\": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            }
        #expect(parsed(constraint.opening + rest, format) == "call:add{\"days\": 1}")
        #expect(try allows(constraint.frame, rest) && constraint.asksForCall)
        #expect(try !allows(constraint.frame, rest.replacing("1", with: "true")), "not of the schema")
        #expect(try !allows(constraint.frame, rest + "x"))
        #expect(ToolConstraint(.auto, Self.tools, format) == nil)

        let required = try #require(ToolConstraint(.required, Self.tools, format))
        let whole = String((constraint.opening + rest).dropFirst(required.opening.count))
        #expect((constraint.opening + rest).hasPrefix(required.opening))
        #expect(try allows(required.frame, whole) && allows(required.frame, whole.replacing("add", with: "get_weather")))
        #expect(try !allows(required.frame, whole.replacing("add", with: "unknown")))
    }

    /// A model that may call a strict function, or not: text is free, and every call fits.
    @Test(arguments: ToolCallFormat.allCases) func callsOfStrictFunctionsFit(format: ToolCallFormat) throws {
        let strict = Self.tools.map { Tool(name: $0.name, parameters: $0.parameters, definition: .null, isStrict: true) }
        let reasoning = try #require(ReasoningFormat(template: "</think>"))
        let forced = try #require(ToolConstraint(.named("add"), strict, format))
        let constraint = try #require(ToolConstraint(.auto, strict, format, reasoning: reasoning))
        let isTagged = [.parameterTags, .argumentTags].contains(format)
        let value = isTagged ? (format == .parameterTags ? "\n1\n" : "<arg_value>1") : " 1"
        let body =
            switch format {
            case .parameterTags: "<parameter=days>\n1\n</parameter>\n</function>\n</tool_call>"
            case .argumentTags: "<arg_key>days</arg_key>\n<arg_value>1</arg_value>\n</tool_call>"
            case .functionTags: "{\"days\": 1}</function>"
            case .deepSeek: "{\"days\": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            case .hermes: " {\"days\": 1}}</tool_call>"
            case .bare: " {\"days\": 1}}"
            case .action: " {\"days\": 1}}]<|END_ACTION|>"
            case .mistral, .functools, .markedList: " {\"days\": 1}}]"
            }
        let call = forced.opening + body
        let wrong = forced.opening + body.replacing(value, with: value.replacing("1", with: "\"x\""))
        #expect(constraint.opening.isEmpty && !constraint.asksForCall && wrong != call)
        for before in ["", "<think>I could call.</think>\n\n", "<think>\n" + wrong + "</think>"] {
            #expect(try allows(constraint.frame, before + call), "\(before)")
            #expect(try !allows(constraint.frame, before + wrong), "\(before)")
            #expect(try allows(constraint.frame, before + "It is 21° <b>now</b>, and 1 < 2."))
        }
        if format != .bare { #expect(try allows(constraint.frame, "Let me see. " + call) && !allows(constraint.frame, "Let me see. " + wrong)) }
        // Who is in the middle of a thought comes to its end first.
        let thinking = try #require(ToolConstraint(.named("add"), strict, format, reasoning: reasoning, isThinking: true))
        #expect(try thinking.opening.isEmpty && allows(thinking.frame, "Hm.</think>\n\n" + call) && !allows(thinking.frame, "Hm.</think>\n\nNo."))
    }

    @Test func aSchemaThatCannotBeHeldToIsAnErrorForStrictFunctionsOnly() throws {
        let parameters = OrderedJSON.object([.init("type", .string("object")), .init("minProperties", .integer(1))])
        func constraint(_ isStrict: Bool) throws -> ToolConstraint {
            try #require(ToolConstraint(.required, [Tool(name: "f", parameters: parameters, definition: .null, isStrict: isStrict)], .bare))
        }
        #expect(try allows(constraint(false).frame, " {\"a\": [1]}}"))
        #expect(throws: GrammarError.self) { try allows(constraint(true).frame, "") }
    }

    /// Every byte is a token, and token 256 ends the answer.
    private static let trie = TokenTrie(vocabularyCount: 257, bytes: { $0 < 256 ? [UInt8($0)] : [] }, ends: { $0 == 256 })

    private func allows(_ frame: Frame, _ text: String) throws -> Bool {
        var matcher = GrammarMatcher(try CompiledGrammar(frame, for: Self.trie))
        return matcher.accept(text.utf8) && matcher.canEnd
    }
}
