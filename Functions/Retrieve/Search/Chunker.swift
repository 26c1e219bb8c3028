/// Cuts a text into chunks of whole sentences that overlap, so that what stands on a border is found from both sides.
package struct Chunker: Sendable {
    /// The longest chunk, in characters.
    package var length: Int
    /// How much of a chunk's end the next one repeats at most, in characters.
    package var overlap: Int

    package init(length: Int = 800, overlap: Int = 150) {
        self.length = max(1, length)
        self.overlap = max(0, min(overlap, length - 1))
    }

    /// Pieces of `text` as they stand there, without the blanks around them.
    package func chunks(of text: String) -> [String] {
        let sentences = sentences(of: text)
        var chunks: [String] = []
        var first = 0
        while first < sentences.count {
            var end = first
            var size = 0
            while end < sentences.count, end == first || size + sentences[end].count <= length {
                size += sentences[end].count
                end += 1
            }
            let chunk = text[sentences[first].startIndex..<sentences[end - 1].endIndex].trimmed
            if !chunk.isEmpty { chunks.append(String(chunk)) }
            if end == sentences.count { break }
            // Back over what is repeated; at least one sentence ahead of where this chunk began.
            var repeated = 0
            var next = end
            while next - 1 > first, repeated + sentences[next - 1].count <= overlap, fits(sentences, next - 1, through: end) {
                next -= 1
                repeated += sentences[next].count
            }
            first = next
        }
        return chunks
    }

    /// Whether a chunk that begins at `start` has room for the sentence at `end`, and gets text from it: else it would only repeat.
    private func fits(_ sentences: [Substring], _ start: Int, through end: Int) -> Bool {
        sentences[end].contains { !$0.isWhitespace } && sentences[start...end].reduce(0) { $0 + $1.count } <= length
    }

    /// Sentences with the blanks that follow them: together, the whole text. One that is longer than a chunk is cut between words.
    private func sentences(of text: String) -> [Substring] {
        var sentences: [Substring] = []
        var start = text.startIndex
        var index = start
        while index < text.endIndex {
            let isEnd = isSentenceEnd(text, index)
            index = text.index(after: index)
            guard isEnd else { continue }
            while index < text.endIndex, text[index].isWhitespace { index = text.index(after: index) }
            sentences += pieces(text[start..<index])
            start = index
        }
        return sentences + pieces(text[start...])
    }

    /// A full stop and its like before a blank, or a blank line's first line end.
    private func isSentenceEnd(_ text: String, _ index: String.Index) -> Bool {
        let next = text.index(after: index)
        if "。！？".contains(text[index]) { return true }
        guard next < text.endIndex else { return false }
        return text[index].isNewline ? text[next].isNewline : ".!?".contains(text[index]) && text[next].isWhitespace
    }

    private func pieces(_ sentence: Substring) -> [Substring] {
        var pieces: [Substring] = []
        var rest = sentence
        while rest.count > length {
            let longest = rest.prefix(length)
            let end = longest.lastIndex(where: \.isWhitespace).map { rest.index(after: $0) } ?? longest.endIndex
            pieces.append(rest[..<end])
            rest = rest[end...]
        }
        return rest.isEmpty ? pieces : pieces + [rest]
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return self[start...end]
    }
}
