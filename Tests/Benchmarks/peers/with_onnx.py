"""all-MiniLM-L6-v2 with ONNX Runtime, quantized to 8 bits as its own tool does it, in a process of its own: prints JSON.

    with_onnx.py FOLDER_OF_THE_MODEL FOLDER_FOR_THE_ONNX_FILES THREADS TEXTS     a text per line
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import onnxruntime
from transformers import AutoTokenizer

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


def exported(source: str, folder: Path) -> Path:
    path = folder / "minilm-int8.onnx"
    if not path.exists():
        import torch
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from transformers import AutoModel

        class LastHiddenState(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = AutoModel.from_pretrained(source, attn_implementation="eager").eval()

            def forward(self, *inputs):
                return self.model(**dict(zip(NAMES, inputs)))[0]

        example = AutoTokenizer.from_pretrained(source)(["one", "another text"], padding=True, return_tensors="pt")
        floats, partial = folder / "minilm-f32.onnx", folder / "part-minilm-int8.onnx"
        torch.onnx.export(
            LastHiddenState().eval(), tuple(example[name] for name in NAMES), str(floats), input_names=NAMES, output_names=["states"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*NAMES, "states"]}, opset_version=18, dynamo=False)
        quantize_dynamic(str(floats), str(partial), weight_type=QuantType.QInt8)
        partial.rename(path)
    return path


def main(source: str, folder: str, threads: str, texts: str) -> dict:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(exported(source, Path(folder)), options, providers=["CPUExecutionProvider"])
    tokenizer = AutoTokenizer.from_pretrained(source)

    def embed(documents: list[str]) -> None:
        """Batches of 32 documents of similar length, as sentence-transformers makes them."""
        documents = sorted(documents, key=len)
        for first in range(0, len(documents), 32):
            inputs = tokenizer(documents[first:first + 32], padding=True, return_tensors="np")
            states = session.run(["states"], {name: inputs[name] for name in NAMES})[0]
            (states * inputs["attention_mask"][..., None]).sum(1)

    documents = Path(texts).read_text().splitlines()
    shortest = min(documents, key=len)
    rest = [document for document in documents if document is not shortest]
    embed(rest[:64])
    begun = time.perf_counter()
    embed(rest)
    rate = len(rest) / (time.perf_counter() - begun)
    singles = []
    for _ in range(51):
        begun = time.perf_counter()
        embed([shortest])
        singles.append(time.perf_counter() - begun)
    return {"documents": rate, "single": sorted(singles)[25] * 1e3}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
