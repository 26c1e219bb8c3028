/// Finds tokens that are spelled out in text: `<|im_end|>`, and what a vocabulary's maker defined besides.
struct SpecialTokens: Sendable {
    private let vocabulary: Vocabulary
    private let index: PrefixIndex
    private let swallowsSpace: Set<Token>

    /// - Parameter swallowsSpace: tokens of which text that comes after begins at its first character that is no white space.
    init(_ vocabulary: Vocabulary, _ tables: ReadyTables, swallowsSpace: Set<Token> = []) {
        self.vocabulary = vocabulary
        self.swallowsSpace = swallowsSpace
        index = PrefixIndex(vocabulary.pieces, tables, "specials") { vocabulary.kinds[$0].isControl || vocabulary.kinds[$0] == .userDefined }
    }

    /// The control token that is spelled exactly so.
    func control(_ text: String) -> Token? {
        let text = Array(text.utf8)
        var found: Token?
        index.forEachPrefix(of: text, in: text.indices) { token, length in
            if length == text.count, vocabulary.kinds[token].isControl, found == nil { found = Token(token) }
        }
        return found
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
            // Control tokens steer the model, so they are found only in text that may steer it.
            let controlEnd = control.first.map { $0.contains(position) ? $0.upperBound : 0 } ?? 0
            var found: (token: Token, length: Int)?
            index.forEachPrefix(of: text, in: position..<text.count) { token, length in
                guard !vocabulary.kinds[token].isControl || position + length <= controlEnd, found?.length != length else { return }
                found = (Token(token), length)
            }
            guard let found else {
                position += 1
                continue
            }
            if start < position { plain(start..<position) }
            special(found.token)
            position += found.length
            if swallowsSpace.contains(found.token) {
                while position < text.count, [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d].contains(text[position]) { position += 1 }
            }
            start = position
        }
        if start < position { plain(start..<position) }
    }
}

extension Vocabulary.Kind {
    /// Whether such tokens steer the model and stand for no text.
    fileprivate var isControl: Bool { self == .control || self == .unknown }
}
