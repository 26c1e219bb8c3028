"""A function in Python, as any FastCGI program: it tells what it was asked and where it runs.

?size=N answers with N bytes instead, ?chunks=N with N lines, one every 50 ms, ?status=N with that status, ?wait=S after so many seconds.
"""

import hashlib
import json
import os
import time
from urllib.parse import parse_qs

import flipflop


def application(environ, start_response):
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    status = query.get("status", "200")
    time.sleep(float(query.get("wait", 0)))
    if "size" in query:
        start_response(f"{status} OK", [("Content-Type", "application/octet-stream")])
        return pattern(int(query["size"]))
    if "chunks" in query:
        start_response(f"{status} OK", [("Content-Type", "text/event-stream")])
        return ticks(int(query["chunks"]))
    told = {
        "version": os.environ.get("VERSION"),
        "process": os.getpid(),
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "parameters": {name: value for name, value in environ.items() if isinstance(value, str)},
        "environment": dict(os.environ),
    }
    start_response(f"{status} OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def pattern(size):
    block = bytes(range(256)) * 256
    for start in range(0, size, len(block)):
        yield block[: min(len(block), size - start)]


def ticks(count):
    for number in range(count):
        yield f"data: {number}\n\n".encode()
        time.sleep(0.05)


flipflop.WSGIServer(application).run()
