import Inference

/// A token with its log-probability, as OpenAI's responses have it.
struct ScoredToken {
    struct Candidate {
        /// Its text, or, where it is no whole text, its bytes as `\xe2\x82`.
        let text: String
        let bytes: [UInt8]
        let isText: Bool
        /// `nil` for a prompt's first token, which nothing comes before.
        let logProbability: Float?

        init(_ token: Token, _ logProbability: Float?, _ tokenizer: any Tokenizer) {
            bytes = tokenizer.spelling(of: token)
            let text = String(validating: bytes, as: UTF8.self)
            isText = text != nil
            self.text = text ?? bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            // As OpenAI writes what is next to impossible.
            self.logProbability = logProbability.map { max($0, -9999) }
        }
    }

    let chosen: Candidate
    let top: [Candidate]
    /// Where it begins in the text of its choice, in Unicode characters (scalars).
    let offset: Int
}

/// Finds out where scored tokens are in the text.
struct ScoreReader {
    private let tokenizer: any Tokenizer
    private var offset = 0
    /// Whether a space that the tokenizer puts in front of a text comes next.
    private var dropsSpace: Bool

    /// - Parameter hasPrompt: whether the first tokens are a prompt's.
    init(_ tokenizer: any Tokenizer, hasPrompt: Bool) {
        self.tokenizer = tokenizer
        dropsSpace = hasPrompt && tokenizer.addsSpace
    }

    mutating func read(_ scores: [TokenScore]) -> [ScoredToken] {
        scores.map { score in
            read(.init(score.chosen.token, score.chosen.logProbability, tokenizer), of: score.chosen.token, score.top)
        }
    }

    /// A prompt's tokens: the first has no score.
    mutating func read(prompt first: Token, _ scores: [TokenScore]) -> [ScoredToken] {
        [read(.init(first, nil, tokenizer), of: first, [])] + read(scores)
    }

    private mutating func read(_ chosen: ScoredToken.Candidate, of token: Token, _ top: [TokenScore.Candidate]) -> ScoredToken {
        let top = top.map { ScoredToken.Candidate($0.token, $0.logProbability, tokenizer) }
        defer {
            // Control tokens show nothing.
            var bytes = tokenizer.bytes(of: token)[...]
            if dropsSpace, !bytes.isEmpty {
                dropsSpace = false
                if bytes.first == UInt8(ascii: " ") { bytes.removeFirst() }
            }
            offset += bytes.count { $0 & 0xc0 != 0x80 }
        }
        return ScoredToken(chosen: chosen, top: top, offset: offset)
    }
}

// MARK: On the wire

/// A chat's: `{"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null}`.
struct ChatScores: Encodable {
    let tokens: [ScoredToken]

    private enum CodingKeys: String, CodingKey { case content, refusal }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tokens.map { Item(candidate: $0.chosen, top: $0.top.map { Item(candidate: $0, top: nil) }) }, forKey: .content)
        try container.encodeNil(forKey: .refusal)
    }

    private struct Item: Encodable {
        let candidate: ScoredToken.Candidate
        let top: [Item]?

        private enum CodingKeys: String, CodingKey {
            case token, logprob, bytes
            case top = "top_logprobs"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(candidate.text, forKey: .token)
            try container.encode(candidate.logProbability, forKey: .logprob)
            try container.encode(candidate.bytes, forKey: .bytes)
            try container.encodeIfPresent(top, forKey: .top)
        }
    }
}

/// A completion's: `{"tokens", "token_logprobs", "top_logprobs", "text_offset"}`, lists of one length. The likely tokens always
/// have the chosen one among them.
struct CompletionScores: Encodable {
    let tokens: [ScoredToken]

    private enum CodingKeys: String, CodingKey {
        case tokens
        case logProbabilities = "token_logprobs"
        case top = "top_logprobs"
        case offsets = "text_offset"
    }

    func encode(to encoder: any Encoder) throws {
        func name(_ candidate: ScoredToken.Candidate) -> String { candidate.isText ? candidate.text : "bytes:" + candidate.text }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(tokens.map { name($0.chosen) }, forKey: .tokens)
        try container.encode(tokens.map(\.chosen.logProbability), forKey: .logProbabilities)
        let tops = tokens.map { token -> [String: Float]? in
            guard let own = token.chosen.logProbability else { return nil }
            let all = token.top.map { (name($0), $0.logProbability ?? own) } + [(name(token.chosen), own)]
            return Dictionary(all) { first, _ in first }
        }
        try container.encode(tops, forKey: .top)
        try container.encode(tokens.map(\.offset), forKey: .offsets)
    }
}
