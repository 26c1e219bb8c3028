"""Who is told of an error pays nothing, and who is answered by a second worker pays for its try alone."""

import json
import sys
import time

import pytest

from functions import HANDLERS
from swiftlet import eventually

from test_budgets import CALL, held, rows


def place(system, functions, name: str, *manifest: str) -> None:
    functions.place(name, {
        "function.yaml": "\n".join([
            f"name: {name}", f"routes: [POST /{name}, PUT /{name}]", f"handler: {json.dumps([sys.executable, 'asker.py'])}",
            "models: [chat]", *manifest]),
        "asker.py": HANDLERS / "asker.py",
    })
    eventually(lambda: system.request("GET", f"/{name}").status == 405, what=f"serving {name}")


def books(system, name: str) -> list[tuple]:
    """What the key's calls, its budget and its report say that it has spent, in nano-USD."""
    spent = "SELECT COALESCE(SUM(cost), 0) FROM spending JOIN keys ON keys.id = key WHERE name = ?"
    charged = "SELECT COALESCE(SUM(usage.cost), 0) FROM usage JOIN invocations ON invocations.id = invocation JOIN keys ON keys.id = key WHERE name = ?"
    report = system.report("usage", "--group-by", "key", "--key", name)
    return [rows(system, charged, name)[0][0], rows(system, spent, name)[0][0], round(sum(row["cost"] for row in report) * 1e9)]


def lost(system, name: str) -> int:
    return rows(system, "SELECT COUNT(*) FROM lost_usage JOIN invocations ON invocations.id = invocation JOIN keys ON keys.id = key WHERE name = ?", name)[0][0]


def report_line(system, identifier: str) -> str:
    def found():
        log = system.state / "log/serve.log"
        said = system.said + (log.read_text() if log.exists() else "")
        return [line for line in said.splitlines() if "REPORT" in line and identifier in line]

    return eventually(found, what="a REPORT line")[0]


def test_a_request_that_a_second_worker_answers_is_billed_once(system, functions, new_key):
    """The first worker has its tokens from the model, and kills itself before it answers."""
    place(system, functions, "dying")
    # No more than one call fits, so that the second one needs what the first one gives back.
    cost = round(system.post("/v1/completions", CALL).json["usage"]["cost"] * 1e9)
    name, key = new_key("--max-budget", f"0.{cost:09}", "--tpm-limit", "10000")
    answer = system.request("PUT", "/dying?mode=first-die", {}, key=key)
    assert answer.status == 200
    usage = answer.json["usage"]
    record = system.invocation(answer.invocation, key=key)
    assert record["usage"] == usage and len(record["calls"]) == 1 and round(usage["cost"] * 1e9) == cost
    assert float(answer.headers["x-swiftlet-cost-usd"]) == record["cost"] == usage["cost"]
    assert f"completion_tokens={usage['completion_tokens']} " in report_line(system, answer.invocation)
    assert books(system, name) == [cost] * 3 and lost(system, name) == 1 and held(system, name) == 0
    verified = system.command("ledger", "verify").stdout
    assert "calls for attempts that were given up were charged to nobody" in verified
    assert system.request("PUT", "/dying", {}, key=key).status == 402, "The budget is spent."


def test_a_function_that_another_one_calls_twice_is_billed_once(system, functions, new_key):
    place(system, functions, "outer")
    place(system, functions, "inner")
    name, key = new_key()
    answer = system.post("/outer?at=/inner%3Fmode%3Dfirst-die", {}, key=key)
    assert answer.status == 200
    record = system.invocation(answer.invocation, key=key)
    assert record["usage"] == answer.json["usage"] and len(record["calls"]) == 1
    assert books(system, name) == [round(record["cost"] * 1e9)] * 3 and lost(system, name) == 1


@pytest.mark.parametrize("mode, status", [("die", 502), ("break-off", 502), ("hang", 504), ("500", 500), ("422", 422)])
def test_a_call_that_fails_costs_nothing_though_models_worked_for_it(system, functions, new_key, mode, status):
    place(system, functions, f"failing-{mode}", f"limits: {{timeout: {'3s' if mode == 'hang' else '30s'}}}")
    name, key = new_key("--max-budget", "1")
    answer = system.post(f"/failing-{mode}?mode={mode}", {}, key=key)
    assert answer.status == status
    record = system.invocation(answer.invocation, key=key)
    assert (record["status"], record["http_status"]) == ("timed_out" if mode == "hang" else "failed", status)
    assert record["cost"] == 0 and record["calls"] == [] and record["billed_ms"] == 0
    assert float(answer.headers["x-swiftlet-cost-usd"]) == 0
    line = report_line(system, answer.invocation)
    assert " cost_usd=0 " in line and " billed_ms=0 " in line and f" http_status={status} " in line
    assert books(system, name) == [0, 0, 0] and lost(system, name) == 1 and held(system, name) == 0
    assert system.command("ledger", "verify").returncode == 0


def test_fees_are_billed_beside_tokens_and_not_for_what_failed(new_system):
    system = new_system()
    prices = system.state / "prices.yaml"
    prices.write_text(prices.read_text() + "functions:\n  generate: {cost_per_invocation: 0.001, cost_per_second: 0.5}\n")
    (system.state / "swiftlet.yaml").write_text("ledger: {durability: process}\n")
    system.serve()
    assert rows(system, "SELECT value FROM settings WHERE name = 'durability'") == [("process",)]
    answer = eventually(lambda: (a := system.post("/v1/completions", CALL)).status == 200 and a, what="an answer")
    record = system.invocation(answer.invocation)
    fee = 1_000_000 + record["duration_ms"] * 500_000
    assert round(record["fee"] * 1e9) == fee and record["billed_ms"] == record["duration_ms"]
    assert round(record["cost"] * 1e9) == fee + round(answer.json["usage"]["cost"] * 1e9)
    assert float(answer.headers["x-swiftlet-cost-usd"]) == record["cost"]
    assert f" cost_usd={answer.headers['x-swiftlet-cost-usd']} " in report_line(system, answer.invocation)
    refused = system.post("/v1/completions", {**CALL, "max_tokens": -1})
    assert refused.status == 400 and system.invocation(refused.invocation)["cost"] == 0
    invoice = system.command("invoice", "--key", "tests", "--month", time.strftime("%Y-%m", time.gmtime())).stdout
    assert "Invocations of generate" in invoice
    system.command("ledger", "verify")
    assert system.stop() == 0
