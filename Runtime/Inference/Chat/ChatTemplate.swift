import Jinja
import Wire

/// How a model marks turns: the Jinja text in its `tokenizer.chat_template`.
package struct ChatTemplate: Sendable {
    package let source: String
    private let template: Template
    /// The file it is from, for messages.
    private let path: String
    /// What the template knows as `bos_token` and `eos_token`.
    private let beginning: String
    private let end: String
    package let features: TemplateFeatures
    package let toolCalls: ToolCallFormat
    package let reasoning: ReasoningFormat?

    /// The template of a model, or of its family if the file has none.
    /// - Parameters:
    ///   - beginning: what the template knows as `bos_token`; the vocabulary's if `nil`.
    ///   - end: what the template knows as `eos_token`; the vocabulary's if `nil`.
    /// - Throws: ``InferenceError`` that says with its line what is wrong with the template, or that there is none.
    package init(_ metadata: GGUFMetadata, beginning: String? = nil, end: String? = nil) throws {
        let vocabulary = try SpecialSpellings(metadata)
        guard let source = metadata.string("tokenizer.chat_template") ?? vocabulary.usualTemplate else {
            throw InferenceError(.unsupported, "\(metadata.path) has no chat template; it completes text, but does not chat.")
        }
        try self.init(source, path: metadata.path, beginning: beginning ?? vocabulary.beginning, end: end ?? vocabulary.end)
    }

    /// - Parameters:
    ///   - path: the file that the template is from, for messages.
    ///   - beginning: what the template knows as `bos_token`.
    ///   - end: what the template knows as `eos_token`.
    /// - Throws: ``InferenceError`` that says with its line what is wrong with the template.
    package init(_ source: String, path: String, beginning: String = "", end: String = "") throws {
        do {
            template = try Template(source)
        } catch let error as TemplateError {
            throw InferenceError(.invalidFile, "\(path): the chat template is not valid: \(error)")
        }
        (self.source, self.path, self.beginning, self.end) = (source, path, beginning, end)
        features = TemplateFeatures(of: template, beginning, end)
        toolCalls = ToolCallFormat(template: source)
        reasoning = ReasoningFormat(template: source)
    }

    /// A conversation as text, each character marked as the template's or the conversation's. Nothing is adapted to the template.
    /// - Throws: ``InferenceError`` with the template's line: `invalidRequest` if the template refuses the conversation.
    package func render(_ conversation: Conversation) throws -> Text {
        do {
            return try template.render(conversation.context(beginning: beginning, end: end))
        } catch let error as TemplateError {
            throw InferenceError(
                .invalidRequest,
                error.isRaised
                    ? "The model's chat template refuses this conversation: \(error.message)"
                    : "The model's chat template cannot render this conversation: \(error)")
        }
    }

    /// A conversation, adapted to what the template takes, as the model's input.
    ///
    /// Control tokens are found only in the template's own text: whatever a message says, it stays text.
    /// - Throws: as ``render(_:)``.
    package func encode(_ conversation: Conversation, _ tokenizer: any Tokenizer) throws -> [Token] {
        encode(try prompt(for: conversation), tokenizer)
    }

    /// A conversation, adapted to what the template takes, as text.
    /// - Throws: as ``render(_:)``.
    func prompt(for conversation: Conversation) throws -> Text {
        guard conversation.tools.isEmpty || features.takesTools else {
            throw InferenceError(.invalidRequest, "The model's chat template has no place for tools: this model cannot call functions.")
        }
        return try render(features.adapted(conversation))
    }

    /// - Returns: the tokens of a rendered prompt, with the beginning that the model was trained with.
    func encode(_ prompt: Text, _ tokenizer: any Tokenizer) -> [Token] {
        var text = ""
        var control: [Range<Int>] = []
        for span in prompt.spans {
            let start = text.utf8.count
            text += span.text
            if span.isTrusted { control.append(start..<text.utf8.count) }
        }
        let tokens = tokenizer.encode(text, control: control)
        // Most templates write it themselves.
        guard tokenizer.addsBeginningOfSequence, let beginning = tokenizer.beginningOfSequence, tokens.first != beginning else { return tokens }
        return [beginning] + tokens
    }
}

/// The special tokens of a vocabulary, as templates spell them.
private struct SpecialSpellings {
    let beginning: String
    let end: String
    private let hasChatML: Bool
    private let hasLlama3: Bool

    init(_ metadata: GGUFMetadata) throws {
        let numbers = ["bos", "eos"].map { metadata.integer("tokenizer.ggml.\($0)_token_id") }
        var spellings = ["", ""]
        var marks: Set<String> = []
        var index = 0
        try metadata.requiredStringArray("tokenizer.ggml.tokens").forEachString { bytes in
            for (place, number) in numbers.enumerated() where number == index { spellings[place] = String(decoding: bytes, as: UTF8.self) }
            if bytes.count > 8, bytes[0] == UInt8(ascii: "<"), bytes[1] == UInt8(ascii: "|") { marks.insert(String(decoding: bytes, as: UTF8.self)) }
            index += 1
        }
        (beginning, end) = (spellings[0], spellings[1])
        hasChatML = marks.isSuperset(of: ["<|im_start|>", "<|im_end|>"])
        hasLlama3 = marks.isSuperset(of: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"])
    }

    /// The template that the models of a vocabulary usually have, for files that lack it.
    var usualTemplate: String? { hasChatML ? UsualTemplates.chatML : hasLlama3 ? UsualTemplates.llama3 : nil }
}

private enum UsualTemplates {
    static let chatML = """
        {%- for message in messages -%}
        {{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
        """

    static let llama3 = """
        {{- bos_token -}}
        {%- for message in messages -%}
        {{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}
        {%- endfor -%}
        {%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif -%}
        """
}
