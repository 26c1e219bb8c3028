"""What quantized arithmetic costs: log probabilities beside llama.cpp's on the same file, and how far each is from what 32-bit floats
give. Embeddings are compared with sentence-transformers' in Tests/InferenceTests."""

import statistics
import sys
from pathlib import Path

from compare import HERE, SWIFTLET, output

#: Sequences, and tokens of each. A single token's difference says little: rounding an activation up or down changes all that follows.
SEQUENCES, TOKENS = 8, 256


def report(folder: Path, threads: int) -> None:
    import models

    print("| log probabilities | mean difference | standard error | 99th percentile | largest |")
    print("| --- | --- | --- | --- | --- |")
    for quantization in ("q8_0", "q4_k_m", "q5_k_m"):
        path = models.llama(folder, quantization)
        scores = {kind: [] for kind in ("swiftlet", "exact", "repacked", "plain", "separate", "single")}
        for sequence in range(SEQUENCES):
            tokens = ",".join(str(((i + sequence * TOKENS) * 7919) % 60000 + 10) for i in range(TOKENS))
            print(f"scoring {quantization}: {sequence + 1} of {SEQUENCES}", file=sys.stderr, flush=True)
            for kind, found in scores.items():
                found += ours(path, tokens, kind) if kind in ("swiftlet", "exact") else output(
                    sys.executable, HERE / "with_llama_cpp.py", "score", path, threads, tokens, kind)
        for title, one, other in (
            ("Swiftlet and llama.cpp plain", "swiftlet", "plain"), ("Swiftlet and llama.cpp repacked", "swiftlet", "repacked"),
            ("llama.cpp repacked and plain", "repacked", "plain"), ("llama.cpp with and without flash attention", "repacked", "separate"),
            ("llama.cpp in one batch and token by token", "repacked", "single"),
            ("Swiftlet and 32-bit floats", "swiftlet", "exact"), ("llama.cpp plain and 32-bit floats", "plain", "exact"),
            ("llama.cpp repacked and 32-bit floats", "repacked", "exact"),
        ):
            print(line(f"llama3-1b {quantization.upper()}: {title}", scores[one], scores[other]), flush=True)


def ours(path: Path, tokens: str, kind: str) -> list[float]:
    options = ["--exact"] if kind == "exact" else []
    return output(SWIFTLET, "score", path, "--tokens", tokens, *options, "--format", "json")["logprobs"]


def line(title: str, ours: list[float], theirs: list[float]) -> str:
    differences = sorted(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return f"| {title} | {statistics.mean(differences):.4f} | {error:.4f} | {differences[len(differences) * 99 // 100]:.4f} | {differences[-1]:.4f} |"
