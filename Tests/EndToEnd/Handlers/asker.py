"""A function that asks the model `chat` for tokens and then fails in the way that ?mode= names: `die` kills the worker before it has
answered, `first-die` only the first time, `hang` answers never, `500`, `422` and others are the status of its answer.

?at=PATH calls another function, of the same system, in place of the model, and answers what that does.
"""

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import parse_qs

import flipflop

CALL = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 12, "ignore_eos": True, "temperature": 0}


def ask(path: str, at: str, token: str, method: str, body: bytes | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("swiftlet")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(at)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def is_first() -> bool:
    try:
        (Path(os.environ["SWIFTLET_DATA"]) / "first").touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def application(environ, start_response):
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    mode = query.get("mode", "200")
    token = environ["SWIFTLET_INVOCATION_TOKEN"]
    if "at" in query:
        status, answer = ask(query["at"], os.environ["SWIFTLET_GATEWAY"], token, "PUT", b"{}")
    else:
        model = json.loads(os.environ["SWIFTLET_MODELS"])["chat"]
        status, answer = ask("/v1/completions", model, token, "POST", json.dumps(CALL).encode())
    if mode == "die" or (mode == "first-die" and is_first()):
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "hang":
        time.sleep(3600)
    if mode == "break-off":
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer) + 100))])
        return [answer]
    status = int(mode) if mode.isdigit() and mode != "200" else status
    start_response(f"{status} Said", [("Content-Type", "application/json")])
    return [answer]


flipflop.WSGIServer(application).run()
