"""What a response says it cost, what its record says and what the ledger sums up are one and the same."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions import HANDLERS
from swiftlet import eventually

DOCUMENTS = [{"id": "refunds", "text": "Refunds are accepted within 30 days."}, {"id": "shipping", "text": "Shipping takes 3 days."}]
PER_TOKEN = {"chat": (0.00000015, 0.0000006), "embed": (0.00000002, 0)}


def chat(client, text, **options):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.with_raw_response.create(model="chat", messages=messages, max_tokens=30, **options)


def usage_of_stream(raw):
    """Reads a stream to its end; usage is in the last chunk."""
    return [chunk.usage for chunk in raw.parse()][-1]


# Each kind of call → (invocation id, usage as the response says it)


def one_answer(system, client, n):
    raw = chat(client, f"Repeat: {n}")
    return raw.headers["x-swiftlet-invocation-id"], raw.parse().usage.to_dict()


def streamed(system, client, n):
    raw = chat(client, f"Repeat: {n}", stream=True, stream_options={"include_usage": True})
    return raw.headers["x-swiftlet-invocation-id"], usage_of_stream(raw).to_dict()


def completion(system, client, n):
    raw = client.completions.with_raw_response.create(model="chat", prompt=f"Once upon a time {n}", max_tokens=1 + n % 20)
    return raw.headers["x-swiftlet-invocation-id"], raw.parse().usage.to_dict()


def completion_streamed(system, client, n):
    raw = client.completions.with_raw_response.create(
        model="chat", prompt="Once upon a time", max_tokens=1 + n % 20, stream=True, stream_options={"include_usage": True})
    return raw.headers["x-swiftlet-invocation-id"], usage_of_stream(raw).to_dict()


def embedding(system, client, n):
    raw = client.embeddings.with_raw_response.create(model="embed", input=["Repeat"] * (1 + n % 5) + [str(n)])
    return raw.headers["x-swiftlet-invocation-id"], raw.parse().usage.to_dict()


def answer_from_documents(system, client, n):
    answer = system.post("/generate", {
        "prompt": "How long does shipping take?", "retrieve": {"collection": "ledger", "top_k": 2}}, key=client.api_key)
    assert answer.status == 200, answer.body
    return answer.invocation, answer.json["usage"]


KINDS = [one_answer, streamed, completion, completion_streamed, embedding, answer_from_documents]


@pytest.fixture
def keyed(system, new_key):
    """A key that has used nothing yet: (its name, a client with it)."""
    name, key = new_key()
    return name, system.client(key)


def put_documents(system, client):
    answer = system.request("PUT", "/collections/ledger/documents", {"documents": DOCUMENTS}, key=client.api_key)
    assert answer.status == 200
    return answer.invocation


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_response_says_what_its_record_says(system, keyed, kind):
    _, client = keyed
    put_documents(system, client)
    identifier, usage = kind(system, client, 3)
    record = system.invocation(identifier, key=client.api_key)
    assert record["status"] == "succeeded" and record["http_status"] == 200
    for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert usage.get(field, 0) == record["usage"][field]
    assert round(usage["cost"] * 1e9) == round(record["usage"]["cost"] * 1e9) > 0
    # And the price is the one in prices.yaml.
    for call in record["calls"]:
        paid, made = PER_TOKEN[call["model"]]
        exact = call["usage"]["prompt_tokens"] * paid + call["usage"]["completion_tokens"] * made
        assert call["usage"]["cost"] == pytest.approx(exact, abs=0.5e-9)


def test_200_mixed_calls_sum_up_to_the_report(system, keyed):
    name, client = keyed
    documents = system.invocation(put_documents(system, client), key=client.api_key)
    calls = [(kind, n) for n in range(34) for kind in KINDS][:200]
    random.Random(1).shuffle(calls)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda call: call[0](system, client, call[1]), calls))
    assert len({identifier for identifier, _ in answers}) == 200
    for identifier, usage in answers:
        assert round(usage["cost"] * 1e9) == round(system.invocation(identifier, key=client.api_key)["usage"]["cost"] * 1e9)

    rows = [row for row in system.report("usage", "--group-by", "function,key,model", "--since", "24h") if row["key"] == name]
    everything = [usage for _, usage in answers] + [documents["usage"]]
    for field in ("prompt_tokens", "completion_tokens"):
        assert sum(row[field] for row in rows) == sum(usage.get(field, 0) for usage in everything)
    assert sum(round(row["cost"] * 1e9) for row in rows) == sum(round(usage["cost"] * 1e9) for usage in everything)
    # Who called what: `generate` asks `retrieve`, on one bill.
    assert {row["model"] for row in rows} == {"chat", "embed"}
    assert {row["function"] for row in rows} >= {"generate", "embed", "retrieve"}


def test_a_refused_call_costs_nothing(system, keyed):
    name, client = keyed
    answer = system.post("/v1/chat/completions", {"model": "chat", "messages": []}, key=client.api_key)
    record = system.invocation(answer.invocation, key=client.api_key)
    assert (record["status"], record["http_status"], record["calls"]) == ("failed", 400, [])
    assert record["usage"]["cost"] == 0
    assert not [row for row in system.report("usage", "--group-by", "key", "--since", "24h") if row["key"] == name]


def test_each_invocation_has_one_report_line_in_the_log(system, keyed):
    identifier, usage = one_answer(system, keyed[1], 1)
    system.invocation(identifier, key=keyed[1].api_key)

    def lines():
        logs = [path.read_text(errors="replace") for path in (system.state / "log").glob("*") if path.is_file()]
        return [line for log in logs for line in log.splitlines() if "REPORT" in line and identifier in line]

    eventually(lines, what="a REPORT line")
    assert len(lines()) == 1 and str(usage["completion_tokens"]) in lines()[0]


def test_a_record_is_for_its_own_key(system, keyed, new_key):
    identifier, _ = one_answer(system, keyed[1], 1)
    assert system.request("GET", f"/v1/invocations/{identifier}", key=new_key()[1]).status == 404
    assert system.request("GET", f"/v1/invocations/{identifier}", key=None).status == 401


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_function_without_models_is_billed_for_the_functions_it_calls(system, keyed, functions, times):
    _, client = keyed
    functions.place("caller", {
        "function.yaml": f"name: caller\nroutes: [POST /caller]\nhandler: ['{sys.executable}', caller.py]", "caller.py": HANDLERS / "caller.py"})
    answer = eventually(lambda: (a := system.post("/caller", {"times": times}, key=client.api_key)).status != 404 and a)
    assert answer.status == 200 and len(answer.json) == times, answer.body
    record = system.invocation(answer.invocation, key=client.api_key)
    assert (record["function"], record["status"], len(record["calls"])) == ("caller", "succeeded", times)
    assert record["usage"]["total_tokens"] == sum(one["usage"]["total_tokens"] for one in answer.json)
    assert float(answer.headers["x-swiftlet-cost-usd"]) == pytest.approx(sum(one["usage"]["cost"] for one in answer.json))
