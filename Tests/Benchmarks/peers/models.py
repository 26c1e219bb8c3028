"""The models that are measured. Speed does not depend on the weights, so those of the large ones are random, in the shape of
a public model."""

import ctypes
import subprocess
from pathlib import Path

import gguf
import numpy as np

ROOT = Path(__file__).resolve().parents[3]
MINILM = ROOT / ".build/all-minilm-l6-v2"
SWIFTLET = ROOT / ".build/release/swiftlet"

# Llama 3.2 1B: 1.24 billion parameters, the output matrix being that of the embeddings.
LAYERS, WIDTH, FEED_FORWARD, HEADS, KEY_VALUE_HEADS, VOCABULARY, DIMENSION = 16, 2048, 8192, 32, 8, 128256, 64
FILE_TYPES = {"q8_0": 7, "q4_k_m": 15, "q5_k_m": 17}


def llama(folder: Path, quantization: str) -> Path:
    """llama3-1b-QUANTIZATION.gguf, made by llama.cpp from one file of 16-bit floats."""
    path = folder / f"llama3-1b-{quantization}.gguf"
    if not path.exists():
        _make(path, lambda partial: _quantize(source(folder), partial, quantization))
    return path


def source(folder: Path) -> Path:
    """llama3-1b-f16.gguf, of which the others are made."""
    path = folder / "llama3-1b-f16.gguf"
    if not path.exists():
        _make(path, _write_llama)
    return path


def minilm(folder: Path, quantization: str) -> Path:
    """all-MiniLM-L6-v2 as GGUF, by `swiftlet models import`."""
    path = folder / f"minilm-{quantization}.gguf"
    if not path.exists():
        _make(path, lambda partial: subprocess.run(
            [SWIFTLET, "models", "import", MINILM, "--type", quantization, "--out", partial], check=True, stdout=subprocess.DEVNULL))
    return path


def _make(path: Path, write) -> None:
    """Under another name first: a run that is broken off leaves nothing that looks whole."""
    print(f"making {path}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name("part-" + path.name)
    write(partial)
    partial.rename(path)


def _quantize(source: Path, path: Path, quantization: str) -> None:
    import llama_cpp

    llama_cpp.llama_log_set(silence, None)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = FILE_TYPES[quantization]
    parameters.nthread = 2
    if llama_cpp.llama_model_quantize(str(source).encode(), str(path).encode(), ctypes.byref(parameters)) != 0:
        raise SystemExit(f"llama.cpp could not quantize {source} to {quantization}.")


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def silence(level, text, data):
    pass


def _write_llama(path: Path) -> None:
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("llama3-1b")
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(DIMENSION)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(1)
    _write_vocabulary(writer)

    def matrix(name: str, rows: int, columns: int, scale: float | None = None):
        values = random.standard_normal((rows, columns), dtype=np.float32) * np.float32(scale or columns**-0.5)
        writer.add_tensor(name + ".weight", values.astype(np.float16))

    def norm(name: str):
        writer.add_tensor(name + ".weight", np.ones(WIDTH, dtype=np.float32))

    matrix("token_embd", VOCABULARY, WIDTH, 0.02)
    norm("output_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        norm(block + "attn_norm")
        norm(block + "ffn_norm")
        for name, rows in (("q", HEADS), ("k", KEY_VALUE_HEADS), ("v", KEY_VALUE_HEADS)):
            matrix(block + "attn_" + name, rows * DIMENSION, WIDTH)
        matrix(block + "attn_output", WIDTH, HEADS * DIMENSION)
        matrix(block + "ffn_gate", FEED_FORWARD, WIDTH)
        matrix(block + "ffn_up", FEED_FORWARD, WIDTH)
        matrix(block + "ffn_down", WIDTH, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Byte-level pairs: the 256 bytes, all their pairs, and fillers."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = sorted([(byte, chr(byte)) for byte in printable] + [(byte, chr(256 + i)) for i, byte in enumerate(others)])
    letters = [letter for _, letter in letters]
    tokens = letters + [a + b for a in letters for b in letters]
    merges = [f"{a} {b}" for a in letters for b in letters]
    tokens += [f"<filler {i}>" for i in range(VOCABULARY - 2 - len(tokens))] + ["<|bos|>", "<|eos|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (VOCABULARY - 2) + [3, 3])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(VOCABULARY - 2)
    writer.add_eos_token_id(VOCABULARY - 1)
    writer.add_add_bos_token(False)
