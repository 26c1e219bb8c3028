"""Answers that must fit a schema or a grammar, and the options that change which tokens are chosen."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

QUESTION = [{"role": "user", "content": "Extract as JSON: Mia is 34 and lives in Oslo."}]


class Person(BaseModel):
    name: Annotated[str, Field(max_length=12)]
    age: int
    likes: Annotated[list[Literal["foxes", "kites", "lamps"]], Field(max_length=3)]


def complete(client, **options):
    return client.chat.completions.create(model="chat", messages=QUESTION, max_tokens=200, **options)


@pytest.mark.parametrize("seed", range(4))
def test_openais_client_parses_a_pydantic_model(client, seed):
    """At the highest temperature the model would write anything but this."""
    choice = client.chat.completions.parse(
        model="chat", messages=QUESTION, response_format=Person, temperature=2, seed=seed, max_tokens=300).choices[0]
    assert isinstance(choice.message.parsed, Person) and choice.finish_reason == "stop"
    assert list(json.loads(choice.message.content)) == ["name", "age", "likes"]


def test_a_schema_holds_in_a_stream(client):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer", "minimum": 10, "maximum": 99}}, "required": ["ok", "n"], "additionalProperties": False}
    stream = complete(client, stream=True, temperature=2, seed=1, response_format={"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}})
    value = json.loads("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    assert list(value) == ["ok", "n"] and isinstance(value["ok"], bool) and 10 <= value["n"] <= 99


def test_any_object(client):
    answer = client.chat.completions.create(
        model="chat", messages=QUESTION, max_tokens=2000, temperature=1.5, seed=3, response_format={"type": "json_object"}).choices[0]
    assert answer.message.content.startswith("{")
    if answer.finish_reason == "stop":
        assert isinstance(json.loads(answer.message.content), dict)


def test_a_grammar(client):
    answer = complete(client, temperature=2, seed=5, extra_body={"grammar": 'root ::= ("fox" | "kite") " " [0-9]{3} "!"'})
    kind, number = answer.choices[0].message.content.split(" ")
    assert kind in ("fox", "kite") and number[:3].isdigit() and number[3:] == "!" and answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("options, parameter, word", [
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}}}, "response_format", "objekt"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format.json_schema.schema", "Missing"),
    ({"response_format": {"type": "yaml"}}, "response_format.type", "json_object"),
    ({"extra_body": {"grammar": "root ::= ("}}, "grammar", "line 1"),
    ({"extra_body": {"grammar": "root ::= \"a\""}, "response_format": {"type": "json_object"}}, "grammar", "combined"),
    ({"logit_bias": {"x": 1}}, "logit_bias", "token"), ({"logit_bias": {"1": 101}}, "logit_bias", "100"), ({"logit_bias": {"99999999": 1}}, None, "no token"),
    ({"presence_penalty": 3}, "presence_penalty", "2"), ({"extra_body": {"min_p": 2}}, "min_p", "1"), ({"extra_body": {"repeat_penalty": 0}}, "repeat_penalty", "above 0"),
])
def test_mistakes(client, options, parameter, word):
    with pytest.raises(Exception) as raised:
        complete(client, **options)
    assert raised.value.status_code == 400 and word in raised.value.message
    assert parameter is None or raised.value.param == parameter


def test_bias_and_penalties(client, system):
    plain = complete(client, temperature=0).choices[0].message.content
    first = json.loads(system.post("/tokenize", {"model": "chat", "content": plain}).body)["tokens"][0]
    banned = complete(client, temperature=0, logit_bias={str(first): -100}).choices[0].message.content
    assert banned != plain
    forced = client.chat.completions.create(model="chat", messages=QUESTION, max_tokens=3, temperature=0, logit_bias={str(first): 100})
    assert forced.choices[0].message.content == plain[:1] * 3 or forced.usage.completion_tokens == 3
    story = [{"role": "user", "content": "Tell me a story about a fox and a kite."}]
    texts = [
        client.chat.completions.create(model="chat", messages=story, max_tokens=120, temperature=0, frequency_penalty=penalty).choices[0].message.content.split()
        for penalty in (0, 2)]
    assert len(set(texts[1])) / len(texts[1]) > len(set(texts[0])) / len(texts[0])
