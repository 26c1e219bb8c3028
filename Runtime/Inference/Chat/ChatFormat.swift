/// How a chat model marks turns, told by the markers in its `tokenizer.chat_template`.
///
/// A conversation becomes tokens directly, never a string that is parsed again: only the format's own markers become
/// control tokens, whatever a message says.
package struct ChatFormat: Hashable, Sendable {
    package enum Family: Hashable, Sendable {
        /// `<|im_start|>role\ncontent<|im_end|>\n`
        case chatML
        /// `<|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>`, after a beginning-of-sequence token.
        case llama3
    }

    package let family: Family
    /// What the template puts before a conversation that has no system message.
    package let defaultSystemMessage: String?

    /// - Throws: ``InferenceError`` if the model has no chat template, or one of a format that is not supported, by name.
    package init(_ metadata: GGUFMetadata) throws {
        guard let template = metadata.string("tokenizer.chat_template") else {
            throw InferenceError(.unsupported, "\(metadata.path) has no chat template; it completes text, but does not chat.")
        }
        try self.init(template: template, path: metadata.path)
    }

    /// - Parameter path: the file that the template is from, for error messages.
    package init(template: String, path: String) throws {
        if template.contains("<|im_start|>"), template.contains("<|im_end|>") {
            family = .chatML
        } else if template.contains("<|start_header_id|>"), template.contains("<|eot_id|>") {
            family = .llama3
        } else {
            let known = ChatFormat.unsupported.first { template.contains($0.marker) }.map { "\($0.name) (\($0.marker))" }
            throw InferenceError(
                .unsupported, "\(path): the chat format of \(known ?? "its template") is not supported; Swiftlet has ChatML and Llama 3.")
        }
        defaultSystemMessage = ChatFormat.defaultSystemMessage(template)
    }

    /// A conversation as the model's input.
    /// - Parameter addGenerationPrompt: whether it ends with the head of the assistant's turn, for the model to go on.
    /// - Throws: ``InferenceError`` if a role is unknown, or the tokenizer lacks a marker.
    package func encode(_ messages: [ChatMessage], addGenerationPrompt: Bool = true, _ tokenizer: any Tokenizer) throws -> [Token] {
        var tokens: [Token] = []
        var text = ""
        // Text up to the next marker is encoded as one piece, as the model saw it in training.
        func flush() {
            tokens += tokenizer.encode(text, special: false)
            text = ""
        }
        for part in try parts(messages, addGenerationPrompt) {
            switch part {
            case .text(let content): text += content
            case .marker(let marker):
                guard let token = tokenizer.specialToken(marker) else {
                    throw InferenceError(.invalidFile, "The model's vocabulary lacks \(marker), which its chat template uses.")
                }
                flush()
                tokens.append(token)
            case .beginningOfSequence:
                tokenizer.beginningOfSequence.map { tokens.append($0) }
            }
        }
        flush()
        return tokens
    }

    private enum Part {
        case marker(String)
        case text(String)
        case beginningOfSequence
    }

    private func parts(_ messages: [ChatMessage], _ addGenerationPrompt: Bool) throws -> [Part] {
        var messages = messages
        if let defaultSystemMessage, messages.first?.role != "system" {
            messages.insert(ChatMessage(role: "system", content: defaultSystemMessage), at: 0)
        }
        for message in messages where !["system", "user", "assistant", "tool"].contains(message.role) {
            throw InferenceError(
                .invalidRequest, "The role \(message.role.quotedForMessage) is not one of system, user, assistant and tool.")
        }
        switch family {
        case .chatML:
            let turns = messages.flatMap { message -> [Part] in
                [.marker("<|im_start|>"), .text("\(message.role)\n\(message.content)"), .marker("<|im_end|>"), .text("\n")]
            }
            return turns + (addGenerationPrompt ? [.marker("<|im_start|>"), .text("assistant\n")] : [])
        case .llama3:
            func head(_ role: String) -> [Part] {
                [.marker("<|start_header_id|>"), .text(role), .marker("<|end_header_id|>"), .text("\n\n")]
            }
            let turns = messages.flatMap { message in
                head(message.role) + [.text(message.content.trimmed), .marker("<|eot_id|>")]
            }
            return [.beginningOfSequence] + turns + (addGenerationPrompt ? head("assistant") : [])
        }
    }

    /// Markers of formats that are known by name, for the error.
    private static let unsupported: [(marker: String, name: String)] = [
        ("<start_of_turn>", "Gemma"), ("[INST]", "Llama 2 and Mistral"), ("<|assistant|>", "Phi 3 and Zephyr"), ("<｜Assistant｜>", "DeepSeek"),
        ("<|START_OF_TURN_TOKEN|>", "Command R"), ("<|channel|>", "gpt-oss (Harmony)"), ("### Instruction:", "Alpaca"),
    ]

    /// The text of a literal `<|im_start|>system\n…<|im_end|>` in a template, as Qwen 2 and SmolLM 2 have it.
    private static func defaultSystemMessage(_ template: String) -> String? {
        // In the template a line break is written as `\n`, or is one.
        let template = template.replacing("\\n", with: "\n")
        guard let start = template.firstRange(of: "'<|im_start|>system\n"),
            let end = template[start.upperBound...].firstRange(of: "<|im_end|>")
        else { return nil }
        let message = template[start.upperBound..<end.lowerBound]
        return message.contains { "'{}".contains($0) } ? nil : String(message)
    }
}

extension String {
    /// Without white space at both ends, as Jinja's `trim` has it.
    fileprivate var trimmed: String {
        guard let first = unicodeScalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = unicodeScalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(unicodeScalars[first...last])
    }
}
