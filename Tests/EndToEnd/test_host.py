"""The model host by itself: who may call it, what it bills, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from host import DEMO_MODEL, Host, uuid7
from swiftlet import LONG, LONGEST, LONGEST_TOKENS, eventually

SHORT = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 3}


@pytest.fixture
def make_host(tmp_path):
    made = []

    def make(*options: str) -> Host:
        made.append(Host(tmp_path, DEMO_MODEL, *options))
        return made[-1]

    yield make
    for host in made:
        host.end()


@pytest.fixture
def host(make_host):
    return make_host()


# Who may call it


@pytest.mark.parametrize("token", [
    lambda host: "", lambda host: "x", lambda host: "x.y", lambda host: host.token(secret=os.urandom(32)),
    lambda host: host.token(seconds=-1), lambda host: host.token(models=["embed"]), lambda host: host.token() + "A",
], ids=["none", "no token", "nonsense", "another system's", "expired", "another model's", "longer"])
def test_who_may_not_call(host, token):
    status, answer = host.post("/v1/completions", SHORT, token(host))
    assert status == 401 and answer["error"]["code"] == "invalid_api_key"


def test_an_invocation_that_nobody_reserved_gets_no_answer(host):
    status, answer = host.post("/v1/completions", SHORT, host.token(uuid7()))
    assert status == 503 and "choices" not in answer
    events = host.stream(SHORT, host.token(uuid7())).rest()
    assert "error" in json.loads(events[-1]) and "[DONE]" not in events


# What it takes


def of_pack(host: Host, field: str) -> int:
    """Bytes of the process's mapping of its pack."""
    found, total = False, 0
    for line in (Path("/proc") / str(host.process.pid) / "smaps").read_text().splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            found = line.endswith(".pack")
        elif found and line.startswith(field + ":"):
            total += int(line.split()[1]) * 1024
    return total


def test_hosts_of_one_model_share_one_copy_of_its_weights(tmp_path):
    hosts = []
    try:
        for index in range(4):
            (tmp_path / str(index)).mkdir()
            hosts.append(Host(tmp_path / str(index), DEMO_MODEL))
        for host in hosts:
            assert host.post("/v1/completions", SHORT, host.token())[0] == 200
        size = DEMO_MODEL.with_suffix(".gguf.pack").stat().st_size
        eventually(lambda: all(of_pack(host, "Rss") >= size for host in hosts), what="mapping all pages")
        assert sum(of_pack(host, "Pss") for host in hosts) <= size * 1.02
        assert all(of_pack(host, "Private_Dirty") == 0 for host in hosts)
    finally:
        for host in hosts:
            host.end()


# What it bills

STORY = {"model": "chat", "prompt": "Once upon a time there was a little fox who wanted to fly a kite in the garden. " * 3, "max_tokens": 20,
         "temperature": 0}


def cached(answer: dict) -> int:
    return answer["usage"]["prompt_tokens_details"]["cached_tokens"]


def test_a_prompt_that_comes_again_is_found_in_the_cache(host):
    invocation = host.reserve()
    first = host.post("/v1/completions", STORY, host.token())[1]
    again = host.post("/v1/completions", STORY, host.token(invocation))[1]
    assert cached(first) == 0 and again["choices"] == first["choices"]
    # Whole blocks, and never the last token, which says how the answer goes on.
    assert cached(again) == (first["usage"]["prompt_tokens"] - 1) // 16 * 16 > 0
    assert again["timings"]["cache_n"] == cached(again) and again["timings"]["prompt_n"] == again["usage"]["prompt_tokens"] - cached(again)
    rows = host.ledger.execute("SELECT prompt_tokens, cached_tokens FROM usage WHERE invocation = ?", (invocation,)).fetchall()
    assert rows == [(again["usage"]["prompt_tokens"], cached(again))]
    assert f'prefix_cache_hits_total{{model_name="chat"}} {cached(again)}\n' in host.get("/metrics")


def test_tenants_share_no_prompts(host):
    first = host.post("/v1/completions", STORY, host.token(tenant="a"))[1]
    other = host.post("/v1/completions", STORY, host.token(tenant="b"))[1]
    assert cached(first) == cached(other) == 0 and other["choices"] == first["choices"]
    assert cached(host.post("/v1/completions", STORY, host.token(tenant="b"))[1]) > 0


def test_a_cache_that_is_too_small_says_so(make_host):
    host = make_host("--kv-cache-size", "512KiB")
    status, answer = host.post("/v1/completions", STORY | {"prompt": STORY["prompt"] * 20}, host.token())
    assert status == 400 and answer["error"]["code"] == "context_length_exceeded"
    assert "192" in answer["error"]["message"], "12 blocks of 40 KiB for 16 tokens each"
    assert "--kv-cache-size" in (host.folder / "host.log").read_text()
    assert host.post("/v1/completions", STORY, host.token())[0] == 200


def test_guesses_change_nothing_but_the_time(tmp_path):
    answers, hosts = [], []
    try:
        for most in ("0", "15"):
            (tmp_path / most).mkdir()
            hosts.append(host := Host(tmp_path / most, DEMO_MODEL, "--draft-max", most))
            invocation = host.reserve()
            body = STORY | {"max_tokens": 80, "n": 2, "logprobs": 2, "seed": 7}
            answers.append([host.post("/v1/completions", body | more, host.token(invocation))[1]
                            for more in ({}, {"temperature": 0.3}, {"frequency_penalty": 0.5}, {"stop": [" fox"]})])
            answers[-1].append(host.billed(invocation))
        plain, guessed = answers
        assert guessed[-1] == plain[-1]
        for one, other in zip(plain[:-1], guessed[:-1]):
            assert other["choices"] == one["choices"] and other["usage"] == one["usage"]
            assert "draft_n" not in one["timings"]
        timings = guessed[0]["timings"]
        assert timings["draft_n"] >= timings["draft_n_accepted"] > 0
        metrics = hosts[1].get("/metrics")
        for name, field in (("draft", "draft_n"), ("accepted", "draft_n_accepted")):
            count = sum(answer["timings"].get(field, 0) for answer in guessed[:-1])
            assert f'vllm:spec_decode_num_{name}_tokens_total{{model_name="chat"}} {count}\n' in metrics
    finally:
        for host in hosts:
            host.end()


def test_a_call_is_billed_before_its_end_is_sent(host):
    invocation = host.reserve()
    stream = host.stream(LONG, host.token(invocation))
    while (event := json.loads(stream.event()))["choices"][0]["finish_reason"] is None:
        pass
    assert event["choices"][0]["finish_reason"] == "length"
    assert host.billed(invocation) == [(LONG["max_tokens"], "length")]
    assert stream.rest() == ["[DONE]"]


def test_an_answer_that_cannot_be_billed_has_no_end(host):
    invocation = host.reserve()
    stream = host.stream(LONGEST, host.token(invocation))
    assert stream.event()
    host.ledger.execute("DELETE FROM invocations WHERE id = ?", (invocation,))
    events = stream.rest()
    assert "error" in json.loads(events[-1]) and "[DONE]" not in events
    assert all(json.loads(event)["choices"][0]["finish_reason"] is None for event in events[:-1])


def test_a_ledger_that_is_locked_for_a_while_is_waited_for(host):
    token = host.token()
    host.ledger.execute("BEGIN IMMEDIATE")
    connection = host.send(SHORT, token)
    connection.settimeout(0.3)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    host.ledger.execute("ROLLBACK")
    connection.settimeout(30)
    assert connection.recv(16).startswith(b"HTTP/1.1 200")


# Eight of these calls have all 16 sequences that the host works on at a time.
PAIR = LONG | {"n": 2}
PAIR_TOKENS = 2 * LONG["max_tokens"]


@pytest.mark.parametrize("leave", [
    lambda sock: sock.close(), lambda sock: sock.shutdown(socket.SHUT_RDWR), lambda sock: sock.shutdown(socket.SHUT_WR),
], ids=["close", "shutdown", "shutdown of one side"])
@pytest.mark.parametrize("streamed", [True, False])
def test_who_hangs_up_pays_for_what_was_made(host, leave, streamed):
    # As many answers as the host makes at a time, for otherwise this model would be through before anybody could hang up.
    invocations = [host.reserve() for _ in range(8)]
    connections = [host.send(PAIR | {"stream": streamed}, host.token(invocation)) for invocation in invocations]
    host.await_tokens(16)
    for connection in connections:
        leave(connection)
    for invocation in invocations:
        tokens, reason = eventually(lambda: host.billed(invocation), what="the bill")[0]
        assert reason == "cancelled" and 0 < tokens < PAIR_TOKENS
    assert host.post("/v1/completions", SHORT, host.token())[0] == 200


def test_the_deadline_ends_an_answer(host):
    invocation = host.reserve()
    # Twice as much as LONGEST, which takes longer than this by far.
    status, answer = host.post("/v1/completions", LONGEST | {"n": 128}, host.token(invocation, seconds=0.5))
    assert status == 504 and answer["error"]["code"] == "timeout"
    [(tokens, reason)] = eventually(lambda: host.billed(invocation), what="the bill")
    assert reason == "cancelled" and 0 < tokens < 2 * LONGEST_TOKENS


def test_a_connection_serves_many_requests(host):
    connection = host.connection()
    for n in range(4):
        connection.request(
            "POST", "/v1/completions", json.dumps(SHORT | {"stream": n % 2 == 0}), {"Authorization": f"Bearer {host.token()}"})
        first = connection.sock
        assert connection.getresponse().read()
        assert connection.sock is first


def test_a_request_that_is_cut_off_harms_nobody(host):
    for head in (b"POST /v1/completions HTTP/1.1\r\n", b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", b"\0\r\n\r\n"):
        connection = host.connection().sock
        connection.sendall(head.replace(b"Host: x", f"Authorization: Bearer {host.token()}\r\nHost: x".encode()))
        connection.close()
    assert host.post("/v1/completions", SHORT, host.token())[0] == 200
    assert " error " not in (host.folder / "host.log").read_text()


# How it ends


def test_a_stop_sends_a_slow_reader_everything(host):
    invocations = [host.reserve() for _ in range(8)]
    streams = [host.stream(LONG, host.token(invocation)) for invocation in invocations]
    idle = host.connection()
    for stream in streams:
        assert stream.event()
    host.process.send_signal(signal.SIGTERM)
    # Who has no request is let go at once; who comes now waits for the next host.
    assert idle.sock.recv(1) == b""
    late = host.send(SHORT, host.token())
    late.settimeout(0.2)
    with pytest.raises(TimeoutError):
        late.recv(1)
    # By now every answer is complete, far more than a socket holds.
    eventually(lambda: all(host.billed(invocation) for invocation in invocations), within=10, what="the bills")
    for stream in streams:
        assert stream.rest()[-1] == "[DONE]"
    assert host.process.wait(timeout=20) == 0


def test_a_stop_that_cannot_wait_bills_what_was_made(make_host):
    host = make_host("--drain-timeout", "0")
    invocations = [host.reserve() for _ in range(8)]
    connections = [host.send(PAIR | {"stream": True}, host.token(invocation)) for invocation in invocations]
    host.await_tokens(16)
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(timeout=20) == 0
    for invocation in invocations:
        [(tokens, reason)] = host.billed(invocation)
        assert reason == "cancelled" and 0 < tokens < PAIR_TOKENS
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_it_needs_a_listening_socket(host, stdin):
    done = subprocess.run(host.arguments(DEMO_MODEL), stdin=stdin, capture_output=True, text=True)
    assert done.returncode != 0 and "listening socket" in done.stderr


@pytest.mark.parametrize("model", ["/nowhere.gguf", __file__])
def test_it_says_what_is_wrong_with_a_model(host, model):
    done = subprocess.run(host.arguments(model), stdin=host.listener, capture_output=True, text=True)
    assert done.returncode == 1 and model in done.stderr


# What it takes of the machine


def processor_use(process: int) -> tuple[float, int]:
    """Seconds of processor time, and how often a thread of it was woken."""
    fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    statuses = [task.joinpath("status").read_text() for task in (Path("/proc") / str(process) / "task").iterdir()]
    return seconds, sum(int(status.split("voluntary_ctxt_switches:")[1].split()[0]) for status in statuses)


def test_a_host_without_work_uses_no_processor(make_host):
    host = make_host("--threads", "2")
    assert host.post("/v1/completions", SHORT, host.token(host.reserve()))[0] == 200

    def idle():
        before = processor_use(host.process.pid)
        time.sleep(0.5)
        after = processor_use(host.process.pid)
        return after[0] - before[0] <= 0.01 and after[1] - before[1] <= 25

    # What follows an answer (the ledger's write, pages of weights fetched ahead) may take a moment.
    eventually(idle, within=10, what="a half second without work")
