/// Splits text into the words within which byte pairs are merged: by one regular expression after the other, each on the words
/// that those before it made.
package struct WordSplitter: Sendable {
    private let matchers: [PatternMatcher]

    /// - Parameter patterns: what matches of them is a word, and so is what lies between. See ``Pattern`` for what they may have.
    /// - Throws: ``Pattern/SyntaxError``
    init(_ patterns: [String]) throws {
        matchers = try patterns.map { PatternMatcher(try Pattern($0)) }
    }

    /// Calls `body` with each word of `text[range]`, valid UTF-8, in order; together they cover it.
    package func split(_ text: [UInt8], in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        text.withUnsafeBufferPointer { split($0, in: range, from: 0, body) }
    }

    private func split(_ text: UnsafeBufferPointer<UInt8>, in range: Range<Int>, from stage: Int, _ body: (Range<Int>) -> Void) {
        guard stage < matchers.count else { return body(range) }
        matchers[stage].split(text, in: range) { split(text, in: $0, from: stage + 1, body) }
    }
}
