import Wire

/// Fields of OpenAI's API that change what an answer means and that this host does not have: better refused than silently ignored.
/// Fields that nobody knows are ignored, as OpenAI's clients expect.
enum UnsupportedFields {
    /// Each field with the values that ask for nothing special.
    private typealias Fields = KeyValuePairs<String, [JSON]>

    private static let chat: Fields = [
        "functions": [[]], "function_call": ["none", "auto"], "modalities": [["text"]], "audio": [], "prediction": [],
        "web_search_options": [], "reasoning_effort": ["none"], "verbosity": ["medium"], "store": [false], "metadata": [[:]],
        "service_tier": ["auto", "default"], "prompt_cache_retention": ["in_memory", "in-memory"],
    ]
    private static let completion: Fields = ["best_of": [1], "suffix": [""]]

    static func refuse(in fields: RequestFields, for kind: TextKind) throws {
        for (name, neutral) in kind == .chat ? chat : completion {
            guard let value = fields[name], !neutral.contains(value) else { continue }
            throw refusal(name)
        }
    }

    static func refusal(_ name: String) -> APIError {
        .invalidRequest("This model host does not support '\(name)' with this value. Leave it out.", parameter: name, code: "unsupported_parameter")
    }
}
