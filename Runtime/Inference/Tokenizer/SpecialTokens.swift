/// Finds tokens that are spelled out in text: `<|im_end|>`, and what a vocabulary's maker defined besides.
struct SpecialTokens: Tabular, Sendable {
    /// By first byte, longest first.
    private let texts: ByteStrings
    private let tokens: Table<Token>
    /// For each token whether it steers the model: such are found only in text that may steer it.
    private let isControl: Table<UInt8>
    /// Where the tokens that begin with each byte end.
    private let ends: Table<UInt32>

    init(_ vocabulary: Vocabulary) {
        var found: [[(text: [UInt8], token: Token, isControl: Bool)]] = Array(repeating: [], count: 256)
        for index in 0..<vocabulary.count {
            let isControl: Bool
            switch vocabulary.kind(of: index) {
            case .control, .unknown: isControl = true
            case .userDefined: isControl = false
            case .normal, .unused, .byte: continue
            }
            let text = Array(vocabulary.pieces[index])
            if let first = text.first { found[Int(first)].append((text, Token(index), isControl)) }
        }
        for first in found.indices { found[first].sort { $0.text.count > $1.text.count } }
        let all = found.joined()
        texts = ByteStrings(all.map(\.text))
        tokens = Table(all.map(\.token))
        isControl = Table(all.map { $0.isControl ? 1 : 0 })
        var end: UInt32 = 0
        ends = Table(
            found.map {
                end += UInt32($0.count)
                return end
            })
    }

    init?(_ stored: StoredTables) {
        guard let texts: ByteStrings = stored.part("texts"), let tokens: Table<Token> = stored.table("tokens"),
            let isControl: Table<UInt8> = stored.table("isControl"), let ends: Table<UInt32> = stored.table("ends"),
            texts.count == tokens.count, isControl.count == tokens.count, ends.count == 256
        else { return nil }
        (self.texts, self.tokens, self.isControl, self.ends) = (texts, tokens, isControl, ends)
    }

    func store(in tables: inout TableList) {
        tables.add("texts", part: texts)
        tables.add("tokens", tokens)
        tables.add("isControl", isControl)
        tables.add("ends", ends)
    }

    private func entries(_ first: UInt8) -> Range<Int> {
        let (start, end) = (first == 0 ? 0 : Int(ends[Int(first) - 1]), Int(ends[Int(first)]))
        return (min(start, end)..<end).clamped(to: tokens.indices)
    }

    /// The control token that is spelled exactly so.
    func control(_ text: String) -> Token? {
        let text = Array(text.utf8)
        guard let first = text.first else { return nil }
        return entries(first).first { isControl[$0] != 0 && texts[$0].elementsEqual(text) }.map { tokens[$0] }
    }

    /// Calls `plain` with the stretches of `text` between special tokens and `special` with those tokens, in order.
    /// At each place the longest token wins.
    func split(_ text: [UInt8], control: Bool, plain: (Range<Int>) -> Void, special: (Token) -> Void) {
        var start = 0
        var position = 0
        while position < text.count {
            let found = entries(text[position]).first { entry in
                (control || isControl[entry] == 0) && text[position...].starts(with: texts[entry])
            }
            guard let found else {
                position += 1
                continue
            }
            if start < position { plain(start..<position) }
            special(tokens[found])
            position += texts[found].count
            start = position
        }
        if start < position { plain(start..<position) }
    }
}
