"""Models: what is listed, tokenized, scored and downloaded, and files that are cut off or lie."""

import hashlib
import json
import math
import signal
import struct
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from swiftlet import command, eventually, fails


def test_models_are_listed(system):
    rows = {row["name"]: row for row in system.report("models", "list")}
    assert {"swiftlet-demo-q8_0", "all-minilm-l6-v2-q8_0"} <= set(rows)


@pytest.mark.parametrize("model, text, tokens", [
    # From transformers' tokenizers for the same models.
    ("chat", "Shipping takes 3 days.", [1334, 1119, 500, 617, 16]),
    ("chat", "  two  spaces\n\ttab", [223, 263, 89, 81, 223, 280, 82, 342, 294, 201, 200, 86, 485]),
    ("chat", "Hello, wörld! 42 ", [1496, 14, 279, 130, 117, 84, 476, 3, 1745, 223]),
    ("embed", "Hello, wörld! 42", [101, 7592, 1010, 2088, 999, 4413, 102]),
])
def test_tokenize(system, model, text, tokens):
    assert system.report("tokenize", model, "--text", text) == {"tokens": tokens}
    done = system.command("tokenize", model, "--stdin", "--format", "json", input=text)
    assert json.loads(done.stdout) == {"tokens": tokens}


def test_tokenize_without_special_tokens(system):
    assert system.report("tokenize", "embed", "--text", "Hello", "--no-special") == {"tokens": [7592]}


def test_detokenize(system):
    assert system.report("detokenize", "chat", "--tokens", "1334,1119,500,617,16") == {"text": "Shipping takes 3 days."}
    assert system.report("detokenize", "embed", "--tokens", "101,7592,102", "--no-special") == {"text": "hello"}
    assert "no token 99999" in fails("detokenize", "chat", "--tokens", "5,99999", "--state", system.state)


def test_tokens_over_http(system):
    """The shapes of llama-server."""
    tokens = [1334, 1119, 500, 617, 16]
    assert system.post("/tokenize", {"content": "Shipping takes 3 days."}).json == {"tokens": tokens}
    assert system.post("/detokenize", {"tokens": tokens}).json == {"content": "Shipping takes 3 days."}
    pieces = system.post("/tokenize", {"content": "ö<|im_end|>", "with_pieces": True, "parse_special": True}).json["tokens"]
    assert pieces[-1] == {"id": 2, "piece": "<|im_end|>"}
    assert b"".join(p if isinstance(p, bytes) else bytes(p) if isinstance(p, list) else p.encode() for p in (t["piece"] for t in pieces[:-1])) == "ö".encode()
    assert 2 not in system.post("/tokenize", {"content": "<|im_end|>"}).json["tokens"]
    assert system.post("/detokenize", {"tokens": [99999]}).error["param"] == "tokens"
    assert system.post("/tokenize", {"text": "x"}).error["param"] == "content"


def test_quantize(system, tmp_path):
    out = str(tmp_path / "smaller.gguf")
    assert system.command("models", "quantize", "chat", out, "--type", "q4_0").stdout.strip() == out
    assert "--force replaces it" in fails("models", "quantize", "chat", out, "--type", "q6_k", "--state", system.state)
    assert "q4_k_m" in fails("models", "quantize", "chat", out, "--type", "q3_k", "--force", "--state", system.state)
    assert len(system.report("score", out, "--text", "Once upon a time")["logprobs"]) == len(system.report("score", "chat", "--text", "Once upon a time")["logprobs"])
    assert system.command("models", "quantize", "chat", out, "--type", "q8_0", "--force").stdout.strip() == out
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".pack")] == ["smaller.gguf"]


def test_score(system):
    """Log probabilities from transformers, on the same Q8_0 weights in F32."""
    text = "Once upon a time there was a happy dog named Tom. Tom lived near the river. One day the ball was lost."
    tokens = [757, 758, 269, 669, 539, 320, 269, 585, 984, 435, 867, 16, 867, 508, 507, 270, 555, 16, 571, 381, 270, 837, 320, 461, 16]
    expected = [-0.0001, 0, 0, 0, -0.0001, 0, -2.2419, -2.8226, 0, -3.7977, 0, -0.0002, 0, 0, 0, -2.6779, 0, -14.888, -0.6719, -0.2343,
                -2.8974, -0.0001, -0.0002, 0]
    scored = system.report("score", "chat", "--text", text)
    assert scored["tokens"] == tokens
    assert scored["logprobs"] == pytest.approx(expected, abs=0.15)
    assert scored["perplexity"] == pytest.approx(math.exp(-sum(scored["logprobs"]) / len(scored["logprobs"])), rel=1e-4)
    assert scored["perplexity"] == pytest.approx(3.5243, rel=0.03)
    assert system.report("score", "chat", "--tokens", ",".join(map(str, tokens)))["logprobs"] == pytest.approx(scored["logprobs"], abs=1e-4)


@pytest.mark.parametrize("arguments", [
    ["--tokens", "1,2,99999"], ["--tokens", "1,x"], ["--tokens", "-1,2"], ["--tokens", "5"], ["--tokens", ",".join(["5"] * 600)]])
def test_score_refuses_what_it_cannot_score(system, arguments):
    fails("score", "chat", *arguments, "--state", system.state)


# GGUF files that are cut off, or lie. Each must be a message, never a crash.

VERSION, TENSORS, METADATA, FIRST_KEY_LENGTH = 4, 8, 16, 24


@pytest.fixture(scope="module")
def gguf(system):
    return (system.state / "models/swiftlet-demo-q8_0.gguf").read_bytes()


@pytest.mark.parametrize("size", [0, 3, 4, 12, 23, 24, 1_000, 30_000, 1_000_000, -1])
def test_a_truncated_model(system, gguf, tmp_path, size):
    file = tmp_path / "cut.gguf"
    file.write_bytes(gguf[:size])
    assert "cut.gguf" in fails("score", file, "--tokens", "1,2,3", "--state", system.state)


@pytest.mark.parametrize("offset, layout, value", [
    (0, "<I", 0x11111111), (VERSION, "<I", 1), (VERSION, "<I", 99), (TENSORS, "<Q", 1 << 62), (TENSORS, "<Q", (1 << 64) - 1),
    (METADATA, "<Q", 1 << 62), (METADATA, "<Q", 0), (FIRST_KEY_LENGTH, "<Q", (1 << 64) - 1), (FIRST_KEY_LENGTH, "<Q", 1 << 40),
])
def test_a_lying_header(system, gguf, tmp_path, offset, layout, value):
    data = bytearray(gguf)
    struct.pack_into(layout, data, offset, value)
    file = tmp_path / "lying.gguf"
    file.write_bytes(data)
    assert "lying.gguf" in fails("score", file, "--tokens", "1,2,3", "--state", system.state)


@pytest.mark.parametrize("after, layout, value", [
    ("blk.0.attn_q.weight", "<I", 0), ("blk.0.attn_q.weight", "<I", 4_000_000_000),  # dimensions
    ("llama.block_count", "<I", 99), ("llama.attention.head_count", "<I", 99),  # value types that do not exist
])
def test_a_lying_description(system, gguf, tmp_path, after, layout, value):
    """The field that follows a tensor's or a key's name is overwritten."""
    data = bytearray(gguf)
    struct.pack_into(layout, data, data.index(after.encode()) + len(after), value)
    file = tmp_path / "lying.gguf"
    file.write_bytes(data)
    assert "lying.gguf" in fails("score", file, "--tokens", "1,2,3", "--state", system.state)


def test_a_host_that_cannot_load_its_model_is_an_error(new_system):
    system = new_system()
    file = system.state / "models/swiftlet-demo-q8_0.gguf"
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[: len(data) // 2])
    system.serve()
    answer = system.post("/v1/completions", {"model": "chat", "prompt": "Once"})
    assert answer.status in (500, 502, 503) and answer.error["type"] == "server_error"
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
    assert system.stop() == 0


def test_models_yaml_with_a_wrong_key(new_system):
    system = new_system()
    (system.state / "models.yaml").write_text("chat:\n  fil: swiftlet-demo-q8_0.gguf\n")
    message = fails("serve", "--state", system.state, "--port", system.port)
    assert "models.yaml:2" in message and "fil" in message


def test_models_yaml_says_how_a_host_computes(new_system):
    system = new_system()
    models = system.state / "models.yaml"
    plain = models.read_text()
    models.write_text(plain.replace("chat:\n", "chat:\n  threads: 1\n  kv_cache: q8_0\n  kv_cache_size: 64MiB\n"))
    system.serve()

    def works_with(options: str) -> bool:
        assert system.post("/v1/completions", {"model": "chat", "prompt": "Once upon a time", "max_tokens": 3}).status == 200
        hosts = [p for p in system.processes("swiftlet-host") if p.mentions("swiftlet-demo")]
        return len(hosts) == 1 and hosts[0].mentions(options.replace(" ", "\0"))

    assert works_with(f"--threads 1 --kv-cache q8_0 --kv-cache-size {64 << 20}")
    models.write_text(plain.replace("chat:\n", "chat:\n  threads: 2\n"))
    system.process.send_signal(signal.SIGHUP)
    eventually(lambda: works_with("--threads 2"), what="a host with the new options")
    assert system.stop() == 0


# Downloads


@pytest.fixture
def website(tmp_path):
    """A small web server: (its folder, its URL)."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_pulling_a_model_checks_its_sum(gguf, website, tmp_path):
    folder, url = website
    (folder / "pulled.gguf").write_bytes(gguf)
    pulled, state = tmp_path / "state/models/pulled.gguf", tmp_path / "state"
    fails("models", "pull", f"{url}/pulled.gguf", "--sha256", "0" * 64, "--state", state)
    assert not pulled.exists()
    command("models", "pull", f"{url}/pulled.gguf", "--sha256", hashlib.sha256(gguf).hexdigest(), "--state", state)
    assert pulled.read_bytes() == gguf
    fails("models", "pull", f"{url}/missing.gguf", "--state", state)
