/// What tells one family of decoders from the others. Each family is one value of this, in a file of its own here.
///
/// All share the shape of llama: x += attention(norm(x)), then x += feedForward(norm(x)), with RMSNorm, rotary position embeddings
/// and key-value heads shared by groups of query heads. Biases are added wherever a file has them.
struct Architecture: Sendable {
    enum RotaryPairs: Sendable {
        /// Elements 2i and 2i + 1 of a head turn together.
        case neighbours
        /// Elements i and i + n/2 of the n that turn.
        case halves
    }

    enum Activation: Sendable {
        case silu
        /// With the hyperbolic tangent's approximation.
        case gelu
    }

    /// `general.architecture` in GGUF.
    let name: String
    var rotaryPairs = RotaryPairs.halves
    var activation = Activation.silu
    /// Whether queries and keys are normalized head by head (`attn_q_norm`, `attn_k_norm`).
    var hasQueryKeyNorms = false
    /// Whether what attention and feed-forward give is normalized before it is added (`post_attention_norm`, `post_ffw_norm`).
    var hasNormsBehind = false
    /// Whether query, key and value are one matrix (`attn_qkv`), and gate and up another (`ffn_up`).
    var joinsProjections = false
    /// Whether a token's embedding is multiplied by the square root of its width.
    var scalesEmbedding = false
    /// The divisor of attention's scores; the head's dimension if `nil`.
    var attentionDivisor: (@Sendable (_ layers: Int, _ width: Int, _ heads: Int) -> Int?)?
    /// Which layers look at `attention.sliding_window` tokens only, where the file has that.
    var isLocal: @Sendable (_ layer: Int) -> Bool = { _ in true }
    /// The base of rotary embeddings in those layers, which are then not scaled either.
    var localRotaryBase: Float?
    /// Whether a file of the family may have experts (`ffn_gate_inp` and what it chooses from).
    var hasExperts = false

    static let all: [Architecture] = [.llama, .qwen2, .qwen3, .qwen3moe, .gemma2, .gemma3, .phi3]

    static func named(_ name: String) -> Architecture? { all.first { $0.name == name } }
}
