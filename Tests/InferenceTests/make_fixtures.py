"""Writes Fixtures/: what other implementations make of the same input.

    pip install gguf tokenizers transformers jinja2 numpy torch
    python make_fixtures.py DEMO_MODEL.gguf MINILM_FOLDER

DEMO_MODEL is the demo chat model, MINILM_FOLDER all-MiniLM-L6-v2 as Hugging Face has it.
"""
import json, os, random, sys, unicodedata

import gguf
import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
BERT_TOKENS = 8000  # the whole vocabulary of 30,522 would only make the fixture larger

HANDMADE = [
    "", " ", "  ", "\n", "\n\n", "\t", " \n ", "\r\n", "a", " a", "a ", "  a  ", "Hello, world!", "hello world", "HELLO WORLD",
    "The quick brown fox jumps over the lazy dog.", "Once upon a time there was a fox and a kite.",
    "I'm sure they'll say it's we've you're he'd don't", "I'M SURE THEY'LL SAY IT'S WE'VE YOU'RE HE'D DON'T", "'s't're've'm'll'd", "'S'T'RE'vE'M'Ll'D",
    "'", "''", "' s", "'x", "'\u017f", "'\u017f\u017f", "it'", " 's", "x'l", "x'lx", "x'r", "x'v\u00e9",
    "1", "12", "123", "1234", "12345678", " 1 22 333 4444", "3.14159", "1,000,000.00", "v1.2.3", "0x1F", "a1b2c3", "x²+y³=½", "Ⅷ ⅷ ①", "٣٤٥ ४५६",
    "def f(x):\n    return x + 1\n\n\nclass A:\n\tpass\n", "if (a && b || !c) { return a[i]->b(); }  // done", "{\"a\": [1, 2.5, null], \"b\": \"c\\n\"}",
    "<div class=\"x\">&nbsp;</div>", "SELECT * FROM t WHERE a >= 1;", "C:\\temp\\new", "https://example.com/a?b=c&d=%20#e", "foo@example.com", "#include <stdio.h>\r\nint main() {}\r\n",
    "   leading", "trailing   ", "a   b", "a\n\n\n   b", "a \n b", "a\t\tb", "a \t\n\r b", "\n\n\nabc", "abc\n\n\n", " \n\n x", "x \n\n ", "!\n\n!", "?! \n", "a!\r\n\r\nb", " !\n", "--\n\n--",
    "caf\u00e9", "cafe\u0301", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "na\u00efve r\u00e9sum\u00e9", "\u0130stanbul I\u0307 \u0131", "STRASSE stra\u00dfe", "\u1e9e", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u03a3\u03a3", "\u0391\u03b8\u03ae\u03bd\u03b1",
    "e\u0301\u0302\u0303\u0304\u0305", "\u0301", " \u0301x", "a\u0323\u0307", "a\u0307\u0323", "\u1e69", "q\u0307\u0323", "\u212b \u2126 \u212a",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0451\u0416\u0439", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\u05e2\u05d1\u05e8\u05d9\u05ea \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e44\u0e17\u0e22", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "\u4e2d\u6587\u6587\u672c\uff0c\u6ca1\u6709\u7a7a\u683c\u3002", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "mixed\u4e2d\u6587and\u65e5\u672ctext", "\uf900\ufa0e\U0002f800\U00020000",
    "\U0001f600", "hi \U0001f600\U0001f601", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3",
    "\u00a0", "a\u00a0b", "a\u2003b", "a\u3000b", "a\u200bb", "a\u200db", "\ufeffbom", "a\u2028b\u2029c", "a\u0085b", "a\u000bb\u000cc", "a\u001cb\u001fc", "\u1680x", "\u180ex",
    "nul\u0000nul", "bell\u0007", "\u001b[31mred\u001b[0m", "del\u007f", "\ufffd", "a\ufffdb", "\ue000", "\U000f0000", "\U0010ffff",
    "\u2018quoted\u2019 \u201cquoted\u201d \u00abquoted\u00bb \u2014 \u2013 \u2026", "\u20ac5 \u00a35 $5 5%", "\u00bfqu\u00e9? \u00a1s\u00ed!", "a_b-c/d\\e", "^ ` ~ | + = < > $", "\u00b4 \u00a8 \u00b0 \u00a7 \u00b6", "\u2200x\u2208\u211d: x\u00b2\u22650",
    "[CLS] not special [SEP] [MASK] [UNK] [PAD]", "<|im_start|>user\nhi<|im_end|>", "<|im_start|", "<|im_end|>", "a<|endoftext|>b", "<|<|im_end|>|>", "<|im_end|><|im_end|>", "<|IM_END|>",
    "supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapit\u00e4n", "x" * 100, "x" * 101, "\u00e9" * 100, "\u00e9" * 101, "ab" * 150, "=" * 80, " " * 70, "\n" * 50, "-=" * 60, "a" * 300, "\u4e2d" * 120,
    "Context:\n[1] Refunds are accepted within 30 days.\n[2] Shipping takes 3 days.\n\nQuestion: How long does shipping take?",
    "Extract as JSON: Mia is 34 and lives in Oslo.", "unaffable embeddings tokenization", "\u2581under\u2581", "\u0120\u010a", "##ing", "\u01c5 \u02b0 \u00aa \u00ba",
]


def generated(count):
    """Texts from pools of characters that are the same in every Unicode since 3.2, so that the age of tables does not matter."""
    rng = random.Random(20)
    old = unicodedata.ucd_3_2_0
    known = [chr(c) for c in range(0x20000) if old.category(chr(c)) not in ("Cn", "Cs", "Co") and old.category(chr(c)) == unicodedata.category(chr(c))]
    pools = [
        [chr(c) for c in range(32, 127)], list("   \n\n\t\r'"), list("0123456789"), list("abcdefghij ABC"), list("'stremvdl' STREMVDL"),
        [c for c in known if 0xa0 <= ord(c) < 0x250], [c for c in known if 0x300 <= ord(c) < 0x600], known,
        [c for c in known if unicodedata.category(c)[0] in "PSZ"], [c for c in known if unicodedata.category(c)[0] in "NM"],
        list("\u4e2d\u6587\u65e5\u672c\u8a9e\u3042\u30a2\uac00\U0001f600\u200d"),
        ["the", " fox", " kite", "Question", ": ", "\n\n", "ing", " ", "un", "able", "'s", "<|im_end|>", "[SEP]", ". "],
    ]
    for _ in range(count):
        mix = rng.sample(pools, rng.randint(1, 3))
        yield "".join(rng.choice(rng.choice(mix)) for _ in range(rng.randint(1, 32)))


def vocabulary_only(path, architecture, fields):
    writer = gguf.GGUFWriter(path, architecture)
    fields(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def demo_vocabulary(model):
    fields = {key: field.contents() for key, field in gguf.GGUFReader(model).fields.items() if key.startswith("tokenizer.")}

    def write(writer):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_list(fields["tokenizer.ggml.tokens"])
        writer.add_token_types(fields["tokenizer.ggml.token_type"])
        writer.add_token_merges(fields["tokenizer.ggml.merges"])
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(False)
        writer.add_chat_template(fields["tokenizer.chat_template"])

    vocabulary_only(f"{FIXTURES}/demo-vocabulary.gguf", "llama", write)
    return fields


def bert_vocabulary(folder):
    tokens = [line.rstrip("\n") for line in open(f"{folder}/vocab.txt", encoding="utf-8")][:BERT_TOKENS]
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

    def write(writer):
        texts, types = [], []
        for token in tokens:
            if token in special:
                texts.append(token), types.append(3)
            elif token.startswith("[unused"):
                texts.append(token), types.append(5)
            else:
                texts.append(token[2:] if token.startswith("##") else "\u2581" + token), types.append(1)
        writer.add_tokenizer_model("bert")
        writer.add_token_list(texts)
        writer.add_token_types(types)
        writer.add_bos_token_id(101)
        writer.add_unk_token_id(100)
        writer.add_sep_token_id(102)
        writer.add_pad_token_id(0)

    vocabulary_only(f"{FIXTURES}/bert-vocabulary.gguf", "bert", write)
    return tokens, special


def byte_level(fields, special):
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    normal = {text: index for index, text in enumerate(tokens) if types[index] == 1}
    controls = [text for index, text in enumerate(tokens) if types[index] == 3]
    # The library gives added tokens the next free number, so ours stand in the vocabulary and are only marked.
    vocabulary = {text: index for index, text in enumerate(tokens)} if special else normal
    merges = [tuple(line.split(" ")) for line in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if special:
        tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in controls])
    return tokenizer


def word_piece(tokens, controls, special):
    tokenizer = Tokenizer(models.WordPiece({text: index for index, text in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if special:
        tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in sorted(controls)])
    return tokenizer


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def tokenizer_goldens(model, folder):
    texts = HANDMADE + list(generated(400))
    fields = demo_vocabulary(model)
    tokens, controls = bert_vocabulary(folder)
    encoders = {
        "bytePair": byte_level(fields, False), "bytePairSpecial": byte_level(fields, True),
        "wordPiece": word_piece(tokens, controls, False), "wordPieceSpecial": word_piece(tokens, controls, True),
    }
    with open(f"{FIXTURES}/tokenizers.jsonl", "w") as file:
        for text in texts:
            row = {"text": text}
            for name, encoder in encoders.items():
                row[name] = encoder.encode(text, add_special_tokens=False).ids
            for name in ("bytePair", "wordPiece"):
                if row[name + "Special"] == row[name]:
                    del row[name + "Special"]
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def chat_goldens(model):
    """The template as transformers renders it, and the demo model's tokens of the result."""
    from transformers.utils.chat_template_utils import render_jinja_template

    fields = demo_vocabulary(model)
    encoder = byte_level(fields, True)
    conversations = [
        [("user", "Who are you?")],
        [("system", "Be brief."), ("user", "Tell me a story about a fox and a kite.")],
        [("user", "Hi"), ("assistant", "Hello!\n"), ("user", "  spaces  around \n\n")],
        [("user", "\n\n\n newlines first")], [("user", "")], [("user", "caf\u00e9 \U0001f600 \u4e2d\u6587")],
        [("user", "Context:\n[1] Refunds are accepted within 30 days.\n\nQuestion: When?")],
    ]
    rows = []
    for conversation in conversations:
        messages = [{"role": role, "content": content} for role, content in conversation]
        for prompt in (True, False):
            rendered, _ = render_jinja_template([messages], chat_template=fields["tokenizer.chat_template"], add_generation_prompt=prompt)
            rows.append({"messages": messages, "prompt": prompt, "tokens": encoder.encode(rendered[0]).ids})
    json.dump(rows, open(f"{FIXTURES}/chat.json", "w"), indent=None, separators=(",", ":"))


def quantization_goldens():
    """One source tensor and what gguf.quants, which follows ggml's reference code, makes of it."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((16, 96), dtype=np.float32)
    rows[1] = 0
    rows[2] *= 1e-6
    rows[3] *= 1e4
    rows[4] = np.arange(96, dtype=np.float32) - 48  # ties, and both signs
    rows[5] = (np.arange(96, dtype=np.float32) % 17 - 8) / 2
    rows[6, ::2] = 0
    rows[7] = np.abs(rows[7])
    rows[8] = -np.abs(rows[8])
    rows[9] = 65504 * np.sign(rows[9])
    rows[10] *= 1e-9
    rows[11] = np.where(np.arange(96) % 32 == 5, 127, np.arange(96) % 32 + 0.5)
    writer = gguf.GGUFWriter(f"{FIXTURES}/quantized.gguf", "test")
    writer.add_tensor("f32", rows)
    writer.add_tensor("f16", rows.astype(np.float16))
    for kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0):
        writer.add_tensor(kind.name.lower(), gguf.quants.quantize(rows, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def every_value():
    """A file with a value of every type, and tensors of one to four dimensions."""
    writer = gguf.GGUFWriter(f"{FIXTURES}/every-value.gguf", "test")
    for kind, value in (("uint8", 200), ("int8", -100), ("uint16", 60000), ("int16", -30000), ("uint32", 4000000000), ("int32", -2000000000),
                        ("uint64", 2**64 - 1), ("int64", -(2**62)), ("float32", 0.1), ("float64", 0.1), ("bool", True)):
        getattr(writer, f"add_{kind}")(f"value.{kind}", value)
    writer.add_string("value.string", "na\u00efve \U0001f600")
    writer.add_array("array.strings", ["a", "", "\u00e9"])
    writer.add_array("array.integers", [1, -2, 3])
    writer.add_array("array.floats", [0.5, -1.5])
    writer.add_array("array.bools", [True, False])
    writer.add_custom_alignment(64)
    for dimensions in range(1, 5):
        shape = tuple(range(2, 2 + dimensions))
        writer.add_tensor(f"t{dimensions}", np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def save(model, folder, **options):
    os.makedirs(folder, exist_ok=True)
    model.save_pretrained(folder, **options)
    if os.path.exists(f"{folder}/generation_config.json"):
        os.remove(f"{folder}/generation_config.json")


def add_weights(writer, name, tensor, kind):
    tensor = tensor.float().numpy()
    if kind is None or tensor.ndim == 1:
        writer.add_tensor(name, tensor)
    elif kind == gguf.GGMLQuantizationType.F16:
        writer.add_tensor(name, tensor.astype(np.float16))
    else:
        writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)


def llama_import(model):
    """A very small random Llama as transformers saves it, in shards of bfloat16, and the GGUF that it should become."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    folder = f"{FIXTURES}/Import/llama"
    fields = demo_vocabulary(model)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer

    tokenizer.train_from_iterator(HANDMADE, BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|eot_id|>"])
    tokenizer.add_tokens(["<think>"])
    tokenizer.post_processor = TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))])
    config = LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        vocab_size=304, initializer_range=0.3, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32})
    network = LlamaForCausalLM(config).to(torch.bfloat16)
    save(network, folder, max_shard_size="100KB")
    tokenizer.save(f"{folder}/tokenizer.json")
    json.dump({"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|eot_id|>"}, "chat_template": "{{ '<|im_start|>' + '<|im_end|>' }}"}, open(f"{folder}/tokenizer_config.json", "w"))

    network = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    text = "The quick brown fox says: it's 12345 o'clock. \u4e2d\u6587 <think><|eot_id|>"
    tokens = tokenizer.encode(text).ids
    with torch.no_grad():
        logprobs = torch.log_softmax(network(torch.tensor([tokens])).logits[0], -1)
    json.dump({"text": text, "tokens": tokens, "logprobs": [logprobs[i, token].item() for i, token in enumerate(tokens[1:])]}, open(f"{FIXTURES}/Import/llama-scores.json", "w"))

    state = network.state_dict()
    writer = gguf.GGUFWriter(f"{FIXTURES}/Import/llama-q8_0.gguf", "llama")
    writer.add_name("tiny")
    writer.add_block_count(2), writer.add_context_length(64), writer.add_embedding_length(64), writer.add_feed_forward_length(96)
    writer.add_head_count(4), writer.add_head_count_kv(2), writer.add_key_length(16), writer.add_value_length(16), writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16), writer.add_vocab_size(304), writer.add_rope_freq_base(500.0)
    writer.add_file_type(7), writer.add_quantization_version(2)
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    texts = {index: text for text, index in vocabulary.items()}
    added = {index: token.special for index, token in tokenizer.get_added_tokens_decoder().items()}
    kinds = [5 if i not in texts else 1 if i not in added else 3 if added[i] else 4 for i in range(304)]
    writer.add_tokenizer_model("gpt2"), writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([texts.get(i, f"[unused_row_{i}]") for i in range(304)]), writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(vocabulary["<|begin_of_text|>"]), writer.add_eos_token_id(vocabulary["<|eot_id|>"]), writer.add_add_bos_token(True)
    writer.add_chat_template("{{ '<|im_start|>' + '<|im_end|>' }}")
    kind = gguf.GGMLQuantizationType.Q8_0

    def permuted(weights, heads):  # as llama.cpp's converter has it
        rows, columns = weights.shape
        return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)

    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1 / 500.0 ** (torch.arange(0, 16, 2).float() / 16)
    add_weights(writer, "rope_freqs.weight", plain / scaled, None)
    add_weights(writer, "token_embd.weight", state["model.embed_tokens.weight"], kind)
    add_weights(writer, "output_norm.weight", state["model.norm.weight"], None)
    add_weights(writer, "output.weight", state["lm_head.weight"], kind)
    for layer in range(2):
        for name, source, heads in (
            ("attn_norm", "input_layernorm", 0), ("attn_q", "self_attn.q_proj", 4), ("attn_k", "self_attn.k_proj", 2), ("attn_v", "self_attn.v_proj", 0),
            ("attn_output", "self_attn.o_proj", 0), ("ffn_norm", "post_attention_layernorm", 0), ("ffn_gate", "mlp.gate_proj", 0), ("ffn_up", "mlp.up_proj", 0),
            ("ffn_down", "mlp.down_proj", 0)):
            weights = state[f"model.layers.{layer}.{source}.weight"]
            add_weights(writer, f"blk.{layer}.{name}.weight", permuted(weights, heads) if heads else weights, kind)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()


def bert_import():
    """A very small random BERT as transformers saves it, and the GGUF that it should become."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(2)
    folder = f"{FIXTURES}/Import/bert"
    lines = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s", "caf\u00e9", "!"]
    config = BertConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, max_position_embeddings=16, vocab_size=12, layer_norm_eps=1e-12)
    network = BertModel(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    save(network, folder)
    open(f"{folder}/vocab.txt", "w", encoding="utf-8").write("\n".join(lines) + "\n")
    os.makedirs(f"{folder}/1_Pooling", exist_ok=True)
    json.dump({"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, open(f"{folder}/1_Pooling/config.json", "w"))

    state = network.state_dict()
    kind = gguf.GGMLQuantizationType.F16
    writer = gguf.GGUFWriter(f"{FIXTURES}/Import/bert-f16.gguf", "bert")
    writer.add_name("tiny")
    writer.add_block_count(1), writer.add_context_length(16), writer.add_embedding_length(32), writer.add_feed_forward_length(64)
    writer.add_head_count(4), writer.add_layer_norm_eps(1e-12), writer.add_causal_attention(False), writer.add_pooling_type(gguf.PoolingType.CLS), writer.add_file_type(1)
    writer.add_tokenizer_model("bert"), writer.add_token_type_count(2)
    writer.add_token_list(["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581hello", "s", "\u2581caf\u00e9", "\u2581!", "[unused_row_10]", "[unused_row_11]"])
    writer.add_token_types([3, 5, 3, 3, 3, 3, 1, 1, 1, 1, 5, 5])
    writer.add_bos_token_id(3), writer.add_eos_token_id(4), writer.add_unk_token_id(2), writer.add_sep_token_id(4), writer.add_pad_token_id(0), writer.add_mask_token_id(5)
    names = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd", "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm"}
    for source, name in (("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"), ("attention.self.value", "attn_v"), ("attention.output.dense", "attn_output"),
                         ("attention.output.LayerNorm", "attn_output_norm"), ("intermediate.dense", "ffn_up"), ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm")):
        names[f"encoder.layer.0.{source}"] = f"blk.0.{name}"
    for source, name in names.items():
        for part in ("weight", "bias"):
            if f"{source}.{part}" in state:
                add_weights(writer, f"{name}.{part}", state[f"{source}.{part}"], None if name in ("position_embd", "token_types") else kind)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()


if __name__ == "__main__":
    os.makedirs(FIXTURES, exist_ok=True)
    tokenizer_goldens(*sys.argv[1:])
    chat_goldens(sys.argv[1])
    quantization_goldens()
    every_value()
    llama_import(sys.argv[1])
    bert_import()
