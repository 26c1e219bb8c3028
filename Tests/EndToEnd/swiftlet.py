"""A running Swiftlet seen from outside: started by its own commands, spoken to over HTTP through nginx."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import openai

from processes import Process, descendants, mentioning

ROOT = Path(__file__).resolve().parents[2]
SWIFTLET = ROOT / ".build/release/swiftlet"


def eventually(condition, within: float = 10, what: str = "it"):
    """The first true value of `condition()`; fails when there is none within so many seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        time.sleep(0.01)


def free_port() -> int:
    """A port below those that outgoing connections get, so that none of them takes it before its server does, or between two starts."""
    highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, highest)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        """OpenAI's error object; fails where the answer is something else."""
        assert self.headers.get_content_type() == "application/json", self.body
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"] and error["type"]
        return error

    @property
    def invocation(self) -> str:
        return self.headers["x-swiftlet-invocation-id"]


class Stream:
    """A streamed response that is read by hand, event by event, and can be left at any point."""

    def __init__(self, connection: http.client.HTTPConnection):
        self._socket = connection.sock
        self.response = connection.getresponse()
        self.status = self.response.status
        self.invocation = self.response.headers["x-swiftlet-invocation-id"]

    def event(self) -> str | None:
        """The next event's data; None at the end of the body. A body that is cut off raises."""
        while line := self.response.readline():
            if line.startswith(b"data:"):
                return line[5:].strip().decode()
        return None

    def rest(self) -> list[str]:
        return list(iter(self.event, None))

    def hang_up(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.response.close()


class System:
    """One state directory, and what runs on it."""

    def __init__(self, state: Path, port: int | None = None):
        self.state = state
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None
        self.key = ""
        self.output = state / "test-output.log"

    # Starting and stopping

    def up(self) -> "System":
        """Starts everything with `Gateway/up`, as a newcomer does."""
        self.state.mkdir(parents=True, exist_ok=True)
        self._start([ROOT / "Gateway/up", "--state", self.state, "--port", self.port])
        eventually(lambda: "Ctrl-C stops everything" in self.said or self._ended(), within=900, what="its last line")
        self.key = self.demo["SWIFTLET_API_KEY"]
        return self

    def serve(self, *arguments: str) -> "System":
        """Starts `swiftlet serve` itself, on a state that has its models."""
        where = [] if "--listen" in arguments else ["--port", self.port]
        self._start([SWIFTLET, "serve", "--state", self.state, *where, *arguments])
        eventually(lambda: self.healthy() or self._ended(), within=30, what="an answer from /health")
        self.key = self.key or self.new_key("tests")
        return self

    def borrow_models(self, other: "System") -> "System":
        """The models and settings of another system, so that a state is ready at once."""
        self.state.mkdir(parents=True, exist_ok=True)
        shutil.copytree(other.state / "models", self.state / "models", copy_function=os.link, dirs_exist_ok=True)
        for name in ("models.yaml", "prices.yaml"):
            shutil.copy(other.state / name, self.state / name)
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Asks the system to end, and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """For the end of a test that left something running."""
        for process in [*descendants(self.process.pid), *mentioning(self.state)]:
            if process.alive:
                process.kill()
        self.process.kill()
        self.process.wait()

    def _start(self, command: list) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def _ended(self) -> None:
        code = self.process.poll()
        assert code is None, f"it ended with code {code}:\n{self.said[-3000:]}"

    # Looking at it

    @property
    def said(self) -> str:
        """What it has printed since it was started."""
        return self.output.read_text(errors="replace")

    @property
    def demo(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.state / "demo.env").read_text().splitlines())

    def processes(self, program: str | None = None) -> list[Process]:
        return [p for p in descendants(self.process.pid) if program in (None, p.program)]

    def steps(self, alias: str) -> int:
        """How many steps of work a model's host has done."""
        host = http.client.HTTPConnection("host", timeout=10)
        host.sock = socket.socket(socket.AF_UNIX)
        host.sock.settimeout(10)
        host.sock.connect(str(self.state / f"run/model-{alias}.sock"))
        host.request("GET", "/health")
        steps = json.loads(host.getresponse().read())["steps"]
        host.close()
        return steps

    def sockets(self) -> list[Path]:
        return [path for path in self.state.rglob("*") if path.is_socket()]

    def healthy(self) -> bool:
        try:
            return self.request("GET", "/health", key=None).status == 200
        except OSError:
            return False

    def invocation(self, identifier: str, key: str | None = None) -> dict:
        """The invocation's record, once it is settled."""

        def settled():
            answer = self.request("GET", f"/v1/invocations/{identifier}", key=key or self.key)
            return answer.status == 200 and answer.json["status"] != "reserved" and answer.json

        return eventually(settled, what=f"settling {identifier}")

    def bill(self, identifier: str, key: str | None = None) -> dict:
        """The record of an invocation that was cut short, once its host has entered what was made until then."""
        return eventually(lambda: (r := self.invocation(identifier, key))["calls"] and r, what=f"the bill of {identifier}")

    # Speaking to it

    def connection(self, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def headers(self, key: str | None = "", **more: str) -> dict[str, str]:
        key = self.key if key == "" else key
        return {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {}), **more}

    def request(self, method: str, path: str, body=None, key: str | None = "", headers: dict | None = None) -> Answer:
        """One request on a connection of its own; `body` is bytes, or a value to send as JSON. `key=None` sends none."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = self.connection()
        try:
            connection.request(method, path, data, {**self.headers(key), **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path: str, body, **options) -> Answer:
        return self.request("POST", path, body, **options)

    def stream(self, path: str, body: dict, key: str | None = "") -> Stream:
        connection = self.connection()
        connection.request("POST", path, json.dumps({**body, "stream": True}).encode(), self.headers(key))
        return Stream(connection)

    def client(self, key: str = "", **options) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key or self.key, max_retries=0, timeout=60, **options)

    # Its command line

    def command(self, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        return command(*arguments, check=check, env={**os.environ, "SWIFTLET_STATE": str(self.state)}, **options)

    def report(self, *arguments: str):
        return json.loads(self.command(*arguments, "--format", "json").stdout)

    def new_key(self, name: str, *options: str) -> str:
        return self.report("keys", "create", "--name", name, *options)["key"]


def command(*arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Runs `swiftlet`; with `check`, its failure is the test's."""
    done = subprocess.run([str(SWIFTLET), *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    assert not check or done.returncode == 0, f"swiftlet {' '.join(map(str, arguments))}: {done.returncode}\n{done.stderr}{done.stdout}"
    return done


def fails(*arguments: str, **options) -> str:
    """Runs a command that must fail in an orderly way: with a code, a word on standard error and nothing on standard output."""
    done = command(*arguments, check=False, **options)
    assert 0 < done.returncode < 126, f"{done.returncode}: {done.stderr}"
    assert done.stderr.strip() and not done.stdout.strip()
    return done.stderr


# A completion that goes on for all of its tokens, almost the whole context of the demo model: less than a tenth of a second.
LONG = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 480, "ignore_eos": True}
# For what must be caught while it runs: 64 answers, of which a host makes 16 at a time, take more than a second.
LONGEST = LONG | {"n": 64}
LONGEST_TOKENS = LONGEST["n"] * LONGEST["max_tokens"]
