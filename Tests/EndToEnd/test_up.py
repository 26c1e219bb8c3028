"""`Gateway/up`, as a newcomer uses it."""

import json
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from processes import descendants, mentioning
from swiftlet import ROOT, System, eventually

UP = ROOT / "Gateway/up"


def curl_lines(system: System) -> list[str]:
    return [line for line in system.said.splitlines() if line.startswith("curl ")]


def try_out(line: str) -> list[dict]:
    """Runs a line as if pasted into a shell; each JSON document it prints."""
    done = subprocess.run(["bash", "-c", line.replace("curl ", "curl -sS --fail-with-body ")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].strip()
    return found


@pytest.fixture
def newcomer(system, tmp_path):
    """A system in a state directory of its own, whose path has a space in it."""
    newcomer = System(tmp_path / "a new state")
    yield newcomer
    if newcomer.process:
        newcomer.kill()


def test_up_twice(newcomer):
    newcomer.up()
    mode = stat.S_IMODE((newcomer.state / "demo.env").stat().st_mode)
    assert mode == 0o600
    assert newcomer.demo == {"SWIFTLET_URL": newcomer.url, "SWIFTLET_API_KEY": newcomer.key}

    chat, documents, embeddings = curl_lines(newcomer)
    assert "Swiftlet demo model" in try_out(chat)[0]["choices"][0]["message"]["content"]
    assert "3 days" in try_out(documents)[-1]["text"]
    assert len(try_out(embeddings)[0]["data"][0]["embedding"]) == 384
    invocation = newcomer.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).invocation

    assert_ends_clean(newcomer, signal.SIGINT)

    key, began = newcomer.key, time.monotonic()
    newcomer.up()
    assert time.monotonic() - began < 30
    assert newcomer.key == key
    answer = newcomer.post("/retrieve", {"collection": "handbook", "query": "How long does shipping take?", "top_k": 1})
    assert answer.status == 200 and answer.json["results"][0]["document"] == "shipping"
    assert newcomer.invocation(invocation)["status"] == "succeeded"
    assert_ends_clean(newcomer, signal.SIGTERM)


def assert_ends_clean(system: System, number: signal.Signals) -> None:
    family = [p for p in descendants(system.process.pid)]
    assert {"nginx", "swiftlet"} <= {p.program for p in family}
    assert system.stop(number) == 0
    # Whose parent has gone before them are left to the system to collect.
    eventually(lambda: not [p for p in family if p.alive] and not mentioning(system.state), what="the end of every process")
    assert system.sockets() == []
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", system.port))


def test_up_killed_leaves_nothing(new_system):
    other = new_system().up()
    family = descendants(other.process.pid)
    other.process.kill()
    other.process.wait()
    eventually(lambda: not [p for p in family if p.alive], within=15, what="the end of every process")
    assert other.sockets() == []


def test_up_makes_a_new_key_when_the_old_one_was_revoked(new_system):
    other = new_system().up()
    old = other.key
    other.command("keys", "revoke", "demo")
    other.stop()
    other.up()
    assert other.key != old and other.client().models.list().data
    assert other.stop() == 0


def refused(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([str(UP), *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd="/")


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = refused("--state", tmp_path, "--port", port)
    assert done.returncode == 1 and f"port {port}" in done.stderr and "--port" in done.stderr
    assert not (tmp_path / "demo.env").exists()


def test_a_state_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    done = refused("--state", tmp_path / "file/state")
    assert done.returncode == 1 and str(tmp_path / "file/state") in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--prot", "1"], ["--port"], ["--port", "0"], ["--port", "many"], ["--port", "65536"], ["--state", ""], ["x"]])
def test_wrong_arguments(arguments):
    done = refused(*arguments)
    assert done.returncode == 2 and "--help" in done.stderr and done.stdout == ""


def test_help():
    done = refused("--help")
    assert done.returncode == 0 and "--port PORT" in done.stdout and "--state DIR" in done.stdout


def test_missing_tools_are_named(tmp_path):
    """With a PATH that holds only the basics, and no right to install."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "basename", "cat", "dirname", "readlink", "realpath", "mkdir", "env"):
        (tools / tool).symlink_to(shutil.which(tool))
    done = subprocess.run(
        [str(tools / "bash"), str(UP), "--state", str(tmp_path / "state"), "--port", "1"],
        env={"PATH": str(tools)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "libfcgi-dev" in done.stderr and "install" in done.stderr.lower()
