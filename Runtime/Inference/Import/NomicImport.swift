/// nomic-embed-text 1 and 1.5 as GGUF's architecture `nomic-bert`. Files name their sizes as GPT-2 does, newer ones as BERT.
struct NomicImport {
    private struct Config: Decodable {
        let n_embd, hidden_size, n_inner, intermediate_size, n_layer, num_hidden_layers, n_head, num_attention_heads: Int?
        let n_positions, max_position_embeddings: Int?
        let vocab_size: Int
        let type_vocab_size: Int?
        let layer_norm_epsilon, layer_norm_eps, rotary_emb_base, rotary_emb_fraction: Float?
        let activation_function, hidden_act: String?
        let prenorm: Bool?
        let rope_parameters: Rotation?

        struct Rotation: Decodable { let rope_theta: Float? }
    }

    private let folder: HuggingFaceFolder
    private let config: Config
    private let width, feedForward, layers, heads, positions, types: Int
    private let epsilon: Float

    init(_ folder: HuggingFaceFolder) throws {
        self.folder = folder
        let config = try folder.decode(Config.self, from: "config.json")
        func size(_ name: String, _ value: Int?) throws -> Int {
            guard let value else { throw folder.failure("config.json", "it lacks \(name)") }
            guard (1...1 << 24).contains(value) else { throw folder.failure("config.json", "a size in it is \(value)") }
            return value
        }
        width = try size("n_embd", config.n_embd ?? config.hidden_size)
        feedForward = try size("n_inner", config.n_inner ?? config.intermediate_size)
        layers = try size("n_layer", config.n_layer ?? config.num_hidden_layers)
        heads = try size("n_head", config.n_head ?? config.num_attention_heads)
        positions = try size("n_positions", config.n_positions ?? config.max_position_embeddings)
        types = try size("type_vocab_size", config.type_vocab_size ?? 2)
        _ = try size("vocab_size", config.vocab_size)
        epsilon = config.layer_norm_epsilon ?? config.layer_norm_eps ?? 1e-12
        let activation = config.activation_function ?? config.hidden_act ?? "none"
        guard ["swiglu", "silu"].contains(activation) else {
            throw folder.unsupported("its activation function is \(activation.quotedForMessage), not \"swiglu\"")
        }
        guard config.prenorm != true, config.rotary_emb_fraction ?? 1 == 1 else {
            throw folder.unsupported("its norms come first, or positions turn a part of each head only")
        }
        self.config = config
    }

    func plan(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        func set(_ name: String, _ value: Int) { writer.set("nomic-bert.\(name)", .uint32(UInt32(value))) }
        writer.set("general.architecture", .string("nomic-bert"))
        set("block_count", layers)
        set("context_length", positions)
        set("embedding_length", width)
        set("feed_forward_length", feedForward)
        set("attention.head_count", heads)
        writer.set("nomic-bert.attention.layer_norm_epsilon", .float32(epsilon))
        writer.set("nomic-bert.attention.causal", .bool(false))
        writer.set("nomic-bert.pooling_type", .uint32(try PoolingImport.typeIfPresent(folder) ?? 1))
        writer.set("nomic-bert.rope.freq_base", .float32(config.rope_parameters?.rope_theta ?? config.rotary_emb_base ?? 1000))

        func norm(_ name: String, _ source: String) throws {
            for part in ["weight", "bias"] { try plan.vector("\(name).\(part)", from: "\(source).\(part)", shape: [width]) }
        }
        func linear(_ name: String, _ source: String, _ rows: Int, _ columns: Int) throws {
            try plan.matrix("\(name).weight", from: "\(source).weight", rows: rows, columns: columns)
            if plan.has("\(source).bias") { try plan.vector("\(name).bias", from: "\(source).bias", shape: [rows]) }
        }
        try plan.matrix("token_embd.weight", from: "embeddings.word_embeddings.weight", rows: config.vocab_size, columns: width)
        try plan.vector("token_types.weight", from: "embeddings.token_type_embeddings.weight", shape: [types, width])
        try norm("token_embd_norm", "emb_ln")
        for layer in 0..<layers {
            let (name, source) = ("blk.\(layer)", "encoder.layers.\(layer)")
            try linear("\(name).attn_qkv", "\(source).attn.Wqkv", 3 * width, width)
            try linear("\(name).attn_output", "\(source).attn.out_proj", width, width)
            try norm("\(name).attn_output_norm", "\(source).norm1")
            try linear("\(name).ffn_up", "\(source).mlp.fc11", feedForward, width)
            try linear("\(name).ffn_gate", "\(source).mlp.fc12", feedForward, width)
            try linear("\(name).ffn_down", "\(source).mlp.fc2", width, feedForward)
            try norm("\(name).layer_output_norm", "\(source).norm2")
        }
        writer.set("tokenizer.ggml.token_type_count", .uint32(UInt32(types)))
        try WordPieceImport(folder, rows: config.vocab_size).write(&writer)
    }
}
