"""A function that goes wrong in the way that ?mode= names; it speaks FastCGI by hand to be able to.

Without a mode it answers with its process id. `first-…` goes wrong only once: a file in the function's data folder remembers it.
"""

import os
import re
import socket
import struct
import sys
import time
from pathlib import Path


def record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def answer(body: bytes) -> bytes:
    head = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    return record(6, head + body) + record(6) + record(3, bytes(8))


def request(connection: socket.socket) -> bytes:
    """Everything up to the empty FCGI_STDIN, which ends a request."""
    received = b""
    while not received.endswith(record(5)):
        part = connection.recv(65536)
        if not part:
            return b""
        received += part
    return received


def is_first(mode: str) -> bool:
    try:
        (Path(os.environ["SWIFTLET_DATA"]) / mode).touch(exist_ok=False)
        return True
    except FileExistsError:
        return False


def go_wrong(mode: str, connection: socket.socket) -> None:
    match mode:
        case "die":
            os._exit(3)
        case "garbage":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        case "no-head":
            connection.sendall(record(6, b"this is no header\r\n\r\n") + record(6) + record(3, bytes(8)))
        case "nothing":
            connection.sendall(record(6) + record(3, bytes(8)))
        case "hang":
            time.sleep(3600)
        case "stall":
            connection.sendall(record(6, b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"))
            time.sleep(3600)
        case "end-and-die":
            connection.sendall(record(6, b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n") + record(6, b"data: [DONE]\n\n"))
            os._exit(3)
        case "die-in-answer":
            connection.sendall(record(6, b"Content-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf"))
            os._exit(3)
        case "answer-and-die":
            connection.sendall(answer(b"last words"))
            os._exit(3)
        case "leak":
            kept = []
            while True:
                kept.append(bytearray(16 << 20))
        case _:
            sys.exit(f"no such mode: {mode}")


listener = socket.socket(fileno=os.dup(0))
while True:
    connection, _ = listener.accept()
    while asked := request(connection):
        # The query stands alone in REQUEST_URI's and QUERY_STRING's values.
        found = re.search(rb"mode=([a-z-]+)", asked)
        mode = found[1].decode() if found else ""
        if mode.startswith("first-"):
            mode = mode.removeprefix("first-") if is_first(mode) else ""
        if mode:
            go_wrong(mode, connection)
        else:
            connection.sendall(answer(str(os.getpid()).encode()))
    connection.close()
