import Inference
import Wire

/// `tools`, `tool_choice` and `parallel_tool_calls`.
struct ToolFields {
    let tools: [Tool]
    let choice: ToolChoice
    /// Whether one answer may call several functions.
    let isParallel: Bool

    init(_ fields: RequestFields) throws {
        isParallel = try fields.flag("parallel_tool_calls") ?? true
        guard fields["tools"] != nil, let value = try fields.ordered()["tools"] else {
            tools = []
            choice = .none
            if let wanted = fields["tool_choice"], wanted != "none", wanted != "auto" {
                throw APIError.wrongValue("tool_choice", "it is only allowed when 'tools' are given.")
            }
            return
        }
        guard let items = value.array else { throw APIError.wrongType("tools", "an array") }
        tools = try items.enumerated().map { try ToolFields.tool($1, at: "tools[\($0)]") }
        choice = tools.isEmpty ? .none : try ToolFields.choice(fields, among: tools)
    }

    private static func tool(_ value: OrderedJSON, at place: String) throws -> Tool {
        guard value.members != nil else { throw APIError.wrongType(place, "an object") }
        guard value["type"]?.string == "function" else { throw APIError.wrongValue("\(place).type", "this model host knows functions alone.") }
        guard let function = value["function"], function.members != nil else { throw APIError.missing("\(place).function") }
        guard let name = function["name"]?.string else { throw APIError.missing("\(place).function.name") }
        let isName = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isName, (1...64).contains(name.utf8.count) else {
            throw APIError.wrongValue("\(place).function.name", "use 1 to 64 of a-z, A-Z, 0-9, '_', '-' and '.'.")
        }
        let parameters = function["parameters"] ?? .null
        guard parameters == .null || parameters.members != nil else { throw APIError.wrongType("\(place).function.parameters", "a JSON schema") }
        guard [nil, .null, .bool(true), .bool(false)].contains(function["strict"]) else {
            throw APIError.wrongType("\(place).function.strict", "true or false")
        }
        let none = OrderedJSON.object([.init("type", .string("object")), .init("properties", .object([]))])
        return Tool(name: name, parameters: parameters == .null ? none : parameters, definition: value, isStrict: function["strict"]?.bool == true)
    }

    private static func choice(_ fields: RequestFields, among tools: [Tool]) throws -> ToolChoice {
        switch fields["tool_choice"] {
        case nil, "auto"?: return .auto
        case "none"?: return .none
        case "required"?: return .required
        case let value?:
            guard value["type"] == "function", let name = value["function"]?["name"]?.string else {
                throw APIError.wrongValue("tool_choice", #"it is "none", "auto", "required" or {"type": "function", "function": {"name": …}}."#)
            }
            guard tools.contains(where: { $0.name == name }) else { throw APIError.wrongValue("tool_choice", "'tools' has no function '\(name)'.") }
            return .named(name)
        }
    }
}
