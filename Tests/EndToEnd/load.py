"""Load on a running system whose every answer is checked: whole, or told that it failed."""

import hashlib
import http.client
import json
import random
import threading
import time
from collections import Counter

from swiftlet import System


class Broken(Exception):
    """An answer that was neither whole nor said that it was not."""


def told(status: int, body: bytes) -> str:
    """The outcome of an answer that is an error: it must say so as OpenAI's API does."""
    error = json.loads(body).get("error") or {}
    if not (400 <= status < 600 and error.get("message") and error.get("type")):
        raise Broken(f"status {status}: {body[:300]!r}")
    return f"told {status}"


class Load:
    """Threads that call again and again. Each call is a function of a connection that returns what became of it."""

    def __init__(self, system: System, calls, threads: int, per_second: float | None = None):
        self.system = system
        self.outcomes: Counter[str] = Counter()
        self.broken: list[str] = []
        self.latencies: list[float] = []
        self._calls = calls
        self._pause = threads / per_second if per_second else 0
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number / threads,)) for number in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, offset: float) -> None:
        connection = self.system.connection(timeout=120)
        due = time.monotonic() + offset * self._pause
        while not self._done.is_set():
            time.sleep(max(0, due - time.monotonic()))
            # Constant arrivals: a slow answer does not thin out the load.
            due = due + self._pause if self._pause else time.monotonic()
            began = time.monotonic()
            try:
                outcome = random.choice(self._calls)(self.system, connection)
            except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
                # The connection broke in mid-answer, which no reader takes for its end.
                outcome = "told by a broken connection" if not isinstance(error, TimeoutError) else "timeout"
                connection.close()
            except (Broken, ValueError, KeyError, AssertionError) as error:
                outcome = "broken"
                self.broken.append(f"{type(error).__name__}: {error}")
                connection.close()
            with self._lock:
                self.outcomes[outcome] += 1
                self.latencies.append(time.monotonic() - began)

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())


# Calls


def body(size: int) -> bytes:
    """What the echo function answers to ?size=N."""
    block = bytes(range(256)) * 256
    return (block * (size // len(block) + 1))[:size]


BODY = hashlib.sha256(body(300_000)).digest()


def bytes_of_echo(system: System, connection) -> str:
    connection.request("GET", "/echo?size=300000", None, system.headers())
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        return told(response.status, data)
    if hashlib.sha256(data).digest() != BODY:
        raise Broken(f"a body of {len(data)} bytes that is not what was sent")
    return "whole"


PROMPT = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 24, "ignore_eos": True}


def completion(system: System, connection) -> str:
    connection.request("POST", "/v1/completions", json.dumps(PROMPT), system.headers())
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        return told(response.status, data)
    assert json.loads(data)["usage"]["completion_tokens"] == 24, data
    return "whole"


def stream(system: System, connection) -> str:
    connection.request("POST", "/v1/completions", json.dumps(PROMPT | {"stream": True}), system.headers())
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        return told(response.status, data)
    events = [line[5:].strip() for line in data.split(b"\n") if line.startswith(b"data:")]
    if events and events[-1] == b"[DONE]":
        # Tokens that are parts of one character come together, so events are no count.
        assert [event for event in map(json.loads, events[:-1]) if event.get("timings", {}).get("predicted_n") == 24], events
        return "whole"
    if not events or "error" not in json.loads(events[-1]):
        raise Broken(f"a stream that ended like this: {data[-300:]!r}")
    return "told in the stream"


def embedding(system: System, connection) -> str:
    connection.request("POST", "/v1/embeddings", json.dumps({"model": "embed", "input": "A fox and a kite."}), system.headers())
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        return told(response.status, data)
    assert len(json.loads(data)["data"][0]["embedding"]) == 384
    return "whole"
