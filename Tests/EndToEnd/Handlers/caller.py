"""Asks the function at POST /generate, as often as the body says, and answers with what that said. It has no model of its own."""

import http.client
import json
import os
import socket

import flipflop


class Gateway(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["SWIFTLET_GATEWAY"])


def application(environ, start_response):
    times = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))["times"]
    answers = []
    for _ in range(times):
        gateway = Gateway("localhost", timeout=60)
        gateway.request("POST", "/generate", json.dumps({"prompt": "Repeat: 7", "max_tokens": 10}), {
            "Authorization": f"Bearer {environ['SWIFTLET_INVOCATION_TOKEN']}", "Content-Type": "application/json"})
        answers.append(json.loads(gateway.getresponse().read()))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answers).encode()]


flipflop.WSGIServer(application).run()
