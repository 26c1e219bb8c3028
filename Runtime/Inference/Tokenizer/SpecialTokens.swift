/// Finds tokens that are spelled out in text: `<|im_end|>`, and what a vocabulary's maker defined besides.
struct SpecialTokens: Sendable {
    private struct Entry: Sendable {
        let text: [UInt8]
        let token: Token
        /// Control tokens steer the model, so they are found only in text that may steer it.
        let isControl: Bool
    }

    /// By first byte, longest first.
    private var entries = [[Entry]](repeating: [], count: 256)

    init(_ vocabulary: Vocabulary) {
        for index in 0..<vocabulary.count {
            let text = Array(vocabulary.pieces[index])
            guard let first = text.first else { continue }
            switch vocabulary.kinds[index] {
            case .control, .unknown: entries[Int(first)].append(Entry(text: text, token: Token(index), isControl: true))
            case .userDefined: entries[Int(first)].append(Entry(text: text, token: Token(index), isControl: false))
            case .normal, .unused, .byte: break
            }
        }
        for first in entries.indices { entries[first].sort { $0.text.count > $1.text.count } }
    }

    /// The control token that is spelled exactly so.
    func control(_ text: String) -> Token? {
        let text = Array(text.utf8)
        guard let first = text.first else { return nil }
        return entries[Int(first)].first { $0.isControl && $0.text == text }?.token
    }

    /// Calls `plain` with the stretches of `text` between special tokens and `special` with those tokens, in order.
    /// At each place the longest token wins.
    /// - Parameter control: where control tokens are found: ascending ranges that do not touch.
    func split(_ text: [UInt8], control: [Range<Int>], plain: (Range<Int>) -> Void, special: (Token) -> Void) {
        var start = 0
        var position = 0
        var control = control[...]
        while position < text.count {
            while let first = control.first, first.upperBound <= position { control.removeFirst() }
            let controlEnd = control.first.map { $0.contains(position) ? $0.upperBound : 0 } ?? 0
            let found = entries[Int(text[position])].first { entry in
                (!entry.isControl || position + entry.text.count <= controlEnd) && text[position...].starts(with: entry.text)
            }
            guard let found else {
                position += 1
                continue
            }
            if start < position { plain(start..<position) }
            special(found.token)
            position += found.text.count
            start = position
        }
        if start < position { plain(start..<position) }
    }
}
