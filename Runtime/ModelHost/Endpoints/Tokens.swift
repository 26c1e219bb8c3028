import Hummingbird
import Inference
import Wire

/// llama-server's `/tokenize` and `/detokenize`.
extension Host {
    /// `{"content": text}` gives `{"tokens": […]}`; with `with_pieces` each is `{"id", "piece"}`, where a piece that is no whole
    /// text is a list of bytes. `add_special` adds what a whole input begins and ends with. Control tokens are found in the text
    /// only with `parse_special`, which is not the default here: most text is from users.
    func tokenize(_ call: Call) throws -> Response {
        guard let text = try call.fields.string("content") else { throw APIError.missing("content") }
        let special = try call.fields.flag("parse_special") ?? false
        let tokens =
            try call.fields.flag("add_special") ?? false
            ? engine.tokenizer.encodeForModel(text, special: special) : engine.tokenizer.encode(text, special: special)
        guard try call.fields.flag("with_pieces") ?? false else { return try Response.json(["tokens": tokens]) }
        let pieces = tokens.map { token -> JSON in
            let bytes = engine.tokenizer.spelling(of: token)
            let piece = String(validating: bytes, as: UTF8.self).map { JSON.string($0) } ?? .array(bytes.map { .integer(Int64($0)) })
            return ["id": .integer(Int64(token)), "piece": piece]
        }
        return try Response.json(["tokens": JSON.array(pieces)])
    }

    /// `{"tokens": […]}` gives `{"content": text}`, in which control tokens are shown by their names.
    func detokenize(_ call: Call) throws -> Response {
        guard let values = call.fields["tokens"] else { throw APIError.missing("tokens") }
        let count = engine.tokenizer.vocabularyCount
        guard let tokens = values.array?.map({ $0.integer.flatMap { Token(exactly: $0) } }) else {
            throw APIError.wrongType("tokens", "a list of integers")
        }
        let known = tokens.compactMap { token in token.flatMap { (0..<count).contains(Int($0)) ? $0 : nil } }
        guard known.count == tokens.count else { throw APIError.wrongValue("tokens", "this model has the tokens 0 to \(count - 1).") }
        return try Response.json(["content": engine.tokenizer.decode(known, special: true)])
    }
}
