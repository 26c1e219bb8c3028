"""Log probabilities of llama3-1b in each weight type that Swiftlet reads, beside llama.cpp's on the same file, and how far each is
from what 32-bit floats give. Files are made by llama.cpp, one after the other, and deleted again: 7 GB of disk at a time."""

import ctypes
import sys
from pathlib import Path

from compare import HERE, output
from quality import ours

TOKENS = 128
#: What the file's matrices are made to, as llama.cpp numbers files (llama_ftype) and tensors (ggml_type).
TYPES = {
    "F32": (0, 0), "F16": (1, 1), "BF16": (32, 30), "Q4_0": (2, 2), "Q4_1": (3, 3), "Q5_0": (8, 6), "Q5_1": (9, 7), "Q8_0": (7, 8), "Q2_K": (10, 10), "Q3_K": (12, 11),
    "Q4_K": (15, 12), "Q5_K": (17, 13), "Q6_K": (18, 14), "IQ4_NL": (25, 20), "IQ4_XS": (30, 23), "MXFP4": (38, 39),
}


def report(folder: Path, threads: int, types: list[str]) -> None:
    import models

    source = models.source(folder)
    tokens = [(i * 7919) % 60000 + 10 for i in range(TOKENS)]
    print("Differences of log probabilities: mean, 99th percentile, largest. Plain is llama.cpp with weights as the file has them.\n")
    print("| weights | Swiftlet and plain | llama.cpp repacked and plain | Swiftlet and 32-bit floats | plain and 32-bit floats |")
    print("| --- | --- | --- | --- | --- |")
    for name in types or TYPES:
        path = folder / f"llama3-1b-only-{name.lower()}.gguf"
        try:
            if name != "F16":
                make(source, path, *TYPES[name])
            file, text = path if name != "F16" else source, ",".join(map(str, tokens))
            plain, repacked = (output(sys.executable, HERE / "with_llama_cpp.py", "score", file, threads, text, kind) for kind in ("plain", "repacked"))
            swiftlet, exact = (ours(file, text, kind) for kind in ("swiftlet", "exact"))
            pairs = ((swiftlet, plain), (repacked, plain), (swiftlet, exact), (plain, exact))
            print(f"| {name} | {' | '.join(differences(*pair) for pair in pairs)} |", flush=True)
        finally:
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".pack").unlink(missing_ok=True)


def make(source: Path, path: Path, file_type: int, tensor_type: int) -> None:
    """All matrices in one type: quantizers mix them otherwise."""
    import llama_cpp
    import models

    llama_cpp.llama_log_set(models.silence, None)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.pure, parameters.nthread = file_type, True, 2
    parameters.output_tensor_type = parameters.token_embedding_type = tensor_type
    if llama_cpp.llama_model_quantize(str(source).encode(), str(path).encode(), ctypes.byref(parameters)) != 0:
        raise SystemExit(f"llama.cpp could not make {path}.")


def differences(one: list[float], other: list[float]) -> str:
    values = sorted(abs(a - b) for a, b in zip(one, other, strict=True))
    return f"{sum(values) / len(values):.4f}, {values[len(values) * 99 // 100]:.4f}, {values[-1]:.4f}"
