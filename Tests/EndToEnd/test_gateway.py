"""HTTP as nginx and the gateway pass it on."""

import hashlib
import http.client
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from functions import FunctionsFolder
from swiftlet import eventually


@pytest.fixture(scope="module")
def echo(system):
    folder = FunctionsFolder(system)
    folder.place_python("echo", 'POST /echo, GET /echo, "GET /echo/{first}/{second}"', "limits: {body: 32MiB}", "scale: {concurrency: 8}")
    eventually(lambda: system.request("GET", "/echo").status == 200, what="the echo function")
    yield system
    folder.clear()


def test_health_needs_no_key(system):
    assert system.request("GET", "/health", key=None).status == 200


def test_an_admins_key_sees_the_status(system, echo, new_key):
    _, admin = new_key("--admin")
    connection = system.connection()
    connection.request("GET", "/echo?chunks=400", headers=system.headers())
    running = connection.getresponse()
    status = system.request("GET", "/status", key=admin)
    assert status.status == 200 and {"functions", "models", "uptime", "memory"} <= set(status.json)
    [function] = [function for function in status.json["functions"] if function["name"] == "echo"]
    calls = [call for version in function["versions"] for worker in version["workers"] for call in worker["calls"]]
    assert running.headers["x-swiftlet-invocation-id"] in [call["invocation"] for call in calls] and all(call["since"] < 15 for call in calls)
    assert running.headers["x-swiftlet-invocation-id"] in system.command("status").stdout
    connection.close()
    running.close()
    assert (system.request("GET", "/status", key=new_key()[1]).error["code"], system.request("GET", "/status", key=None).status) == ("admin_required", 401)


def test_events_arrive_one_by_one(echo):
    """Each event is there before the next one is made: nothing on the way collects them."""
    connection = echo.connection()
    connection.request("GET", "/echo?chunks=8", headers=echo.headers())
    response = connection.getresponse()
    times = []
    while line := response.readline():
        if line.startswith(b"data:"):
            times.append(time.monotonic())
    assert len(times) == 8
    # They are sent 50 ms apart; collected anywhere, they would come together. One that is read late is nearer to the next one.
    apart = [later - earlier > 0.02 for earlier, later in zip(times, times[1:])]
    assert times[-1] - times[0] > 0.2 and sum(apart) >= 4


def test_a_large_body_arrives_whole(echo):
    body = os.urandom(20 << 20)
    told = echo.post("/echo", body).json
    assert told["length"] == len(body) and told["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_large_answer_arrives_whole(echo):
    answer = echo.request("GET", f"/echo?size={20 << 20}")
    assert len(answer.body) == 20 << 20
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(bytes(range(256)) * ((20 << 20) // 256)).digest()


def test_a_body_in_chunks_of_unknown_length(echo):
    connection = echo.connection()
    connection.request("POST", "/echo", iter([b"one", b"two" * 10_000, b"three"]), echo.headers(), encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 200 and b'"length": 30008' in response.read()


def test_a_slow_reader_gets_everything(echo):
    """A reader that lags behind holds its own answer back and nobody else's."""
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        slow.connect(("127.0.0.1", echo.port))
        slow.sendall(f"GET /echo?size={8 << 20} HTTP/1.0\r\nAuthorization: Bearer {echo.key}\r\n\r\n".encode())
        first = slow.recv(100)
        assert b" 200 " in first
        assert echo.request("GET", "/echo").status == 200
        received = len(first)
        while part := slow.recv(1 << 16):
            received += len(part)
    assert received > 8 << 20


def test_a_slow_sender_disturbs_nobody(echo):
    with socket.create_connection(("127.0.0.1", echo.port), timeout=30) as slow:
        slow.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {echo.key}\r\nContent-Length: 10\r\n\r\nhello".encode())
        assert echo.request("GET", "/echo").status == 200
        slow.sendall(b"world")
        answer = slow.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 200") and b'"length": 10' in answer


def test_one_connection_takes_many_requests(echo):
    connection = echo.connection()
    local = None
    for number in range(20):
        connection.request("GET" if number % 2 else "POST", "/echo", None if number % 2 else b"x" * number, echo.headers())
        response = connection.getresponse()
        assert response.status == 200 and response.read()
        assert connection.sock is not None and local in (None, connection.sock.getsockname())
        local = connection.sock.getsockname()


def test_requests_side_by_side_keep_their_own_answers(echo):
    def ask(number):
        body = str(number).encode() * 1000
        return echo.post("/echo", body).json["sha256"] == hashlib.sha256(body).hexdigest()

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(ask, range(200)))


def test_what_a_function_is_told(echo):
    answer = echo.request("GET", "/echo/a%20b/%C3%A9?x=1&y=%2F", headers={"X-Some-Header": "some"})
    told = answer.json
    parameters, environment = told["parameters"], told["environment"]
    assert parameters["REQUEST_METHOD"] == "GET" and parameters["QUERY_STRING"] == "x=1&y=%2F"
    assert parameters["REQUEST_URI"] == "/echo/a%20b/%C3%A9?x=1&y=%2F"
    assert parameters["GATEWAY_INTERFACE"] == "CGI/1.1" and parameters["REMOTE_ADDR"] == "127.0.0.1"
    assert parameters["HTTP_X_SOME_HEADER"] == "some"
    assert parameters["SWIFTLET_INVOCATION_ID"] == answer.invocation
    assert parameters["SWIFTLET_ROUTE"] == "GET /echo/{first}/{second}"
    assert parameters["SWIFTLET_PATH_FIRST"] == "a b"
    assert parameters["SWIFTLET_PATH_SECOND"].encode("latin-1").decode() == "é"  # UTF-8, which flipflop reads as Latin-1
    assert 0 < int(parameters["SWIFTLET_DEADLINE"]) / 1000 - time.time() < 130
    assert environment["SWIFTLET_FUNCTION"] == "echo" and environment["SWIFTLET_MODELS"] == "{}"


def test_a_function_sees_no_key(echo):
    told = echo.request("GET", "/echo").json
    assert "HTTP_AUTHORIZATION" not in told["parameters"]
    assert echo.key not in str(told)


def test_a_functions_status_is_passed_on(echo):
    assert echo.request("GET", "/echo?status=418").status == 418


def test_every_answer_names_its_invocation(echo):
    one, other = echo.request("GET", "/echo"), echo.request("GET", "/echo")
    assert one.invocation != other.invocation
    record = echo.invocation(one.invocation)
    assert (record["object"], record["function"], record["route"]) == ("invocation", "echo", "GET /echo")
    assert (record["status"], record["http_status"], record["calls"]) == ("succeeded", 200, [])


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/nothing/here", 404), ("GET", "/v1/invocations/not-an-id", 404), ("POST", "/v1/unknown", 404),
    ("GET", "/v1/chat/completions", 405), ("DELETE", "/v1/models", 405), ("PUT", "/generate", 405),
])
def test_unknown_paths_and_methods_answer_in_openais_shape(system, method, path, status):
    answer = system.request(method, path)
    assert answer.status == status and answer.error["type"] == "invalid_request_error"
    if status == 405:
        assert answer.headers["Allow"]


def test_nginx_and_workers_without_models_wait_their_turn(system, echo):
    """They do not interrupt the gateway that wakes them; a worker that passes on tokens does not wait behind a model's threads."""
    echoing = system.request("GET", "/echo").json["process"]
    assert system.post("/v1/completions", {"model": "chat", "prompt": "a", "max_tokens": 1}).status == 200

    def policies(chosen) -> set[int]:
        found = set()
        for process in filter(chosen, system.processes()):
            with suppress(ProcessLookupError):  # which has ended by itself
                found.add(os.sched_getscheduler(process.pid))
        return found

    assert policies(lambda process: process.pid == echoing) == {os.SCHED_BATCH}
    assert policies(lambda process: process.program == "nginx") == {os.SCHED_BATCH}
    assert policies(lambda process: process.program in ("generate", "swiftlet")) == {os.SCHED_OTHER}


def test_head_has_headers_and_no_body(system):
    answer = system.request("HEAD", "/nothing/here")
    assert answer.status in (404, 405) and answer.body == b""


@pytest.mark.parametrize("request_text", [
    b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
])
def test_malformed_requests_are_refused(system, request_text):
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as raw:
        raw.sendall(request_text)
        raw.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(raw)
        response.begin()
        assert 400 <= response.status < 600 and response.status not in (500, 502)
    assert system.healthy()
