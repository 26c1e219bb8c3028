import Glibc

/// Hugging Face's decoders as GGUF's: keys of the metadata, and which tensor becomes which, as ``DecoderFamily`` and
/// ``Architecture`` tell.
struct DecoderImport {
    private let folder: HuggingFaceFolder
    private let family: DecoderFamily
    private let config: DecoderConfig
    private var architecture: Architecture { family.architecture }

    init(_ folder: HuggingFaceFolder, _ family: DecoderFamily) throws {
        (self.folder, self.family) = (folder, family)
        config = try folder.decode(DecoderConfig.self, from: "config.json")
        let counts = [
            config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.num_attention_heads, config.keyValueHeads,
            config.dimension, config.max_position_embeddings, config.vocab_size, config.expertCount ?? 1, config.num_experts_per_tok ?? 1,
            config.moe_intermediate_size ?? 1,
        ]
        if let count = counts.first(where: { !(1...1 << 24).contains($0) }) { throw folder.failure("config.json", "a size in it is \(count)") }
        guard config.dimension % 2 == 0 else { throw folder.failure("config.json", "heads have \(config.dimension) elements, an odd number") }
        let activation = architecture.activation == .silu ? "silu" : "gelu_pytorch_tanh"
        guard config.activation == activation else {
            throw folder.unsupported("its activation function is \(config.activation.quotedForMessage), not \"\(activation)\"")
        }
        guard config.norm_topk_prob ?? true else { throw folder.unsupported("its experts' shares are not made to be 1 together (norm_topk_prob)") }
        if let divisor = config.query_pre_attn_scalar {
            let ours = architecture.attentionDivisor?(config.num_hidden_layers, config.hidden_size, config.num_attention_heads) ?? config.dimension
            guard divisor == Float(ours) else { throw folder.unsupported("its query_pre_attn_scalar is \(divisor), not \(ours)") }
        }
        if let base = architecture.localRotaryBase, let own = config.localRotaryBase, own != base {
            throw folder.unsupported("the rotary base of its local layers is \(own), not \(base)")
        }
    }

    func plan(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        func key(_ name: String) -> String { "\(architecture.name).\(name)" }
        func set(_ name: String, _ value: Int) { writer.set(key(name), .uint32(UInt32(value))) }
        writer.set("general.architecture", .string(architecture.name))
        set("block_count", config.num_hidden_layers)
        set("context_length", config.max_position_embeddings)
        set("embedding_length", config.hidden_size)
        set("feed_forward_length", config.intermediate_size)
        set("attention.head_count", config.num_attention_heads)
        set("attention.head_count_kv", config.keyValueHeads)
        set("attention.key_length", config.dimension)
        set("attention.value_length", config.dimension)
        writer.set(key("attention.layer_norm_rms_epsilon"), .float32(config.rms_norm_eps))
        set("rope.dimension_count", config.turnedElements)
        set("vocab_size", config.vocab_size)
        if family.hasWindow, let window = config.sliding_window { set("attention.sliding_window", window) }
        for (name, cap) in [("attn_logit_softcapping", config.attn_logit_softcapping), ("final_logit_softcapping", config.final_logit_softcapping)] {
            if let cap { writer.set(key(name), .float32(cap)) }
        }
        if family.experts != nil {
            guard let count = config.expertCount, let used = config.num_experts_per_tok else {
                throw folder.failure("config.json", "it does not say how many experts there are and how many of them a token asks")
            }
            set("expert_count", count)
            set("expert_used_count", used)
            if let width = config.moe_intermediate_size { set("expert_feed_forward_length", width) }
        }
        if let pooling = try PoolingImport.typeIfPresent(folder) { writer.set(key("pooling_type"), .uint32(pooling)) }
        try planRotation(&writer, &plan)
        try planTensors(&plan)
        try TokenizerImport.write(folder, rows: config.vocab_size, to: &writer)
    }

    // MARK: Tensors

    private func planTensors(_ plan: inout TensorPlan) throws {
        let (width, rows) = (config.hidden_size, config.vocab_size)
        // Embedding models may be saved without the head's name before everything.
        let root = plan.has("embed_tokens.weight") ? "" : "model."
        if config.tie_word_embeddings ?? family.tiesEmbeddings {
            try plan.outputMatrix("token_embd.weight", from: "\(root)embed_tokens.weight", rows: rows, columns: width)
            plan.ignore("lm_head.weight")
        } else {
            try plan.matrix("token_embd.weight", from: "\(root)embed_tokens.weight", rows: rows, columns: width)
            try plan.outputMatrix("output.weight", from: "lm_head.weight", rows: rows, columns: width)
        }
        let more: Float = family.storesNormsLessOne ? 1 : 0
        try plan.vector("output_norm.weight", from: "\(root)norm.weight", shape: [width], adding: more)
        for layer in 0..<config.num_hidden_layers {
            let (name, source) = ("blk.\(layer)", "\(root)layers.\(layer)")
            var norms = [("input_layernorm", "attn_norm", width), ("post_attention_layernorm", "ffn_norm", width)]
            if architecture.hasNormsBehind {
                norms = [
                    ("input_layernorm", "attn_norm", width), ("post_attention_layernorm", "post_attention_norm", width),
                    ("pre_feedforward_layernorm", "ffn_norm", width), ("post_feedforward_layernorm", "post_ffw_norm", width),
                ]
            }
            if architecture.hasQueryKeyNorms {
                norms += [("self_attn.q_norm", "attn_q_norm", config.dimension), ("self_attn.k_norm", "attn_k_norm", config.dimension)]
            }
            for (theirs, ours, count) in norms {
                try plan.vector("\(name).\(ours).weight", from: "\(source).\(theirs).weight", shape: [count], adding: more)
            }
            try planAttention(name, source, &plan)
            try planFeedForward(name, source, &plan)
        }
    }

    private func planAttention(_ name: String, _ source: String, _ plan: inout TensorPlan) throws {
        let width = config.hidden_size
        let (queries, keys) = (config.num_attention_heads * config.dimension, config.keyValueHeads * config.dimension)
        func linear(_ ours: String, _ theirs: String, _ rows: Int, _ columns: Int, turns: Bool = false) throws {
            let isReordered = turns && architecture.rotaryPairs == .neighbours
            let order = { (row: Int) -> Int in isReordered ? interleaved(row) : row }
            let from = "\(source).self_attn.\(theirs)"
            try plan.matrix("\(name).\(ours).weight", from: "\(from).weight", rows: rows, columns: columns, sourceRow: order)
            if plan.has("\(from).bias") { try plan.vector("\(name).\(ours).bias", from: "\(from).bias", shape: [rows], sourceElement: order) }
        }
        if architecture.joinsProjections {
            try linear("attn_qkv", "qkv_proj", queries + 2 * keys, width)
        } else {
            try linear("attn_q", "q_proj", queries, width, turns: true)
            try linear("attn_k", "k_proj", keys, width, turns: true)
            try linear("attn_v", "v_proj", keys, width)
        }
        try linear("attn_output", "o_proj", width, queries)
        plan.ignore("\(source).self_attn.rotary_emb.inv_freq")
    }

    private func planFeedForward(_ name: String, _ source: String, _ plan: inout TensorPlan) throws {
        let (width, feedForward) = (config.hidden_size, config.intermediate_size)
        if let experts = family.experts, let count = config.expertCount {
            let inner = config.moe_intermediate_size ?? feedForward
            try plan.vector("\(name).ffn_gate_inp.weight", from: "\(source).\(experts.router).weight", shape: [count, width])
            for (ours, theirs, rows, columns) in [
                ("gate", experts.gate, inner, width), ("up", experts.up, inner, width), ("down", experts.down, width, inner),
            ] {
                let sources = (0..<count).map { "\(source).\(experts.experts).\($0).\(theirs).weight" }
                try plan.matrices("\(name).ffn_\(ours)_exps.weight", from: sources, rows: rows, columns: columns)
            }
        } else if architecture.joinsProjections {
            try plan.matrix("\(name).ffn_up.weight", from: "\(source).mlp.gate_up_proj.weight", rows: 2 * feedForward, columns: width)
            try plan.matrix("\(name).ffn_down.weight", from: "\(source).mlp.down_proj.weight", rows: width, columns: feedForward)
        } else {
            try plan.matrix("\(name).ffn_gate.weight", from: "\(source).mlp.gate_proj.weight", rows: feedForward, columns: width)
            try plan.matrix("\(name).ffn_up.weight", from: "\(source).mlp.up_proj.weight", rows: feedForward, columns: width)
            try plan.matrix("\(name).ffn_down.weight", from: "\(source).mlp.down_proj.weight", rows: width, columns: feedForward)
        }
    }

    /// Hugging Face turns element i with element i + dimension / 2 of a head, GGUF's llama turns neighbours:
    /// row 2i of a head is its row i there, row 2i + 1 is row i + dimension / 2.
    private func interleaved(_ row: Int) -> Int {
        let (head, element) = row.quotientAndRemainder(dividingBy: config.dimension)
        return head * config.dimension + element % 2 * (config.dimension / 2) + element / 2
    }

    // MARK: Positions

    private func planRotation(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        func key(_ name: String) -> String { "\(architecture.name).rope.\(name)" }
        let base = config.rotaryBase
        guard base.isFinite, base > 0 else { throw folder.failure("config.json", "rope_theta is \(base)") }
        writer.set(key("freq_base"), .float32(base))
        guard let rotation = config.rotation else { return }
        switch rotation.kind {
        case "default": break
        case "linear":
            guard let factor = rotation.factor, factor > 0 else { throw folder.failure("config.json", "it lacks rope_scaling.factor") }
            writer.set(key("scaling.type"), .string("linear"))
            writer.set(key("scaling.factor"), .float32(factor))
        case "llama3":
            guard let factors = llama3Factors(rotation, base: base) else { throw folder.failure("config.json", "rope_scaling is not complete") }
            plan.vector("rope_freqs.weight", values: factors)
        case "longrope", "su":
            guard let long = rotation.long_factor, let short = rotation.short_factor, long.count == config.turnedElements / 2, short.count == long.count,
                let original = rotation.original_max_position_embeddings ?? config.original_max_position_embeddings, original > 1
            else { throw folder.failure("config.json", "rope_scaling is not complete") }
            let stretch = Float(config.max_position_embeddings) / Float(original)
            writer.set(key("scaling.original_context_length"), .uint32(UInt32(clamping: original)))
            writer.set(key("scaling.attn_factor"), .float32(rotation.attention_factor ?? (stretch > 1 ? (1 + logf(stretch) / logf(Float(original))).squareRoot() : 1)))
            plan.vector("rope_factors_long.weight", values: long)
            plan.vector("rope_factors_short.weight", values: short)
        case let kind: throw folder.unsupported("its rope scaling is \(kind.quotedForMessage), not \"linear\", \"llama3\" or \"longrope\"")
        }
    }

    /// By what the frequency of each pair is divided: long waves by `factor`, short ones by 1, and smoothly between.
    /// Source: `_compute_llama3_parameters` in
    /// https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py
    private func llama3Factors(_ rotation: DecoderConfig.Rotation, base: Float) -> [Float]? {
        guard let factor = rotation.factor, let low = rotation.low_freq_factor, let high = rotation.high_freq_factor,
            let length = rotation.original_max_position_embeddings, factor > 0, low > 0, high > low, length > 0
        else { return nil }
        return stride(from: 0, to: config.turnedElements, by: 2).map { pair in
            let wave = 2 * Float.pi * powf(base, Float(pair) / Float(config.turnedElements))
            if wave < Float(length) / high { return 1 }
            if wave > Float(length) / low { return factor }
            let smooth = (Float(length) / wave - low) / (high - low)
            return 1 / ((1 - smooth) / factor + smooth)
        }
    }
}
