/// How Hugging Face's models of one class become files of one of our architectures; what the architecture says itself, such as
/// which projections are joined, is not repeated here.
struct DecoderFamily: Sendable {
    /// Where a layer keeps its router and its experts.
    struct ExpertNames: Sendable {
        let router, experts, gate, up, down: String
    }

    /// In `architectures` of config.json.
    let className: String
    let architecture: Architecture
    /// Whether a norm's weight is stored less one.
    var storesNormsLessOne = false
    /// What `tie_word_embeddings` is where config.json does not say.
    var tiesEmbeddings = false
    /// Whether `sliding_window` belongs into the file: others have it in config.json and do not use it.
    var hasWindow = false
    var experts: ExpertNames?

    static let all = [
        DecoderFamily(className: "LlamaForCausalLM", architecture: .llama),
        DecoderFamily(className: "MistralForCausalLM", architecture: .llama),
        DecoderFamily(
            className: "MixtralForCausalLM", architecture: .llama,
            experts: ExpertNames(router: "block_sparse_moe.gate", experts: "block_sparse_moe.experts", gate: "w1", up: "w3", down: "w2")),
        DecoderFamily(className: "Qwen2ForCausalLM", architecture: .qwen2),
        DecoderFamily(className: "Qwen3ForCausalLM", architecture: .qwen3),
        DecoderFamily(
            className: "Qwen3MoeForCausalLM", architecture: .qwen3moe,
            experts: ExpertNames(router: "mlp.gate", experts: "mlp.experts", gate: "gate_proj", up: "up_proj", down: "down_proj")),
        DecoderFamily(className: "Gemma2ForCausalLM", architecture: .gemma2, storesNormsLessOne: true, tiesEmbeddings: true, hasWindow: true),
        DecoderFamily(className: "Gemma3ForCausalLM", architecture: .gemma3, storesNormsLessOne: true, tiesEmbeddings: true, hasWindow: true),
        DecoderFamily(className: "Phi3ForCausalLM", architecture: .phi3, hasWindow: true),
    ]
}
