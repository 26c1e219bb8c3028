/// Splits text into the words within which byte pairs are merged.
///
/// Vocabularies define this step by a regular expression; these are written out by hand, so that every text takes linear time.
package enum WordSplitter: Sendable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// Each `\p{N}` by itself, then GPT-2's expression on what is between them.
    case gpt2SingleDigits
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    case llama3(digits: Int)

    /// Calls `body` with each word of `text[range]` in order; together they cover it.
    package func split(_ text: [UInt8], in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        switch self {
        case .gpt2:
            WordScanner(text: text, end: range.upperBound).forEachWord(from: range.lowerBound, { $0.gpt2Word(at: $1) }, body)
        case .llama3(let digits):
            WordScanner(text: text, end: range.upperBound)
                .forEachWord(from: range.lowerBound, { $0.llama3Word(at: $1, digits: digits) }, body)
        case .gpt2SingleDigits:
            let whole = WordScanner(text: text, end: range.upperBound)
            var start = range.lowerBound
            while start < range.upperBound {
                let digit = whole.skip(from: start) { $0 != .number }
                WordScanner(text: text, end: digit).forEachWord(from: start, { $0.gpt2Word(at: $1) }, body)
                start = digit
                if let (_, next) = whole.character(at: digit) {
                    body(digit..<next)
                    start = next
                }
            }
        }
    }
}

/// Text up to `end`, read as character classes.
private struct WordScanner {
    let text: [UInt8]
    let end: Int

    /// The class of the character at `position` and where the next one begins; `nil` at the end.
    func character(at position: Int) -> (kind: CharacterClass, next: Int)? {
        guard position < end else { return nil }
        let (scalar, length) = text.scalar(at: position)
        return (CharacterClass(scalar), position + length)
    }

    /// The end of the run of characters, at most `limit`, that `belongs` accepts.
    func skip(from start: Int, limit: Int = .max, while belongs: (CharacterClass) -> Bool) -> Int {
        var position = start
        var count = 0
        while count < limit, let (kind, next) = character(at: position), belongs(kind) {
            position = next
            count += 1
        }
        return position
    }

    func forEachWord(from start: Int, _ wordEnd: (WordScanner, Int) -> Int, _ body: (Range<Int>) -> Void) {
        var position = start
        while position < end {
            let next = wordEnd(self, position)
            body(position..<next)
            position = next
        }
    }

    func gpt2Word(at start: Int) -> Int {
        if let contraction = contraction(at: start, anyCase: false) { return contraction }
        // ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`: a run of one class, with a space before it or not.
        let first = text[start] == 0x20 ? start + 1 : start
        if let (kind, next) = character(at: first), !kind.isWhitespace { return skip(from: next) { $0 == kind } }
        return whitespace(from: start)
    }

    func llama3Word(at start: Int, digits: Int) -> Int {
        if let contraction = contraction(at: start, anyCase: true) { return contraction }
        guard let (kind, next) = character(at: start) else { return end }
        switch kind {
        case .letter: return skip(from: next) { $0 == .letter }
        case .number: return skip(from: start, limit: digits) { $0 == .number }
        case .space, .other:
            if case (.letter, let letter)? = character(at: next) { return skip(from: letter) { $0 == .letter } }
        case .newline: break
        }
        let first = text[start] == 0x20 ? start + 1 : start
        if case (.other, let other)? = character(at: first) {
            return skip(from: skip(from: other) { $0 == .other }) { $0 == .newline }
        }
        return whitespaceThroughNewlines(from: start)
    }

    /// `\s*[\r\n]+`, which reaches the last newline of the run; without one, `whitespace`.
    private func whitespaceThroughNewlines(from start: Int) -> Int {
        var position = start
        var afterNewline: Int?
        while let (kind, next) = character(at: position), kind.isWhitespace {
            position = next
            if kind == .newline { afterNewline = next }
        }
        return afterNewline ?? whitespace(from: start)
    }

    /// `\s+(?!\S)|\s+`: the run, without its last character where a word follows and the run has more than one.
    private func whitespace(from start: Int) -> Int {
        var last = start
        var position = start
        while let (kind, next) = character(at: position), kind.isWhitespace {
            last = position
            position = next
        }
        return position < end && last > start ? last : position
    }

    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`.
    private func contraction(at start: Int, anyCase: Bool) -> Int? {
        guard text[start] == UInt8(ascii: "'"), start + 1 < end else { return nil }
        func letter(_ position: Int) -> (letter: UInt8, next: Int)? {
            guard position < end else { return nil }
            let (scalar, length) = text.scalar(at: position)
            // Without case, U+017F (long s) is an s.
            if anyCase, scalar == "\u{17f}" { return (UInt8(ascii: "s"), position + length) }
            guard scalar.isASCII else { return nil }
            let byte = text[position]
            return (anyCase && (0x41...0x5a).contains(byte) ? byte | 0x20 : byte, position + length)
        }
        guard let (first, next) = letter(start + 1) else { return nil }
        switch first {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return next
        case UInt8(ascii: "r"), UInt8(ascii: "v"): return letter(next).flatMap { $0.letter == UInt8(ascii: "e") ? $0.next : nil }
        case UInt8(ascii: "l"): return letter(next).flatMap { $0.letter == UInt8(ascii: "l") ? $0.next : nil }
        default: return nil
        }
    }
}
