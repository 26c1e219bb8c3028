"""Versions of functions: proven before they serve, kept, split and taken back."""

import time
from pathlib import Path

import pytest

from functions import HANDLERS
from swiftlet import eventually, fails


@pytest.fixture
def folder(tmp_path) -> Path:
    """A function's folder outside the system, as its author has it."""
    (tmp_path / "canary").mkdir()
    return tmp_path / "canary"


@pytest.fixture
def deploy(system, functions, folder):
    """Deploys the echo function with the command line, as the version `name` says it is."""

    def run(name: str, *manifest: str, handler: str | None = None, check: bool = True):
        functions.adopt("canary")
        place = functions.manifest("canary", "GET /canary", *manifest, VERSION=name)
        (folder / "function.yaml").write_text(place if handler is None else f"routes: [GET /canary]\nhandler: {handler}\n")
        (folder / "echo.py").write_text((HANDLERS / "echo.py").read_text())
        return system.command("deploy", folder, check=check)

    return run


def canary(system, **options):
    return system.request("GET", "/canary", **options)


def row(system, name: str) -> dict:
    return next((each for each in system.report("functions") if each["name"] == name), {"problem": None, "versions": []})


def test_a_deployed_version_serves_at_once_and_says_its_name(system, deploy):
    first = deploy("one")
    number = int(first.stdout.split()[1].removeprefix("v"))
    assert first.stdout == f"canary v{number} serves.\n"
    answer = canary(system)
    assert answer.status == 200 and answer.json["version"] == "one"
    assert answer.headers["x-swiftlet-function-version"] == f"v{number}"
    assert deploy("two").stdout == f"canary v{number + 1} serves.\n"
    assert canary(system).json["version"] == "two"
    # The same again is no new version.
    assert deploy("two").stdout == f"canary v{number + 1} serves.\n"
    assert (system.state / "functions/canary/echo.py").exists()
    assert row(system, "canary")["versions"] == [f"v{number + 1}", f"(v{number})"]


def test_a_running_version_does_not_change_under_its_workers(system, deploy):
    deploy("one", "scale: {idle: 10ms}")
    before = canary(system).json
    with (system.state / "functions/canary/echo.py").open("w") as half_written:
        half_written.write("this is no Python")
        half_written.flush()
        eventually(lambda: canary(system).json["process"] != before["process"], what="a new worker")
        assert canary(system).json["version"] == "one"
    eventually(lambda: row(system, "canary")["problem"], what="a refusal of what was written")
    assert canary(system).json["version"] == "one"


@pytest.mark.parametrize("handler, reason", [
    ("missing-program", "not found"), ("[sh, -c, exit 3]", "exited with code 3"), ("[sh, -c, kill -9 $$]", "SIGKILL"),
    ("./missing", "missing or not executable"),
])
def test_what_cannot_start_is_refused_and_changes_nothing(system, deploy, folder, handler, reason):
    deploy("good")
    files = (system.state / "functions/canary/function.yaml").read_text()
    refused = deploy("bad", handler=handler, check=False)
    assert refused.returncode == 1 and reason in refused.stderr and refused.stdout == ""
    assert canary(system).json["version"] == "good"
    assert (system.state / "functions/canary/function.yaml").read_text() == files
    assert [p.name for p in (system.state / "functions").iterdir() if p.name.startswith(".canary")] == []


def test_what_is_dropped_in_and_cannot_start_is_refused(system, functions):
    functions.place("failing", {"function.yaml": "name: failing\nroutes: [GET /failing]\nhandler: [sh, -c, exit 3]\n"})
    eventually(lambda: "exited with code 3" in (row(system, "failing")["problem"] or ""), what="a report")
    assert system.request("GET", "/failing").status == 404
    functions.place_python("failing", "GET /failing", VERSION="good")
    eventually(lambda: system.request("GET", "/failing").status == 200, what="serving what was mended")
    assert row(system, "failing")["problem"] is None


@pytest.mark.parametrize("probe, is_good", [
    ("{path: /canary}", True), ("{path: '/canary?status=204', status: 204}", True), ("{method: POST, path: /canary, body: hello}", True),
    ("{path: '/canary?status=500'}", False), ("{path: /canary, status: 404}", False), ("{path: '/canary?wait=9'}", False),
])
def test_a_probe_decides(system, deploy, probe, is_good):
    deploy("good")
    done = deploy("probed", f"health: {{timeout: {'15s' if is_good else '1500ms'}, probe: {probe}}}", check=False)
    assert (done.returncode == 0) == is_good, done.stderr
    assert canary(system).json["version"] == ("probed" if is_good else "good")
    if not is_good:
        assert "prob" in done.stderr or "did not answer within" in done.stderr


def test_a_rollback_and_a_restart(new_system):
    system = new_system().serve()
    folder = system.state.parent / "mine"
    folder.mkdir()
    for version in ("one", "two", "three", "four"):
        (folder / "function.yaml").write_text("routes: [GET /mine]\nhandler: php-cgi\nscript: index.php\n")
        (folder / "index.php").write_text(f"<?php echo '{version}';")
        system.command("deploy", folder)
    assert system.request("GET", "/mine").body == b"four"
    system.command("functions", "rollback", "mine")
    assert system.request("GET", "/mine").body == b"three"
    assert system.stop() == 0
    system.serve()
    assert system.request("GET", "/mine").body == b"three"
    system.command("functions", "rollback", "mine")
    assert system.request("GET", "/mine").body == b"two"
    # Three are kept.
    assert "kept are v2, v3, v4" in fails("functions", "rollback", "mine", "--state", system.state)
    assert sorted(p.name for p in (system.state / "versions/mine").glob("v*")) == ["v2", "v3", "v4"]
    assert system.stop() == 0


def test_traffic_is_split_by_key(system, deploy, new_key):
    deploy("old")
    newer = int(deploy("new").stdout.split()[1].removeprefix("v"))
    system.command("functions", "traffic", "canary", f"v{newer - 1}=50", f"v{newer}=50")
    keys = [new_key()[1] for _ in range(16)]
    first = [canary(system, key=key).json["version"] for key in keys]
    assert set(first) == {"old", "new"}
    for _ in range(3):
        assert [canary(system, key=key).json["version"] for key in keys] == first
    assert {canary(system, key=key).headers["x-swiftlet-function-version"] for key in keys} == {f"v{newer - 1}", f"v{newer}"}
    assert row(system, "canary")["versions"] == [f"v{newer}=50%", f"v{newer - 1}=50%"]


@pytest.mark.parametrize("shares, named", [
    (["v1=50", "v1=50"], "each version once"), (["v9999=100"], "no version v9999"), (["1=100"], "VERSION=PERCENT"), (["vx=1"], "VERSION=PERCENT"),
])
def test_a_wrong_split_is_named(system, deploy, shares, named):
    deploy("one")
    assert named in fails("functions", "traffic", "canary", *shares, "--state", system.state)
    assert canary(system).json["version"] == "one"


def test_commands_name_what_is_not_there(system, tmp_path):
    assert "no function 'nothing'" in fails("functions", "rollback", "nothing", "--state", system.state)
    assert "no model 'nothing'" in fails("models", "preload", "nothing", "--state", system.state)
    assert "function.yaml" in fails("deploy", tmp_path, "--state", system.state)
    (tmp_path / "function.yaml").write_text("")
    for command in (["deploy", tmp_path], ["status"], ["functions", "rollback", "x"], ["models", "preload", "chat"]):
        assert "No system runs" in fails(*command, "--state", tmp_path / "nowhere")


def test_a_slow_upload_into_the_folder_is_not_taken_half(system, functions):
    """Every look finds it changed, until it is whole."""
    functions.place_python("slow", "GET /slow", VERSION="whole")
    eventually(lambda: system.request("GET", "/slow").status == 200)
    whole = (functions.path / "slow/echo.py").read_text()

    def newest() -> int:
        return int(row(system, "slow")["versions"][0].removeprefix("v"))

    def upload(text: str) -> bool:
        """Whether no two looks found it alike: a machine that is too busy makes a pause that is an end."""
        pauses = []
        with (functions.path / "slow/echo.py").open("w") as file:
            for start in range(0, len(text), 100):
                began = time.monotonic()
                file.write(text[start:start + 100])
                file.flush()
                time.sleep(0.05)
                pauses.append(time.monotonic() - began)
        return max(pauses) < 0.2

    for number in range(10):
        before, text = newest(), whole + f"\n# more {number}\n"
        in_time = upload(text)
        eventually(lambda: newest() > before, what="the new version")
        if in_time:
            assert (system.state / f"versions/slow/v{before + 1}/echo.py").read_text() == text
            assert newest() == before + 1 and row(system, "slow")["problem"] is None
            return
        time.sleep(1)  # until there is nothing of it that was not looked at
    pytest.fail("this machine is too busy to write a file without a pause")
