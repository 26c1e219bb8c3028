"""Writes Fixtures/tiny-*: very small random models, and what transformers computes with the same weights; and
demo-answers.json: what the demo chat model answers in torch.

    pip install gguf tokenizers transformers sentence-transformers torch numpy
    python make_model_fixtures.py [MINILM_FOLDER]

Each model's weights are first stored as GGUF stores them and then read back for transformers, in 64-bit floats: what is
compared is the arithmetic, not the quantization. With MINILM_FOLDER (all-MiniLM-L6-v2 as Hugging Face has it), also writes
minilm-embeddings.json, which the real model is compared with; that needs its original weights.
"""
import json, os, sys

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
TYPES = {name: gguf.GGMLQuantizationType[name.upper()] for name in ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k")}
# What a file of mixed types has for each matrix, as quantizers choose them: more bits where it matters more.
MIXED = {"token_embd": "q6_k", "attn_q": "q4_k", "attn_k": "bf16", "attn_v": "q5_k", "attn_output": "q4_k", "ffn_gate": "q5_k", "ffn_up": "q4_k", "ffn_down": "q6_k"}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = ["The quick brown fox jumps over the lazy dog.", "Once upon a time there was a fox and a kite.", "Shipping takes 3 days. Refunds take 30 days.", "Schöne Grüße, naïve café! 日本語 🦊🪁"] * 4
LLAMA_TOKENS, BERT_TOKENS = 320, 96
WIDTH, FEED_FORWARD, LAYERS, HEADS, KEY_VALUE_HEADS, HEAD, CONTEXT = 64, 96, 2, 4, 2, 24, 128


def rounded(values):
    return [round(float(x), 6) for x in values]


def put(writer, name, tensor, kind):
    """Adds a tensor and gives back what a reader will see of it."""
    array = tensor.detach().numpy().astype(np.float32)
    if kind == "mixed":
        kind = MIXED[name.split(".")[-2]]
    if kind in ("q4_k", "q5_k", "q6_k"):
        packed = random_super_blocks(kind, array.shape)
        writer.add_tensor(name, packed, raw_dtype=TYPES[kind])
        array = gguf.quants.dequantize(packed, TYPES[kind])
    elif kind in ("f32", "f16"):
        array = array.astype(np.float16 if kind == "f16" else np.float32)
        writer.add_tensor(name, array)
    else:
        packed = gguf.quants.quantize(array, TYPES[kind])
        writer.add_tensor(name, packed, raw_dtype=TYPES[kind])
        array = gguf.quants.dequantize(packed, TYPES[kind])
    return torch.tensor(array.astype(np.float64))


def random_super_blocks(kind, shape):
    """Random bytes with scales that make weights of the usual size: every pattern of bits is a valid block."""
    rows, blocks, size = shape[0], shape[1] // 256, {"q4_k": 144, "q5_k": 176, "q6_k": 210}[kind]
    numbers = np.random.default_rng(shape[0] * size)
    packed = numbers.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    def scale(value):
        return (value * numbers.uniform(0.5, 1.5, (rows, blocks, 1))).astype(np.float16).view(np.uint8)
    if kind == "q6_k":
        packed[:, :, 208:] = scale(5e-5)
    else:
        packed[:, :, :2], packed[:, :, 2:4] = scale({"q4_k": 3e-4, "q5_k": 1.5e-4}[kind]), scale(2.3e-3)
    return packed.reshape(rows, blocks * size)


def close(writer):
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


def randomize(model, seed, spread):
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                parameter.copy_(spread * torch.randn_like(parameter))


# Llama

def byte_pair_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=LLAMA_TOKENS, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False))
    assert tokenizer.get_vocab_size() == LLAMA_TOKENS
    return tokenizer


def add_byte_pair_tokenizer(writer, tokenizer):
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
    merges = [" ".join(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
    writer.add_tokenizer_model("gpt2"); writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens); writer.add_token_types([3 if token in SPECIAL else 1 for token in tokens]); writer.add_token_merges(merges)
    writer.add_bos_token_id(0); writer.add_eos_token_id(2); writer.add_add_bos_token(False)


def interleaved(weight, heads):
    """GGUF's order of query and key rows: rotary embeddings turn neighbours, not halves."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def halves(weight, heads):
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def llama(kind, rope, tied, seed):
    """Random weights until greedy decoding is never close to a tie, so that rounding can't decide it."""
    # Super-blocks are 256 wide.
    width, feed_forward, layers, head = (256, 256, 1, 64) if kind == "mixed" else (WIDTH, FEED_FORWARD, LAYERS, HEAD)
    config = LlamaConfig(
        vocab_size=LLAMA_TOKENS, hidden_size=width, intermediate_size=feed_forward, num_hidden_layers=layers, num_attention_heads=HEADS,
        num_key_value_heads=KEY_VALUE_HEADS, head_dim=head, max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, rope_parameters=rope,
        tie_word_embeddings=tied, attn_implementation="eager")
    model = LlamaForCausalLM(config).eval()
    randomize(model, seed, 0.15)
    path = f"{FIXTURES}/tiny-llama-{kind}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"Tiny llama {kind}"); writer.add_context_length(CONTEXT); writer.add_embedding_length(width); writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward); writer.add_head_count(HEADS); writer.add_head_count_kv(KEY_VALUE_HEADS); writer.add_key_length(head); writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-5); writer.add_rope_freq_base(rope["rope_theta"]); writer.add_rope_dimension_count(head); writer.add_vocab_size(LLAMA_TOKENS)
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR); writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "llama3":
        plain = 1 / rope["rope_theta"] ** (torch.arange(0, head, 2).float() / head)
        put(writer, "rope_freqs.weight", plain / model.model.rotary_emb.inv_freq, "f32")
    tokenizer = byte_pair_tokenizer()
    add_byte_pair_tokenizer(writer, tokenizer)
    frequencies = model.model.rotary_emb.inv_freq.clone()
    model.double()
    model.model.rotary_emb.inv_freq = frequencies
    with torch.no_grad():
        base = model.model
        base.embed_tokens.weight.copy_(put(writer, "token_embd.weight", base.embed_tokens.weight, kind))
        base.norm.weight.copy_(put(writer, "output_norm.weight", base.norm.weight, "f32"))
        if not tied:
            model.lm_head.weight.copy_(put(writer, "output.weight", model.lm_head.weight, kind))
        for index, layer in enumerate(base.layers):
            at = f"blk.{index}."
            layer.input_layernorm.weight.copy_(put(writer, at + "attn_norm.weight", layer.input_layernorm.weight, "f32"))
            layer.post_attention_layernorm.weight.copy_(put(writer, at + "ffn_norm.weight", layer.post_attention_layernorm.weight, "f32"))
            for name, linear, heads in (("attn_q", layer.self_attn.q_proj, HEADS), ("attn_k", layer.self_attn.k_proj, KEY_VALUE_HEADS)):
                linear.weight.copy_(halves(put(writer, f"{at}{name}.weight", interleaved(linear.weight, heads), kind), heads))
            for name, linear in (("attn_v", layer.self_attn.v_proj), ("attn_output", layer.self_attn.o_proj), ("ffn_gate", layer.mlp.gate_proj), ("ffn_up", layer.mlp.up_proj), ("ffn_down", layer.mlp.down_proj)):
                linear.weight.copy_(put(writer, f"{at}{name}.weight", linear.weight, kind))
        close(writer)

        prompt = tokenizer.encode("The quick fox and a naïve kite: 30 days 日本 🦊!").ids
        logits = model(torch.tensor([prompt])).logits[0]
        chances = torch.log_softmax(logits, -1)
        ids, gaps = list(prompt), []
        for _ in range(32):
            last = model(torch.tensor([ids])).logits[0, -1]
            best = torch.topk(last, 2)
            gaps.append(float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
    greedy = ids[len(prompt):]
    if min(gaps) < 0.01 or 2 in greedy[:-1] or len(set(greedy)) < 8:
        return llama(kind, rope, tied, seed + 1)
    places = [0, 7, len(prompt) - 1]
    return {
        "model": os.path.basename(path), "prompt": prompt, "logProbabilities": rounded(chances[i, t] for i, t in enumerate(prompt[1:])),
        "distributions": [{"length": i + 1, "logProbabilities": rounded(chances[i])} for i in places],
        "greedy": greedy, "greedyText": tokenizer.decode(greedy, skip_special_tokens=False),
    }


# Bert

def word_pieces():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = ["the", "quick", "fox", "and", "kite", "takes", "days", "ship", "##ping", "re", "##fund", "##s", "once", "upon", "time"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters] + words + list("0123456789.,?!:;-'")
    return tokens + [f"[unused{i}]" for i in range(BERT_TOKENS - len(tokens))]


def add_word_pieces(writer):
    tokens = word_pieces()
    writer.add_tokenizer_model("bert"); writer.add_tokenizer_pre("jina-v2-en"); writer.add_token_type_count(2)
    writer.add_token_list([t if t.startswith("[") else t[2:] if t.startswith("##") else "\u2581" + t for t in tokens])
    writer.add_token_types([5 if t.startswith("[unused") else 3 if t.startswith("[") else 1 for t in tokens])
    writer.add_bos_token_id(2); writer.add_eos_token_id(3); writer.add_unk_token_id(1); writer.add_sep_token_id(3); writer.add_pad_token_id(0); writer.add_mask_token_id(4)


def bert(kind, pooling, seed):
    config = BertConfig(
        vocab_size=BERT_TOKENS, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=FEED_FORWARD,
        max_position_embeddings=CONTEXT, layer_norm_eps=1e-12, hidden_act="gelu", attn_implementation="eager")
    model = BertModel(config, add_pooling_layer=False).eval()
    randomize(model, seed, 0.15)
    path = f"{FIXTURES}/tiny-bert-{kind}.gguf"
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name(f"Tiny bert {kind}"); writer.add_block_count(LAYERS); writer.add_context_length(CONTEXT); writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD); writer.add_head_count(HEADS); writer.add_layer_norm_eps(1e-12); writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS if pooling == "cls" else gguf.PoolingType.MEAN)
    add_word_pieces(writer)
    model.double()
    state = model.state_dict()
    with torch.no_grad():
        def move(name, key, kind):
            state[key].copy_(put(writer, name, state[key], kind))
        move("token_embd.weight", "embeddings.word_embeddings.weight", kind)
        move("position_embd.weight", "embeddings.position_embeddings.weight", "f32")
        move("token_types.weight", "embeddings.token_type_embeddings.weight", "f32")
        for part in ("weight", "bias"):
            move(f"token_embd_norm.{part}", f"embeddings.LayerNorm.{part}", "f32")
        for index in range(LAYERS):
            for name, key in (
                ("attn_q", "attention.self.query"), ("attn_k", "attention.self.key"), ("attn_v", "attention.self.value"), ("attn_output", "attention.output.dense"),
                ("ffn_up", "intermediate.dense"), ("ffn_down", "output.dense"), ("attn_output_norm", "attention.output.LayerNorm"), ("layer_output_norm", "output.LayerNorm")):
                for part in ("weight", "bias"):
                    move(f"blk.{index}.{name}.{part}", f"encoder.layer.{index}.{key}.{part}", "f32" if "norm" in name or part == "bias" else kind)
        close(writer)
        numbers = np.random.default_rng(7)
        inputs = [[2] + numbers.integers(5, BERT_TOKENS, length).tolist() + [3] for length in (1, 5, 16, 17, 40, CONTEXT - 2)]
        outputs = []
        for ids in inputs:
            hidden = model(torch.tensor([ids])).last_hidden_state[0]
            vector = hidden[0] if pooling == "cls" else hidden.mean(0)
            outputs.append(rounded(vector / vector.norm()))
    return {"model": os.path.basename(path), "inputs": inputs, "embeddings": outputs}


# The real embedding model

SENTENCES = [
    "How long does shipping take?", "Shipping takes 3 days.", "Refunds are accepted within 30 days.", "Once upon a time there was a fox and a kite.",
    "a", "Embeddings of unaffable, tokenized words!", "Schöne Grüße aus Köln, naïve café", "日本語のテキスト", "def f(x):\n    return x + 1",
    "The quick brown fox jumps over the lazy dog. " * 8, "[CLS] is not special in a user's text", "🦊 and 🪁: 1,000,000.00 € at 3.14%",
]


def minilm(folder):
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(folder, device="cpu")
    vectors = model.encode(SENTENCES, normalize_embeddings=True)
    return {"sentences": SENTENCES, "embeddings": [rounded(vector) for vector in vectors]}


# The demo chat model

QUESTIONS = [
    "Who are you?", "Tell me a story about a fox and a kite.", "Tell me a story about a bear and a lamp.",
    "Context:\n[1] Refunds are accepted within 30 days.\n[2] Shipping takes 3 days.\n\nQuestion: How long does shipping take?",
    "Context:\n[1] Refunds are accepted within 30 days.\n[2] Shipping takes 3 days.\n\nQuestion: Who is the owner?",
    "Extract as JSON: Mia is 34 and lives in Oslo.",
]


def demo():
    """What the model that trained it answers with the weights of the file."""
    folder = os.path.join(FIXTURES, "../../../Runtime/Inference/DemoModel")
    sys.path.insert(0, folder)
    import train
    path = os.path.join(folder, "swiftlet-demo-q8_0.gguf")
    tensors = {t.name: torch.tensor(gguf.quants.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1])) for t in gguf.GGUFReader(path).tensors}
    model, tokenizer = train.Model().eval(), train.tokenizer_of(path)
    names = {"emb.weight": "token_embd", "norm.w": "output_norm", "n1.w": "attn_norm", "n2.w": "ffn_norm", "q.weight": "attn_q", "k.weight": "attn_k", "v.weight": "attn_v", "o.weight": "attn_output", "gate.weight": "ffn_gate", "up.weight": "ffn_up", "down.weight": "ffn_down"}
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            layer = key.split(".")[1] if key.startswith("layers.") else None
            parameter.copy_(tensors[f"blk.{layer}.{names[key.split('.', 2)[2]]}.weight" if layer else names[key] + ".weight"])
    prompts = [f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n" for question in QUESTIONS]
    return [{"prompt": prompt, "answer": train.answer(model, tokenizer, prompt, 160)} for prompt in prompts]


def save(name, value):
    with open(f"{FIXTURES}/{name}", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    plain = {"rope_type": "default", "rope_theta": 10000.0}
    linear = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    save("tiny-llama.json", [llama("f32", plain, False, 1), llama("f16", llama3, True, 100), llama("q8_0", plain, False, 200), llama("q4_0", linear, False, 300), llama("mixed", plain, True, 400)])
    save("tiny-bert.json", [bert("f16", "mean", 1), bert("q8_0", "cls", 2)])
    save("demo-answers.json", demo())
    if len(sys.argv) > 1:
        save("minilm-embeddings.json", minilm(sys.argv[1]))
