/// Hugging Face's `BertModel` (MiniLM, BGE, E5 and others) and `XLMRobertaModel` (E5-multilingual, BGE-M3) as GGUF's architecture `bert`.
struct BertImport {
    private struct Config: Decodable {
        let hidden_size, intermediate_size, num_hidden_layers, num_attention_heads: Int
        let max_position_embeddings, vocab_size, type_vocab_size: Int
        let layer_norm_eps: Float
        let hidden_act: String
        let position_embedding_type: String?
        let pad_token_id: Int?
    }

    private let folder: HuggingFaceFolder
    private let config: Config
    private let isRoberta: Bool
    /// RoBERTa numbers positions from the padding's number on, which is not used; GGUF's files begin with the first that is.
    private let firstPosition: Int

    init(_ folder: HuggingFaceFolder, isRoberta: Bool) throws {
        (self.folder, self.isRoberta) = (folder, isRoberta)
        config = try folder.decode(Config.self, from: "config.json")
        for count in [
            config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.num_attention_heads,
            config.max_position_embeddings, config.vocab_size, config.type_vocab_size,
        ] where !(1...1 << 24).contains(count) {
            throw folder.failure("config.json", "a size in it is \(count)")
        }
        firstPosition = isRoberta ? (config.pad_token_id ?? 1) &+ 1 : 0
        guard (0..<config.max_position_embeddings).contains(firstPosition) else {
            throw folder.failure("config.json", "pad_token_id is \(firstPosition &- 1)")
        }
        guard config.hidden_act == "gelu" else {
            throw folder.unsupported("its activation function is \(config.hidden_act.quotedForMessage), not \"gelu\"")
        }
        guard config.position_embedding_type ?? "absolute" == "absolute" else { throw folder.unsupported("its positions are not absolute") }
    }

    func plan(_ writer: inout GGUFWriter, _ plan: inout TensorPlan) throws {
        writer.set("general.architecture", .string("bert"))
        writer.set("bert.block_count", .uint32(UInt32(config.num_hidden_layers)))
        writer.set("bert.context_length", .uint32(UInt32(config.max_position_embeddings - firstPosition)))
        writer.set("bert.embedding_length", .uint32(UInt32(config.hidden_size)))
        writer.set("bert.feed_forward_length", .uint32(UInt32(config.intermediate_size)))
        writer.set("bert.attention.head_count", .uint32(UInt32(config.num_attention_heads)))
        writer.set("bert.attention.layer_norm_epsilon", .float32(config.layer_norm_eps))
        writer.set("bert.attention.causal", .bool(false))
        writer.set("bert.pooling_type", .uint32(try PoolingImport.typeIfPresent(folder) ?? 1))

        let width = config.hidden_size
        func norm(_ name: String, _ source: String) throws {
            try plan.vector("\(name).weight", from: "\(source).weight", shape: [width])
            try plan.vector("\(name).bias", from: "\(source).bias", shape: [width])
        }
        func linear(_ name: String, _ source: String, _ rows: Int, _ columns: Int) throws {
            try plan.matrix("\(name).weight", from: "\(source).weight", rows: rows, columns: columns)
            try plan.vector("\(name).bias", from: "\(source).bias", shape: [rows])
        }
        try plan.matrix("token_embd.weight", from: "embeddings.word_embeddings.weight", rows: config.vocab_size, columns: width)
        try plan.vector(
            "position_embd.weight", from: "embeddings.position_embeddings.weight", shape: [config.max_position_embeddings, width],
            firstRow: firstPosition)
        try plan.vector("token_types.weight", from: "embeddings.token_type_embeddings.weight", shape: [config.type_vocab_size, width])
        try norm("token_embd_norm", "embeddings.LayerNorm")
        for layer in 0..<config.num_hidden_layers {
            let (name, source) = ("blk.\(layer)", "encoder.layer.\(layer)")
            try linear("\(name).attn_q", "\(source).attention.self.query", width, width)
            try linear("\(name).attn_k", "\(source).attention.self.key", width, width)
            try linear("\(name).attn_v", "\(source).attention.self.value", width, width)
            try linear("\(name).attn_output", "\(source).attention.output.dense", width, width)
            try norm("\(name).attn_output_norm", "\(source).attention.output.LayerNorm")
            try linear("\(name).ffn_up", "\(source).intermediate.dense", config.intermediate_size, width)
            try linear("\(name).ffn_down", "\(source).output.dense", width, config.intermediate_size)
            try norm("\(name).layer_output_norm", "\(source).output.LayerNorm")
        }
        // The pooler is for BERT's training task; embeddings are made from the last layer.
        for source in ["pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids"] { plan.ignore(source) }
        writer.set("tokenizer.ggml.token_type_count", .uint32(UInt32(config.type_vocab_size)))
        if try isRoberta || folder.decodeIfPresent(TokenizerFile.self, from: "tokenizer.json")?.model.type == "Unigram" {
            try TokenizerImport.write(folder, rows: config.vocab_size, to: &writer)
        } else {
            try WordPieceImport(folder, rows: config.vocab_size).write(&writer)
        }
    }
}
