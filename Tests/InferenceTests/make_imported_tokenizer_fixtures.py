"""Writes Fixtures/Import/tokenizers: a llama of no meaning, tokenizer.json files of the kinds that models of our architectures have,
and encoded.json: what Hugging Face's tokenizers makes of some texts with each; and Fixtures/Import/decoders/tokenizer.json and Fixtures/Import/bert-tokenizer.json.

    pip install tokenizers safetensors numpy
    python make_imported_tokenizer_fixtures.py
"""
import json, os

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from make_model_fixtures import CORPUS, FIXTURES, byte_pair_tokenizer

FOLDER = f"{FIXTURES}/Import/tokenizers"
ROWS, WIDTH = 448, 4
TEXTS = ["The quick brown fox", "Once upon a time,  there was\na kite. ", "Schöne Grüße, naïve café!", " 日本語 🦊🪁 ~~", "x", "", "Shipping takes 30 days.\n\n"]


def sentencepiece(prepends):
    """Llama 2, Mistral and Phi 3 put a space before everything, Gemma does not."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    replace = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace]) if prepends else replace
    trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))], show_progress=False)
    # Merges do not cross words.
    tokenizer.train_from_iterator([("" if prepends else " ") + word for text in CORPUS for word in text.replace("日本語 🦊🪁", "").split(" ")], trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(data))


def unigram():
    """XLM-RoBERTa's and its relatives'."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([text.replace("日本語 🦊🪁", "") for text in CORPUS], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def word_piece():
    """The vocabulary of Fixtures/Import/bert as newer versions of transformers save it."""
    pieces = open(f"{FIXTURES}/Import/bert/vocab.txt", encoding="utf-8").read().split("\n")[:-1]
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 3), ("[SEP]", 4)])
    return tokenizer


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    os.makedirs(f"{FIXTURES}/Import/decoders", exist_ok=True)
    byte_pair_tokenizer().save(f"{FIXTURES}/Import/decoders/tokenizer.json")
    word_piece().save(f"{FIXTURES}/Import/bert-tokenizer.json")
    json.dump({
        "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 1, "max_position_embeddings": 64,
        "vocab_size": ROWS, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True}, open(f"{FOLDER}/config.json", "w"))
    json.dump({"bos_token": "<s>", "eos_token": "</s>"}, open(f"{FOLDER}/tokenizer_config.json", "w"))
    weights = {"model.embed_tokens.weight": (ROWS, WIDTH), "model.norm.weight": (WIDTH,), "model.layers.0.input_layernorm.weight": (WIDTH,), "model.layers.0.post_attention_layernorm.weight": (WIDTH,)}
    weights |= {f"model.layers.0.{name}_proj.weight": (WIDTH, WIDTH) for name in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down")}
    save_file({name: np.ones(shape, np.float32) for name, shape in weights.items()}, f"{FOLDER}/model.safetensors")
    encoded = []
    for name, tokenizer in (("llama", sentencepiece(True)), ("gemma", sentencepiece(False)), ("unigram", unigram())):
        assert tokenizer.get_vocab_size() <= ROWS, tokenizer.get_vocab_size()
        tokenizer.save(f"{FOLDER}/{name}.json")
        # Real unigram models have a map of characters that makes line breaks spaces; this one has none.
        texts = [text.replace("\n", " ") for text in TEXTS] if name == "unigram" else TEXTS
        encoded += [{"tokenizer": name, "text": text, "tokens": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts]
    with open(f"{FOLDER}/encoded.json", "w", encoding="utf-8") as file:
        json.dump(encoded, file, ensure_ascii=False, indent=0)
        file.write("\n")
