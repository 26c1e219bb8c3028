"""What keys may spend and do: never more, whatever runs at once, and all of it free again when nothing runs."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor

from swiftlet import LONG, LONGEST, LONGEST_TOKENS, eventually

# Every call of it costs the same: it makes all of its tokens.
CALL = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 12, "ignore_eos": True, "temperature": 0}


def rows(system, sql: str, *arguments) -> list[tuple]:
    ledger = sqlite3.connect(f"file:{system.state}/ledger.sqlite?mode=ro", uri=True, timeout=10)
    try:
        return ledger.execute(sql, arguments).fetchall()
    finally:
        ledger.close()


def spent(system, name: str) -> int:
    """Nano-USD, by the rows of the key's calls."""
    sql = "SELECT COALESCE(SUM(usage.cost), 0) FROM usage JOIN invocations ON invocations.id = invocation JOIN keys ON keys.id = key WHERE name = ?"
    return rows(system, sql, name)[0][0]


def held(system, name: str) -> int:
    return rows(system, "SELECT COUNT(*) FROM holds JOIN keys ON keys.id = key WHERE name = ?", name)[0][0]


def cost_of_a_call(system, new_key) -> int:
    answer = system.post("/v1/completions", CALL, key=new_key()[1])
    assert answer.status == 200, answer.body
    return round(answer.json["usage"]["cost"] * 1e9)


def dollars(nano: int) -> str:
    return f"{nano // 10**9}.{nano % 10**9:09}"


def test_of_64_callers_on_a_budget_for_10_exactly_10_succeed(system, new_key):
    cost = cost_of_a_call(system, new_key)
    name, key = new_key("--max-budget", dollars(10 * cost))
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: system.post("/v1/completions", CALL, key=key), range(64)))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == 10, [answer.status for answer in answers]
    for answer in answers:
        if answer.status != 200:
            assert answer.status == 402 and answer.error["code"] == answer.error["type"] == "insufficient_quota"
    assert sum(round(answer.json["usage"]["cost"] * 1e9) for answer in good) == spent(system, name) == 10 * cost
    assert held(system, name) == 0
    # The budget is not left pinned: with room for one more, one more succeeds.
    system.command("keys", "update", name, "--max-budget", dollars(11 * cost))
    assert system.post("/v1/completions", CALL, key=key).status == 200
    assert system.post("/v1/completions", CALL, key=key).status == 402
    assert system.report("keys", "show", name)["spent"] * 1e9 == 11 * cost


def test_an_answer_ends_where_its_budget_does(system, new_key):
    cost = cost_of_a_call(system, new_key)
    name, key = new_key("--max-budget", dollars(cost))
    answer = system.post("/v1/completions", LONG, key=key)
    assert answer.status == 200 and answer.json["choices"][0]["finish_reason"] == "length"
    assert answer.json["usage"]["completion_tokens"] == 12
    assert spent(system, name) == cost and held(system, name) == 0


def test_who_has_all_of_a_stream_is_billed_and_holds_nothing(system, new_key):
    """OpenAI's clients stop reading at `[DONE]` and call again at once."""
    name, key = new_key("--max-budget", "1")
    for _ in range(20):
        stream = system.stream("/v1/completions", {**CALL, "stream": True}, key=key)
        while stream.event() != "[DONE]":
            pass
        assert held(system, name) == 0
        assert rows(system, "SELECT status FROM invocations WHERE id = ?", stream.invocation) == [("succeeded",)]


def test_what_a_left_stream_held_is_free_again(system, new_key):
    cost = cost_of_a_call(system, new_key)
    name, key = new_key("--max-budget", dollars(3000 * cost))
    stream = system.stream("/v1/completions", LONGEST, key=key)
    stream.event()
    assert held(system, name) == 1
    stream.hang_up()
    bill = system.bill(stream.invocation, key=key)
    assert bill["status"] == "client_closed" and 0 < bill["usage"]["completion_tokens"] < LONGEST_TOKENS
    assert held(system, name) == 0 and spent(system, name) == round(bill["cost"] * 1e9)


def test_a_killed_host_leaves_nothing_unbilled_and_nothing_held(new_system):
    system = new_system().serve()
    key = system.new_key("budgeted", "--max-budget", "1")
    stream = system.stream("/v1/completions", LONGEST, key=key)
    received = [stream.event() for _ in range(5)]
    assert all(received)
    for host in system.processes("swiftlet-host"):
        host.kill()
    rest = stream.rest()
    bill = system.bill(stream.invocation, key=key)
    made = bill["usage"]["completion_tokens"]
    # A chunk is at least a token; what came after the fifth was on its way.
    chunks = [event for event in received + rest if '"text":"' in event and '"text":""' not in event]
    assert bill["status"] == "failed" and len(chunks) <= made < LONGEST_TOKENS
    assert [call["finish_reason"] for call in bill["calls"]] == ["error"]
    assert spent(system, "budgeted") == round(bill["cost"] * 1e9) and held(system, "budgeted") == 0
    assert system.post("/v1/completions", CALL, key=key).status == 200
    assert system.stop() == 0


def test_a_killed_gateway_leaves_nothing_unbilled_and_nothing_held(new_system):
    system = new_system().serve()
    key = system.new_key("budgeted", "--max-budget", "1")
    assert system.post("/v1/completions", CALL).status == 200
    running = system.processes()
    stream = system.stream("/v1/completions", LONGEST, key=key)
    received = [stream.event() for _ in range(5)]
    assert all(received)
    system.process.kill()
    system.process.wait()
    eventually(lambda: not [process for process in running if process.alive], what="the end of every process")
    system.serve()
    assert "settled 1 invocations that the last run left open: 1 calls" in system.said
    bill = system.invocation(stream.invocation, key=key)
    assert bill["status"] == "failed" and 5 <= bill["usage"]["completion_tokens"] + 1 < LONGEST_TOKENS
    assert held(system, "budgeted") == 0
    assert system.stop() == 0


def test_limits_are_told_in_headers_and_kept(system, new_key):
    _, key = new_key("--rpm-limit", "3", "--tpm-limit", "600")
    answers = [system.post("/v1/completions", CALL, key=key) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "600"
    assert int(answers[1].headers["x-ratelimit-remaining-tokens"]) < 600
    assert answers[3].error["code"] == "rate_limit_exceeded" and 1 <= int(answers[3].headers["retry-after"]) <= 20


def test_only_so_many_requests_run_at_once(system, new_key):
    _, key = new_key("--max-parallel-requests", "1")
    stream = system.stream("/v1/completions", LONGEST, key=key)
    assert stream.event()
    assert system.post("/v1/completions", CALL, key=key).status == 429
    stream.hang_up()
    # What was left makes room, and so does what came to its end.
    for _ in range(2):
        eventually(lambda: system.post("/v1/completions", CALL, key=key).status == 200, what="another request")


def test_a_key_opens_what_it_may(system, new_key):
    name, key = new_key("--functions", "embed", "--models", "embed", "--tags", "a,b", "--owner", "me@example.org")
    assert system.post("/v1/embeddings", {"model": "embed", "input": "x"}, key=key).status == 200
    refused = system.post("/v1/completions", CALL, key=key)
    assert (refused.status, refused.error["code"]) == (403, "function_not_allowed")
    system.command("keys", "update", name, "--functions", "none")
    eventually(lambda: system.post("/v1/completions", CALL, key=key).status != 403, what="the update")
    assert system.post("/v1/completions", CALL, key=key).status in (400, 401, 403, 404, 502)
    system.command("keys", "update", name, "--models", "none")
    eventually(lambda: system.post("/v1/completions", CALL, key=key).status == 200, what="the update")
    shown = system.report("keys", "show", name)
    assert (shown["tags"], shown["owner"], shown["functions"]) == ("a,b", "me@example.org", None)


def test_a_key_ends_when_it_expires_and_gets_another_secret(system, new_key):
    name, key = new_key("--expires", "1s")
    eventually(lambda: system.request("GET", "/v1/models", key=key).status == 401, what="its end")
    system.command("keys", "update", name, "--expires", "none")
    eventually(lambda: system.request("GET", "/v1/models", key=key).status == 200, what="the update")
    other = system.report("keys", "rotate", name, "--grace", "6")["key"]
    assert other != key
    eventually(lambda: system.request("GET", "/v1/models", key=other).status == 200, what="the new secret")
    assert system.request("GET", "/v1/models", key=key).status == 200
    eventually(lambda: system.request("GET", "/v1/models", key=key).status == 401, within=20, what="the old secret's end")
    assert system.request("GET", "/v1/models", key=other).status == 200


def test_keys_that_look_like_sql_or_are_broken_open_nothing(system, new_key):
    name, key = new_key()
    for wrong in ["sk-swl-' OR 1=1 --", "sk-swl-x'; DROP TABLE keys; --", f"{key[:-1]}", f"{key}x", "sk-swl-", "sk-swl--", "x" * 5000]:
        assert system.request("GET", "/v1/models", key=wrong).status in (400, 401), wrong
    assert system.request("GET", "/v1/models", key=key).status == 200
    # A hash that is none opens nothing.
    ledger = sqlite3.connect(system.state / "ledger.sqlite", timeout=10)
    ledger.execute("UPDATE keys SET hash = x'00' WHERE name = ?", (name,))
    ledger.commit()
    ledger.close()
    eventually(lambda: system.request("GET", "/v1/models", key=key).status == 401, what="the refusal")
    assert system.request("GET", "/v1/models").status == 200


def test_every_response_says_what_the_record_says(system, new_key):
    _, key = new_key()
    answer = system.post("/v1/completions", CALL, key=key)
    record = system.invocation(answer.invocation, key=key)
    assert float(answer.headers["x-swiftlet-cost-usd"]) == record["cost"] == answer.json["usage"]["cost"]
    for name, field in [("queue", "queue_ms"), ("total", "duration_ms")]:
        assert int(answer.headers[f"x-swiftlet-{name}-ms"]) == record[field]
    assert int(answer.headers["x-swiftlet-cold-start-ms"]) == (record["cold_start_ms"] or 0)
    assert 0 < record["time_to_first_token_ms"] <= record["duration_ms"]
    stream = system.stream("/v1/completions", CALL, key=key)
    stream.rest()
    head = stream.response.headers
    assert head["x-swiftlet-queue-ms"] is not None and head["x-swiftlet-cold-start-ms"] is not None
    assert head["x-swiftlet-cost-usd"] is None


# Idempotency-Key


def once(system, key, token, body=CALL, **headers):
    return system.post("/v1/completions", body, key=key, headers={"Idempotency-Key": token, **headers})


def test_a_request_that_is_sent_again_is_run_and_billed_once(system, new_key):
    name, key = new_key()
    first = once(system, key, "a")
    again = once(system, key, "a")
    assert first.status == again.status == 200 and first.body == again.body
    assert again.headers["idempotent-replayed"] == "true" and first.headers["idempotent-replayed"] is None
    assert again.invocation == first.invocation
    assert rows(system, "SELECT COUNT(*) FROM invocations JOIN keys ON keys.id = key WHERE name = ?", name) == [(1,)]
    other = once(system, key, "a", {**CALL, "max_tokens": 3})
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reused")
    # Another key's tokens are its own.
    assert once(system, new_key()[1], "a").headers["idempotent-replayed"] is None


def test_of_requests_that_are_sent_at_once_one_runs(system, new_key):
    name, key = new_key()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: once(system, key, "b", LONG), range(16)))
    assert {answer.status for answer in answers} <= {200, 409} and any(answer.status == 200 for answer in answers)
    for answer in answers:
        if answer.status == 409:
            assert answer.error["code"] == "idempotency_key_in_use" and answer.headers["retry-after"]
    assert rows(system, "SELECT COUNT(*) FROM invocations JOIN keys ON keys.id = key WHERE name = ?", name) == [(1,)]


def test_a_client_that_leaves_can_fetch_its_answer(system, new_key):
    name, key = new_key()
    connection = system.connection()
    connection.request("POST", "/v1/completions", json.dumps({**LONG, "stream": True}), {**system.headers(key), "Idempotency-Key": "c"})
    response = connection.getresponse()
    assert response.readline()
    connection.sock.close()
    response.close()
    stream = {**LONG, "stream": True}
    answer = eventually(lambda: (a := once(system, key, "c", stream)).status == 200 and a, within=20, what="the answer")
    assert answer.body.rstrip().endswith(b"data: [DONE]") and answer.headers["idempotent-replayed"] == "true"
    assert rows(system, "SELECT COUNT(*) FROM invocations JOIN keys ON keys.id = key WHERE name = ?", name) == [(1,)]


def test_what_was_refused_may_be_sent_again(system, new_key):
    name, key = new_key("--max-budget", "0")
    assert once(system, key, "d").status == 402
    system.command("keys", "update", name, "--max-budget", "none")
    eventually(lambda: once(system, key, "d").status == 200, what="the update")
