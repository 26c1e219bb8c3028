"""Workers, hosts and clients that end in the middle of a call."""

import http.client
import json
import signal
import time
from contextlib import contextmanager, suppress

import httpx2
import openai
import pytest

from processes import Process
from swiftlet import LONG, LONGEST, LONGEST_TOKENS, System, eventually
from test_budgets import rows


def host(system: System) -> Process:
    """The chat model's host: the one that has the model's file open or mapped."""
    return next(p for p in system.processes("swiftlet-host") if p.mentions("swiftlet-demo"))


@contextmanager
def held(process: Process):
    """Stops a process for a while, so that what depends on it cannot go on."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send(signal.SIGCONT)


def ends_in_an_error(stream) -> bool:
    """Whether the rest of a stream shows its reader that it is not complete."""
    try:
        events = stream.rest()
    except (http.client.HTTPException, OSError):
        return True  # cut off
    return "[DONE]" not in events and bool(events) and "error" in json.loads(events[-1])


def next_call_works(system: System) -> None:
    answer = system.post("/v1/completions", {"model": "chat", "prompt": "Once upon a time", "max_tokens": 3})
    assert answer.status == 200 and answer.json["usage"]["completion_tokens"] == 3


def has_ended(*processes: Process) -> None:
    eventually(lambda: not any(process.alive for process in processes), what="the end of what was killed")


@contextmanager
def soon_at_rest(process: Process, ticks: int):
    """What is left in this block does not keep the process busy: it comes to rest, and has not computed for more than so many ticks."""
    before = process.cpu_ticks
    yield

    def rests() -> bool:
        earlier = process.cpu_ticks
        time.sleep(0.5)
        return process.cpu_ticks - earlier <= 1

    eventually(rests, what="rest")
    assert process.cpu_ticks - before < ticks, "the host went on"


def invocations_of(system: System, name: str) -> list[tuple]:
    """The ids of what was asked with the key of this name."""
    return rows(system, "SELECT invocations.id FROM invocations JOIN keys ON keys.id = key WHERE name = ?", name)


def no_zombie_stays(system: System) -> None:
    eventually(lambda: not any(p.zombie for p in system.processes()), what="collecting the dead")


def test_a_host_killed_in_mid_stream(system):
    next_call_works(system)
    victim = host(system)
    stream = system.stream("/v1/completions", LONGEST)
    assert stream.event()
    with held(victim):
        victim.kill()
        assert ends_in_an_error(stream)
    next_call_works(system)
    has_ended(victim)
    no_zombie_stays(system)
    assert system.invocation(stream.invocation)["status"] == "failed"


def test_a_host_killed_in_mid_stream_raises_in_openais_client(system, client):
    options = dict(LONGEST)
    extra = {"ignore_eos": options.pop("ignore_eos")}
    next_call_works(system)
    victim = host(system)
    stream = client.completions.create(**options, extra_body=extra, stream=True)
    next(stream)
    with held(victim):
        victim.kill()
        with pytest.raises((openai.APIError, httpx2.TransportError)):
            list(stream)
    next_call_works(system)


def test_a_host_killed_before_it_answers(system):
    """Nothing has been sent yet, so the client gets a status: an error, or the answer of the next host, which took the call over."""
    next_call_works(system)
    victim = host(system)
    victim.send(signal.SIGSTOP)
    connection = system.connection()
    connection.request("POST", "/v1/completions", json.dumps(LONG), system.headers())
    time.sleep(0.2)
    victim.kill()
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status in (200, 500, 502, 503)
    assert answer["usage"]["completion_tokens"] > 0 if response.status == 200 else answer["error"]["type"] == "server_error"
    next_call_works(system)


def test_what_a_second_host_answers_is_billed_once(system):
    """Killed at any point of a call, the first host has delivered nothing: only the answer that came is paid for."""
    answered = 0
    for delay in [0, 0.005, 0.01, 0.02, 0.03, 0.05]:
        next_call_works(system)
        victim = host(system)
        connection = system.connection()
        connection.request("POST", "/v1/completions", json.dumps(LONG), system.headers())
        time.sleep(delay)
        victim.kill()
        response = connection.getresponse()
        answer = json.loads(response.read())
        record = system.invocation(response.headers["x-swiftlet-invocation-id"])
        if response.status == 200:
            answered += 1
            assert len(record["calls"]) == 1 and record["usage"]["completion_tokens"] == answer["usage"]["completion_tokens"]
            assert record["cost"] == answer["usage"]["cost"]
        else:
            # At most the answer that was billed and could not be sent.
            assert len(record["calls"]) <= 1
    assert answered > 0


def test_a_worker_killed_in_mid_stream(system):
    next_call_works(system)
    workers, working = system.processes("generate"), host(system)
    assert workers
    stream = system.stream("/v1/completions", LONGEST)
    assert stream.event()
    with held(working):
        for worker in workers:
            worker.kill()
        assert ends_in_an_error(stream)
    next_call_works(system)
    has_ended(*workers)
    no_zombie_stays(system)
    # The host saw the connection close: what it had made is billed, and no more.
    record = system.bill(stream.invocation)
    assert record["status"] == "failed"
    assert 0 < record["usage"]["completion_tokens"] < LONGEST_TOKENS


def test_workers_killed_while_idle_are_replaced(system):
    next_call_works(system)
    workers = system.processes("generate")
    for worker in workers:
        worker.kill()
    # A call that still reaches a dying worker fails with it, as in mid-call.
    has_ended(*workers)
    next_call_works(system)
    no_zombie_stays(system)


def test_clients_that_hang_up_stop_the_host_and_pay_for_what_was_made(system):
    next_call_works(system)
    working = host(system)
    streams = []
    # One of them alone takes some 250 ticks.
    with soon_at_rest(working, ticks=400):
        for _ in range(8):
            streams.append(system.stream("/v1/completions", LONGEST))
            assert streams[-1].event()
            streams[-1].hang_up()
    for stream in streams:
        record = system.bill(stream.invocation)
        assert record["status"] == "client_closed"
        assert 0 < record["usage"]["completion_tokens"] < LONGEST_TOKENS
        assert record["usage"]["cost"] > 0
    next_call_works(system)


def test_a_client_that_hangs_up_before_the_answer_stops_the_host(system, new_key):
    next_call_works(system)
    name, key = new_key()
    working = host(system)
    with soon_at_rest(working, ticks=100):
        idle = system.steps("chat")
        connection = system.connection()
        connection.request("POST", "/v1/completions", json.dumps(LONGEST), system.headers(key))
        eventually(lambda: system.steps("chat") > idle + 10, what="tokens")
        connection.close()
    [(left,)] = invocations_of(system, name)
    record = system.bill(left, key)
    assert record["status"] == "client_closed" and 0 < record["usage"]["completion_tokens"] < LONGEST_TOKENS
    next_call_works(system)


def test_a_client_that_hangs_up_before_the_host_has_begun_gives_it_no_work(system, new_key):
    next_call_works(system)
    name, key = new_key()
    working = host(system)
    with soon_at_rest(working, ticks=100):
        with held(working):
            connection = system.connection()
            connection.request("POST", "/v1/completions", json.dumps(LONGEST), system.headers(key))
            [(left,)] = eventually(lambda: invocations_of(system, name), what="its admission")
            connection.close()
            assert system.invocation(left, key)["status"] == "client_closed"
    assert system.invocation(left, key)["usage"]["completion_tokens"] < LONGEST_TOKENS
    next_call_works(system)


def test_serve_killed_leaves_nothing_and_starts_again(new_system):
    system = new_system().serve()
    next_call_works(system)
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
    family = system.processes()
    programs = {p.program for p in family}
    assert {"swiftlet-host", "nginx", "generate", "embed"} <= programs
    stream = system.stream("/v1/completions", LONGEST)
    assert stream.event()
    system.process.kill()
    system.process.wait()
    eventually(lambda: not [p for p in family if p.alive], within=5, what="the end of every process")

    system.serve()
    next_call_works(system)
    # What the dead gateway had admitted is settled, not forgotten.
    assert system.invocation(stream.invocation)["status"] == "failed"
    assert system.stop(signal.SIGTERM) == 0
    assert system.sockets() == []


def test_a_stop_lets_a_stream_finish(new_system):
    system = new_system().serve("--drain-timeout", "60")
    stream = system.stream("/v1/completions", LONGEST)
    assert stream.event()
    system.process.send_signal(signal.SIGTERM)
    assert stream.rest()[-1] == "[DONE]"
    assert system.process.wait(timeout=30) == 0
    assert "1 call (generate 1) to finish within 60 s" in system.said and "cut off" not in system.said
    assert system.sockets() == []


def test_a_stop_says_what_is_left_and_what_it_cuts_off(new_system, folders):
    system = new_system().serve("--drain-timeout", "2")
    folders(system).place_python("long", "GET /long", "limits: {timeout: 60s}")
    eventually(lambda: system.request("GET", "/long").status == 200, what="serving")
    connection = system.connection()
    connection.request("GET", "/long?wait=30", None, system.headers())
    eventually(lambda: "busy" in system.command("status").stdout, what="the call's begin")
    began = time.monotonic()
    system.process.send_signal(signal.SIGTERM)
    assert system.process.wait(timeout=30) == 0
    assert 2 <= time.monotonic() - began < 20
    assert "1 call (long 1) to finish within 2 s" in system.said and "1 call (long 1) cut off after 2 s" in system.said
    with pytest.raises((http.client.HTTPException, OSError)):
        assert connection.getresponse().status >= 500
        raise OSError("told")


def test_a_second_serve_on_the_same_state_refuses(system):
    refused = system.command("serve", "--port", str(system.port + 1 if system.port < 65535 else 65000), "--no-nginx", check=False)
    assert refused.returncode == 1 and "Another 'swiftlet serve' runs" in refused.stderr
    next_call_works(system)


def test_sighup_reads_models_and_prices_anew(new_system):
    system = new_system().serve()
    next_call_works(system)
    before = system.said.count("anew")
    models = system.state / "models.yaml"
    models.write_text(models.read_text() + "again:\n  file: swiftlet-demo-q8_0.gguf\n")
    (system.state / "prices.yaml").write_text("chat: {input_cost_per_token: 1, output_cost_per_token: 1}\n")
    system.process.send_signal(signal.SIGHUP)
    eventually(lambda: system.said.count("anew") > before, what="reading")
    assert "again" in [model["id"] for model in system.request("GET", "/v1/models").json["data"]]
    answer = system.post("/v1/completions", {"model": "chat", "prompt": "Once upon a time", "max_tokens": 3})
    assert answer.json["usage"]["cost"] > 1
    (system.state / "prices.yaml").write_text("chat: {input_cost_per_token: much}\n")
    system.process.send_signal(signal.SIGHUP)
    eventually(lambda: "the prices stay as they were" in system.said, what="a word about it")
    assert system.post("/v1/completions", {"model": "chat", "prompt": "Hi", "max_tokens": 1}).json["usage"]["cost"] > 1
    assert system.stop() == 0
