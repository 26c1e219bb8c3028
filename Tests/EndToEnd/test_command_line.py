"""The command `swiftlet`, on a running system and beside one."""

import csv
import io
import json
import os
import subprocess
from contextlib import suppress

import pytest

from swiftlet import command, eventually, fails

COMMANDS = ["serve", "new", "functions", "models", "keys", "usage", "nginx-config", "tokenize", "detokenize", "template", "score"]


# Help and mistakes


def test_help_names_every_command():
    text = command("--help").stdout
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS + ["keys create", "keys list", "keys revoke", "models import", "models list", "models pull"])
def test_every_command_has_help(name):
    text = command(*name.split(), "--help").stdout
    assert "USAGE: swiftlet" in text and "OVERVIEW" in text


@pytest.mark.parametrize("arguments", [
    ["nothing"], ["serve", "--port", "many"], ["serve", "--port", "70000"], ["keys", "create"], ["usage", "--format", "xml"],
    ["usage", "--group-by", "moon"], ["usage", "--since", "yesterday-ish"], ["new"], ["new", "Not A Name"], ["tokenize"],
    ["score", "chat"], ["models", "import", "nowhere", "--type", "q8_0"], ["models", "import", "/tmp", "--type", "q9"],
])
def test_wrong_arguments(system, arguments):
    fails(*arguments, env={**os.environ, "SWIFTLET_STATE": str(system.state)})


def test_the_state_can_be_named_either_way(system):
    by_option = command("keys", "list", "--state", system.state, "--format", "json").stdout
    assert by_option == system.command("keys", "list", "--format", "json").stdout


# Serving


def test_a_port_that_is_taken(system, new_system):
    other = new_system()
    message = fails("serve", "--state", other.state, "--port", system.port)
    assert str(system.port) in message
    assert other.sockets() == []


def test_a_state_that_is_in_use(system):
    message = fails("serve", "--state", system.state, "--port", system.port + 1)
    assert str(system.state) in message
    assert system.healthy()


def test_a_state_path_too_long_for_a_socket(new_system, tmp_path):
    system = new_system(tmp_path / ("a-long-folder-name/" * 8) / "state").serve()
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
    assert system.stop() == 0


def test_an_orderly_stop_warns_of_nothing(new_system):
    system = new_system().serve()
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200
    assert system.stop() == 0
    assert "the host of embed exited with code 0" in system.said
    assert not [line for line in system.said.splitlines() if " warning " in line or " error " in line]


def test_nginx_accepts_the_configuration(system, tmp_path):
    text = system.command("nginx-config").stdout
    (tmp_path / "nginx.conf").write_text(text)
    done = subprocess.run(["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nginx_listens_where_it_is_told(new_system):
    system = new_system()
    address = f"127.0.0.1:{system.port}"
    fails("serve", "--state", system.state, "--listen", address, "--port", system.port)
    for wrong in (f"localhost:{system.port}", "127.0.0.1", "[::1]"):
        fails("serve", "--state", system.state, "--listen", wrong)
    system.serve("--listen", address)
    listening = [line.split()[3] for line in subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout.splitlines()]
    assert [each for each in listening if each.endswith(f":{system.port}")] == [address]
    assert f"listen {address} " in system.command("nginx-config", "--listen", address).stdout
    assert address in fails("serve", "--state", system.state / "other", "--listen", address)


# Keys


def test_a_revoked_key_is_refused(system, new_key):
    name, key = new_key()
    assert key not in system.command("keys", "list").stdout
    assert name in [row["name"] for row in system.report("keys", "list")]
    assert system.request("GET", "/v1/models", key=key).status == 200
    system.command("keys", "revoke", name)
    eventually(lambda: system.request("GET", "/v1/models", key=key).status == 401, what="refusing the key")
    fails("keys", "revoke", name, "--state", system.state)


def test_the_ledger_holds_no_key(system, new_key):
    _, key = new_key()
    for path in [*system.state.glob("ledger.sqlite*"), *system.state.glob("ledger.sqlite*/*")]:
        # A host's tally goes with it.
        with suppress(FileNotFoundError):
            assert path.is_dir() or key.encode() not in path.read_bytes()


# Usage


def test_usage_in_three_formats(system, client):
    client.embeddings.create(model="embed", input="Hello")
    arguments = ("usage", "--group-by", "function,model", "--since", "24h", "--format")
    rows = json.loads(system.command(*arguments, "json").stdout)
    lines = list(csv.DictReader(io.StringIO(system.command(*arguments, "csv").stdout, newline="")))
    table = system.command(*arguments, "table").stdout.splitlines()
    assert rows and len(lines) == len(rows) == len(table) - 1
    assert set(lines[0]) == set(rows[0]) >= {"function", "model", "prompt_tokens", "completion_tokens", "cost"}
    for row, line in zip(rows, lines, strict=True):
        assert (line["function"], line["model"], int(line["prompt_tokens"])) == (row["function"], row["model"], row["prompt_tokens"])
        assert float(line["cost"]) == pytest.approx(row["cost"])
