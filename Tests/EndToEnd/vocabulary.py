"""The vocabulary in a GGUF file, as the tokenizer of PyPI's `tokenizers`: one that shares no code with Swiftlet's."""

import struct
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers

# GGUF's value types (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) as `struct` formats; 8 is text, 9 a list.
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
CONTROL = 3


def metadata(path: Path) -> dict:
    with path.open("rb") as file:

        def number(format: str):
            return struct.unpack("<" + format, file.read(struct.calcsize("<" + format)))[0]

        def value(kind: int):
            if kind == 8:
                return file.read(number("Q")).decode()
            if kind == 9:
                inner, count = number("I"), number("Q")
                return [value(inner) for _ in range(count)]
            return number(FORMATS[kind])

        assert file.read(4) == b"GGUF"
        number("I"), number("Q")
        return {value(8): value(number("I")) for _ in range(number("Q"))}


def tokenizer(path: Path) -> Tokenizer:
    """The byte-level BPE tokenizer (`tokenizer.ggml.pre` is gpt-2) of the model at `path`."""
    data = metadata(path)
    assert (data["tokenizer.ggml.model"], data["tokenizer.ggml.pre"]) == ("gpt2", "gpt-2")
    tokens, types = data["tokenizer.ggml.tokens"], data["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in data["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    made.add_special_tokens([token for token, kind in zip(tokens, types) if kind == CONTROL])
    return made
