"""`serve --http-port`: HTTP/1.1 without nginx, for development. What functions call each other by goes the same way."""

import http.client
import io
import json
import socket
import sqlite3
from dataclasses import dataclass

import pytest

from functions import FunctionsFolder
from swiftlet import System, eventually, free_port


@dataclass
class Direct:
    system: System
    port: int

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def head(self, request: str, *fields: str) -> bytes:
        lines = [f"{request} HTTP/1.1", "Host: a", f"Authorization: Bearer {self.system.key}", *fields]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


@pytest.fixture(scope="module")
def direct(system, tmp_path_factory):
    folder = tmp_path_factory.mktemp("direct")
    folder.chmod(0o711)
    made = Direct(System(folder / "state").borrow_models(system), free_port())
    made.system.serve("--http-port", str(made.port))
    try:
        functions = FunctionsFolder(made.system)
        functions.place_python("echo", "POST /echo, GET /echo", "limits: {body: 32MiB}", "scale: {concurrency: 8}")
        functions.place_python("brief", "GET /brief", "limits: {timeout: 3s}", "scale: {max: 1}")
        functions.place_python("pages", '"GET /{page}", "GET /v1/{page}"')
        for path, function in {"/page": "pages", "/echo": "echo", "/brief": "brief"}.items():
            eventually(lambda: answers_as(made.system.request("GET", path), function), what=function)
        yield made
        assert made.system.stop() == 0
    finally:
        made.system.kill()


def answers_as(answer, function: str) -> bool:
    """A path may have been another function's before."""
    return answer.status == 200 and answer.json["environment"]["SWIFTLET_FUNCTION"] == function


class Answers:
    """The responses on one connection, in their order."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._file = Kept(connection.makefile("rb", buffering=0))

    def next(self, method: str = "GET") -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(self._connection, method=method)
        response.fp = self._file
        response.begin()
        return response

    def rest(self) -> bytes:
        return self._file.read()


class Kept(io.BufferedReader):
    """Stays open for the next response, though a response closes it at its end."""

    def close(self):
        pass


def test_requests_that_are_sent_ahead_are_answered_in_order(direct):
    """HTTP/1.1's pipelining: calls of functions and what the gateway answers itself, in turn."""
    paths = ["/echo?1", "/v1/models", "/echo?2", "/echo?3", "/no/where", "/echo?4"]
    with direct.connect() as connection:
        for path in paths:
            body = "" if path[0:5] != "/echo" else "x" * 100_000
            last = "Connection: close\r\n" if path == paths[-1] else ""
            method = "POST" if body else "GET"
            # The answer repeats it, so that it is longer than a connection takes at once, and is held until it is billed.
            long = "".join(f"X-Long-{number}: {'y' * 38_000}\r\n" for number in (1, 2)) if path == "/echo?2" else ""
            head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {direct.system.key}\r\n{last}{long}Content-Length: {len(body)}\r\n\r\n"
            connection.sendall((head + body).encode())
        statuses, told = [], []
        answers = Answers(connection)
        for path in paths:
            response = answers.next()
            statuses.append(response.status)
            assert response.headers["date"] and response.headers["server"] == "swiftlet"
            answer = json.loads(response.read())
            if path.startswith("/echo"):
                told.append((answer["parameters"]["QUERY_STRING"], answer["length"]))
        assert statuses == [200, 200, 200, 200, 404, 200]
        assert told == [(f"{number}", 100_000) for number in (1, 2, 3, 4)]
        assert answers.rest() == b""


def test_many_requests_that_are_sent_ahead_are_refused_one_by_one(direct):
    """Each is answered at once when its turn comes, however many wait."""
    with direct.connect() as connection:
        count = 3000
        connection.sendall(direct.head("GET /echo?wait=0.3") + b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n" * count)
        answers = Answers(connection)
        assert answers.next().read()
        statuses = set()
        for _ in range(count):
            response = answers.next()
            statuses.add(response.status)
            response.read()
        assert statuses == {401}


def test_head_leaves_the_connection_in_step(direct):
    with direct.connect() as connection:
        answers = Answers(connection)
        # The worker does not say how long its answer is.
        connection.sendall(direct.head("HEAD /echo?size=10"))
        response = answers.next("HEAD")
        assert response.status == 200 and response.read() == b""
        connection.sendall(direct.head("GET /echo?size=10"))
        assert answers.next().read() == bytes(range(10))


def test_a_slow_reader_that_asks_to_close_gets_everything(direct):
    with direct.connect(receive_buffer=4096) as connection:
        connection.sendall(direct.head("GET /echo?size=1000000", "Connection: close"))
        answers = Answers(connection)
        response, length = answers.next(), 0
        while part := response.read(1000):
            length += len(part)
        assert length == 1_000_000 and answers.rest() == b""


def test_a_hang_up_ends_the_call(direct):
    with direct.connect() as connection:
        connection.sendall(direct.head("GET /echo?wait=20"))
        eventually(lambda: "echo" in running(direct), what="the call")
    eventually(lambda: "echo" not in running(direct), what="its end")
    ledger = sqlite3.connect(f"file:{direct.system.state}/ledger.sqlite?mode=ro", uri=True)
    eventually(
        lambda: ledger.execute("SELECT COUNT(*) FROM invocations WHERE function = 'echo' AND status = 'client_closed'").fetchone() == (1,),
        what="its row")


def running(direct) -> list[str]:
    """The functions that have a call."""
    status = json.loads(direct.system.command("status", "--json").stdout)
    return [
        function["name"] for function in status["functions"]
        if any(worker["calls"] for version in function["versions"] for worker in version["workers"])]


def test_who_does_not_read_holds_a_worker_no_longer_than_its_time(direct):
    with direct.connect(receive_buffer=4096) as connection:
        connection.sendall(direct.head(f"GET /brief?size={64 << 20}"))
        eventually(lambda: "brief" in running(direct), what="the call")
        eventually(lambda: direct.system.request("GET", "/brief").status == 200, what="the worker's next answer")


def test_a_body_that_follows_its_answer_is_not_kept(direct):
    def memory() -> int:
        return int(open(f"/proc/{direct.system.process.pid}/statm").read().split()[1]) * 4096

    with direct.connect() as connection:
        before = memory()
        assert before > 1 << 20
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        answers = Answers(connection)
        assert answers.next().status == 401
        for _ in range(256):
            connection.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
        assert memory() - before < 64 << 20


def test_a_parameter_hides_nothing_that_the_gateway_answers(direct):
    assert direct.system.request("GET", "/page").status == 200
    assert direct.system.request("GET", "/health", key=None).json == {"status": "ok"}
    assert direct.system.request("GET", "/v1/models").json["object"] == "list"
    assert direct.system.request("GET", "/v1/page").json["parameters"]["SWIFTLET_PATH_PAGE"] == "page"
