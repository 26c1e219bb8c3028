"""The response cache: exact repeats of deterministic calls are answered from the disk, and billed at the cached price."""

import json
import signal
import sqlite3

import pytest

from swiftlet import LONGEST, System, eventually

CALL = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 12, "ignore_eos": True, "temperature": 0}
# Of the embedding model, in its file.
NAME = b"all-minilm-l6-v2-q8_0"
PRICES = """
chat:  {input_cost_per_token: 0.00000015, cache_read_input_token_cost: 0.00000005, output_cost_per_token: 0.0000006, cache_read_output_token_cost: 0.00000001}
embed: {input_cost_per_token: 0.00000002}
"""


@pytest.fixture(scope="module")
def caching(system, tmp_path_factory):
    folder = tmp_path_factory.mktemp("caching")
    folder.chmod(0o711)
    made = System(folder / "state").borrow_models(system)
    (made.state / "prices.yaml").write_text(PRICES)
    made.serve()
    try:
        for name in ("generate", "embed"):
            keep_answers(made, name)
        eventually(lambda: cache(complete(made, prompt="ready?")) and cache(embed(made, "ready?")), what="a function that keeps answers")
        yield made
        assert made.stop() == 0
        assert "is whole" in made.command("ledger", "verify").stdout or made.command("ledger", "verify").returncode == 0
    finally:
        made.kill()


def keep_answers(system, function: str) -> None:
    folder = system.state / "functions" / function
    (folder / ".builtin").unlink(missing_ok=True)
    manifest = folder / "function.yaml"
    manifest.write_text(manifest.read_text() + "cache: {ttl: 1h, size: 1MiB}\n")


def complete(system, key="", headers=None, **changes):
    return system.post("/v1/completions", {**CALL, **changes}, key=key, headers=headers)


def embed(system, text, **options):
    return system.post("/v1/embeddings", {"model": "embed", "input": text}, **options)


def cache(answer) -> str | None:
    assert answer.status == 200, answer.body
    return answer.headers["x-swiftlet-cache"]


def report_line(system, invocation: str) -> dict[str, str]:
    line = eventually(lambda: [line for line in system.said.splitlines() if f"REPORT invocation={invocation}" in line], what="a REPORT line")[0]
    return dict(part.split("=", 1) for part in line.split("REPORT ")[1].split())


def test_a_repeat_is_answered_from_the_cache_at_the_cached_price(caching):
    first, again = complete(caching), complete(caching)
    assert (cache(first), cache(again)) == ("miss", "hit")
    assert first.json["choices"] == again.json["choices"] and first.invocation != again.invocation
    usage = again.json["usage"]
    prompt, made = usage["prompt_tokens"], usage["completion_tokens"]
    assert (prompt, made) == (first.json["usage"]["prompt_tokens"], 12)
    assert usage["cache"] == "hit" and usage["prompt_tokens_details"]["cached_tokens"] == prompt
    assert round(usage["cost"] * 1e9) == 50 * prompt + 10 * made
    # The same in header, record, REPORT line and ledger.
    record, report = caching.invocation(again.invocation), report_line(caching, again.invocation)
    assert record["cost"] == usage["cost"] == float(again.headers["x-swiftlet-cost-usd"]) == float(report["cost_usd"])
    assert [call["kind"] for call in record["calls"]] == ["cached_completion"] and report["cache"] == "hit"
    assert (int(report["prompt_tokens"]), int(report["cached_tokens"]), int(report["completion_tokens"])) == (prompt, prompt, made)
    assert report_line(caching, first.invocation)["cache"] == "-"
    kinds = {row["kind"]: row for row in caching.report("usage", "--group-by", "kind")}
    assert kinds["cached_completion"]["calls"] >= 1
    caching.command("ledger", "verify")


def test_a_stream_is_answered_as_a_stream(caching):
    body = {**CALL, "prompt": "A stream", "stream_options": {"include_usage": True}}
    streams = [caching.stream("/v1/completions", body) for _ in range(1)]
    first = streams[0].rest()
    again = caching.stream("/v1/completions", body)
    assert (streams[0].response.headers["x-swiftlet-cache"], again.response.headers["x-swiftlet-cache"]) == ("miss", "hit")
    assert again.response.headers["content-type"].startswith("text/event-stream")
    events = again.rest()
    text = lambda events: "".join(choice["text"] for event in events[:-1] for choice in json.loads(event)["choices"])
    assert len(events) == len(first) and events[-1] == "[DONE]" and text(events) == text(first) != ""
    usage = next(usage for event in events[:-1] if (usage := json.loads(event).get("usage")))
    assert usage["cache"] == "hit" and usage["cost"] == caching.invocation(again.invocation)["cost"]
    # Asked without a stream, it is another request.
    assert cache(complete(caching, prompt="A stream")) == "miss"


def test_openais_client_reads_what_is_given_again(caching):
    client = caching.client()
    for _ in range(2):
        raw = client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": "Repeat"}], max_tokens=8, seed=7, stream=True, stream_options={"include_usage": True})
        chunks = list(raw.parse())
    assert raw.headers["x-swiftlet-cache"] == "hit" and chunks[-1].usage.prompt_tokens_details.cached_tokens == chunks[-1].usage.prompt_tokens


def test_embeddings_need_no_seed_and_the_order_of_members_none(caching):
    assert (cache(embed(caching, "one text")), cache(embed(caching, "one text"))) == ("miss", "hit")
    other = caching.request("POST", "/v1/embeddings", b'{"input" : "one text","model":"embed"}')
    assert cache(other) == "hit"
    assert other.json["data"] == embed(caching, "one text").json["data"]
    assert cache(embed(caching, "another text")) == "miss"


def test_what_may_differ_or_has_effects_is_asked_each_time(caching):
    for changes in [{"temperature": 0.8}, {"temperature": None}, {"temperature": 0, "tools": [{"type": "function", "function": {"name": "f"}}]}]:
        body = {key: value for key, value in {**CALL, "prompt": "Each time", **changes}.items() if value is not None}
        answers = [caching.post("/v1/completions", body) for _ in range(2)]
        assert "hit" not in [answer.headers["x-swiftlet-cache"] for answer in answers]
    complete(caching, prompt="Not stored", headers={"Cache-Control": "no-store"})
    assert cache(complete(caching, prompt="Not stored")) == "miss"
    # What failed is not kept.
    for _ in range(2):
        wrong = complete(caching, max_tokens=-1)
        assert wrong.status == 400 and wrong.headers["x-swiftlet-cache"] in (None, "miss")


def test_a_stream_that_was_left_is_not_kept(caching):
    # Small enough to be kept, and slow beside another that takes most of the host's time.
    body = {**CALL, "prompt": "Left", "max_tokens": 480}
    busy = caching.stream("/v1/completions", LONGEST | {"n": LONGEST["n"] - 1})
    assert busy.event()
    stream = caching.stream("/v1/completions", body)
    assert stream.event()
    stream.hang_up()
    record = caching.bill(stream.invocation)
    assert record["status"] == "client_closed" and record["usage"]["completion_tokens"] < 480
    busy.hang_up()
    for outcome in ("miss", "hit"):
        again = caching.stream("/v1/completions", body)
        assert again.response.headers["x-swiftlet-cache"] == outcome and again.rest()[-1] == "[DONE]"


def test_tenants_share_nothing_and_keys_of_one_do(caching):
    one, two = caching.new_key("cache-one"), caching.new_key("cache-two", "--tenant", "shared-tenant")
    three = caching.new_key("cache-three", "--tenant", "shared-tenant")
    assert [cache(complete(caching, key=key, prompt="Whose?")) for key in (one, two, three)] == ["miss", "miss", "hit"]
    # A key that may not call the model gets no answer of it either.
    four = caching.new_key("cache-four", "--tenant", "shared-tenant", "--models", "embed")
    assert complete(caching, key=four, prompt="Whose?").status != 200


def test_a_budget_holds_for_cached_answers(caching):
    price = round(complete(caching, prompt="Budget").json["usage"]["cost"] * 1e9)
    cached = 50 * complete(caching, prompt="Budget").json["usage"]["prompt_tokens"] + 120
    tenant = caching.report("keys", "show", "tests")["tenant"]
    key = caching.new_key("cache-budget", "--tenant", tenant, "--max-budget", f"0.{cached * 2 + cached // 2:09}")
    answers = [complete(caching, key=key, prompt="Budget") for _ in range(3)]
    assert price > cached and [answer.status for answer in answers] == [200, 200, 402]
    assert answers[2].error["code"] == "insufficient_quota"
    assert round(caching.report("keys", "show", "cache-budget")["spent"] * 1e9) == 2 * cached


def test_an_idempotent_request_is_kept_and_repeated_with_its_own_bill(caching):
    complete(caching, prompt="Idempotent")
    answers = [complete(caching, prompt="Idempotent", headers={"Idempotency-Key": "i"}) for _ in range(2)]
    assert cache(answers[0]) == "hit" and answers[1].headers["idempotent-replayed"] == "true"
    assert answers[0].body == answers[1].body and answers[0].invocation == answers[1].invocation
    # An answer that is kept for both is kept alike.
    first = embed(caching, "kept for both", headers={"Idempotency-Key": "j"})
    again = embed(caching, "kept for both")
    assert (cache(first), cache(again)) == ("miss", "hit") and first.json["data"] == again.json["data"]


def test_another_version_or_model_is_asked_anew(caching):
    assert (cache(embed(caching, "versions")), cache(embed(caching, "versions"))) == ("miss", "hit")
    manifest = caching.state / "functions/embed/function.yaml"
    manifest.write_text(manifest.read_text().replace("idle: 60s", "idle: 61s"))
    eventually(lambda: cache(embed(caching, "versions")) == "miss", what="the new version")
    assert cache(embed(caching, "versions")) == "hit"
    model = caching.state / "models/all-minilm-l6-v2-q8_0.gguf"
    data = model.read_bytes()
    def replace(content):
        model.unlink()
        model.write_bytes(content)

    def kill_hosts():
        for host in caching.processes("swiftlet-host"):
            host.kill()
        eventually(lambda: not caching.processes("swiftlet-host"), what="the hosts' end")

    # What is in the file counts, not which file it is.
    replace(data)
    kill_hosts()
    # Until it is known what the file holds, nothing is looked up.
    assert eventually(lambda: cache(embed(caching, "versions")), what="knowing the file") == "hit"
    assert cache(embed(caching, "that the host runs again")) == "miss"
    # The host that runs still is what it was; the next one is another.
    assert data.count(NAME) == 1
    replace(data.replace(NAME, NAME[::-1]))
    assert cache(embed(caching, "versions")) == "hit"
    kill_hosts()
    eventually(lambda: embed(caching, "versions").headers["x-swiftlet-cache"] == "miss", what="the new model")
    assert cache(embed(caching, "versions")) == "hit"
    # What the first one answered is still there for it.
    replace(data)
    kill_hosts()
    eventually(lambda: embed(caching, "that the host runs again").headers["x-swiftlet-cache"] == "hit", what="the first model")
    models = caching.state / "models.yaml"
    models.write_text(models.read_text().replace(model.name, f"{model.name}\n  threads: 1"))
    caching.process.send_signal(signal.SIGHUP)
    eventually(lambda: embed(caching, "versions").headers["x-swiftlet-cache"] == "miss", what="a host with other options")


def test_a_cache_that_is_damaged_costs_no_answer(caching):
    complete(caching, prompt="Damage")
    assert cache(complete(caching, prompt="Damage")) == "hit"
    assert caching.stop() == 0
    file = caching.state / "response-cache.sqlite"
    assert sqlite3.connect(file).execute("SELECT COUNT(*) FROM answers").fetchone()[0] > 0 and file.stat().st_mode & 0o777 == 0o600
    caching.serve()
    assert cache(complete(caching, prompt="Damage")) == "hit"
    assert caching.stop() == 0
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(b"no database at all, and rather long for one " * 100)
    caching.serve()
    assert (cache(complete(caching, prompt="Damage")), cache(complete(caching, prompt="Damage"))) == ("miss", "hit")
