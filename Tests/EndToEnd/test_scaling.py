"""Bursts, queues and workers that go wrong."""

import json
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions import HANDLERS
from swiftlet import eventually


def place_faulty(system, functions, name: str, *manifest: str):
    eventually(lambda: system.request("GET", f"/{name}").status == 404, what="the end of the last test's function")
    functions.place(name, {
        "function.yaml": "\n".join([
            f"name: {name}", f"routes: [GET /{name}, POST /{name}, PUT /{name}, POST /{name}/again idempotent]",
            f"handler: {json.dumps([sys.executable, 'faulty.py'])}", f"health: {{probe: {{method: GET, path: /{name}}}}}", *manifest]),
        "faulty.py": HANDLERS / "faulty.py",
    })
    eventually(lambda: system.request("GET", f"/{name}").status == 200, what=f"serving {name}")


@pytest.fixture
def faulty(system, functions):
    place_faulty(system, functions, "faulty", "limits: {timeout: 10s, idle_timeout: 2s, memory: 128MiB}")
    return system


# Faults


@pytest.mark.parametrize("mode, status, code", [
    ("die", 502, "bad_gateway"), ("garbage", 502, "bad_gateway"), ("no-head", 502, "bad_gateway"), ("nothing", 502, "bad_gateway"),
    ("hang", 504, "timeout"), ("leak", 502, "bad_gateway"),
])
def test_a_worker_that_goes_wrong_is_told_and_replaced(faulty, mode, status, code):
    before = faulty.request("GET", "/faulty").body
    answer = faulty.post(f"/faulty?mode={mode}", b"x")
    assert answer.status == status and answer.error["code"] == code
    assert "pid" not in answer.error["message"]
    after = eventually(lambda: (a := faulty.request("GET", "/faulty")).status == 200 and a, what="the next answer")
    if mode not in ("nothing",):  # which is a whole, if poor, exchange
        assert after.body != before
        eventually(lambda: int(before) not in {p.pid for p in faulty.processes()}, what="the worker's end")


def test_a_stream_that_stalls_ends_in_an_error(faulty):
    connection = faulty.connection()
    connection.request("GET", "/faulty?mode=stall", headers=faulty.headers())
    response = connection.getresponse()
    began = time.monotonic()
    events = [line for line in response.read().split(b"\n") if line.startswith(b"data: ")]
    assert events[0] == b"data: 1" and json.loads(events[-1][6:])["error"]["code"] == "timeout"
    assert time.monotonic() - began < 8  # the idle timeout, not the whole one


def test_a_stream_that_was_whole_before_its_worker_died_is_whole(faulty):
    assert faulty.request("GET", "/faulty?mode=end-and-die").body == b"data: 1\n\ndata: [DONE]\n\n"


def test_an_answer_that_breaks_off_is_told(faulty):
    """A short response is sent when it is whole, so half of one becomes an error."""
    answer = faulty.request("GET", "/faulty?mode=die-in-answer")
    assert answer.status == 502 and answer.error["code"] == "bad_gateway"


def test_a_worker_that_answers_and_dies_loses_no_call(faulty):
    """The next request may reach it in its last moment; one that may be sent twice is."""
    for _ in range(5):
        assert faulty.request("PUT", "/faulty?mode=answer-and-die", b"x").body == b"last words"


@pytest.mark.parametrize("method, path", [("GET", "/faulty"), ("PUT", "/faulty"), ("POST", "/faulty/again")])
@pytest.mark.parametrize("mode", ["first-die", "first-garbage", "first-nothing"])
def test_an_idempotent_request_is_tried_once_more(system, functions, method, path, mode):
    name = f"f{abs(hash((method, path, mode))) % 10**8}"
    place_faulty(system, functions, name)
    answer = system.request(method, f"{path.replace('faulty', name)}?mode={mode}", None if method == "GET" else b"body")
    assert answer.status == 200


def test_another_request_is_not(faulty):
    assert faulty.post("/faulty?mode=first-die", b"x").status == 502


def test_a_worker_is_replaced_after_its_last_request(system, functions):
    place_faulty(system, functions, "recycled", "limits: {max_requests: 3}")
    workers = [system.request("GET", "/recycled").body for _ in range(8)]
    assert 3 <= len(set(workers)) <= 4


# The queue


def test_a_burst_starts_what_it_needs_and_the_log_says_why(system, functions):
    functions.place_python("burst", "GET /burst", "scale: {max: 3, concurrency: 1, idle: 1s}")
    eventually(lambda: system.request("GET", "/burst").status == 200)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: system.request("GET", "/burst?wait=0.4"), range(12)))
    assert [answer.status for answer in answers] == [200] * 12
    assert len({answer.json["process"] for answer in answers}) == 3
    log = system.state / "log/serve.log"
    decisions = eventually(
        lambda: (d := re.findall(r"SCALE function=burst .*", log.read_text())) and "reason=idle" in d[-1] and d, what="going to zero")
    assert any("target=3 reason=queue" in decision for decision in decisions)


def test_one_keys_burst_does_not_delay_anothers_call(system, functions, new_key):
    functions.place_python("fair", "GET /fair", "scale: {max: 1, concurrency: 1}")
    eventually(lambda: system.request("GET", "/fair").status == 200)
    _, other = new_key()
    with ThreadPoolExecutor(20) as pool:
        many = [pool.submit(system.request, "GET", "/fair?wait=0.1") for _ in range(20)]
        eventually(lambda: any(answer.done() for answer in many), what="the first answer")
        assert system.request("GET", "/fair", key=other).status == 200
        # Its share is the next turn. Behind the burst it would be the last.
        assert sum(answer.done() for answer in many) < 12
        assert all(answer.result().status == 200 for answer in many)


def test_what_cannot_be_served_in_time_is_told_when_to_come_back(system, functions):
    functions.place_python("tight", "GET /tight", "scale: {max: 1, concurrency: 1}", "limits: {timeout: 2s}")
    eventually(lambda: system.request("GET", "/tight").status == 200)
    for _ in range(4):
        assert system.request("GET", "/tight?wait=0.2").status == 200

    def ask(_):
        began = time.monotonic()
        answer = system.request("GET", "/tight?wait=0.2")
        return answer, time.monotonic() - began

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(ask, range(30)))
    # At once, and not when its time is over.
    refused = [answer for answer, seconds in answers if answer.status == 429 and seconds < 1.5]
    # What was let in is served, but for what a slow moment may take from the last.
    statuses = [answer.status for answer, _ in answers]
    assert len(refused) >= 10 and statuses.count(200) >= 3 and set(statuses) <= {200, 429, 504}
    for answer in refused:
        assert answer.error["code"] == "rate_limit_exceeded"
        assert 0 < int(answer.headers["retry-after-ms"]) <= 1000 * int(answer.headers["retry-after"])
    time.sleep(max(int(answer.headers["retry-after-ms"]) for answer in refused) / 1000)
    eventually(lambda: system.request("GET", "/tight").status == 200, what="room, when it was said to come")


def versions(system, name: str) -> list[dict]:
    """Of a function, as the status has them."""
    functions = json.loads(system.command("status", "--json").stdout)["functions"]
    return [version for function in functions if function["name"] == name for version in function["versions"]]


def waiting(system, name: str) -> int:
    return sum(version["waiting"] for version in versions(system, name))


def test_health_answers_when_everything_else_is_full(system, functions):
    """Two functions with full queues, and more requests than nginx lets through."""
    for name in ("full", "fuller"):
        functions.place_python(name, f"GET /{name}", "scale: {max: 1, concurrency: 1}")
        eventually(lambda: system.request("GET", f"/{name}").status == 200)
    callers = []
    try:
        for number in range(3300):
            raw = socket.create_connection(("127.0.0.1", system.port), timeout=30)
            path = "/full" if number % 2 else "/fuller"
            raw.sendall(f"GET {path}?wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {system.key}\r\n\r\n".encode())
            callers.append(raw)
            if number % 500 == 0:
                began = time.monotonic()
                assert system.request("GET", "/health", key=None).status == 200 and time.monotonic() - began < 5
        eventually(lambda: all(waiting(system, name) == 1024 for name in ("full", "fuller")), within=30, what="queues that are full")
        refused = system.request("GET", "/full")
        assert refused.status == 429 and int(refused.headers["retry-after"]) > 0 and refused.error["type"] == "rate_limit_error"
        began = time.monotonic()
        assert system.request("GET", "/health", key=None).status == 200 and time.monotonic() - began < 5
    finally:
        for raw in callers:
            raw.close()
    functions.remove("full"), functions.remove("fuller")


def test_clients_that_leave_while_workers_come_free_hold_nobody_up(system, functions):
    functions.place_python("leaving", "GET /leaving", "scale: {max: 2, concurrency: 1}")
    eventually(lambda: system.request("GET", "/leaving").status == 200)
    for _ in range(10):
        callers = [system.connection() for _ in range(100)]
        for caller in callers:
            caller.request("GET", "/leaving", headers=system.headers())
        assert callers[0].getresponse().status == 200
        # Some have an answer, two are being served, the others wait for a worker that comes free in this moment.
        for caller in callers:
            caller.close()
    assert system.request("GET", "/leaving").status == 200
    eventually(lambda: all(
        version["waiting"] == 0 and not any(worker["running"] for worker in version["workers"]) for version in versions(system, "leaving")))
