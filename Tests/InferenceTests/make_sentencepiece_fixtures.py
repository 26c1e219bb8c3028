"""Writes Fixtures/sentencepiece.json: what the `sentencepiece` library makes of the texts of Fixtures/tokenizers.jsonl with
llama.cpp's vocabularies of its two kinds.

    pip install gguf sentencepiece protobuf tokenizers
    python make_sentencepiece_fixtures.py LLAMA_SOURCE

LLAMA_SOURCE is the folder that holds llama.cpp's `models`.
"""
import json, os, sys

import gguf
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
# GGUF's token types are SentencePiece's.
KINDS = {"llama-spm": proto.TrainerSpec.BPE, "nomic-bert-moe": proto.TrainerSpec.UNIGRAM}


def vocabulary(source, name):
    fields = {key: field.contents() for key, field in gguf.GGUFReader(f"{source}/models/ggml-vocab-{name}.gguf").fields.items() if key.startswith("tokenizer.ggml.")}
    return lambda key: fields.get("tokenizer.ggml." + key)


def hugging_face(field):
    """XLM-RoBERTa's tokenizer as transformers converts it."""
    tokenizer = Tokenizer(models.Unigram(list(zip(field("tokens"), field("scores"))), unk_id=field("unknown_token_id")))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Precompiled(bytes(field("precompiled_charsmap"))), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "\u2581")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", prepend_scheme="always")
    return tokenizer


def processor(field, kind):
    model = proto.ModelProto()
    for text, score, type in zip(field("tokens"), field("scores"), field("token_type")):
        model.pieces.add(piece=text, score=score, type=type)
    model.trainer_spec.model_type = kind
    model.trainer_spec.byte_fallback = 6 in field("token_type")
    model.trainer_spec.unk_id = field("unknown_token_id")
    model.trainer_spec.bos_id, model.trainer_spec.eos_id, model.trainer_spec.pad_id = field("bos_token_id"), field("eos_token_id"), -1
    model.trainer_spec.unk_piece = field("tokens")[field("unknown_token_id")]
    model.normalizer_spec.precompiled_charsmap = bytes(field("precompiled_charsmap") or [])
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = bool(field("remove_extra_whitespaces"))
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


if __name__ == "__main__":
    texts = [json.loads(line)["text"] for line in open(f"{FIXTURES}/tokenizers.jsonl")]
    rows = {}
    for name, kind in KINDS.items():
        field = vocabulary(sys.argv[1], name)
        encoder = processor(field, kind)
        rows[name] = [encoder.encode(text) for text in texts]
        if kind == proto.TrainerSpec.UNIGRAM:
            # Where there are many best ways, sums of 32-bit floats choose one by their rounding; Hugging Face's are of 64 bits, as
            # ours. It is not taken for all texts since it maps whole graphemes where SentencePiece maps the characters in them.
            exact = hugging_face(field)
            for index, text in enumerate(texts):
                if len(text) >= 100 and len(set(text)) == 1:
                    rows[name][index] = exact.encode(text, add_special_tokens=False).ids
    json.dump(rows, open(f"{FIXTURES}/sentencepiece.json", "w"), separators=(",", ":"))
