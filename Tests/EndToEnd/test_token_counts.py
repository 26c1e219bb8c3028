"""What is billed is what another tokenizer counts."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from vocabulary import tokenizer

WORDS = """once upon a time there was little dog who lived in the garden and Lily saw red ball. "Hello!" she said, don't 12 345 6,789.50
été naïve Straße 東京 こんにちは привет 🙂 👩‍👩‍👧 \t \n\n   x=[1,2] https://example.org/?a=b C++ <tag> _under_ ALLCAPS camelCase …""".split(" ")


def prompts(count: int) -> list[str]:
    choice = random.Random(7)
    return [" ".join(choice.choices(WORDS, k=choice.randint(1, 40))) or "a" for _ in range(count)]


@pytest.fixture(scope="module")
def count(system):
    reference = tokenizer(next((system.state / "models").glob("swiftlet-demo*.gguf")))
    return lambda text: len(reference.encode(text, add_special_tokens=False).ids)


def test_tokens_of_1000_prompts_and_answers_are_those_that_tokenizers_counts(system, new_key, count):
    name, key = new_key()

    def ask(prompt: str, length: int):
        body = {"model": "chat", "prompt": prompt, "max_tokens": length, "temperature": 0}
        answer = system.post("/v1/completions", body, key=key)
        assert answer.status == 200, answer.body
        usage, choice = answer.json["usage"], answer.json["choices"][0]
        # A model may cut a text otherwise than a tokenizer would, so its own tokens are known for certain only where it was stopped.
        if choice["finish_reason"] == "length":
            assert usage["completion_tokens"] == length
        assert usage["completion_tokens"] <= length
        return usage, choice["text"]

    asked = prompts(1000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: ask(asked[number], 1 + number % 12), range(1000)))
        # The answers are counted, too: as prompts.
        asked += [text for _, text in answers if text]
        answers += list(pool.map(lambda text: ask(text, 1), asked[1000:]))
    wrong = [(prompt, usage, count(prompt)) for prompt, (usage, _) in zip(asked, answers) if usage["prompt_tokens"] != count(prompt)]
    assert not wrong, f"{len(wrong)}: {wrong[:3]}"
    # And the report has their sum.
    (row,) = [row for row in system.report("usage", "--group-by", "key") if row["key"] == name]
    assert row["calls"] == len(asked)
    assert row["prompt_tokens"] == sum(map(count, asked))
    assert row["completion_tokens"] == sum(usage["completion_tokens"] for usage, _ in answers)
