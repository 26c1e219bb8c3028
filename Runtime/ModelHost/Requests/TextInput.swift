import Inference
import Wire

/// A text, or the tokens of one.
enum TextInput {
    case text(String)
    case tokens([Token])
}

extension RequestFields {
    /// OpenAI's way to give one text or several: a string, an array of strings, an array of tokens, or an array of such arrays.
    func inputs(_ name: String) throws -> [TextInput] {
        guard let value = self[name] else { throw APIError.missing(name) }
        switch value {
        case .string(let text):
            return [.text(text)]
        case .array(let items):
            if case .integer = items.first { return [.tokens(try RequestFields.tokens(items, at: name))] }
            return try items.enumerated().map { index, item in
                switch item {
                case .string(let text): return .text(text)
                case .array(let tokens): return .tokens(try RequestFields.tokens(tokens, at: "\(name)[\(index)]"))
                default: throw APIError.wrongType("\(name)[\(index)]", "a string or an array of tokens")
                }
            }
        default:
            throw APIError.wrongType(name, "a string or an array")
        }
    }

    private static func tokens(_ items: [JSON], at place: String) throws -> [Token] {
        try items.enumerated().map { index, item in
            guard let token = item.integer.flatMap(Token.init(exactly:)) else { throw APIError.wrongType("\(place)[\(index)]", "a token") }
            return token
        }
    }
}

extension Tokenizer {
    func encodeForModel(_ input: TextInput) -> [Token] {
        switch input {
        case .text(let text): encodeForModel(text)
        case .tokens(let tokens): tokens
        }
    }
}
