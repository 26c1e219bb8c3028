"""Writes Fixtures/words.json: into words of how many bytes the `tokenizers` library splits the texts of Fixtures/tokenizers.jsonl,
for each kind of pre-tokenizer.

    pip install tokenizers
    python make_word_fixtures.py

The expressions are those of the families' own tokenizer.json files, where they are public without asking, and else of llama.cpp.
"""
import json, os

from tokenizers import Regex, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence, Split

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")


def split(pattern):
    return Split(Regex(pattern), "isolated")


GPT2 = ByteLevel(add_prefix_space=False)
SINGLE_DIGITS = Digits(individual_digits=True)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK_LETTERS = (  # escaped, since editors that compose characters would change some
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556"
    "\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-"
    "\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc"
    "\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a"
    "-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183"
    "\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b"
    "-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943]+"
)
HAN = "[一-龥\u0800-一가-\ud7ff]+"
HAN_KANA = "[一-龥\u3040-ゟ゠-ヿ]+"
DEEPSEEK3 = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
LINES = r"[^\n]+|[\n]+"

KINDS = {
    "gpt-2": GPT2, "mpt": GPT2, "smollm": Sequence([SINGLE_DIGITS, GPT2]), "command-r": Sequence([SINGLE_DIGITS, GPT2]),
    "llama-bpe": split(LLAMA3), "dbrx": split(LLAMA3), "glm4": split(LLAMA3), "qwen2": split(QWEN2), "deepseek-r1-qwen": split(QWEN2),
    "qwen35": split(QWEN2.replace(r"]?\p{L}+", r"]?[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")),
    "ufakzeka": split(QWEN2.split("|", 7)[7]), "laguna": Sequence([split(LINES), split(QWEN2)]),
    "minicpm5": Sequence([split(r"\p{N}{1,3}"), split(LLAMA3.replace("{1,3}", "+"))]),
    "bailingmoe": split(r"'(?i:s|d|m|t|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"),
    "seed-coder": split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "exaone-moe": split(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"),
    "falcon": Sequence([split(r"[\p{P}\$\+<=>\^~\|`]+"), GPT2, split("[0-9][0-9][0-9]")]),
    "deepseek-llm": Sequence([split("[\r\n]"), split(DEEPSEEK_LETTERS), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), split(HAN), split(r"\p{N}+")]),
    "deepseek-coder": Sequence([split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(HAN), SINGLE_DIGITS]),
    "deepseek-v3": Sequence([split(r"\p{N}{1,3}"), split(HAN_KANA), split(DEEPSEEK3)]),
    "spark2_5": Sequence([split(r"\p{N}{1,3}"), split(HAN_KANA), split(DEEPSEEK3.replace(r"[\r\n]*|\s*[\r\n]+", r"|[\r\n]")), split(r"\p{N}")]),
    "youtu": Sequence([split("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + HAN_KANA), split(GPT4O.replace("{1,3}", ""))]),
    "tekken": split(TEKKEN), "gpt-4o": split(GPT4O), "granite-embed-multi-97m": split(GPT4O),
    "poro-chat": split(BLOOM), "viking": Sequence([split(BLOOM), split(r"\p{N}")]),
    "chameleon": Sequence([
        split("<sentinel:[0-9]+>"), split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), split(r"([\t\n]|    |  )"), SINGLE_DIGITS,
        split(r"[\p{P}!-/:-@\[-`{-~]"), GPT2]),
    "gemma4": split(LINES), "sarvam-moe": split(LINES),
}


def word_lengths(splitter, text):
    """The words' lengths in bytes."""
    # Offsets are those of characters, also where ByteLevel has cut between the bytes of one.
    words = [text[start:end] for _, (start, end) in splitter.pre_tokenize_str(text)]
    assert "".join(words) == text, (text, words)
    return [len(word.encode()) for word in words]


if __name__ == "__main__":
    texts = [json.loads(line)["text"] for line in open(f"{FIXTURES}/tokenizers.jsonl")]
    rows = {name: [word_lengths(splitter, text) for text in texts] for name, splitter in KINDS.items()}
    json.dump(rows, open(f"{FIXTURES}/words.json", "w"), separators=(",", ":"))
