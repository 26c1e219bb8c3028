import FoundationEssentials
import FunctionKit
import Mustache

/// A mustache template (https://mustache.github.io/mustache.5.html) that makes a prompt: values stand in it as they are, not as HTML.
struct PromptTemplate: Sendable {
    private let template: MustacheTemplate
    /// Names that stand in a section's tag somewhere (`{{#name}}`, `{{^name}}`): where they are missing, that is an answer.
    private let optional: Set<String>
    /// The parts of names like `user.name`.
    private let dotted: [[String]]

    /// - Throws: `StartError` that names the file and the place in it.
    init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { throw StartError("The prompt \(path) cannot be read.") }
        guard var text = String(validating: data, as: UTF8.self) else { throw StartError("The prompt \(path) is not UTF-8 text.") }
        // A text file ends with a line end, a prompt does not.
        while text.last?.isNewline == true { text.removeLast() }
        do {
            _ = try MustacheTemplate(string: text)
            // In front of the text and not on a line of its own, so that it leaves no trace. Parsed apart from the first
            // attempt, whose errors count columns as the file has them.
            template = try MustacheTemplate(string: "{{% CONTENT_TYPE: TEXT}}\(text)")
        } catch let error as MustacheTemplate.ParserError {
            let place = "\(path):\(error.context.lineNumber):\(error.context.columnNumber)"
            // "overflow" is swift-mustache's word for a text that ends inside a tag.
            let problem = "\(error.error)" == "overflow" ? "it ends inside a tag" : "\(error.error)"
            throw StartError("\(place): the prompt's template does not parse: \(problem). The line is: \(error.context.line)")
        }
        let tags = PromptTemplate.tags(text)
        let sections = tags.filter { "#^".contains($0.kind) }.map(\.name)
        optional = Set(sections + sections.flatMap { $0.split(separator: ".").map(String.init) })
        dotted = tags.filter { "{&".contains($0.kind) }.map { $0.name.split(separator: ".").map(String.init) }.filter { $0.count > 1 }
    }

    /// - Throws: ``APIError`` with status 400 that names a variable which the template uses and `body` does not have.
    func render(_ body: JSON) throws -> String {
        let variables = Variables(body)
        let text = template.render(variables)
        // Of a dotted name, swift-mustache asks only for the first part; the others are looked for here.
        let incomplete = dotted.filter { parts in
            body[parts[0]] != nil && parts.reduce(body, { $0?[$1] } as (JSON?, String) -> JSON?) ?? .null == .null
        }
        let missing = variables.missing + incomplete.map { $0.joined(separator: ".") }
        if let name = missing.first(where: { !optional.contains($0) }) {
            throw APIError.invalidRequest("Missing required parameter: '\(name)'.", parameter: name)
        }
        return text
    }

    /// The names in the template's tags; `kind` is the mark before them, or `{` where there is none.
    private static func tags(_ text: String) -> [(kind: Character, name: String)] {
        text.split(separator: "{{", omittingEmptySubsequences: false).dropFirst().compactMap { tag in
            let inside = tag.drop(while: { $0 == "{" }).prefix { $0 != "}" }.filter { !$0.isWhitespace }
            guard let first = inside.first else { return nil }
            return first.isLetter || first == "_" ? ("{", inside) : (first, String(inside.dropFirst()))
        }
    }
}

/// The request's JSON as swift-mustache asks for it. It renders what is missing as nothing; a prompt must not, so this keeps the names.
private final class Variables: MustacheParent {
    private let members: [String: JSON]
    private(set) var missing: [String] = []

    init(_ body: JSON) { members = body.object ?? [:] }

    func child(named name: String) -> Any? {
        let value = members[name].flatMap(Variables.value)
        if value == nil { missing.append(name) }
        return value
    }

    /// - Returns: `nil` for null, which is as good as missing.
    private static func value(_ json: JSON) -> Any? {
        switch json {
        case .null: nil
        case .bool(let value): value
        case .integer(let value): value
        case .number(let value): value
        case .string(let value): value
        case .array(let items): items.compactMap(value)
        case .object(let members): members.compactMapValues(value)
        }
    }
}
