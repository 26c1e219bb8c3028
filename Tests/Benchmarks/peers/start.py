"""How soon a host answers, and what memory of its own a second one takes: what the gateway and a function do for a host is done
by hand."""

import base64
import hashlib
import hmac
import json
import os
import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / ".build/release"


def measure(model: Path, threads: str) -> dict:
    """Milliseconds from exec to the first token of a prompt of one token, and to the answer that a host is well, and MB that the
    second of two hosts has for itself."""
    with tempfile.TemporaryDirectory(prefix="swiftlet-") as folder:
        state = State(Path(folder))
        hosts = []
        try:
            # The first brings the files into memory, if they were not there.
            for name in ("first", "second", "third"):
                request = HEALTH if name == "third" else state.completion()
                hosts.append(state.start(model, threads, name, request))
            return {"start": hosts[1][1], "health": hosts[2][1], "memory": private_megabytes(hosts[1][0].pid)}
        finally:
            for process, _ in hosts:
                process.kill()
                process.wait()


def private_megabytes(process: int | str = "self") -> float:
    lines = (Path("/proc") / str(process) / "smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))) / 1024


HEALTH = b"GET /health HTTP/1.1\r\nHost: host\r\n\r\n"


class State:
    def __init__(self, folder: Path):
        self.folder = folder
        self.secret = os.urandom(32)
        (folder / "token.key").write_bytes(self.secret)
        created = subprocess.run(
            [PROGRAMS / "swiftlet", "keys", "create", "--name", "benchmark", "--state", folder, "--format", "json"],
            check=True, stdout=subprocess.PIPE)
        self.key = json.loads(created.stdout)

    def token(self) -> str:
        now = int(time.time() * 1000)
        invocation = str(uuid.UUID(int=now << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(7), "big")))
        with sqlite3.connect(self.folder / "ledger.sqlite") as ledger:
            # The ledger's triggers name it, though nothing is sealed that is only reserved.
            ledger.create_function("sha256", 2, lambda previous, text: hashlib.sha256(previous + text.encode()).digest())
            ledger.execute(
                "INSERT INTO invocations (id, key, tenant, function, route, started, status) VALUES (?, ?, ?, 'f', 'POST /f', ?, 'reserved')",
                (invocation, self.key["id"], self.key["tenant"], now))
        claims = {"inv": invocation, "ten": self.key["tenant"], "key": self.key["id"], "fn": "f", "models": ["chat"], "exp": now + 60_000}
        text = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        signature = base64.urlsafe_b64encode(hmac.digest(self.secret, text, hashlib.sha256)).rstrip(b"=")
        return f"{text.decode()}.{signature.decode()}"

    def completion(self) -> bytes:
        body = json.dumps({"model": "chat", "prompt": "a", "max_tokens": 1})
        return (f"POST /v1/completions HTTP/1.1\r\nHost: host\r\nAuthorization: Bearer {self.token()}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def start(self, model: Path, threads: str, name: str, request: bytes) -> tuple[subprocess.Popen, float]:
        """A host, and the milliseconds until it sent the answer to a request that waited for it."""
        path = str(self.folder / f"{name}.sock")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
            listener.bind(path)
            listener.listen()
            caller.settimeout(120)
            caller.connect(path)
            caller.sendall(request)
            begun = time.perf_counter()
            process = subprocess.Popen(
                [PROGRAMS / "swiftlet-host", "--model", model, "--alias", "chat", "--ledger", self.folder / "ledger.sqlite",
                 "--token-key", self.folder / "token.key", "--threads", threads, "--log-level", "error"], stdin=listener)
            answer = caller.recv(65536)
            took = (time.perf_counter() - begun) * 1e3
        if not answer.startswith(b"HTTP/1.1 200"):
            process.kill()
            raise SystemExit(f"swiftlet-host did not answer: {answer.decode(errors='replace')}")
        return process, took
