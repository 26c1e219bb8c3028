/// Takes a model's answer apart while it comes: thoughts, text for the user, and calls.
///
/// A call comes out when it is whole. What begins like one and is none stays text.
package struct AnswerParser: Sendable {
    package enum Part: Hashable, Sendable {
        case reasoning(String)
        case content(String)
        case call(ToolCall)
    }

    private enum State: Sendable {
        case start, reasoning, content
        /// Inside what this mark has opened; "" for an answer that begins like a call.
        case call(opening: String)
    }

    private let reader: ToolCallReader?
    private let reasoning: ReasoningFormat?
    private let takesSeveral: Bool
    private var state: State
    private var held: [UInt8] = []
    /// White space that shows only if more text of its kind follows.
    private var space = ""
    private var callCount = 0
    private var hasContent = false
    /// The white space between thoughts and what follows belongs to neither.
    private var isBehindThought = false

    /// - Parameters:
    ///   - format: how the model writes calls; it may call `tools`.
    ///   - reasoning: how it sets thoughts apart, if it does.
    ///   - prompt: the end of what it was given: that may have begun a thought.
    ///   - takesSeveral: whether calls after the first count.
    package init(_ format: ToolCallFormat?, _ tools: [Tool], reasoning: ReasoningFormat?, prompt: String, takesSeveral: Bool = true) {
        reader = tools.isEmpty ? nil : format.map { ToolCallReader($0, tools) }
        (self.reasoning, self.takesSeveral) = (reasoning, takesSeveral)
        let end = prompt.lastIndex { !$0.isWhitespace }
        state = reasoning.map { mark in end.map { prompt[...$0].hasSuffix(mark.opening) } ?? false } ?? false ? .reasoning : .start
    }

    var isThinking: Bool { if case .reasoning = state { true } else { false } }

    /// - Returns: what is known to be what by now.
    package mutating func append(_ text: String) -> [Part] {
        held += text.utf8
        return advance(isEnd: false)
    }

    /// - Returns: the rest.
    package mutating func finish() -> [Part] {
        var parts = advance(isEnd: true)
        if callCount == 0, hasContent, case .content = state { parts.append(.content(space)) }
        return AnswerParser.joined(parts)
    }

    private mutating func advance(isEnd: Bool) -> [Part] {
        var parts: [Part] = []
        while step(&parts, isEnd: isEnd) {}
        return AnswerParser.joined(parts)
    }

    /// - Returns: whether there may be more to take apart.
    private mutating func step(_ parts: inout [Part], isEnd: Bool) -> Bool {
        switch state {
        case .start: return begin(isEnd: isEnd)
        case .reasoning: return think(&parts, isEnd: isEnd)
        case .content: return speak(&parts, isEnd: isEnd)
        case .call(let opening): return call(opening, &parts, isEnd: isEnd)
        }
    }

    private mutating func begin(isEnd: Bool) -> Bool {
        let start = JSONScanner.skipSpace(held[...], from: 0)
        let text = held[start...]
        if let reasoning {
            let mark = Array(reasoning.opening.utf8)
            if text.starts(with: mark) {
                held.removeSubrange(..<(start + mark.count))
                state = .reasoning
                return true
            }
            if !isEnd, mark.starts(with: text) { return false }
        }
        guard let first = text.first else { return false }
        if isBehindThought { held.removeSubrange(..<start) }
        if reader?.format == .bare, [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(first) {
            state = .call(opening: "")
        } else {
            state = .content
        }
        return true
    }

    private mutating func think(_ parts: inout [Part], isEnd: Bool) -> Bool {
        guard let reasoning else { return false }
        let mark = Array(reasoning.closing.utf8)
        if let end = held[...].firstRange(of: mark) {
            emit(held[..<end.lowerBound], &parts, as: Part.reasoning)
            held.removeSubrange(..<end.upperBound)
            (space, hasContent, isBehindThought) = ("", false, true)
            state = .start
            return true
        }
        flush(keeping: isEnd ? 0 : AnswerParser.possibleStart(of: [mark], in: held), &parts, as: Part.reasoning)
        return false
    }

    private mutating func speak(_ parts: inout [Part], isEnd: Bool) -> Bool {
        guard let reader else {
            flush(keeping: 0, &parts, as: Part.content)
            return false
        }
        let marks = reader.format.openings.map { Array($0.utf8) }
        let found = zip(reader.format.openings, marks).compactMap { name, mark in held[...].firstRange(of: mark).map { (name, $0) } }
        guard let (opening, range) = found.min(by: { $0.1.lowerBound < $1.1.lowerBound }) else {
            flush(keeping: isEnd ? 0 : AnswerParser.possibleStart(of: marks, in: held), &parts, as: Part.content)
            return false
        }
        emit(held[..<range.lowerBound], &parts, as: Part.content)
        held.removeSubrange(..<range.upperBound)
        state = .call(opening: opening)
        return true
    }

    private mutating func call(_ opening: String, _ parts: inout [Part], isEnd: Bool) -> Bool {
        guard let reader else { return false }
        switch reader.read(held[...], after: opening, isEnd: isEnd) {
        case .unfinished:
            return false
        case .notCalls:
            // The mark is text after all, and the search goes on behind it.
            emit(Array(opening.utf8)[...], &parts, as: Part.content)
            if opening.isEmpty, let first = held.first {
                emit([first], &parts, as: Part.content)
                held.removeFirst()
            }
            state = .content
        case .calls(let calls, let end):
            for call in calls where takesSeveral || callCount == 0 {
                parts.append(.call(call))
                callCount += 1
            }
            space = ""
            held.removeSubrange(..<end)
            state = .content
        }
        return true
    }

    // MARK: Text

    private mutating func flush(keeping count: Int, _ parts: inout [Part], as make: (String) -> Part) {
        emit(held[..<(held.count - count)], &parts, as: make)
        held.removeFirst(held.count - count)
    }

    /// Space at its end is held back until more comes; thoughts do not begin with any.
    private mutating func emit(_ bytes: ArraySlice<UInt8>, _ parts: inout [Part], as make: (String) -> Part) {
        var text = space + String(decoding: bytes, as: UTF8.self)
        let end = text.lastIndex { !$0.isWhitespace }.map { text.index(after: $0) } ?? text.startIndex
        space = String(text[end...])
        text = String(text[..<end])
        if !hasContent, case .reasoning = make("") { text = String(text.drop(while: \.isWhitespace)) }
        guard !text.isEmpty else { return }
        hasContent = true
        parts.append(make(text))
    }

    /// The length of the longest end of `bytes` that one of `marks` begins with.
    private static func possibleStart(of marks: [[UInt8]], in bytes: [UInt8]) -> Int {
        let longest = (marks.map(\.count).max() ?? 1) - 1
        return (0...min(longest, bytes.count)).last { length in marks.contains { $0.starts(with: bytes.suffix(length)) } } ?? 0
    }

    private static func joined(_ parts: [Part]) -> [Part] {
        parts.reduce(into: []) { result, part in
            switch (result.last, part) {
            case (.content(let text)?, .content(let more)): result[result.count - 1] = .content(text + more)
            case (.reasoning(let text)?, .reasoning(let more)): result[result.count - 1] = .reasoning(text + more)
            default: result.append(part)
            }
        }
    }
}
