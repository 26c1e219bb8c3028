import Wire

/// Reads calls as a family of models writes them. What names no function that there is, or has no object for arguments, is no call.
struct ToolCallReader: Sendable {
    let format: ToolCallFormat
    private let tools: [String: OrderedJSON]

    init(_ format: ToolCallFormat, _ tools: [Tool]) {
        self.format = format
        self.tools = Dictionary(tools.map { ($0.name, $0.parameters) }) { first, _ in first }
    }

    enum Result: Equatable {
        case unfinished
        case notCalls
        /// - Parameter end: behind everything that belongs to them.
        case calls([ToolCall], end: Int)
    }

    /// Reads what comes behind `opening`.
    /// - Parameter isEnd: whether nothing comes any more.
    func read(_ bytes: ArraySlice<UInt8>, after opening: String, isEnd: Bool) -> Result {
        let closing = format.closing(of: opening).map { Array($0.utf8) }
        switch format {
        case .hermes, .bare, .functools, .markedList, .action, .mistral:
            return readJSON(bytes, closing: closing, isEnd: isEnd)
        case .parameterTags, .argumentTags, .functionTags, .deepSeek:
            guard let closing else { return .notCalls }
            let end = bytes.firstRange(of: closing)
            guard end != nil || isEnd else { return .unfinished }
            let text = String(decoding: bytes[..<(end?.lowerBound ?? bytes.endIndex)], as: UTF8.self)
            guard let calls = calls(in: text, after: opening), !calls.isEmpty else { return .notCalls }
            return .calls(calls, end: end?.upperBound ?? bytes.endIndex)
        }
    }

    // MARK: JSON

    private func readJSON(_ bytes: ArraySlice<UInt8>, closing: [UInt8]?, isEnd: Bool) -> Result {
        let start = JSONScanner.skipSpace(bytes, from: bytes.startIndex)
        guard start < bytes.endIndex else { return isEnd ? .notCalls : .unfinished }
        let isJSON = [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(bytes[start])
        guard isJSON else { return format == .mistral ? readNamed(bytes[start...], isEnd: isEnd) : .notCalls }
        if format == .bare, !mayBeCall(bytes[start...]) { return .notCalls }
        guard let end = JSONScanner.end(of: bytes, from: start) else { return isEnd ? .notCalls : .unfinished }
        guard let calls = calls(inJSON: bytes[start..<end]), !calls.isEmpty else { return .notCalls }
        guard let closing else { return .calls(calls, end: end) }
        let rest = bytes[JSONScanner.skipSpace(bytes, from: end)...]
        if rest.starts(with: closing) { return .calls(calls, end: rest.startIndex + closing.count) }
        return !isEnd && closing.starts(with: rest) ? .unfinished : .calls(calls, end: end)
    }

    /// Whether the first member's name, once it is there, is one that calls have: JSON that a user asked for is not held back.
    private func mayBeCall(_ bytes: ArraySlice<UInt8>) -> Bool {
        let parts = bytes.prefix(256).split(separator: UInt8(ascii: "\""), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return true }
        return ["name", "type", "function", "arguments", "parameters", "id"].contains(String(decoding: parts[1], as: UTF8.self))
    }

    /// `name[ARGS]{…}` or `name{…}`, as Mistral's newer models write it.
    private func readNamed(_ bytes: ArraySlice<UInt8>, isEnd: Bool) -> Result {
        guard let brace = bytes.firstIndex(of: UInt8(ascii: "{")), let end = JSONScanner.end(of: bytes, from: brace) else {
            return isEnd ? .notCalls : .unfinished
        }
        let name = bytes[..<(bytes[..<brace].firstIndex(of: UInt8(ascii: "[")) ?? brace)]
        guard let call = call(String(decoding: name, as: UTF8.self), arguments: bytes[brace..<end]) else { return .notCalls }
        return .calls([call], end: end)
    }

    private func calls(inJSON bytes: ArraySlice<UInt8>) -> [ToolCall]? {
        guard let value = try? OrderedJSON(parsing: bytes) else { return nil }
        if value.members != nil { return call(inObject: bytes).map { [$0] } }
        var calls: [ToolCall] = []
        var place = bytes.startIndex + 1
        while let start = bytes[place...].firstIndex(of: UInt8(ascii: "{")), let end = JSONScanner.end(of: bytes, from: start) {
            guard let call = call(inObject: bytes[start..<end]) else { return nil }
            calls.append(call)
            place = end
        }
        return calls
    }

    private func call(inObject bytes: ArraySlice<UInt8>) -> ToolCall? {
        let members = JSONScanner.members(of: bytes)
        func value(_ names: String...) -> ArraySlice<UInt8>? { members.first { names.contains($0.name) }?.value }
        if let inner = value("function"), inner.first == UInt8(ascii: "{") { return call(inObject: inner) }
        guard let name = value("name", "tool_name", "function").flatMap(JSONText.string) else { return nil }
        return call(name, arguments: value("arguments", "parameters") ?? Array("{}".utf8)[...])
    }

    /// - Parameter arguments: an object, or a string with the text of one.
    private func call(_ name: String, arguments: ArraySlice<UInt8>) -> ToolCall? {
        let name = name.trimmed
        guard tools[name] != nil, let value = try? OrderedJSON(parsing: arguments) else { return nil }
        if value.members != nil { return ToolCall(name: name, arguments: String(decoding: arguments, as: UTF8.self)) }
        guard let text = value.string, let inner = try? OrderedJSON(parsing: text.utf8), inner.members != nil else { return nil }
        return ToolCall(name: name, arguments: text)
    }

    // MARK: Tags

    private func calls(in text: String, after opening: String) -> [ToolCall]? {
        switch format {
        case .functionTags:
            guard let end = text.firstRange(of: ">") else { return nil }
            return call(String(text[..<end.lowerBound]), arguments: Array(text[end.upperBound...].utf8)[...]).map { [$0] }
        case .parameterTags:
            return parameterTags(opening == "<function=" ? opening + text : text).map { [$0] }
        case .argumentTags:
            let name = text.firstRange(of: "<arg_key>").map { text[..<$0.lowerBound] } ?? text[...]
            let parts = text[name.endIndex...].split(separator: "<arg_key>").map { part in
                (key: part.before("</arg_key>"), value: part.between("<arg_value>", "</arg_value>"))
            }
            return call(String(name), parts).map { [$0] }
        case .deepSeek:
            return deepSeek(text)
        default: return nil
        }
    }

    private func parameterTags(_ text: String) -> ToolCall? {
        guard let start = text.firstRange(of: "<function="), let end = text[start.upperBound...].firstRange(of: ">") else { return nil }
        let parts = text[end.upperBound...].before("</function>").split(separator: "<parameter=").filter { $0.contains(">") }.map { part in
            // The line breaks around a value are not of it.
            let value = part.between(">", "</parameter>")
            return (key: part.before(">"), value: value.droppingOne("\n", atEnd: false).droppingOne("\n", atEnd: true))
        }
        return call(String(text[start.upperBound..<end.lowerBound]), parts)
    }

    /// A call of values that are written without JSON's quotes: what the schema calls a string is one.
    private func call(_ name: String, _ parts: [(key: Substring, value: Substring)]) -> ToolCall? {
        let properties = tools[name.trimmed]?["properties"]
        let members = parts.map { key, value in
            let isString = properties?[String(key)]?["type"]?.string == "string"
            let isJSON = !isString && (try? OrderedJSON(parsing: value.utf8)) != nil
            return JSONText.quoted(String(key)) + ": " + (isJSON ? String(value) : JSONText.quoted(String(value)))
        }
        return call(name, arguments: Array("{\(members.joined(separator: ", "))}".utf8)[...])
    }

    /// `function<｜tool▁sep｜>name⏎```json⏎{…}⏎```` and, since version 3.1, `name<｜tool▁sep｜>{…}`.
    private func deepSeek(_ text: String) -> [ToolCall]? {
        var calls: [ToolCall] = []
        for part in text.split(separator: "<｜tool▁call▁begin｜>") where !String(part).trimmed.isEmpty {
            guard let separator = part.firstRange(of: "<｜tool▁sep｜>"), let brace = part[separator.upperBound...].firstIndex(of: "{") else { return nil }
            let before = String(part[..<separator.lowerBound]).trimmed
            let bytes = Array(part[brace...].utf8)[...]
            guard let end = JSONScanner.end(of: bytes, from: 0) else { return nil }
            let name = before == "function" ? String(part[separator.upperBound..<brace].before("\n")) : before
            guard let call = call(name, arguments: bytes[..<end]) else { return nil }
            calls.append(call)
        }
        return calls
    }
}

enum JSONText {
    /// The text of a JSON string.
    static func string(_ bytes: ArraySlice<UInt8>) -> String? { (try? OrderedJSON(parsing: bytes))?.string }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case ..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        let space: (Character) -> Bool = \.isWhitespace
        guard let first = firstIndex(where: { !space($0) }), let last = lastIndex(where: { !space($0) }) else { return "" }
        return String(self[first...last])
    }
}

extension Substring {
    fileprivate func before(_ mark: String) -> Substring { firstRange(of: mark).map { self[..<$0.lowerBound] } ?? self }

    fileprivate func between(_ start: String, _ end: String) -> Substring {
        (firstRange(of: start).map { self[$0.upperBound...] } ?? self[endIndex...]).before(end)
    }

    fileprivate func droppingOne(_ character: Character, atEnd: Bool) -> Substring {
        atEnd ? (last == character ? dropLast() : self) : (first == character ? dropFirst() : self)
    }
}
