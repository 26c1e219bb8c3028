import Glibc

/// Hugging Face's `LlamaForCausalLM` (Llama 3, SmolLM and others) as GGUF's architecture `llama`.
struct LlamaImport {
    private struct Config: Decodable {
        let hidden_size, intermediate_size, num_hidden_layers, num_attention_heads: Int
        let num_key_value_heads, head_dim: Int?
        let max_position_embeddings, vocab_size: Int
        let rms_norm_eps: Float
        let hidden_act: String
        let rope_theta: Float?
        let rope_scaling, rope_parameters: Rotation?
        let tie_word_embeddings, attention_bias, mlp_bias: Bool?
    }

    /// Older files keep the base outside and name the kind `type`.
    private struct Rotation: Decodable {
        let rope_type, type: String?
        let rope_theta, factor, low_freq_factor, high_freq_factor: Float?
        let original_max_position_embeddings: Int?
    }

    private let folder: HuggingFaceFolder
    private let config: Config
    private let keyValueHeads: Int
    /// Elements of one head.
    private let dimension: Int

    init(_ folder: HuggingFaceFolder) throws {
        self.folder = folder
        config = try folder.decode(Config.self, from: "config.json")
        keyValueHeads = config.num_key_value_heads ?? config.num_attention_heads
        dimension = config.head_dim ?? config.hidden_size / max(1, config.num_attention_heads)
        for count in [
            config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.num_attention_heads, keyValueHeads,
            dimension, config.max_position_embeddings, config.vocab_size,
        ] where !(1...1 << 24).contains(count) {
            throw folder.failure("config.json", "a size in it is \(count)")
        }
        guard dimension % 2 == 0 else { throw folder.failure("config.json", "heads have \(dimension) elements, an odd number") }
        guard config.hidden_act == "silu" else {
            throw folder.unsupported("its activation function is \(config.hidden_act.quotedForMessage), not \"silu\"")
        }
        guard config.attention_bias != true, config.mlp_bias != true else { throw folder.unsupported("its linear layers have biases") }
    }

    func plan(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        writer.set("general.architecture", .string("llama"))
        writer.set("llama.block_count", .uint32(UInt32(config.num_hidden_layers)))
        writer.set("llama.context_length", .uint32(UInt32(config.max_position_embeddings)))
        writer.set("llama.embedding_length", .uint32(UInt32(config.hidden_size)))
        writer.set("llama.feed_forward_length", .uint32(UInt32(config.intermediate_size)))
        writer.set("llama.attention.head_count", .uint32(UInt32(config.num_attention_heads)))
        writer.set("llama.attention.head_count_kv", .uint32(UInt32(keyValueHeads)))
        writer.set("llama.attention.key_length", .uint32(UInt32(dimension)))
        writer.set("llama.attention.value_length", .uint32(UInt32(dimension)))
        writer.set("llama.attention.layer_norm_rms_epsilon", .float32(config.rms_norm_eps))
        writer.set("llama.rope.dimension_count", .uint32(UInt32(dimension)))
        writer.set("llama.vocab_size", .uint32(UInt32(config.vocab_size)))
        try planRotation(&writer, &plan)

        let (width, feedForward) = (config.hidden_size, config.intermediate_size)
        let (queries, keys) = (config.num_attention_heads * dimension, keyValueHeads * dimension)
        let embedding = "model.embed_tokens.weight"
        if config.tie_word_embeddings == true {
            try plan.outputMatrix("token_embd.weight", from: embedding, rows: config.vocab_size, columns: width)
            plan.ignore("lm_head.weight")
        } else {
            try plan.matrix("token_embd.weight", from: embedding, rows: config.vocab_size, columns: width)
            try plan.outputMatrix("output.weight", from: "lm_head.weight", rows: config.vocab_size, columns: width)
        }
        try plan.vector("output_norm.weight", from: "model.norm.weight", shape: [width])
        for layer in 0..<config.num_hidden_layers {
            let (name, source) = ("blk.\(layer)", "model.layers.\(layer)")
            try plan.vector("\(name).attn_norm.weight", from: "\(source).input_layernorm.weight", shape: [width])
            try plan.matrix("\(name).attn_q.weight", from: "\(source).self_attn.q_proj.weight", rows: queries, columns: width, sourceRow: interleaved)
            try plan.matrix("\(name).attn_k.weight", from: "\(source).self_attn.k_proj.weight", rows: keys, columns: width, sourceRow: interleaved)
            try plan.matrix("\(name).attn_v.weight", from: "\(source).self_attn.v_proj.weight", rows: keys, columns: width)
            try plan.matrix("\(name).attn_output.weight", from: "\(source).self_attn.o_proj.weight", rows: width, columns: queries)
            try plan.vector("\(name).ffn_norm.weight", from: "\(source).post_attention_layernorm.weight", shape: [width])
            try plan.matrix("\(name).ffn_gate.weight", from: "\(source).mlp.gate_proj.weight", rows: feedForward, columns: width)
            try plan.matrix("\(name).ffn_up.weight", from: "\(source).mlp.up_proj.weight", rows: feedForward, columns: width)
            try plan.matrix("\(name).ffn_down.weight", from: "\(source).mlp.down_proj.weight", rows: width, columns: feedForward)
            plan.ignore("\(source).self_attn.rotary_emb.inv_freq")
        }
        try ByteLevelImport(folder, rows: config.vocab_size).write(&writer)
    }

    /// Hugging Face turns element i with element i + dimension / 2 of a head, GGUF's llama turns neighbours:
    /// row 2i of a head is its row i there, row 2i + 1 is row i + dimension / 2.
    private func interleaved(_ row: Int) -> Int {
        let (head, element) = row.quotientAndRemainder(dividingBy: dimension)
        return head * dimension + element % 2 * (dimension / 2) + element / 2
    }

    private func planRotation(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        let rotation = config.rope_parameters ?? config.rope_scaling
        let base = config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000
        guard base.isFinite, base > 0 else { throw folder.failure("config.json", "rope_theta is \(base)") }
        writer.set("llama.rope.freq_base", .float32(base))
        switch rotation?.rope_type ?? rotation?.type ?? "default" {
        case "default": break
        case "linear":
            guard let factor = rotation?.factor, factor > 0 else { throw folder.failure("config.json", "it lacks rope_scaling.factor") }
            writer.set("llama.rope.scaling.type", .string("linear"))
            writer.set("llama.rope.scaling.factor", .float32(factor))
        case "llama3":
            guard let rotation, let factors = llama3Factors(rotation, base: base) else {
                throw folder.failure("config.json", "rope_scaling is not complete")
            }
            plan.vector("rope_freqs.weight", values: factors)
        case let kind: throw folder.unsupported("its rope scaling is \(kind.quotedForMessage), not \"linear\" or \"llama3\"")
        }
    }

    /// By what the frequency of each pair is divided: long waves by `factor`, short ones by 1, and smoothly between.
    /// Source: `_compute_llama3_parameters` in
    /// https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py
    private func llama3Factors(_ rotation: Rotation, base: Float) -> [Float]? {
        guard let factor = rotation.factor, let low = rotation.low_freq_factor, let high = rotation.high_freq_factor,
            let length = rotation.original_max_position_embeddings, factor > 0, low > 0, high > low, length > 0
        else { return nil }
        return stride(from: 0, to: dimension, by: 2).map { pair in
            let wave = 2 * Float.pi * powf(base, Float(pair) / Float(dimension))
            if wave < Float(length) / high { return 1 }
            if wave > Float(length) / low { return factor }
            let smooth = (Float(length) / wave - low) / (high - low)
            return 1 / ((1 - smooth) / factor + smooth)
        }
    }
}
