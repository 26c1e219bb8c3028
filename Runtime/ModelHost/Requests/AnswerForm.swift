import Grammar
import Wire

/// What an answer must fit: OpenAI's `response_format`, llama-server's `grammar`, or what its tools ask for.
enum AnswerForm: Hashable, Sendable {
    case anyObject
    case schema(OrderedJSON)
    case grammar(String)
    /// An answer with calls.
    case calls(Frame)

    init?(_ fields: RequestFields) throws {
        let grammar = try fields.string("grammar")
        guard let format = try fields["response_format"].flatMap({ _ in try fields.ordered()["response_format"] }) else {
            guard let grammar else { return nil }
            self = .grammar(grammar)
            return
        }
        guard let type = format["type"]?.string else { throw APIError.missing("response_format.type") }
        guard grammar == nil || type == "text" else { throw APIError.wrongValue("grammar", "it cannot be combined with 'response_format'.") }
        switch type {
        case "text":
            guard let grammar else { return nil }
            self = .grammar(grammar)
        case "json_object": self = .anyObject
        case "json_schema":
            guard let schema = format["json_schema"]?["schema"] else { throw APIError.missing("response_format.json_schema.schema") }
            self = .schema(schema)
        default: throw APIError.wrongValue("response_format.type", "it is one of text, json_object and json_schema.")
        }
    }

    /// The field that a mistake is in.
    var field: String {
        switch self {
        case .anyObject, .schema: "response_format"
        case .grammar: "grammar"
        case .calls: "tools"
        }
    }
}
