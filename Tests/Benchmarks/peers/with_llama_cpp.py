"""llama.cpp on one model, in a process of its own: prints JSON.

    with_llama_cpp.py speed MODEL THREADS PART...       parts: start, memory, prefill, decode1, decode8
    with_llama_cpp.py score MODEL THREADS TOKENS PATH   log probabilities of the tokens (numbers with commas between them);
                                                        path: repacked, plain (weights as the file has them), separate
                                                        (repacked, without flash attention) or single (repacked, one
                                                        token at a time)
"""

import json
import sys
import time

import llama_cpp as llama
import numpy as np

from start import private_megabytes


class Model:
    def __init__(self, path: str, threads: int, repack: bool = True, batch: int = 512, flash: bool = True):
        llama.llama_log_set(_silence, None)
        llama.llama_backend_init()
        parameters = llama.llama_model_default_params()
        parameters.use_extra_bufts = repack
        self.model = llama.llama_model_load_from_file(path.encode(), parameters)
        if not self.model:
            raise SystemExit(f"llama.cpp could not load {path}.")
        context = llama.llama_context_default_params()
        context.n_ctx, context.n_batch, context.n_ubatch, context.n_seq_max = 8 * 1024, batch, batch, 8
        context.n_threads = context.n_threads_batch = threads
        context.kv_unified = True
        if not flash:
            context.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama.llama_init_from_model(self.model, context)
        self.memory = llama.llama_get_memory(self.context)
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))

    def decode(self, tokens, positions, sequences, wanted) -> None:
        batch = llama.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, positions[i], 1
            batch.seq_id[i][0], batch.logits[i] = sequences[i], wanted[i]
        if llama.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama.cpp could not decode.")
        llama.llama_synchronize(self.context)
        llama.llama_batch_free(batch)

    def prompt(self, count: int, sequence: int = 0) -> float:
        """Tokens per second."""
        begun = time.perf_counter()
        self.decode([(i * 7919 + sequence) % 1000 + 10 for i in range(count)], range(count), [sequence] * count, [0] * (count - 1) + [1])
        return count / (time.perf_counter() - begun)

    def cache_megabytes(self) -> float:
        """Keys and values of all positions as 16-bit floats, which are zeroed, and so in memory, from the start."""
        width = llama.llama_model_n_embd(self.model) // llama.llama_model_n_head(self.model) * llama.llama_model_n_head_kv(self.model)
        return llama.llama_n_ctx(self.context) * llama.llama_model_n_layer(self.model) * 2 * width * 2 / 2**20

    def clear(self) -> None:
        llama.llama_memory_clear(self.memory, True)

    def generate(self, count: int, sequences: int, context: int = 128) -> float:
        """Tokens per second, after a prompt of `context` tokens for each sequence."""
        self.clear()
        for sequence in range(sequences):
            self.prompt(context, sequence)
        begun = time.perf_counter()
        for step in range(count):
            self.decode([step + 5] * sequences, [context + step] * sequences, range(sequences), [1] * sequences)
        return count * sequences / (time.perf_counter() - begun)

    def logits(self, index: int) -> np.ndarray:
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, index), shape=(self.vocabulary,)).astype(np.float64)


@llama.llama_log_callback
def _silence(level, text, data):
    pass


def speed(path: str, threads: int, parts: list[str]) -> dict:
    before, begun = private_megabytes(), time.perf_counter()
    model = Model(path, threads)
    model.prompt(1)
    # Python's own start does not count.
    first = (time.perf_counter() - begun) * 1e3
    result = {"start": first, "health": first, "memory": private_megabytes() - before - model.cache_megabytes()}
    if "prefill" in parts:
        model.clear()
        model.prompt(128)
        model.clear()
        result["prefill"] = model.prompt(512)
    if "decode1" in parts:
        result["decode1"] = model.generate(24, 1)
    if "decode8" in parts:
        result["decode8"] = model.generate(12, 8)
    return result


def score(path: str, threads: int, tokens: list[int], kind: str) -> list[float]:
    model = Model(path, threads, repack=kind != "plain", flash=kind != "separate")
    count = len(tokens)
    if kind == "single":
        rows = []
        for i, token in enumerate(tokens[:-1]):
            model.decode([token], [i], [0], [1])
            rows.append(model.logits(0))
    else:
        model.decode(tokens, range(count), [0] * count, [1] * count)
        rows = [model.logits(i) for i in range(count - 1)]
    return [float(row[token] - np.logaddexp.reduce(row)) for row, token in zip(rows, tokens[1:])]


if __name__ == "__main__":
    action, path, threads, *rest = sys.argv[1:]
    if action == "speed":
        print(json.dumps(speed(path, int(threads), rest)))
    else:
        print(json.dumps(score(path, int(threads), [int(token) for token in rest[0].split(",")], rest[1])))
