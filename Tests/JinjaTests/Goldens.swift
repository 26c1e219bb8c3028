import Foundation
import Jinja
import Wire

/// What jinja2 made of templates: `render_with_jinja2.py` writes it, and `Tests/run` runs that.
struct Goldens {
    struct Case {
        let name: String
        let template: String
        let context: OrderedJSON
        /// `nil` where jinja2 raises.
        let expected: String?
        let raises: String?
    }

    let now: Int
    let cases: [Case]

    static let path = ProcessInfo.processInfo.environment["SWIFTLET_TEMPLATE_GOLDENS"]
    static let templates = ProcessInfo.processInfo.environment["SWIFTLET_LLAMA_SOURCE"].map { "\($0)/models/templates" }

    /// - Parameter fromFiles: the published templates, or the language's features.
    init(fromFiles: Bool) throws {
        guard let path = Goldens.path, let folder = Goldens.templates else { throw Missing() }
        let json = try OrderedJSON(parsing: Data(contentsOf: URL(fileURLWithPath: path)))
        now = Int(json["now"]?.integer ?? 0)
        let context = json["context"] ?? .null
        cases = try (json["cases"]?.array ?? []).filter { ($0["file"] != nil) == fromFiles }.map { entry in
            let file = try entry["file"]?.string.map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
            return Case(
                name: entry["name"]?.string ?? "", template: file ?? entry["template"]?.string ?? "", context: entry["context"] ?? context,
                expected: entry["expected"]?.string, raises: entry["raises"]?.string)
        }
    }

    struct Missing: Error, CustomStringConvertible {
        let description = "SWIFTLET_TEMPLATE_GOLDENS and SWIFTLET_LLAMA_SOURCE are not set: run Tests/run"
    }
}

extension OrderedJSON {
    /// As values for a template.
    func value(isTrusted: Bool = false) throws -> Value {
        switch self {
        case .null: .none
        case .bool(let flag): .bool(flag)
        case .integer(let number): .int(Int(number))
        case .number(let number): .float(number)
        case .string(let text): .string(text, isTrusted: isTrusted)
        case .array(let items): try .list(items.map { try $0.value(isTrusted: isTrusted) })
        case .object(let members): try .dict(members.map { (Text($0.name, isTrusted: isTrusted), try $0.value.value(isTrusted: isTrusted)) })
        }
    }

    func context() throws -> [(name: String, value: Value)] { try (members ?? []).map { ($0.name, try $0.value.value()) } }
}
