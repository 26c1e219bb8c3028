"""What a function can reach: a real worker tries, and tells what happened."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from functions import HANDLERS
from swiftlet import eventually

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give functions users of their own")


@pytest.fixture
def prober(system, functions):
    """A function that tries what it is told to. It names one model of the two."""

    name = f"prober-{os.urandom(3).hex()}"

    def place(*manifest: str):
        functions.place(name, {
            "function.yaml": "\n".join([
                f"name: {name}", f"routes: [POST /{name}]", f"handler: ['{sys.executable}', prober.py]", "models: [embed]", *manifest]),
            "prober.py": HANDLERS / "prober.py",
        })
        wanted = "\n".join(manifest)

        def serves():
            answer = system.post(f"/{name}", ["manifest"])
            return answer.status == 200 and wanted in answer.json

        eventually(serves, what="serving")

    def attempt(*words) -> str:
        answer = system.post(f"/{name}", [str(word) for word in words])
        assert answer.status == 200, answer.body
        return answer.json

    place()
    attempt.place, attempt.name = place, name
    return attempt


def test_secrets_cannot_be_read(system, prober):
    state = system.state
    for path in (state / "ledger.sqlite", state / "token.key", state / "demo.env", state / "log/generate.log", "/root/.bashrc",
                 state / "functions/generate/function.yaml", state / "versions/generate/v1/function.yaml"):
        assert prober("read", path) in ("PermissionError", "FileNotFoundError"), path
    assert prober("read", state / "ledger.sqlite") == "PermissionError"
    assert prober("read", state / "token.key") == "PermissionError"
    assert prober("read", f"/proc/{system.process.pid}/environ") == "PermissionError"
    for folder in (state, state / "functions", state / "versions", state / "data", state / "run"):
        assert prober("list", folder) == "PermissionError", folder


def test_its_own_folders_can_be_used(prober):
    assert "prober.py" in prober("list", ".")
    assert prober("write", "$SWIFTLET_DATA/kept") == "done"
    assert prober("read", "$SWIFTLET_DATA/kept") == "done"
    assert prober("write", "$TMPDIR/scratch") == "done"
    assert prober("write", "./prober.py") == "PermissionError"
    assert prober("write", "/tmp/anywhere") == "PermissionError"


def test_the_gateways_own_folders_cannot_be_written(system, prober):
    for folder in ("functions", f"versions/{prober.name}", "models", "run"):
        assert prober("write", system.state / folder / "planted") == "PermissionError"


@is_root
def test_only_the_sockets_it_was_given_can_be_reached(system, prober):
    run = system.state / "run"
    assert prober("connect", run / "model-embed.sock") == "done"
    assert prober("connect", run / "internal.sock") == "done"
    assert prober("connect", run / "model-chat.sock") == "PermissionError"
    for name in ("gateway.sock", "control.sock"):
        assert prober("connect", run / name) == "PermissionError"
    system.post("/v1/embeddings", {"model": "embed", "input": "Hello"})  # a worker of another function is there
    others = [p for p in run.glob("embed-*.sock")]
    assert others and all(prober("connect", p) == "PermissionError" for p in others)


@is_root
def test_each_function_is_a_user_of_its_own(system, prober):
    system.post("/v1/embeddings", {"model": "embed", "input": "Hello"})
    users = {(system.state / "data" / name).stat().st_uid for name in ("embed", "generate", "feedback")}
    assert len(users) == 3 and min(users) >= 1_400_000_000
    # One whose interpreter other users cannot reach stays root by name.
    assert int(prober("user")) == (system.state / "data" / prober.name).stat().st_uid
    assert prober("signal", system.process.pid) == "PermissionError"
    assert prober("privileges") == "NoNewPrivs:\t1 CapEff:\t0000000000000000"


def test_the_network_is_closed_unless_granted(system, prober):
    assert prober("tcp", system.port) == "PermissionError"
    prober.place("isolation: {network: true}")
    assert prober("tcp", system.port) == "done"


def test_more_can_be_granted(system, prober, tmp_path_factory):
    shared = tmp_path_factory.getbasetemp() / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "file").write_text("text")
    assert prober("read", shared / "file") == "PermissionError"
    prober.place(f"isolation: {{read: ['{shared}']}}")
    assert prober("read", shared / "file") == "done"
    assert prober("write", shared / "new") == "PermissionError"
    prober.place(f"isolation: {{write: ['{shared}']}}")
    assert prober("write", shared / "new") == "done"


@is_root
def test_a_state_below_a_folder_that_is_closed_to_others_serves_too(new_system):
    # A short path: sockets of a state with a long one lie elsewhere.
    with tempfile.TemporaryDirectory(prefix="closed-") as closed:
        other = new_system(Path(closed) / "state").serve()
        assert other.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
        assert f"nginx's workers run as root, because {closed} is closed to other users" in other.said
        assert other.stop() == 0
