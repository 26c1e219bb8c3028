"""Writes Fixtures/architectures/*.gguf, a very small random model for each architecture, and decoders.json and encoders.json: what
transformers computes with the same weights, in 64-bit floats; and Fixtures/Import/{decoders,encoders}/*, the same models as transformers saves them.

    pip install gguf tokenizers transformers torch numpy
    python make_architecture_fixtures.py [NAME ...]

Names, order and values are those that llama.cpp's convert_hf_to_gguf.py gives a downloaded model of the family.
"""
import json, math, os, sys

import gguf
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM

from make_model_fixtures import BERT_TOKENS, add_byte_pair_tokenizer, add_word_pieces, byte_pair_tokenizer, close, interleaved, randomize, rounded

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
FOLDER = os.path.join(FIXTURES, "architectures")
TEXT = "The quick fox and a naïve kite: 30 days 日本 🦊!"
WIDTH, FEED_FORWARD, HEADS, KEY_VALUE_HEADS, HEAD, CONTEXT = 32, 48, 4, 2, 12, 128
COMMON = dict(
    hidden_size=WIDTH, intermediate_size=FEED_FORWARD, num_attention_heads=HEADS, num_key_value_heads=KEY_VALUE_HEADS,
    max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=2, pad_token_id=0)
PLAIN = {"rope_type": "default", "rope_theta": 10000.0}


class File:
    """A GGUF file in the making, and the names of its tensors in the model that it is made from."""

    def __init__(self, name, architecture, config, layers, tokenizer, head=HEAD):
        self.writer = gguf.GGUFWriter(f"{FOLDER}/{name}.gguf", architecture)
        w = self.writer
        w.add_name(name); w.add_context_length(CONTEXT); w.add_embedding_length(config.hidden_size); w.add_block_count(layers)
        w.add_feed_forward_length(config.intermediate_size); w.add_head_count(config.num_attention_heads)
        if head:
            w.add_head_count_kv(config.num_key_value_heads); w.add_key_length(head); w.add_value_length(head); w.add_layer_norm_rms_eps(config.rms_norm_eps)
            w.add_rope_dimension_count(head)
        add_byte_pair_tokenizer(w, tokenizer)

    def put(self, name, tensor):
        self.writer.add_tensor(name, tensor.detach().numpy().astype(np.float32))


def write_decoder(name, architecture, config, tokenizer, *, layers, head=HEAD, gemma=False, rows=lambda weight, heads: weight, more=lambda file, config: None, seed=1):
    """A random model, written to a file."""
    config.num_hidden_layers = layers
    config.vocab_size = tokenizer.get_vocab_size()
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config).eval()
    randomize(model, seed, 0.2)
    if gemma:  # these keep their norms' weights less one, and multiply embeddings
        with torch.no_grad():
            model.model.embed_tokens.weight.mul_(0.5)
            for key, parameter in model.named_parameters():
                if "norm" in key:
                    parameter.sub_(1)
    saved = f"{FIXTURES}/Import/decoders/{name}"
    model.save_pretrained(saved)
    os.remove(f"{saved}/generation_config.json")
    file = File(name, architecture, config, layers, tokenizer, head)
    file.writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"] if "full_attention" in config.rope_parameters else config.rope_parameters["rope_theta"])
    more(file, config)
    one = 1 if gemma else 0
    state = {key: value for key, value in model.state_dict().items()}
    used = set()

    def take(key):
        used.add(key)
        return state[key]

    file.put("token_embd.weight", take("model.embed_tokens.weight"))
    file.put("output_norm.weight", take("model.norm.weight") + one)
    if not config.tie_word_embeddings:
        file.put("output.weight", take("lm_head.weight"))
    used.add("lm_head.weight")
    norms = {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm" if gemma else "ffn_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm",
             "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}
    plain = {"self_attn.o_proj": "attn_output", "self_attn.v_proj": "attn_v", "self_attn.qkv_proj": "attn_qkv", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "mlp.gate_up_proj": "ffn_up", "mlp.gate": "ffn_gate_inp"}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        for key in [k for k in state if k.startswith(prefix)]:
            part, kind = key[len(prefix):].rsplit(".", 1)
            at = f"blk.{layer}."
            if part in norms:
                file.put(f"{at}{norms[part]}.weight", take(key) + one)
            elif part in ("self_attn.q_proj", "self_attn.k_proj"):
                query = part.endswith("q_proj")
                file.put(f"{at}attn_{'q' if query else 'k'}.{kind}", rows(take(key), HEADS if query else KEY_VALUE_HEADS))
            elif part in plain:
                file.put(f"{at}{plain[part]}.{kind}", take(key))
            elif part == "mlp.experts" and kind == "gate_up_proj":
                gate, up = take(key).chunk(2, dim=1)
                file.put(f"{at}ffn_gate_exps.weight", gate)
                file.put(f"{at}ffn_up_exps.weight", up)
            elif part == "mlp.experts" and kind == "down_proj":
                file.put(f"{at}ffn_down_exps.weight", take(key))
    left = set(state) - used
    assert not left, left
    close(file.writer)
    return model.double()


def decoder(name, architecture, config, tokenizer, seed=1, **options):
    model = write_decoder(name, architecture, config, tokenizer, seed=seed, **options)
    prompt = tokenizer.encode(TEXT).ids
    with torch.no_grad():
        chances = torch.log_softmax(model(torch.tensor([prompt])).logits[0].double(), -1)
        ids = list(prompt)
        for _ in range(32):
            last = model(torch.tensor([ids])).logits[0, -1]
            best = torch.topk(last, 2)
            # Greedy decoding must never be close to a tie, so that rounding can't decide it.
            if float(best.values[0] - best.values[1]) < 0.004:
                return decoder(name, architecture, config, tokenizer, seed=seed + 1, **options)
            ids.append(int(best.indices[0]))
    greedy = ids[len(prompt):]
    if len(set(greedy)) < 4:
        return decoder(name, architecture, config, tokenizer, seed=seed + 1, **options)
    return {"model": f"{name}.gguf", "prompt": prompt, "logProbabilities": rounded(chances[i, t] for i, t in enumerate(prompt[1:])), "last": rounded(chances[-1]), "greedy": greedy}


def texts(vocabulary, first):
    numbers = np.random.default_rng(7)
    return [numbers.integers(first, vocabulary, length).tolist() for length in (1, 5, 16, 17, 40, 70)]


def embedder(name, architecture, config, tokenizer, pooling):
    def more(file, config):
        file.writer.add_pooling_type(pooling)
    model = write_decoder(name, architecture, config, tokenizer, layers=2, more=more)
    os.makedirs(f"{FIXTURES}/Import/decoders/{name}/1_Pooling", exist_ok=True)
    with open(f"{FIXTURES}/Import/decoders/{name}/1_Pooling/config.json", "w") as file:
        json.dump({"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, file)
    inputs = texts(config.vocab_size, 3)
    with torch.no_grad():
        vectors = [model.model(torch.tensor([ids])).last_hidden_state[0, -1] for ids in inputs]
    return {"model": f"{name}.gguf", "inputs": inputs, "embeddings": [rounded(vector / vector.norm()) for vector in vectors]}


def nomic(name):
    layers = 2
    config = transformers.NomicBertConfig(
        vocab_size=BERT_TOKENS, hidden_size=WIDTH, num_hidden_layers=layers, num_attention_heads=HEADS, intermediate_size=FEED_FORWARD, max_position_embeddings=CONTEXT,
        attn_implementation="eager")
    model = transformers.NomicBertModel(config, add_pooling_layer=False).eval()
    randomize(model, 3, 0.15)
    model.save_pretrained(f"{FIXTURES}/Import/encoders/{name}")
    writer = gguf.GGUFWriter(f"{FOLDER}/{name}.gguf", "nomic-bert")
    writer.add_name(name); writer.add_block_count(layers); writer.add_context_length(CONTEXT); writer.add_embedding_length(WIDTH); writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS); writer.add_layer_norm_eps(1e-12); writer.add_causal_attention(False); writer.add_pooling_type(gguf.PoolingType.MEAN); writer.add_rope_freq_base(1000.0)
    add_word_pieces(writer)
    state = model.state_dict()
    put = lambda name, tensor: writer.add_tensor(name, tensor.detach().numpy().astype(np.float32))
    put("token_embd.weight", state["embeddings.word_embeddings.weight"]); put("token_types.weight", state["embeddings.token_type_embeddings.weight"])
    for part in ("weight", "bias"):
        put(f"token_embd_norm.{part}", state[f"embeddings.LayerNorm.{part}"])
    for layer in range(layers):
        at, of = f"blk.{layer}.", f"layers.{layer}."
        put(at + "attn_qkv.weight", torch.cat([state[f"{of}self_attn.{x}_proj.weight"] for x in "qkv"]))
        for ours, theirs in (("attn_output", "self_attn.o_proj"), ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj")):
            put(f"{at}{ours}.weight", state[f"{of}{theirs}.weight"])
        for ours, theirs in (("attn_output_norm", "post_attention_layernorm"), ("layer_output_norm", "post_mlp_layernorm")):
            for part in ("weight", "bias"):
                put(f"{at}{ours}.{part}", state[f"{of}{theirs}.{part}"])
    close(writer)
    model.double()
    inputs = texts(BERT_TOKENS, 5)
    with torch.no_grad():
        vectors = [model(torch.tensor([ids])).last_hidden_state[0].mean(0) for ids in inputs]
    return {"model": f"{name}.gguf", "inputs": inputs, "embeddings": [rounded(vector / vector.norm()) for vector in vectors]}


def xlm_roberta(name):
    """E5-multilingual and BGE-M3: a bert with unigram tokens, whose first position has number 2 in transformers (the padding's, and one more)."""
    layers, offset, kinds = 2, 2, {"<unk>": 2}
    tokenizer = Tokenizer.from_file(f"{FIXTURES}/Import/tokenizers/unigram.json")
    count = tokenizer.get_vocab_size()
    config = transformers.XLMRobertaConfig(
        vocab_size=count, hidden_size=WIDTH, num_hidden_layers=layers, num_attention_heads=HEADS, intermediate_size=FEED_FORWARD, max_position_embeddings=CONTEXT + offset,
        type_vocab_size=1, layer_norm_eps=1e-5, bos_token_id=0, pad_token_id=1, eos_token_id=2, attn_implementation="eager")
    model = transformers.XLMRobertaModel(config).eval()
    randomize(model, 5, 0.15)
    saved = f"{FIXTURES}/Import/encoders/{name}"
    model.save_pretrained(saved)
    os.makedirs(f"{saved}/1_Pooling", exist_ok=True)
    json.dump({"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, open(f"{saved}/1_Pooling/config.json", "w"))
    json.dump({"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}, open(f"{saved}/tokenizer_config.json", "w"))
    tokenizer.save(f"{saved}/tokenizer.json")
    writer = gguf.GGUFWriter(f"{FOLDER}/{name}.gguf", "bert")
    writer.add_name(name); writer.add_block_count(layers); writer.add_context_length(CONTEXT); writer.add_embedding_length(WIDTH); writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS); writer.add_layer_norm_eps(1e-5); writer.add_causal_attention(False); writer.add_pooling_type(gguf.PoolingType.CLS)
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    writer.add_tokenizer_model("t5"); writer.add_tokenizer_pre("default"); writer.add_token_list([text for text, _ in pieces]); writer.add_token_scores([score for _, score in pieces])
    writer.add_token_types([kinds.get(text, 3) if text.startswith("<") else 1 for text, _ in pieces])
    writer.add_add_space_prefix(True); writer.add_token_type_count(1); writer.add_remove_extra_whitespaces(True)
    writer.add_bos_token_id(0); writer.add_eos_token_id(2); writer.add_unk_token_id(3); writer.add_sep_token_id(2); writer.add_pad_token_id(1); writer.add_add_bos_token(True); writer.add_add_eos_token(True)
    state = model.state_dict()
    put = lambda name, tensor: writer.add_tensor(name, tensor.detach().numpy().astype(np.float32))
    put("token_embd.weight", state["embeddings.word_embeddings.weight"]); put("token_types.weight", state["embeddings.token_type_embeddings.weight"])
    put("position_embd.weight", state["embeddings.position_embeddings.weight"][offset:])
    names = [("embeddings.LayerNorm", "token_embd_norm")]
    for layer in range(layers):
        for theirs, ours in (
            ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"), ("attention.self.value", "attn_v"), ("attention.output.dense", "attn_output"),
            ("attention.output.LayerNorm", "attn_output_norm"), ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm")):
            names.append((f"encoder.layer.{layer}.{theirs}", f"blk.{layer}.{ours}"))
    for theirs, ours in names:
        for part in ("weight", "bias"):
            put(f"{ours}.{part}", state[f"{theirs}.{part}"])
    close(writer)
    model.double()
    words = ["The quick brown fox", "x", " Once upon a time,  there was a kite. ", "Schöne Grüße: 日本"]
    encoded = [tokenizer.encode(text).ids for text in words]
    inputs = encoded + texts(count, 4)
    with torch.no_grad():
        vectors = [model(torch.tensor([ids])).last_hidden_state[0, 0] for ids in inputs]
    return {"model": f"{name}.gguf", "texts": words, "inputs": inputs, "embeddings": [rounded(vector / vector.norm()) for vector in vectors]}


def window(file, config):
    file.writer.add_sliding_window(config.sliding_window)


def gemma2(file, config):
    window(file, config)
    file.writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    file.writer.add_final_logit_softcapping(config.final_logit_softcapping)


def gemma3(file, config):
    window(file, config)
    file.writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR); file.writer.add_rope_scaling_factor(8.0)


def phi3_long(file, config):
    rope = config.rope_parameters
    original = rope["original_max_position_embeddings"]
    file.writer.add_rope_scaling_orig_ctx_len(original)
    file.writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(CONTEXT / original) / math.log(original)))
    file.put("rope_factors_long.weight", torch.tensor(rope["long_factor"]))
    file.put("rope_factors_short.weight", torch.tensor(rope["short_factor"]))


LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}


def llama3(file, config):
    plain = 1 / LLAMA3["rope_theta"] ** (torch.arange(0, HEAD, 2).float() / HEAD)
    file.put("rope_freqs.weight", plain / transformers.LlamaModel(config).rotary_emb.inv_freq)


def experts(file, config):
    file.writer.add_expert_count(4); file.writer.add_expert_used_count(2)
    if config.model_type == "qwen3_moe":
        file.writer.add_expert_feed_forward_length(config.moe_intermediate_size)


def decoders(tokenizer):
    c = dict(COMMON, head_dim=HEAD)
    t = transformers
    yield "llama", lambda: decoder("llama", "llama", t.LlamaConfig(**c, rope_parameters=dict(PLAIN)), tokenizer, layers=2, rows=interleaved)
    yield "llama3", lambda: decoder(
        "llama3", "llama", t.LlamaConfig(**c, rope_parameters=LLAMA3, tie_word_embeddings=True), tokenizer, layers=2, rows=interleaved, more=llama3)
    yield "mistral", lambda: decoder("mistral", "llama", t.MistralConfig(**c, sliding_window=None, rope_parameters=dict(PLAIN)), tokenizer, layers=2, rows=interleaved)
    yield "mixtral", lambda: decoder("mixtral", "llama", t.MixtralConfig(**c, num_local_experts=4, num_experts_per_tok=2, rope_parameters=dict(PLAIN)), tokenizer, layers=2, rows=interleaved, more=experts)
    yield "qwen2", lambda: decoder("qwen2", "qwen2", t.Qwen2Config(**{k: v for k, v in c.items() if k != "head_dim"}, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=True), tokenizer, layers=2, head=WIDTH // HEADS)
    yield "qwen3", lambda: decoder("qwen3", "qwen3", t.Qwen3Config(**c, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=True), tokenizer, layers=2)
    yield "qwen3moe", lambda: decoder("qwen3moe", "qwen3moe", t.Qwen3MoeConfig(**c, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=40, norm_topk_prob=True, rope_parameters={"rope_type": "default", "rope_theta": 1e6}), tokenizer, layers=2, more=experts)
    yield "gemma2", lambda: decoder("gemma2", "gemma2", t.Gemma2Config(**c, sliding_window=9, query_pre_attn_scalar=HEAD, rope_parameters=dict(PLAIN)), tokenizer, layers=2, gemma=True, more=gemma2)
    yield "gemma3", lambda: decoder(
        "gemma3", "gemma3", t.Gemma3TextConfig(**c, sliding_window=9, query_pre_attn_scalar=HEAD, rope_parameters={
            "sliding_attention": dict(PLAIN), "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}}), tokenizer, layers=7, gemma=True, more=gemma3)
    yield "phi3", lambda: decoder("phi3", "phi3", t.Phi3Config(**{k: v for k, v in c.items() if k != "head_dim"}, sliding_window=11, rope_parameters=dict(PLAIN)), tokenizer, layers=2, head=WIDTH // HEADS, more=window)
    long = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 16, "long_factor": [1.0, 1.5, 2.5, 4.0], "short_factor": [1.0, 1.1, 1.2, 1.3]}
    yield "phi3-long", lambda: decoder(
        "phi3-long", "phi3", t.Phi3Config(**{k: v for k, v in c.items() if k != "head_dim"}, original_max_position_embeddings=16, sliding_window=None, rope_parameters=long), tokenizer, layers=2, head=WIDTH // HEADS, more=phi3_long)


def encoders(tokenizer):
    yield "nomic-bert", lambda: nomic("nomic-bert")
    yield "xlm-roberta", lambda: xlm_roberta("xlm-roberta")
    yield "qwen3-embedding", lambda: embedder(
        "qwen3-embedding", "qwen3", transformers.Qwen3Config(**COMMON, head_dim=HEAD, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, tie_word_embeddings=True), tokenizer,
        gguf.PoolingType.LAST)


def update(name, references, wanted):
    path = f"{FOLDER}/{name}.json"
    results = {reference["model"]: reference for reference in json.load(open(path))} if wanted and os.path.exists(path) else {}
    for name, make in references:
        if not wanted or name in wanted:
            results[f"{name}.gguf"] = make()
            print(name, flush=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(list(results.values()), file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    tokenizer = byte_pair_tokenizer()
    update("decoders", decoders(tokenizer), sys.argv[1:])
    update("encoders", encoders(tokenizer), sys.argv[1:])
