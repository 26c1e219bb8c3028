import Wire

/// Puts what an answer from the cache costs into its `usage`, in a JSON body or in the events of a stream. The rest stays byte by byte.
package struct UsageRewriter: Sendable {
    /// Of the calls of this invocation, each with its cost.
    private let calls: [TokenUsage]

    package init(calls: [TokenUsage]) { self.calls = calls }

    /// - Parameter isEventStream: whether `body` is one of server-sent events.
    package func rewrite(_ body: [UInt8], isEventStream: Bool) -> [UInt8] {
        guard isEventStream else { return rewrite(body[...]) }
        var result: [UInt8] = []
        result.reserveCapacity(body.count + 128)
        for (index, line) in body.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if index > 0 { result.append(UInt8(ascii: "\n")) }
            if line.starts(with: "data:".utf8) {
                result += line.prefix(5)
                result += rewrite(line.dropFirst(5))
            } else {
                result += line
            }
        }
        return result
    }

    private func rewrite(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard let place = MemberFinder.object(named: "usage", in: text), let old = try? JSON(parsing: text[place]),
            let usage = usage(of: old), let new: [UInt8] = try? JSON.encode(usage)
        else { return Array(text) }
        return text[..<place.lowerBound] + new + text[place.upperBound...]
    }

    /// An object that holds other numbers than ours is not ours.
    private func usage(of old: JSON) -> JSON? {
        let total = calls.reduce(into: TokenUsage()) { $0 += $1 }
        func isMeant(_ usage: TokenUsage) -> Bool {
            old["prompt_tokens"]?.integer == Int64(usage.promptTokens)
                && (old["completion_tokens"]?.integer ?? 0) == Int64(usage.completionTokens)
        }
        guard let usage = ([total] + calls).first(where: isMeant) else { return nil }
        var new = old
        var details = old["prompt_tokens_details"] ?? [:]
        details["cached_tokens"] = .integer(Int64(usage.cachedTokens))
        new["prompt_tokens_details"] = details
        new["cost"] = .number(Double(usage.cost.count) / 1e9)
        new["cache"] = "hit"
        return new
    }
}

/// Finds a member of a JSON object without reading the rest.
enum MemberFinder {
    /// Where the value of the first member `name` of the object `text` is, if that is an object, braces included.
    static func object(named name: String, in text: ArraySlice<UInt8>) -> Range<Int>? {
        var depth = 0
        var start: Int?
        var index = text.startIndex
        var isName = false
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "\""):
                let opening = index + 1
                index = opening
                while index < text.endIndex, text[index] != UInt8(ascii: "\"") { index += text[index] == UInt8(ascii: "\\") ? 2 : 1 }
                guard index < text.endIndex else { return nil }
                isName = depth == 1 && start == nil && text[opening..<index].elementsEqual(name.utf8)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if isName, text[index] == UInt8(ascii: "{") { start = index }
                isName = false
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 1, let start { return start..<(index + 1) }
            case UInt8(ascii: ":"), UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
            default: isName = false
            }
            index += 1
        }
        return nil
    }
}
