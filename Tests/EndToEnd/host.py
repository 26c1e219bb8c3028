"""A model host of its own, spoken to directly: what the supervisor, the gateway and a function do for it is done by hand."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import socket
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

from swiftlet import ROOT, Stream, command, eventually

HOST = ROOT / ".build/release/swiftlet-host"
DEMO_MODEL = ROOT / "Runtime/Inference/DemoModel/swiftlet-demo-q8_0.gguf"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def uuid7() -> str:
    now = int(time.time() * 1000)
    return str(uuid.UUID(int=now << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)))


class Host:
    def __init__(self, folder: Path, model: Path = DEMO_MODEL, *options: str):
        self.folder = folder
        self.secret = os.urandom(32)
        (folder / "token.key").write_bytes(self.secret)
        self.key = json.loads(command("keys", "create", "--name", "test", "--state", folder, "--format", "json").stdout)
        self.ledger = sqlite3.connect(folder / "ledger.sqlite", timeout=10, isolation_level=None)
        # The ledger's triggers name it, though nothing is sealed that is only reserved.
        self.ledger.create_function("sha256", 2, lambda previous, text: hashlib.sha256(previous + text.encode()).digest())
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "host.sock"))
        self.listener.listen()
        self.log = (folder / "host.log").open("w")
        self.process = subprocess.Popen(self.arguments(model, *options), stdin=self.listener, stderr=self.log)

    def arguments(self, model: Path, *options: str) -> list:
        return [HOST, "--model", model, "--alias", "chat", "--ledger", self.folder / "ledger.sqlite",
                "--token-key", self.folder / "token.key", *options]

    # What the gateway does

    def reserve(self) -> str:
        invocation = uuid7()
        self.ledger.execute(
            "INSERT INTO invocations (id, key, tenant, function, route, started, status) VALUES (?, ?, ?, 'f', 'POST /f', ?, 'reserved')",
            (invocation, self.key["id"], self.key["tenant"], int(time.time() * 1000)))
        return invocation

    def token(self, invocation: str | None = None, models=("chat",), seconds: float = 60, secret: bytes | None = None,
              tenant: str | None = None) -> str:
        claims = {
            "inv": invocation or self.reserve(), "ten": tenant or self.key["tenant"], "key": self.key["id"], "fn": "f", "models": list(models),
            "exp": int((time.time() + seconds) * 1000)}
        text = base64url(json.dumps(claims).encode())
        return f"{text}.{base64url(hmac.digest(secret or self.secret, text.encode(), hashlib.sha256))}"

    def steps(self, sequences: int) -> int:
        """How many steps of work are done, once so many sequences take part in them."""
        def joined():
            load = json.loads(self.get("/health"))
            return load["running"] == sequences and load["steps"]

        return eventually(joined, what=f"work on {sequences} sequences")

    def await_tokens(self, sequences: int) -> None:
        """Returns when so many sequences have made some tokens each."""
        begun = self.steps(sequences)
        eventually(lambda: self.steps(sequences) > begun + 3, what="tokens of all")

    def billed(self, invocation: str) -> list[tuple[int, str]]:
        """The calls in the ledger: (completion tokens, finish reason)."""
        return self.ledger.execute(
            "SELECT completion_tokens, finish_reason FROM usage WHERE invocation = ?", (invocation,)).fetchall()

    # What a function does

    def connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("host", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.folder / "host.sock"))
        return connection

    def post(self, path: str, body: dict, token: str) -> tuple[int, dict]:
        connection = self.connection()
        connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def get(self, path: str) -> str:
        connection = self.connection()
        connection.request("GET", path)
        return connection.getresponse().read().decode()

    def stream(self, body: dict, token: str) -> Stream:
        connection = self.connection()
        connection.request("POST", "/v1/completions", json.dumps(body | {"stream": True}), {"Authorization": f"Bearer {token}"})
        return Stream(connection)

    def send(self, body: dict, token: str) -> socket.socket:
        """Sends a request and does not wait for the answer."""
        connection = self.connection()
        connection.request("POST", "/v1/completions", json.dumps(body), {"Authorization": f"Bearer {token}"})
        return connection.sock

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listener.close()
        self.ledger.close()
        self.log.close()
