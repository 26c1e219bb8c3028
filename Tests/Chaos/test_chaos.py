"""Tokens are billed exactly once, whatever dies: tokens that clients received ≤ tokens billed ≤ tokens that were made."""

import json
import random
import sqlite3
import threading
from collections import Counter, defaultdict

from faults import Faults
from functions import FunctionsFolder
from load import LENGTHS, PROMPTS, Load
from swiftlet import eventually

# US dollars: for some dozens of calls.
BUDGET = 0.001


def test_every_token_is_billed_once_whatever_dies(system, small_disk, request):
    seconds, seed = request.config.getoption("--seconds"), request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    print(f"\nseed {seed}, {seconds:.0f} s, {'a disk of its own' if small_disk else 'no disk to fill: mounting needs root'}")
    made = reference(system)
    FunctionsFolder(system).place_python("free", "GET /free", "scale: {max: 2, concurrency: 8}")
    eventually(lambda: system.request("GET", "/free").status == 200, within=30, what="the free function")
    keys = [system.new_key(f"chaos-{number}") for number in range(3)]
    small = [system.report("keys", "create", "--name", f"small-{number}", "--max-budget", str(BUDGET))["key"] for number in range(6)]

    load = Load(system, keys, small, seed)
    faults = Faults(system, small_disk, random.Random(seed))
    watch = BudgetWatch(system)
    watch.start()
    load.start()
    faults.go_on(seconds)
    load.stop()
    watch.stop()
    # Once more, so that nothing is left that only a start would settle.
    faults.kill_gateway()
    settled = eventually(lambda: not query(system, "SELECT 1 FROM invocations WHERE status = 'reserved'"), within=10, what="settling")
    assert settled

    bill = Bill(system)
    print(summary(load, faults, bill, watch))
    assert not load.faults, load.faults[:5]
    assert faults.done["gateway killed"] and faults.done["swiftlet-host killed"] and faults.done["generate killed"]
    assert [call for call in load.calls if call.usage], "nothing was answered"
    wrong = [fault for call in load.calls if call.invocation in bill.rows for fault in bill.faults_of(call, made)]
    wrong += [f"{call.kind} {call.invocation} was answered and is not in the ledger" for call in load.calls if call.usage and call.invocation not in bill.rows]
    wrong += bill.faults(made) + watch.faults
    free = [call for call in load.calls if call.answered]
    lost = [call for call in free if call.invocation not in bill.rows]
    print(f"free calls: {len(free)} answered, {len(lost)} of them lost with the gateway")
    wrong += [f"free {call.invocation} was answered and is not in the ledger" for call in lost if not faults.may_have_lost(call.answered)]
    wrong += [f"free {call.invocation} was answered and has {status}" for call in free if call not in lost
              and (status := bill.rows[call.invocation]["status"]) != "succeeded"]
    wrong += repeated(load, bill)
    assert not wrong, "\n".join(wrong[:20])
    verified = system.command("ledger", "verify", check=False)
    print(verified.stdout + verified.stderr)
    assert verified.returncode == 0
    # What was spent is what reports say, and the system is as good as new.
    assert sum(round(row["cost"] * 1e9) for row in system.report("usage", "--group-by", "key")) == bill.cost
    answer = system.post("/v1/completions", {"model": "chat", "prompt": PROMPTS[0], "max_tokens": 3})
    assert answer.status == 200


def reference(system) -> dict:
    """What the model makes of each prompt when nothing goes wrong, by prompt and length: greedy, so it is the same each time."""
    made = {}
    # The gateway may be there before its functions are.
    eventually(lambda: system.post("/v1/completions", {"model": "chat", "prompt": "Hello", "max_tokens": 1}).status == 200, within=30)
    for prompt in PROMPTS:
        for length in LENGTHS:
            body = {"model": "chat", "prompt": prompt, "max_tokens": length, "temperature": 0, "ignore_eos": True}
            answer = system.post("/v1/completions", body)
            assert answer.status == 200, answer.body
            made[prompt, length] = (answer.json["usage"], answer.json["choices"][0]["text"])
    return made


def query(system, sql: str) -> list:
    database = sqlite3.connect(f"file:{system.state}/ledger.sqlite?mode=ro", uri=True, timeout=10)
    database.row_factory = sqlite3.Row
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


class Bill:
    """What the ledger says, read from its tables."""

    def __init__(self, system):
        self.rows = {row["id"]: row for row in query(system, """
            SELECT invocations.id, status, keys.name AS key_name, max_budget, SUM(completion_tokens) AS completion_tokens,
                COALESCE(SUM(usage.cost), 0) AS cost,
                (SELECT COUNT(*) FROM chain WHERE chain.invocation = invocations.id AND chain.call IS NULL) AS seals
            FROM invocations JOIN keys ON keys.id = invocations.key LEFT JOIN usage ON usage.invocation = invocations.id
            GROUP BY invocations.id""")}
        # An invocation has a second call where the first one's host has died: the worker asks the next host.
        self.calls = defaultdict(list)
        for row in query(system, "SELECT invocation, prompt_tokens, completion_tokens FROM usage"):
            self.calls[row["invocation"]].append((row["prompt_tokens"], row["completion_tokens"]))
        self.holds = query(system, "SELECT * FROM holds")
        self.cost = sum(row["cost"] for row in self.rows.values())

    def faults_of(self, call, made) -> list[str]:
        """received ≤ billed ≤ made, for one call."""
        row, (usage, text) = self.rows[call.invocation], made[call.prompt, call.length]
        billed, name = row["completion_tokens"] or 0, f"{call.kind} {call.invocation} ({row['status']})"
        found = []
        calls = self.calls[call.invocation]
        if call.usage and (told := (call.usage["prompt_tokens"], call.usage.get("completion_tokens", 0))) not in calls:
            found.append(f"{name}: the client was told of {told} tokens, the ledger has {calls}")
        if call.kind == "free" and row["cost"] > 0:
            found.append(f"{name} cost {row['cost']}")
        if call.kind in ("embed", "free"):
            return found
        if call.pieces > billed:
            found.append(f"{name}: {call.pieces} tokens were received and {billed} billed")
        found += [
            f"{name}: {prompt} and {completion} tokens were billed of {usage['prompt_tokens']} and {usage['completion_tokens']}"
            for prompt, completion in calls if prompt > usage["prompt_tokens"] or completion > usage["completion_tokens"]]
        if not text.startswith(call.text):
            found.append(f"{name}: it was told {call.text!r}")
        return found

    def faults(self, made) -> list[str]:
        most = max(usage["completion_tokens"] for usage, _ in made.values())
        found = [f"{len(self.holds)} amounts are held for nothing"] if self.holds else []
        for row in self.rows.values():
            if row["seals"] != 1:
                found.append(f"{row['id']} was settled {row['seals']} times")
            if any(completion > most for _, completion in self.calls[row["id"]]):
                found.append(f"{row['id']} has calls of {self.calls[row['id']]} tokens")
        spent = Counter()
        for row in self.rows.values():
            spent[row["key_name"], row["max_budget"]] += row["cost"]
        return found + [f"{key} spent {cost} of {budget} nano-USD" for (key, budget), cost in spent.items() if budget is not None and cost > budget]


def repeated(load, bill) -> list[str]:
    """A request that was repeated with one Idempotency-Key has run to its end once, and every answer to it is that one."""
    answers = {}
    for call in load.calls:
        if call.idempotency_key and call.status == 200 and call.usage:
            answers.setdefault(call.idempotency_key, set()).add((call.text, json.dumps(call.usage, sort_keys=True)))
    found = [f"{token} was answered in {len(answer)} ways" for token, answer in answers.items() if len(answer) > 1]
    ran = Counter(
        token for token, invocation in {(call.idempotency_key, call.invocation) for call in load.calls if call.idempotency_key}
        if invocation in bill.rows and bill.rows[invocation]["status"] == "succeeded")
    return found + [f"{token} ran {count} times" for token, count in ran.items() if count > 1]


class BudgetWatch(threading.Thread):
    """Looks again and again whether a key has spent more than its budget."""

    def __init__(self, system):
        super().__init__(daemon=True)
        self.system, self.faults, self.looks = system, [], 0
        self._stopped = threading.Event()

    def run(self):
        while not self._stopped.wait(0.05):
            try:
                over = query(self.system, """
                    SELECT name, max_budget, SUM(usage.cost) AS spent FROM keys JOIN invocations ON invocations.key = keys.id
                        JOIN usage ON usage.invocation = invocations.id
                    WHERE max_budget IS NOT NULL GROUP BY keys.id HAVING SUM(usage.cost) > max_budget""")
            except sqlite3.Error:
                continue
            self.looks += 1
            self.faults += [f"{row['name']} had spent {row['spent']} of {row['max_budget']} nano-USD" for row in over]

    def stop(self):
        self._stopped.set()
        self.join()


def summary(load, faults, bill, watch) -> str:
    answered = sum(1 for call in load.calls if call.usage)
    cut = [call for call in load.calls if call.pieces and not call.usage]
    received = sum((call.usage or {}).get("completion_tokens", 0) if call.usage else call.pieces for call in load.calls if not call.replayed)
    return "\n".join([
        f"faults: {dict(faults.done)}",
        f"calls: {len(load.calls)} {dict(load.kinds)}, {answered} answered whole, {len(cut)} cut short, statuses {dict(Counter(str(call.status) for call in load.calls))}",
        f"ledger: {len(bill.rows)} invocations, {sum(len(calls) > 1 for calls in bill.calls.values())} of them asked a second host, {dict(Counter(row['status'] for row in bill.rows.values()))}, {bill.cost} nano-USD",
        f"tokens: {received} received ≤ {sum(row['completion_tokens'] or 0 for row in bill.rows.values())} billed; "
        f"budgets were looked at {watch.looks} times",
    ])
