import FunctionKit

/// A piece of a document that an answer may rest on.
package struct Passage: Hashable, Sendable {
    package var document: String
    package var chunk: Int64
    package var text: String
    package var score: Double
    package var metadata: JSON

    package init(document: String, chunk: Int64, text: String, score: Double, metadata: JSON = .null) {
        self.document = document
        self.chunk = chunk
        self.text = text
        self.score = score
        self.metadata = metadata
    }

    /// From one of `POST /retrieve`'s results.
    init?(_ result: JSON) {
        guard let document = result["document"]?.string, let text = result["text"]?.string else { return nil }
        self.init(
            document: document, chunk: result["chunk"]?.integer ?? 0, text: text, score: result["score"]?.number ?? 0,
            metadata: result["metadata"] ?? .null)
    }

    /// As a response shows it. `index` is its place among the sources, from one.
    package func source(index: Int) -> JSON {
        [
            "index": .integer(Int64(index)), "document": .string(document), "chunk": .integer(chunk), "text": .string(text),
            "score": .number(score), "metadata": metadata,
        ]
    }

    /// The text on one line, as the model gets it.
    package var line: String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}

extension Passage {
    /// `messages` with the last question put behind its context:
    ///
    /// ```
    /// Context:
    /// Refunds are accepted within 30 days.
    /// Shipping takes 3 days.
    ///
    /// Question: How long does shipping take?
    /// ```
    package static func grounded(_ messages: [JSON], in passages: [Passage]) -> [JSON] {
        guard let last = messages.lastIndex(where: { $0["role"] == "user" }), !passages.isEmpty else { return messages }
        let lines = passages.map { "\($0.line)\n" }.joined()
        var messages = messages
        messages[last]["content"] = .string("Context:\n\(lines)\nQuestion: \(messages[last].contentText)")
        return messages
    }

    /// Those of `passages`, best first, that the model's context holds beside the conversation and room for an answer.
    /// All, where the model does not say how much it holds.
    package static func fitting(_ passages: [Passage], beside messages: [JSON], answer: Int?, _ model: Model) async throws -> [Passage] {
        guard !passages.isEmpty, let limit = try await model.contextLength() else { return passages }
        // A turn's marks are some tokens; what the labels take is small beside what is left free for the answer.
        let said = try await model.tokenize(messages.map(\.contentText).joined(separator: "\n")).count + 16 * messages.count
        let room = limit - said - (answer ?? min(256, limit / 4))
        var lengths: [Int] = []
        for passage in passages { lengths.append(try await model.tokenize(passage.line).count) }
        return select(passages, lengths: lengths, room: room)
    }

    /// Takes passages as long as they fit, best first; a shorter one may still fit where a longer did not. If none does, the best is cut.
    /// - Parameter lengths: of the passages' lines, in tokens.
    /// - Parameter room: for all of them, in tokens.
    package static func select(_ passages: [Passage], lengths: [Int], room: Int) -> [Passage] {
        let label = 2  // a line end, and what a word may cost more at a line's start
        var left = room
        let chosen = zip(passages, lengths).filter { _, length in
            guard length + label <= left else { return false }
            left -= length + label
            return true
        }
        guard chosen.isEmpty, var best = passages.first, let length = lengths.first, length > 0, room > label else { return chosen.map(\.0) }
        let line = best.line
        // At a word's end. Somewhat short, because tokens are not spread evenly.
        best.text = String(line.prefix(line.count * (room - label) * 9 / (length * 10)))
        if let end = best.text.lastIndex(of: " ") { best.text.removeSubrange(end...) }
        return [best]
    }
}
