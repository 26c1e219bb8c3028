/// The parts of a decoder's `config.json` that its file in GGUF needs.
struct DecoderConfig: Decodable {
    let hidden_size, intermediate_size, num_hidden_layers, num_attention_heads: Int
    let num_key_value_heads, head_dim: Int?
    let max_position_embeddings, vocab_size: Int
    let rms_norm_eps: Float
    let hidden_act, hidden_activation: String?
    let tie_word_embeddings: Bool?
    let sliding_window: Int?
    let attn_logit_softcapping, final_logit_softcapping: Float?
    let query_pre_attn_scalar: Float?
    let num_local_experts, num_experts, num_experts_per_tok, moe_intermediate_size: Int?
    let norm_topk_prob: Bool?
    let partial_rotary_factor: Float?
    let original_max_position_embeddings: Int?
    private let rope_theta, rope_local_base_freq: Float?
    private let rope_scaling: Rotation?
    private let rope_parameters: Rotations?

    /// Older files name the kind `type`, and keep the base outside.
    struct Rotation: Decodable {
        let rope_type, type: String?
        let rope_theta, factor, low_freq_factor, high_freq_factor, attention_factor, partial_rotary_factor: Float?
        let original_max_position_embeddings: Int?
        let long_factor, short_factor: [Float]?

        var kind: String { rope_type ?? type ?? "default" }
    }

    /// One for all layers, or one for each kind of them.
    private struct Rotations: Decodable {
        let full: Rotation
        let local: Rotation?

        private struct Kinds: Decodable { let full_attention, sliding_attention: Rotation? }

        init(from decoder: any Swift.Decoder) throws {
            let container = try decoder.singleValueContainer()
            let kinds = try? container.decode(Kinds.self)
            full = try kinds?.full_attention ?? container.decode(Rotation.self)
            local = kinds?.sliding_attention
        }
    }

    var keyValueHeads: Int { num_key_value_heads ?? num_attention_heads }
    /// Elements of one head.
    var dimension: Int { head_dim ?? hidden_size / max(1, num_attention_heads) }
    var activation: String { hidden_activation ?? hidden_act ?? "none" }
    var expertCount: Int? { num_local_experts ?? num_experts }
    /// How positions turn in the layers that see everything.
    var rotation: Rotation? { rope_parameters?.full ?? rope_scaling }
    var rotaryBase: Float { rope_parameters?.full.rope_theta ?? rope_theta ?? 10_000 }
    var localRotaryBase: Float? { rope_parameters?.local?.rope_theta ?? rope_local_base_freq }
    /// How many of a head's elements turn.
    var turnedElements: Int { Int(Float(dimension) * (rotation?.partial_rotary_factor ?? partial_rotary_factor ?? 1)) }
}
