"""Reports, invoices, and what keeps the ledger honest, as the command line and the API show them."""

import csv
import html.parser
import io
import json
import sqlite3
import time

import pytest

from swiftlet import fails


@pytest.fixture
def used(system, new_key):
    """A key that has been used for two chats and an embedding: (its name, the key, what the calls said they cost)."""
    name, key = new_key()
    usages = []
    for body in ({"prompt": "Once upon a time", "max_tokens": 5}, {"prompt": "The dog", "max_tokens": 9}):
        answer = system.post("/v1/completions", {"model": "chat", **body}, key=key)
        usages.append(answer.json["usage"])
    usages.append(system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}, key=key).json["usage"])
    return name, key, usages


def nano(dollars) -> int:
    return round(float(dollars) * 1e9)


def total(usages, field: str) -> int:
    return sum(nano(usage[field]) if field == "cost" else usage.get(field, 0) for usage in usages)


def get(system, path: str, key: str, status: int = 200) -> dict:
    answer = system.request("GET", path, key=key)
    assert answer.status == status, answer.body
    return answer.json


def results(page: dict) -> list[dict]:
    assert page["object"] == "page" and all(bucket["object"] == "bucket" for bucket in page["data"])
    return [result for bucket in page["data"] for result in bucket["results"]]


def test_the_command_line_and_the_api_report_the_same(system, used):
    name, key, usages = used
    for per in ("hour", "day", "month"):
        rows = system.report("usage", "--key", name, "--group-by", "model,version", "--per", per, "--since", "1h")
        assert sum(nano(row["cost"]) for row in rows) == total(usages, "cost")
        assert {row["model"] for row in rows} == {"chat", "embed"} and all(row["version"] for row in rows)
        width = {"hour": "1h", "day": "1d", "month": "1mo"}[per]
        found = results(get(system, f"/v1/usage?bucket_width={width}&group_by=model&group_by=version", key))
        assert sorted((r["model"], r["input_tokens"], r["output_tokens"], nano(r["cost"])) for r in found) == sorted(
            (row["model"], row["prompt_tokens"], row["completion_tokens"], nano(row["cost"])) for row in rows)
    # By the hour nobody means every hour there ever was.
    assert len(system.report("usage", "--key", name, "--group-by", "key", "--per", "hour")) in (1, 2)
    assert system.report("usage", "--key", name, "--per", "hour", "--until", "2100-01-01") == []
    assert system.report("usage", "--key", name, "--per", "hour", "--since", "1h", "--until", "2100-01-01") != []
    # As a spreadsheet: the same.
    table = list(csv.DictReader(io.StringIO(system.command("usage", "--key", name, "--group-by", "model", "--format", "csv").stdout)))
    assert sum(nano(row["cost"]) for row in table) == total(usages, "cost")


def test_openais_usage_and_costs(system, used):
    _, key, usages = used
    start = int(time.time()) - 3600
    chat = results(get(system, f"/v1/organization/usage/completions?start_time={start}&group_by[]=model&group_by[]=api_key_id", key))
    assert [(r["object"], r["model"], r["num_model_requests"]) for r in chat] == [("organization.usage.completions.result", "chat", 2)]
    assert chat[0]["input_tokens"] == total(usages[:2], "prompt_tokens") and chat[0]["output_tokens"] == total(usages, "completion_tokens")
    assert chat[0]["api_key_id"] in key
    embedded = results(get(system, f"/v1/organization/usage/embeddings?start_time={start}", key))
    assert [r["input_tokens"] for r in embedded] == [usages[2]["prompt_tokens"]]
    costs = results(get(system, f"/v1/organization/costs?start_time={start}", key))
    assert sum(nano(r["amount"]["value"]) for r in costs) == total(usages, "cost") and {r["amount"]["currency"] for r in costs} == {"usd"}


def test_a_key_sees_its_own_and_an_admin_everything(system, used, new_key):
    name, key, usages = used
    other = new_key()[1]
    assert results(get(system, "/v1/usage", other)) == []
    # Whatever it asks for.
    tenant = results(get(system, "/v1/usage?group_by=tenant", key))[0]["tenant"]
    assert results(get(system, f"/v1/usage?tenants={tenant}", other)) == []
    admin = system.report("keys", "create", "--name", f"{name}-admin", "--admin")["key"]
    assert total(usages, "cost") == sum(nano(r["cost"]) for r in results(get(system, f"/v1/usage?keys={name}", admin)))
    assert system.request("GET", "/v1/usage", key=None).status == 401


def test_pages_follow_each_other(system, used):
    key, end = used[1], int(time.time()) + 1
    path = f"/v1/usage?bucket_width=1h&limit=10&start_time={end - 25 * 3600}&end_time={end}"
    page, buckets = get(system, path, key), []
    while True:
        buckets += page["data"]
        if not page["has_more"]:
            break
        page = get(system, f"{path}&page={page['next_page']}", key)
    assert page["next_page"] is None and len(buckets) in (25, 26)
    assert all(a["end_time"] == b["start_time"] for a, b in zip(buckets, buckets[1:]))
    assert sum(nano(r["cost"]) for bucket in buckets for r in bucket["results"]) == total(used[2], "cost")


@pytest.mark.parametrize("query, parameter", [
    ("start_time=yesterday", "start_time"), ("start_time=-1", "start_time"), ("start_time=200&end_time=100", "start_time"),
    ("bucket_width=1s", "bucket_width"), ("group_by=colour", "group_by"), ("group_by=model,model", "group_by"), ("limit=0", "limit"),
    ("limit=100000", "limit"), ("page=2", "page"), ("colour=red", "colour"), ("start_time=99999999999999999999", "start_time"),
    ("models='%20OR%201=1--&group_by=", None),
])
def test_a_wrong_query_is_refused_with_its_parameter(system, query, parameter):
    answer = system.request("GET", f"/v1/usage?{query}")
    if parameter is None:
        assert answer.status == 200 and results(answer.json) == []
    else:
        assert (answer.status, answer.error["param"]) == (400, parameter)


# Invoices


class Cells(html.parser.HTMLParser):
    """The text of a page's table cells."""

    def __init__(self, page: str):
        super().__init__()
        self.rows, self._inside = [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("td", "th")

    def handle_data(self, data):
        if self._inside and data.strip():
            self.rows[-1].append(data)


def test_an_invoice_adds_up_in_every_form(system, used):
    name, _, usages = used
    asked = ("invoice", "--key", name, "--month", time.strftime("%Y-%m", time.gmtime()))
    invoice = json.loads(system.command(*asked, "--format", "json").stdout)
    assert invoice["calls"] == 3
    assert sum(line["amount_nano_usd"] for line in invoice["lines"]) == invoice["total_nano_usd"] == total(usages, "cost")
    quantities = {line["description"]: line["quantity"] for line in invoice["lines"]}
    assert quantities["chat, completion, output"] == total(usages, "completion_tokens")
    rows = list(csv.reader(io.StringIO(system.command(*asked, "--format", "csv").stdout)))
    assert sum(nano(row[-1]) for row in rows[1:-1]) == nano(rows[-1][-1]) == invoice["total_nano_usd"]
    cells = Cells(system.command(*asked, "--format", "html").stdout).rows
    assert sum(nano(row[-1]) for row in cells[1:-1]) == nano(cells[-1][-1]) == invoice["total_nano_usd"]
    assert name in system.command(*asked).stdout
    # The same whenever it is asked for.
    assert json.loads(system.command(*asked, "--format", "json").stdout) == invoice


@pytest.mark.parametrize("arguments", [
    ("--key", "nobody", "--month", "2026-11"), ("--key", "tests", "--month", "2026-13"), ("--key", "tests", "--month", "November"), ("--month", "2026-11"),
])
def test_an_invoice_that_cannot_be_is_refused(system, arguments):
    assert fails("invoice", *arguments, "--state", system.state)


# Verification, export, backup, retention


def test_verify_finds_what_was_changed(system, used, tmp_path):
    assert "add up" in system.command("ledger", "verify").stdout
    backup = tmp_path / "backup.sqlite"
    system.command("ledger", "backup", backup)
    checked = system.command("ledger", "verify", "--file", backup)
    assert "add up" in checked.stdout
    database = sqlite3.connect(backup)
    database.execute("UPDATE usage SET completion_tokens = completion_tokens + 1 WHERE call = (SELECT MAX(call) FROM usage WHERE kind = 'completion')")
    database.commit()
    database.close()
    said = fails("ledger", "verify", "--file", backup)
    assert "cost:" in said and "sum:" in said and "chain:" in said
    assert "exists" in fails("ledger", "backup", backup, "--state", system.state)
    assert fails("ledger", "verify", "--file", tmp_path / "missing.sqlite")
    assert fails("ledger", "backup", tmp_path / "no-such-folder" / "backup.sqlite", "--state", system.state)


def test_an_export_has_every_call_once_and_goes_on_where_it_ended(system, used):
    name, key, usages = used
    events = [json.loads(line) for line in system.command("ledger", "export").stdout.splitlines()]
    own = [event for event in events if event["data"]["key_name"] == name]
    assert len(own) == 3 and sum(event["data"]["cost_nano_usd"] for event in own) == total(usages, "cost")
    assert all(event["specversion"] == "1.0" and event["type"] == "swiftlet.call" and event["time"].endswith("Z") for event in own)
    assert len({event["id"] for event in events}) == len(events)
    last = max(int(event["sequence"]) for event in events)
    system.invocation(system.post("/v1/embeddings", {"model": "embed", "input": "More"}, key=key).invocation, key=key)
    more = [json.loads(line) for line in system.command("ledger", "export", "--after", last).stdout.splitlines()]
    assert [event["data"]["model"] for event in more if event["data"]["key_name"] == name] == ["embed"]
    assert fails("ledger", "export", "--after", "-1", "--state", system.state)


def test_pruning_leaves_reports_as_they_are(new_system):
    system = new_system().serve()
    answer = system.post("/v1/completions", {"model": "chat", "prompt": "Once upon a time", "max_tokens": 5})
    system.invocation(answer.invocation)
    before = system.report("usage")
    assert "Deleted 0" in system.command("ledger", "prune", "--older-than", "1d").stdout
    assert "Deleted 1" in system.command("ledger", "prune", "--older-than", "0s").stdout
    assert system.report("usage") == before and before
    assert system.request("GET", f"/v1/invocations/{answer.invocation}").status == 404
    assert "add up" in system.command("ledger", "verify").stdout
    assert system.post("/v1/completions", {"model": "chat", "prompt": "Again", "max_tokens": 2}).status == 200
    assert "add up" in system.command("ledger", "verify").stdout
    assert system.stop() == 0


def test_hours_are_reported_for_a_month_at_most(system):
    assert "31 days" in fails("usage", "--per", "hour", "--since", "40d", "--state", system.state)
    assert system.command("usage", "--per", "hour", "--since", "31d").returncode == 0
    assert system.command("usage", "--per", "day", "--since", "400d").returncode == 0
