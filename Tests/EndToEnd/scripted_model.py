"""A model that says what it was built to say.

It is a llama of one layer whose attention and feed-forward add nothing, so that the next token depends on the present one alone:
its embedding is a unit matrix, and its output matrix holds which token follows which. What it is asked decides only through its
chat template, which ends the prompt with one mark or another. Everything else is as with any model: a GGUF file, a tokenizer, a
template, an engine that samples.
"""

import struct
from pathlib import Path

TEMPLATE = """
{%- if tools %}{{ '<|im_start|>system\\nCall as <tool_call>{"name": …, "arguments": …}</tool_call>:' }}
{%- for tool in tools %}{{ '\\n' + tool | tojson }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}{{ message.content.split('</think>')[-1] }}{% endif %}
    {%- for call in message.tool_calls or [] %}{{ '\\n<tool_call>' + (call.function | tojson) + '</tool_call>' }}{% endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}
    {%- set last = messages[-1] %}
    {%- if last.role == 'tool' %}{{ '<|answer|>' }}
    {%- elif 'how calls look' in last.content %}{{ '<|looks|>' }}
    {%- elif tools and tools | length > 1 %}{{ '<|calls|>' }}
    {%- elif tools %}{{ '<|call|>' }}
    {%- else %}{{ '<|plain|>' }}{% endif %}
{%- endif %}
"""

END = "<|im_end|>"
# Each piece follows the one before it; a piece stands for itself wherever it comes, so none may come twice.
SCRIPTS = [
    ["<|plain|>", "Hel", "lo there.", END],
    ["<|answer|>", "It is 21", "° in Paris", " now.", END],
    ["<|looks|>", "A call is ", "<tool_", "call>{…}</tool_call>", ", like", " so.", END],
    ["<|call|>", "<think>", "\nI need", " the weather.\n", "</think>", "\n\nLet me", " see.\n", "<tool_call>", '\n{"name": "get_', 'weather", "argu',
     'ments"', ': {"city": "Par', 'is", "days": 2}', "}\n", "</tool_call>", END],
    ["<|calls|>", "<tool_call>\n", '{"name": "get_weather", "arguments": {"city": "Oslo"}}', "</tool_call>\n", '<tool_call>{"name": "now", ',
     '"arguments": {}}', "\n</tool_call>", END],
    # A call that was begun for it ends with a colon.
    [":", ' {"city": ', '"Rome", "days": 1', "}}\n</tool_call>", END],
]
CONTROL = ["<|im_start|>", END] + [script[0] for script in SCRIPTS if script[0].startswith("<|")]


def byte_alphabet() -> list[str]:
    """GPT-2's characters for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names = {byte: chr(byte) for byte in shown}
    for byte in range(256):
        names.setdefault(byte, chr(256 + sum(other not in shown for other in range(byte))))
    return [names[byte] for byte in range(256)]


def write(path: Path, template: str = TEMPLATE) -> None:
    pieces = CONTROL + sorted({piece for script in SCRIPTS for piece in script} - set(CONTROL) - {":"})
    tokens = byte_alphabet() + pieces
    number = {piece: 256 + index for index, piece in enumerate(pieces)} | {":": ord(":")}
    kinds = [1] * 256 + [3 if piece in CONTROL else 4 for piece in pieces]
    count = len(tokens)
    width = -(-count // 64) * 64
    embedding = [[1.0 if column == row else 0.0 for column in range(width)] for row in range(count)]
    output = [[0.0] * width for _ in range(count)]
    # What is no part of a script is followed by the end.
    follows = {row: number[END] for row in range(count)}
    follows |= {number[a]: number[b] for script in SCRIPTS for a, b in zip(script, script[1:])}
    for token, following in follows.items():
        output[following][token] = 4.0

    def zeros(rows, columns): return [[0.0] * columns] * rows
    ones = [[1.0] * width]
    tensors = {
        "token_embd.weight": embedding, "output.weight": output, "output_norm.weight": ones, "blk.0.attn_norm.weight": ones,
        "blk.0.ffn_norm.weight": ones, "blk.0.ffn_gate.weight": zeros(64, width), "blk.0.ffn_up.weight": zeros(64, width),
        "blk.0.ffn_down.weight": zeros(width, 64),
    } | {f"blk.0.attn_{name}.weight": zeros(width, width) for name in ("q", "k", "v", "output")}
    metadata = {
        "general.architecture": "llama", "general.name": "scripted", "llama.context_length": 2048, "llama.embedding_length": width,
        "llama.feed_forward_length": 64, "llama.block_count": 1, "llama.attention.head_count": 1, "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": ["a b"], "tokenizer.ggml.eos_token_id": number[END], "tokenizer.chat_template": template,
    }
    path.write_bytes(gguf(metadata, tensors))


def gguf(metadata: dict, tensors: dict) -> bytes:
    """The file format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""

    def text(value): return struct.pack("<Q", len(value.encode())) + value.encode()

    def value(of):
        if isinstance(of, str):
            return struct.pack("<I", 8) + text(of)
        if isinstance(of, float):
            return struct.pack("<If", 6, of)
        if isinstance(of, int):
            return struct.pack("<II", 4, of)
        kind = 8 if isinstance(of[0], str) else 5
        return struct.pack("<IIQ", 9, kind, len(of)) + b"".join(text(item) if kind == 8 else struct.pack("<i", item) for item in of)

    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    head += b"".join(text(name) + value(of) for name, of in metadata.items())
    data = b""
    for name, rows in tensors.items():
        shape = [len(rows[0])] if len(rows) == 1 else [len(rows[0]), len(rows)]
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
        data += bytes(-len(data) % 32)
    return head + bytes(-len(head) % 32) + data
