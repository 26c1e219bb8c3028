/// What tells one family of encoders from the others. All share the shape of bert: x = norm(x + attention(x)), then
/// x = norm(x + feedForward(x)), with LayerNorm; every token sees its whole text. Biases are added wherever a file has them.
struct EncoderArchitecture: Sendable {
    /// `general.architecture` in GGUF.
    let name: String
    /// Whether positions turn queries and keys (rotary embeddings) instead of being added to the tokens.
    var turnsPositions = false
    /// Whether query, key and value are one matrix (`attn_qkv`).
    var joinsProjections = false
    /// Whether the feed-forward is down(silu(gate(x)) · up(x)) and not down(gelu(up(x))).
    var isGated = false

    /// BERT and what was trained from it: MiniLM, BGE, E5, and XLM-RoBERTa's E5-multilingual and BGE-M3.
    static let bert = EncoderArchitecture(name: "bert")
    /// nomic-embed-text 1 and 1.5.
    static let nomicBert = EncoderArchitecture(name: "nomic-bert", turnsPositions: true, joinsProjections: true, isGated: true)

    static let all: [EncoderArchitecture] = [.bert, .nomicBert]

    static func named(_ name: String) -> EncoderArchitecture? { all.first { $0.name == name } }
}
