"""Every option of a request changes what it says it changes, or is refused by its name."""

import json
from typing import Annotated, Literal

import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

STORY = [{"role": "user", "content": "Tell me a story about a fox and a kite."}]


class Person(BaseModel):
    """Somebody."""

    name: Annotated[str, Field(max_length=12)]
    age: int
    likes: Annotated[list[Literal["foxes", "kites", "lamps"]], Field(max_length=3)]


def ask(client, **options):
    return client.chat.completions.create(**{"model": "chat", "messages": STORY, "max_tokens": 40, "temperature": 0} | options)


def text(client, **options) -> str:
    return ask(client, **options).choices[0].message.content


@pytest.fixture(scope="module")
def greedy(client):
    return text(client)


# What changes the answer


def test_max_completion_tokens(client):
    assert ask(client, max_tokens=openai.NOT_GIVEN, max_completion_tokens=7).usage.completion_tokens == 7
    assert ask(client, max_completion_tokens=7).usage.completion_tokens == 7, "the newer name counts"


def test_temperature(client, greedy):
    assert text(client, temperature=0, seed=3) == greedy != text(client, temperature=2, seed=3)


@pytest.mark.parametrize("options", [{"top_p": 0}, {"extra_body": {"top_k": 1}}, {"extra_body": {"min_p": 1}}], ids=str)
def test_what_leaves_only_the_likeliest(client, greedy, options):
    assert text(client, temperature=2, seed=3, **options) == greedy


@pytest.mark.parametrize("options", [{"extra_body": {"top_k": -1}}, {"extra_body": {"top_k": 0}}, {"top_p": 1}, {"extra_body": {"min_p": 0}}], ids=str)
def test_what_leaves_all(client, options):
    assert text(client, temperature=1, seed=3, **options) == text(client, temperature=1, seed=3)


@pytest.mark.parametrize("options, token_counts", [
    ({"presence_penalty": 2}, (2, 0)), ({"frequency_penalty": 0.7}, (0, 0.7)), ({"presence_penalty": -1, "frequency_penalty": 1.5}, (-1, 1.5))], ids=str)
def test_penalties_as_openai_has_them(client, options, token_counts):
    """Each token is the one of the highest log-probability after what is subtracted for its being in the answer."""
    presence, frequency = token_counts
    scores = ask(client, logprobs=True, top_logprobs=20, **options).choices[0].logprobs.content
    seen, changed = {}, 0
    for score in scores:
        def left(top):
            return top.logprob - (presence + frequency * seen[top.token] if top.token in seen else 0)
        best = max(score.top_logprobs, key=left)
        assert left(best) - left(score) < 1e-4, (score.token, best.token)
        changed += score.token != score.top_logprobs[0].token
        seen[score.token] = seen.get(score.token, 0) + 1
    assert changed > 0


@pytest.mark.parametrize("name", ["repeat_penalty", "repetition_penalty"])
def test_repeat_penalty(client, greedy, name):
    changed = text(client, extra_body={name: 3})
    assert changed != greedy and text(client, extra_body={name: 1}) == greedy
    words = changed.split()
    assert len(set(words)) / len(words) > len(set(greedy.split())) / len(greedy.split())


def test_several_stops(client, greedy):
    stops = [greedy.split()[8], greedy.split()[5], "never this", "nor this"]
    choice = ask(client, stop=stops).choices[0]
    assert choice.finish_reason == "stop" and choice.message.content == greedy[:min(greedy.index(stop) for stop in stops[:2])]


# What does not


def test_user_is_taken(client, greedy):
    assert text(client, user="mia", extra_body={"safety_identifier": "mia"}) == greedy


# What would, and is not here


@pytest.mark.parametrize("options", [
    {"min_tokens": 5}, {"length_penalty": 0.5}, {"use_beam_search": True}, {"typical_p": 0.5}, {"mirostat": 2}, {"dynatemp_range": 0.5},
    {"dry_multiplier": 0.8}, {"xtc_probability": 0.5}, {"stop_token_ids": [2]}, {"bad_words": ["fox"]}, {"allowed_token_ids": [1]},
    {"guided_json": {"type": "object"}}, {"guided_regex": "a*"}, {"guided_choice": ["a"]}, {"guided_grammar": "root ::= \"a\""},
    {"structured_outputs": {"regex": "a*"}}, {"json_schema": {"type": "object"}}, {"prompt_logprobs": 1}, {"include_stop_str_in_output": True},
    {"skip_special_tokens": False}, {"echo": True}, {"continue_final_message": True}, {"add_generation_prompt": False}, {"chat_template": "x"},
], ids=lambda options: next(iter(options)))
def test_options_of_other_servers_are_refused_by_name(client, options):
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, extra_body=options)
    assert raised.value.param == next(iter(options)) and raised.value.code == "unsupported_parameter"


def test_neutral_values_are_taken(client, greedy):
    neutral = {"min_tokens": 0, "use_beam_search": False, "mirostat": 0, "stop_token_ids": [], "skip_special_tokens": True, "echo": False, "best_of": 1}
    assert text(client, extra_body=neutral) == greedy


# Structured outputs


def test_openais_client_streams_a_pydantic_model(client):
    with client.chat.completions.stream(model="chat", messages=STORY, response_format=Person, temperature=2, seed=6, max_tokens=300) as stream:
        kinds = {event.type for event in stream}
        message = stream.get_final_completion().choices[0].message
    assert isinstance(message.parsed, Person) and {"content.delta", "content.done"} <= kinds


@pytest.fixture(scope="module")
def chain(system):
    return ChatOpenAI(model="chat", base_url=f"{system.url}/v1", api_key=system.key, temperature=2, seed=6, max_tokens=300, max_retries=0)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of LangChain, on its own message
def test_langchain_has_structured_output(chain):
    model = chain.with_structured_output(Person, method="json_schema")
    assert isinstance(model.invoke("Who is Mia?"), Person)
    last = None
    for last in model.stream("Who is Mia?"):
        pass
    assert Person.model_validate(last) if isinstance(last, dict) else isinstance(last, Person)


def test_langchain_has_json_objects(chain):
    answer = chain.bind(response_format={"type": "json_object"}, temperature=1.5, seed=3, max_tokens=2000).invoke("Extract as JSON: Mia is 34.")
    assert answer.content.startswith("{")
    if answer.response_metadata["finish_reason"] == "stop":
        assert isinstance(json.loads(answer.content), dict)
