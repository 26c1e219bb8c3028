import Grammar
import Wire

/// What an answer is held to that calls a function because it must, or calls functions that are strict about their arguments.
package struct ToolConstraint: Hashable, Sendable {
    /// Written for the model, which goes on behind it; empty where it decides whether it calls.
    package let opening: String
    /// What follows.
    package let frame: Frame
    /// Whether the answer is to be a call.
    package let asksForCall: Bool

    /// - Parameters:
    ///   - takesSeveral: whether the answer may have more than one call.
    ///   - reasoning: how the model sets its thoughts apart.
    ///   - isThinking: whether it is in the middle of one, which comes to its end first.
    /// - Returns: `nil` where the model decides by itself, and no function is strict.
    package init?(
        _ choice: ToolChoice, _ tools: [Tool], _ format: ToolCallFormat, takesSeveral: Bool = true, reasoning: ReasoningFormat? = nil,
        isThinking: Bool = false
    ) {
        let opening: String
        let frame: Frame
        switch choice {
        case .none: return nil
        case .auto:
            guard tools.contains(where: \.isStrict) else { return nil }
            asksForCall = false
            let answer = format.answer(with: tools, takesSeveral: takesSeveral, reasoning: reasoning)
            self.opening = ""
            self.frame = reasoning.map { $0.thought(isThinking: isThinking, before: answer) } ?? answer
            return
        case .named(let name):
            guard let tool = tools.first(where: { $0.name == name }) else { return nil }
            opening = format.beforeCalls + format.head(of: name)
            frame = format.calls(of: [tool], takesSeveral: false, begun: tool)
        case .required:
            // Of a single function everything but the arguments is known.
            let only = tools.count == 1 ? tools[0] : nil
            opening = format.beforeCalls + (only.map { format.head(of: $0.name) } ?? "")
            frame = format.calls(of: tools, takesSeveral: takesSeveral, begun: only)
        }
        asksForCall = true
        if isThinking, let reasoning {
            self.opening = ""
            self.frame = reasoning.thought(isThinking: true, before: .sequence([.text(opening), frame]))
        } else {
            (self.opening, self.frame) = (opening, frame)
        }
    }
}

extension ReasoningFormat {
    /// The answer behind a thought that has begun, or, where none has, without one or behind one.
    fileprivate func thought(isThinking: Bool, before answer: Frame) -> Frame {
        let thought = Frame.textUpTo(mark: closing, then: .sequence([.space, .space, answer]))
        return isThinking ? thought : .choice([.sequence([.space, .text(opening), thought]), answer])
    }
}
