"""What quantized arithmetic costs: log probabilities against llama.cpp's on the same file, beside what llama.cpp's own paths
differ by. Embeddings are compared with sentence-transformers' in Tests/InferenceTests."""

import statistics
import sys
from pathlib import Path

from compare import HERE, SWIFTLET, output

TOKENS = 256


def report(folder: Path, threads: int) -> None:
    import models

    print("| log probabilities | mean difference | 99th percentile | largest |")
    print("| --- | --- | --- | --- |")
    tokens = ",".join(str((i * 7919) % 60000 + 10) for i in range(TOKENS))
    for quantization in ("q8_0", "q4_k_m", "q5_k_m"):
        path = models.llama(folder, quantization)
        paths = {
            kind: output(sys.executable, HERE / "with_llama_cpp.py", "score", path, threads, tokens, kind)
            for kind in ("repacked", "plain", "single")
        }
        ours = output(SWIFTLET, "score", path, "--tokens", tokens, "--format", "json")["logprobs"]
        title = f"llama3-1b {quantization.upper()}"
        print(line(f"{title}: Swiftlet and llama.cpp plain", ours, paths["plain"]))
        print(line(f"{title}: Swiftlet and llama.cpp repacked", ours, paths["repacked"]))
        print(line(f"{title}: llama.cpp repacked and plain", paths["repacked"], paths["plain"]))
        print(line(f"{title}: llama.cpp in one batch and token by token", paths["repacked"], paths["single"]))


def line(title: str, ours: list[float], theirs: list[float]) -> str:
    differences = sorted(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    return f"| {title} | {statistics.mean(differences):.4f} | {differences[len(differences) * 99 // 100]:.4f} | {differences[-1]:.4f} |"
