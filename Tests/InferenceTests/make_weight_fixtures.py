"""Writes Fixtures/weights.gguf, for each type of weights a tensor of random blocks, and what the `gguf` package reads from it; and
Fixtures/tiny-llama-foreign.gguf, the model of tiny-llama-mixed.gguf with other weights, of types that no kernel computes with.

    pip install gguf numpy
    python make_weight_fixtures.py
"""
import os

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
# Where in a block the scales are that are 16-bit floats: random bytes there would be anything from nothing to infinity.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82], Type.Q3_K: [108],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.MXFP4: [],
}
ROWS, COLUMNS = 3, 512

FOREIGN = [Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q2_K, Type.Q3_K, Type.IQ4_NL, Type.IQ4_XS, Type.MXFP4]


def random_blocks(rng, kind, elements, scale):
    length, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (elements // length, size), dtype=np.uint8)
    for offset in HALVES[kind]:
        scales = (rng.standard_normal(len(blocks)) * scale).astype(np.float16)
        blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(-1, 2)
    if kind == Type.MXFP4:
        blocks[:, 0] = 127 + round(np.log2(scale)) + rng.integers(-6, 7, len(blocks))  # powers of two
    return blocks


def foreign_model():
    rng = np.random.default_rng(6)
    reader = gguf.GGUFReader(f"{FIXTURES}/tiny-llama-mixed.gguf")
    writer = gguf.GGUFWriter(f"{FIXTURES}/tiny-llama-foreign.gguf", "llama")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", "general.file_type"):
            writer.add_key_value(key, field.contents(), field.types[0], sub_type=field.types[-1] if len(field.types) > 1 else None)
    kinds = iter(FOREIGN * 4)
    for tensor in reader.tensors:
        shape = [int(length) for length in tensor.shape[::-1]]
        if len(shape) == 1:
            writer.add_tensor(tensor.name, np.array(tensor.data))
            continue
        kind = next(kinds)
        blocks = random_blocks(rng, kind, int(np.prod(shape)), 1)
        # The weights are about as large as those of a model that has just been initialized.
        spread = gguf.quants.dequantize(blocks.reshape(1, -1), kind).std()
        blocks = random_blocks(np.random.default_rng(len(tensor.name)), kind, int(np.prod(shape)), 0.06 / spread)
        writer.add_tensor(tensor.name, blocks.reshape(shape[0], -1), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    foreign_model()
    rng = np.random.default_rng(5)
    writer = gguf.GGUFWriter(f"{FIXTURES}/weights.gguf", "test")
    for kind in HALVES:
        data = random_blocks(rng, kind, ROWS * COLUMNS, 1 / 64).reshape(ROWS, -1)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        writer.add_tensor(f"{kind.name} as floats", gguf.quants.dequantize(data, kind).reshape(ROWS, COLUMNS))
    rows = (rng.standard_normal((ROWS, COLUMNS)) * 3).astype(np.float32)
    for kind in (Type.F16, Type.BF16):
        data = gguf.quants.quantize(rows, kind)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        writer.add_tensor(f"{kind.name} as floats", gguf.quants.dequantize(data, kind).reshape(ROWS, COLUMNS))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
