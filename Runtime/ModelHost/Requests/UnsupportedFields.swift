import Wire

/// Fields of OpenAI's API that change what an answer means and that this host does not have: better refused than silently ignored.
/// Fields that nobody knows are ignored, as OpenAI's clients expect.
enum UnsupportedFields {
    /// Each field with the values that ask for nothing special.
    private typealias Fields = KeyValuePairs<String, [JSON]>

    private static let sampling: Fields = ["n": [1]]
    private static let chat: Fields = [
        "functions": [[]], "function_call": ["none", "auto"], "logprobs": [false],
        "top_logprobs": [0], "modalities": [["text"]], "audio": [], "prediction": [],
        "web_search_options": [], "reasoning_effort": ["none"],
    ]
    private static let completion: Fields = ["best_of": [1], "echo": [false], "logprobs": [], "suffix": [""]]

    static func refuse(in fields: RequestFields, for kind: TextKind) throws {
        for list in [sampling, kind == .chat ? chat : completion] {
            for (name, neutral) in list {
                guard let value = fields[name], !neutral.contains(value) else { continue }
                throw APIError.invalidRequest(
                    "This model host does not support '\(name)' with this value. Leave it out.", parameter: name,
                    code: "unsupported_parameter")
            }
        }
    }
}
