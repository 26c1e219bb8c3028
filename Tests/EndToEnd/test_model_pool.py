"""Models come and go: which hosts run under a memory budget, for how long they stay, and what becomes of one that hangs."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from swiftlet import LONGEST, LONGEST_TOKENS, eventually

CALL = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 4}


@pytest.fixture
def pool(new_system):
    """Serves with these settings of `chat` and `embed`: `pool("memory: 40MiB", "memory: 40MiB", "--model-memory", "60MiB")`."""

    def serve(chat: str, embed: str, *arguments: str):
        system = new_system()
        files = {"chat": ("swiftlet-demo-q8_0.gguf", chat), "embed": ("all-minilm-l6-v2-q8_0.gguf", embed)}
        (system.state / "models.yaml").write_text("".join(f"{alias}: {{file: {file}, {settings}}}\n" for alias, (file, settings) in files.items()))
        return system.serve(*arguments)

    return serve


def hosts(system) -> dict[str, dict]:
    """The models whose hosts have a process."""
    return {model["alias"]: model for model in json.loads(system.command("status", "--json").stdout)["models"] if model.get("process")}


def chat(system):
    return system.post("/v1/completions", CALL).status


def embed(system):
    return system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status


def test_a_host_makes_room_for_another_and_comes_back(pool):
    system = pool("memory: 40MiB", "memory: 40MiB", "--model-memory", "60MiB")
    for _ in range(2):
        assert chat(system) == 200 and list(hosts(system)) == ["chat"]
        assert embed(system) == 200 and list(hosts(system)) == ["embed"]
    # At once, each gets its turn.
    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(call, system) for call in [chat, embed] * 4]
        assert [call.result() for call in calls] == [200] * 8
    assert len(hosts(system)) == 1
    assert system.stop() == 0


def test_a_host_that_works_is_not_evicted(pool):
    system = pool("memory: 40MiB", "memory: 40MiB", "--model-memory", "60MiB")
    assert chat(system) == 200
    working = system.processes("swiftlet-host")
    stream = system.stream("/v1/completions", LONGEST)
    assert stream.event()
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(embed, system)
        assert stream.rest()[-1] == "[DONE]"
        assert other.result() == 200
    assert system.invocation(stream.invocation)["usage"]["completion_tokens"] == LONGEST_TOKENS
    eventually(lambda: not any(process.alive for process in working), what="the end of the host that was evicted")
    assert system.stop() == 0


def test_both_stay_where_there_is_room_for_both(pool):
    system = pool("memory: 40MiB", "memory: 40MiB", "--model-memory", "80MiB")
    assert (chat(system), embed(system)) == (200, 200)
    assert sorted(hosts(system)) == ["chat", "embed"]
    assert system.stop() == 0


def test_a_host_stays_warm_for_its_time_and_no_longer(pool):
    system = pool("keep_warm: 3s", "keep_warm: always")
    assert (embed(system), chat(system)) == (200, 200)
    process = hosts(system)["chat"]["process"]
    # Each call begins its time anew.
    for _ in range(4):
        time.sleep(0.9)
        assert chat(system) == 200
    assert hosts(system)["chat"]["process"] == process
    eventually(lambda: list(hosts(system)) == ["embed"], within=15, what="the end of an idle host")
    assert chat(system) == 200 and hosts(system)["chat"]["process"] != process
    assert system.stop() == 0


def test_a_preloaded_host_is_there_before_anyone_calls(pool):
    system = pool("keep_warm: 15m", "keep_warm: 15m")
    assert hosts(system) == {}
    system.command("models", "preload", "chat")
    assert hosts(system)["chat"]["state"] == "warm"
    assert chat(system) == 200 and system.stop() == 0


def test_a_host_that_makes_no_progress_is_replaced(pool):
    system = pool("stall_timeout: 2s", "keep_warm: 15m")
    assert chat(system) == 200
    [host] = system.processes("swiftlet-host")
    host.send(signal.SIGSTOP)
    began = time.monotonic()
    # It hangs with the call; nothing of the answer was out, so the next host makes it.
    answer = system.post("/v1/completions", CALL)
    assert answer.status == 200 and time.monotonic() - began < 20
    eventually(lambda: not host.alive, what="the end of the one that hangs")
    assert "makes no progress and is replaced" in system.said
    record = system.invocation(answer.invocation)
    assert len(record["calls"]) == 1 and record["usage"]["completion_tokens"] == answer.json["usage"]["completion_tokens"]
    assert system.stop() == 0
