"""LoRA adapters: chosen by the model's name or by a function, billed under their own names."""

import json
import shutil
from pathlib import Path

import openai
import pytest

from swiftlet import System, command, eventually

FIXTURES = Path(__file__).resolve().parents[1] / "InferenceTests/Fixtures"
MODELS = """\
chat:
  file: llama.gguf
  adapters: {all: llama-all.gguf, few: llama-few.gguf, broken: phi3.gguf}
"""
PRICES = """\
chat: {input_cost_per_million_tokens: 1, output_cost_per_million_tokens: 2}
chat:few: {input_cost_per_million_tokens: 10, output_cost_per_million_tokens: 20}
"""


@pytest.fixture(scope="module")
def adapted(system, tmp_path_factory):
    made = System(tmp_path_factory.mktemp("adapters")).borrow_models(system)
    for file in ("architectures/llama.gguf", "adapters/llama-all.gguf", "adapters/llama-few.gguf", "adapters/phi3.gguf"):
        shutil.copy(FIXTURES / file, made.state / "models")
    (made.state / "models.yaml").write_text(MODELS)
    (made.state / "prices.yaml").write_text(PRICES)
    shutil.copytree(system.state / "functions/generate", made.state / "functions/generate")
    try:
        yield made.serve()
        assert made.stop() == 0
    finally:
        made.kill()


def complete(system, model: str, key: str | None = ""):
    return system.post("/v1/completions", {"model": model, "prompt": "The quick fox", "max_tokens": 12, "temperature": 0, "ignore_eos": True}, key=key)


def test_adapters_are_chosen_by_the_models_name(adapted):
    answers = {name: complete(adapted, name).json for name in ("chat", "chat:all", "chat:few")}
    assert len({answer["choices"][0]["text"] for answer in answers.values()}) == 3
    for name, answer in answers.items():
        assert answer["model"] == name
        usage, (costs, cost_of_output) = answer["usage"], {"chat": (1, 2), "chat:all": (1, 2), "chat:few": (10, 20)}[name]
        assert usage["cost"] == pytest.approx((usage["prompt_tokens"] * costs + usage["completion_tokens"] * cost_of_output) / 1e6)
    assert complete(adapted, "chat:all").json["choices"] == answers["chat:all"]["choices"]
    assert {row["model"] for row in adapted.report("usage", "--group-by", "model")} >= {"chat", "chat:all", "chat:few"}
    assert adapted.command("ledger", "verify").returncode == 0


def test_the_base_is_mapped_once(adapted):
    for name in ("chat", "chat:all", "chat:few"):
        assert complete(adapted, name).status == 200
    [host] = adapted.processes("swiftlet-host")
    base = adapted.state / "models/llama.gguf"
    ranges = [line.split()[0].split("-") for line in Path(f"/proc/{host.pid}/maps").read_text().splitlines() if line.endswith(str(base))]
    mapped = sum(int(end, 16) - int(start, 16) for start, end in ranges)
    assert base.stat().st_size <= mapped < 1.1 * base.stat().st_size + 4096


def test_adapters_are_listed(adapted):
    listed = {model.id: model for model in adapted.client().models.list()}
    assert set(listed) == {"chat", "chat:all", "chat:broken", "chat:few"}
    assert listed["chat:few"].parent == "chat"
    assert adapted.client().models.retrieve("chat:few").id == "chat:few"


def test_what_cannot_be_used_is_told(adapted):
    unknown = complete(adapted, "chat:nope")
    assert unknown.status == 404 and unknown.error["code"] == "model_not_found" and "chat:nope" in unknown.error["message"]
    broken = complete(adapted, "chat:broken")
    assert broken.status >= 400 and complete(adapted, "chat").status == 200
    assert "made for the architecture" in (adapted.state / "log/model-chat.log").read_text()


def test_scores_with_an_adapter():
    for reference in json.loads((FIXTURES / "adapters/adapters.json").read_text()):
        adapter = ["--adapter", FIXTURES / f"adapters/{reference['adapter']}.gguf"] if reference["adapter"] else []
        scored = command("score", FIXTURES / "architectures" / reference["model"], "--tokens", ",".join(map(str, reference["prompt"])), "--exact", *adapter, "--format", "json")
        assert json.loads(scored.stdout)["logprobs"] == pytest.approx(reference["logProbabilities"], abs=1e-4)
    other = command("score", FIXTURES / "architectures/llama.gguf", "--text", "The fox", "--adapter", FIXTURES / "adapters/phi3.gguf", check=False)
    assert other.returncode != 0 and "made for the architecture" in other.stderr
    missing = command("score", FIXTURES / "architectures/llama.gguf", "--text", "The fox", "--adapter", "nowhere.gguf", check=False)
    assert missing.returncode != 0 and "nowhere.gguf" in missing.stderr


def test_a_key_may_have_one_adapter_only(adapted):
    key = adapted.new_key("one-adapter", "--models", "chat:few")
    assert complete(adapted, "chat:few", key=key).status == 200
    assert complete(adapted, "chat", key=key).json["model"] == "chat:few"
    assert complete(adapted, "chat:all", key=key).status == 401
    with pytest.raises(openai.AuthenticationError):
        adapted.client(key).completions.create(model="chat:all", prompt="The")


def test_a_function_has_its_adapter(adapted):
    """Whatever a handler calls, the model has the function's adapter and no other."""
    expected = complete(adapted, "chat:all").json["choices"]
    manifest = adapted.state / "functions/generate/function.yaml"
    plain = manifest.read_text()
    assert complete(adapted, "chat").json["model"] == "chat"
    manifest.write_text(plain + "adapter: all\n")
    eventually(lambda: complete(adapted, "chat").json["model"] == "chat:all", within=10, what="the function's new version")
    assert complete(adapted, "chat").json["choices"] == expected
    assert complete(adapted, "chat:few").status == 401
    manifest.write_text(plain)
    eventually(lambda: complete(adapted, "chat").json["model"] == "chat", within=10, what="the function's old version")
