import Wire

/// Fields of OpenAI's API, and of vLLM's and llama-server's, that change what an answer means and that this host does not have: better
/// refused than silently ignored.
/// Fields that nobody knows are ignored, as OpenAI's clients expect.
enum UnsupportedFields {
    /// Each field with the values that ask for nothing special.
    private typealias Fields = KeyValuePairs<String, [JSON]>

    private static let chat: Fields = [
        "functions": [[]], "function_call": ["none", "auto"], "modalities": [["text"]], "audio": [], "prediction": [],
        "web_search_options": [], "reasoning_effort": ["none"], "verbosity": ["medium"], "store": [false], "metadata": [[:]],
        "service_tier": ["auto", "default"], "prompt_cache_retention": ["in_memory", "in-memory"], "echo": [false],
        "add_generation_prompt": [true], "continue_final_message": [false], "chat_template": [],
    ]
    private static let completion: Fields = ["best_of": [1], "suffix": [""]]
    /// Of vLLM and llama-server, in both.
    private static let common: Fields = [
        "min_tokens": [0], "length_penalty": [1], "use_beam_search": [false], "typical_p": [1], "mirostat": [0], "dynatemp_range": [0],
        "dry_multiplier": [0], "xtc_probability": [0], "stop_token_ids": [[]], "bad_words": [[]], "allowed_token_ids": [[]], "guided_json": [],
        "guided_regex": [], "guided_choice": [], "guided_grammar": [], "structured_outputs": [], "json_schema": [], "prompt_logprobs": [],
        "include_stop_str_in_output": [false], "skip_special_tokens": [true],
    ]

    static func refuse(in fields: RequestFields, for kind: TextKind) throws {
        for (name, neutral) in Array(kind == .chat ? chat : completion) + Array(common) {
            guard let value = fields[name], !neutral.contains(value) else { continue }
            throw refusal(name)
        }
    }

    static func refusal(_ name: String) -> APIError {
        .invalidRequest("This model host does not support '\(name)' with this value. Leave it out.", parameter: name, code: "unsupported_parameter")
    }
}
