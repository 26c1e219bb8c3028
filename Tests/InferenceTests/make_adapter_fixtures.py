"""Writes Fixtures/adapters/*.gguf, LoRA adapters for two models of Fixtures/architectures, and adapters.json: what transformers
computes, in 64-bit floats, with the weights that each adapter makes of the model's, W + alpha / rank · B · A.

    pip install gguf tokenizers transformers torch numpy
    python make_adapter_fixtures.py

Names and metadata are those that llama.cpp's convert_lora_to_gguf.py writes, which is also how rows of B come to be in GGUF's order.
"""
import json, os

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config

from make_architecture_fixtures import COMMON, FOLDER, HEAD, HEADS, KEY_VALUE_HEADS, PLAIN, TEXT
from make_model_fixtures import byte_pair_tokenizer, close, halves, rounded

OUT = os.path.join(os.path.dirname(FOLDER), "adapters")
NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
PHI3 = NAMES | {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
LAYERS = 2


def weights(model):
    return {tensor.name: tensor.data.astype(np.float64) for tensor in gguf.GGUFReader(f"{FOLDER}/{model}.gguf").tensors}


def adapter(name, architecture, base, targets, rank, alpha, kind, seed):
    """Writes an adapter, and gives the weights that it makes of the model's."""
    numbers = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(f"{OUT}/{name}.gguf", architecture)
    writer.add_type("adapter"); writer.add_string("adapter.type", "lora"); writer.add_float32("adapter.lora.alpha", alpha); writer.add_name(name)
    changed = dict(base)
    for target in [t for t in base if any(f".{x}." in f".{t}" for x in targets)]:
        *experts, rows, columns = base[target].shape
        a, b = ((0.4 * numbers.standard_normal((*experts, *shape))).astype(kind) for shape in ((rank, columns), (rows, rank)))
        writer.add_tensor(f"{target}.lora_a", a); writer.add_tensor(f"{target}.lora_b", b)
        changed[target] = base[target] + alpha / rank * b.astype(np.float64) @ a.astype(np.float64)
    close(writer)
    return changed


def reference(model, name, config, names, tensors, prompt):
    config.num_hidden_layers, config.vocab_size = LAYERS, tensors["token_embd.weight"].shape[0]
    config._attn_implementation = "eager"
    network = AutoModelForCausalLM.from_config(config).eval().double()
    state = {"model.embed_tokens.weight": tensors["token_embd.weight"], "model.norm.weight": tensors["output_norm.weight"], "lm_head.weight": tensors["output.weight"]}
    for key, value in tensors.items():
        if key.startswith("blk."):
            _, layer, part, kind = key.split(".")
            if model == "llama" and part in ("attn_q", "attn_k"):
                value = halves(value, HEADS if part == "attn_q" else KEY_VALUE_HEADS)
            state[f"model.layers.{layer}.{names[part]}.{kind}"] = value
    network.load_state_dict({key: torch.tensor(value) for key, value in state.items()}, strict=True)
    with torch.no_grad():
        chances = torch.log_softmax(network(torch.tensor([prompt])).logits[0], -1)
    return {"model": f"{model}.gguf", "adapter": name, "prompt": prompt, "logProbabilities": rounded(chances[i, t] for i, t in enumerate(prompt[1:])), "last": rounded(chances[-1])}


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    prompt = byte_pair_tokenizer().encode(TEXT).ids
    llama, phi3 = weights("llama"), weights("phi3")
    everything = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "output"]
    llama_config = lambda: LlamaConfig(**COMMON, head_dim=HEAD, rope_parameters=dict(PLAIN))
    phi3_config = Phi3Config(**COMMON, sliding_window=11, rope_parameters=dict(PLAIN))
    results = [
        reference("llama", None, llama_config(), NAMES, llama, prompt),
        reference("llama", "llama-all", llama_config(), NAMES, adapter("llama-all", "llama", llama, everything, 5, 8.0, np.float32, 1), prompt),
        reference("llama", "llama-few", llama_config(), NAMES, adapter("llama-few", "llama", llama, ["attn_q", "ffn_down"], 16, 16.0, np.float16, 2), prompt),
        reference("phi3", "phi3", phi3_config, PHI3, adapter("phi3", "phi3", phi3, ["attn_qkv", "attn_output", "ffn_up", "ffn_down"], 4, 4.0, np.float32, 3), prompt),
    ]
    # What is refused: changes of embeddings and of experts.
    adapter("llama-embedding", "llama", llama, ["token_embd"], 2, 2.0, np.float32, 4)
    adapter("mixtral-experts", "llama", weights("mixtral"), ["ffn_gate_exps"], 2, 2.0, np.float32, 5)
    with open(f"{OUT}/adapters.json", "w", encoding="utf-8") as file:
        json.dump(results, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
