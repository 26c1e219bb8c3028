"""Clients that stream, wait, retry and hang up, and keep account of what they have received."""

import http.client
import json
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from swiftlet import Stream, System

PROMPTS = ["Once upon a time", "The little dog", "One day, a girl named Lily", "Tom had a red ball", "In the garden there was", "A big bear"]
LENGTHS = [3, 17, 60, 150]


@dataclass
class Call:
    """One request as its client saw it."""

    kind: str
    key: str
    prompt: str
    length: int
    invocation: str | None = None
    status: int | None = None
    # The whole answer's usage, or None for one that was not heard to its end.
    usage: dict | None = None
    # What was received of an answer: its text, and in how many pieces that were not empty, each at least one token.
    text: str = ""
    pieces: int = 0
    idempotency_key: str | None = None
    replayed: bool = False
    # When all of the answer was there, of a call that is free.
    answered: float | None = None


@dataclass
class Load:
    """Some clients at once, until they are told to stop."""

    system: System
    keys: list[str]
    small_keys: list[str]
    seed: int
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, clients: int = 10) -> None:
        for number in range(clients):
            thread = threading.Thread(target=self._client, args=(random.Random(self.seed + number),), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout=90)
            assert not thread.is_alive(), "a client waits for an answer that does not come"

    @property
    def kinds(self) -> Counter:
        return Counter(call.kind for call in self.calls)

    def _client(self, choice: random.Random) -> None:
        kinds = [self._stream, self._stream, self._hang_up, self._batch, self._batch, self._embed, self._retry, self._retry, self._free]
        while not self._stopped.is_set():
            key = choice.choice(self.small_keys) if choice.random() < 0.2 else choice.choice(self.keys)
            try:
                choice.choice(kinds)(choice, key)
            except (OSError, http.client.HTTPException):
                # The gateway is gone for a moment.
                time.sleep(0.05)
            except Exception as error:  # noqa: BLE001: what no client should ever see
                self.faults.append(f"{type(error).__name__}: {error}")

    def _new(self, kind: str, choice: random.Random, key: str) -> Call:
        call = Call(kind, key, choice.choice(PROMPTS), choice.choice(LENGTHS))
        self.calls.append(call)
        return call

    @staticmethod
    def _body(call: Call) -> dict:
        return {"model": "chat", "prompt": call.prompt, "max_tokens": call.length, "temperature": 0, "ignore_eos": True}

    # Kinds of calls

    def _stream(self, choice, key):
        call = self._new("stream", choice, key)
        self._read(call, None)

    def _hang_up(self, choice, key):
        call = self._new("hang-up", choice, key)
        self._read(call, choice.randrange(1 + call.length))

    def _read(self, call: Call, pieces: int | None) -> None:
        stream = self._open(call)
        try:
            if stream.status != 200:
                stream.response.read()
                return
            while call.pieces != pieces and (event := stream.event()) is not None:
                if event == "[DONE]":
                    return
                try:
                    chunk = json.loads(event)
                except ValueError:
                    return  # The connection broke off within it.
                call.usage = chunk.get("usage") or call.usage
                text = "".join(choice["text"] for choice in chunk.get("choices", []))
                call.text += text
                call.pieces += bool(text)
        finally:
            stream.hang_up()

    def _open(self, call: Call) -> Stream:
        connection = self.system.connection(timeout=60)
        body = {**self._body(call), "stream": True, "stream_options": {"include_usage": True}}
        connection.request("POST", "/v1/completions", json.dumps(body).encode(), self.system.headers(call.key))
        stream = Stream(connection)
        call.invocation, call.status = stream.invocation, stream.status
        return stream

    def _batch(self, choice, key):
        call = self._new("batch", choice, key)
        self._ask(call, "/v1/completions", self._body(call))

    def _embed(self, choice, key):
        call = self._new("embed", choice, key)
        self._ask(call, "/v1/embeddings", {"model": "embed", "input": [call.prompt] * (1 + call.length // 20)})

    def _free(self, choice, key):
        """A function without models: its answer does not wait for its row."""
        call = self._new("free", choice, choice.choice(self.keys))
        connection = self.system.connection(timeout=60)
        try:
            connection.request("GET", "/free", headers=self.system.headers(call.key))
            response = connection.getresponse()
            call.invocation, call.status = response.headers["x-swiftlet-invocation-id"], response.status
            body = response.read()
            if response.status == 200:
                call.answered = time.monotonic()
                assert json.loads(body)["parameters"]["SWIFTLET_INVOCATION_ID"] == call.invocation
        finally:
            connection.close()

    def _retry(self, choice, key):
        """As a careful client does it: the same request again, with the same key, until there is an answer."""
        token = str(uuid.UUID(int=choice.getrandbits(128)))
        prompt, length = choice.choice(PROMPTS), choice.choice(LENGTHS)
        for attempt in range(6):
            call = Call("retry" if attempt else "first try", key, prompt, length, idempotency_key=token)
            self.calls.append(call)
            try:
                # Some do not wait for the first answer.
                timeout = 0.03 if attempt == 0 and choice.random() < 0.3 else 30
                self._ask(call, "/v1/completions", self._body(call), {"Idempotency-Key": token}, timeout)
            except (OSError, http.client.HTTPException):
                pass
            if call.status in (200, 400, 402, 422) or self._stopped.is_set():
                return
            time.sleep(0.1 * (attempt + 1))

    def _ask(self, call: Call, path: str, body: dict, headers: dict | None = None, timeout: float = 60) -> None:
        connection = self.system.connection(timeout=timeout)
        try:
            connection.request("POST", path, json.dumps(body).encode(), {**self.system.headers(call.key), **(headers or {})})
            response = connection.getresponse()
            call.invocation, call.status = response.headers["x-swiftlet-invocation-id"], response.status
            call.replayed = response.headers["idempotent-replayed"] is not None
            body = response.read()
            if response.status == 200:
                answer = json.loads(body)
                call.usage = answer["usage"]
                call.text = answer["choices"][0]["text"] if "choices" in answer else ""
        finally:
            connection.close()
