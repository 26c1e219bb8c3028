"""Workers, hosts and clients that end in the middle of a call."""

import http.client
import json
import signal
import socket
import time
from contextlib import contextmanager

import httpx2
import openai
import pytest

from processes import Process
from swiftlet import LONG, LONGEST, System, eventually


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
        if process.alive:
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


def no_zombie_stays(system: System) -> None:
    eventually(lambda: not any(p.zombie for p in system.processes()), what="collecting the dead")


def test_a_host_killed_in_mid_stream(system):
    next_call_works(system)
    victim = host(system)
    stream = system.stream("/v1/completions", LONG)
    assert stream.event()
    with held(victim):
        victim.kill()
        assert ends_in_an_error(stream)
    next_call_works(system)
    assert not victim.alive
    no_zombie_stays(system)
    assert system.invocation(stream.invocation)["status"] == "failed"


def test_a_host_killed_in_mid_stream_raises_in_openais_client(system, client):
    options = dict(LONG)
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
    assert not any(worker.alive for worker in workers)
    no_zombie_stays(system)
    # The host saw the connection close: what it had made is billed, and no more.
    record = system.bill(stream.invocation)
    assert record["status"] == "failed"
    assert 0 < record["usage"]["completion_tokens"] < 8 * LONGEST["max_tokens"]


def test_workers_killed_while_idle_are_replaced(system):
    next_call_works(system)
    workers = system.processes("generate")
    for worker in workers:
        worker.kill()
    # A call that still reaches a dying worker fails with it, as in mid-call.
    eventually(lambda: not any(worker.alive for worker in workers), what="the workers' end")
    next_call_works(system)
    no_zombie_stays(system)


def test_clients_that_hang_up_stop_the_host_and_pay_for_what_was_made(system):
    # Each is left at its first event, for this model is soon through.
    streams = []
    for _ in range(8):
        streams.append(system.stream("/v1/completions", LONG))
        assert streams[-1].event()
        streams[-1].hang_up()
    working = host(system)
    time.sleep(0.2)
    ticks = working.cpu_ticks
    time.sleep(0.5)
    assert working.cpu_ticks - ticks <= 1, "the host went on"
    for stream in streams:
        record = system.bill(stream.invocation)
        assert record["status"] == "client_closed"
        assert 0 < record["usage"]["completion_tokens"] < LONG["max_tokens"]
        assert record["usage"]["cost"] > 0
    next_call_works(system)


def test_a_client_that_hangs_up_before_the_answer_stops_the_host(system):
    next_call_works(system)
    raw = socket.create_connection(("127.0.0.1", system.port))
    body = json.dumps(LONG).encode()
    working = host(system)
    with held(working):
        raw.sendall(
            f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {system.key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        time.sleep(0.2)
        raw.close()
        time.sleep(0.2)
    time.sleep(0.2)
    ticks = working.cpu_ticks
    time.sleep(0.3)
    assert working.cpu_ticks - ticks <= 1, "the host went on"
    next_call_works(system)


def test_serve_killed_leaves_nothing_and_starts_again(new_system):
    system = new_system().serve()
    next_call_works(system)
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
    stream = system.stream("/v1/completions", LONG)
    assert stream.event()
    family = system.processes()
    programs = {p.program for p in family}
    assert {"swiftlet-host", "nginx", "generate", "embed"} <= programs
    system.process.kill()
    system.process.wait()
    eventually(lambda: not [p for p in family if p.alive], within=1, what="the end of every process")

    system.serve()
    next_call_works(system)
    # What the dead gateway had admitted is settled, not forgotten.
    assert system.invocation(stream.invocation)["status"] == "failed"
    assert system.stop(signal.SIGTERM) == 0
    assert system.sockets() == []


def test_a_stop_lets_a_stream_finish(new_system):
    system = new_system().serve()
    stream = system.stream("/v1/completions", LONG)
    assert stream.event()
    system.process.send_signal(signal.SIGTERM)
    assert stream.rest()[-1] == "[DONE]"
    assert system.process.wait(timeout=30) == 0
    assert system.sockets() == []


def test_a_stop_says_what_is_left_and_what_it_cuts_off(new_system, folders):
    system = new_system().serve("--drain-timeout", "2")
    folders(system).place_python("long", "GET /long", "limits: {timeout: 60s}")
    eventually(lambda: system.request("GET", "/long").status == 200, within=3, what="serving")
    connection = system.connection()
    connection.request("GET", "/long?wait=30", None, system.headers())
    eventually(lambda: "busy" in system.command("status").stdout, what="the call's begin")
    began = time.monotonic()
    system.process.send_signal(signal.SIGTERM)
    assert system.process.wait(timeout=30) == 0
    assert 1.5 < time.monotonic() - began < 8
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
