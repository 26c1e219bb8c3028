"""Several answers to a prompt, log-probabilities and echoes: with OpenAI's own client and LangChain's."""

import json
import math

import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from host import DEMO_MODEL, Host
from swiftlet import LONGEST, LONGEST_TOKENS, eventually

STORY = [{"role": "user", "content": "Tell me a story about a fox and a kite."}]
START = "Once upon a time there was a little fox"


def ask(client, **options):
    return client.chat.completions.create(**{"model": "chat", "messages": STORY, "max_tokens": 12, "temperature": 1} | options)


def complete(client, **options):
    return client.completions.create(**{"model": "chat", "prompt": START, "max_tokens": 8, "temperature": 0} | options)


# Log-probabilities


def test_log_probabilities_of_a_chat(client):
    choice = ask(client, logprobs=True, top_logprobs=5, seed=1).choices[0]
    scores = choice.logprobs.content
    assert b"".join(bytes(score.bytes) for score in scores).decode() == "".join(score.token for score in scores) == choice.message.content
    for score in scores:
        likely = [top.logprob for top in score.top_logprobs]
        assert len(likely) == 5 and likely == sorted(likely, reverse=True) and score.logprob <= likely[0] <= 0
        assert sum(math.exp(value) for value in likely) <= 1 + 1e-5
    assert ask(client, logprobs=True, seed=1).choices[0].logprobs.content[0].top_logprobs == []
    assert ask(client, seed=1).choices[0].logprobs is None


def test_log_probabilities_do_not_depend_on_how_tokens_are_chosen(client):
    """They are the model's own, before temperature and penalties: as likely, whoever draws them."""
    plain = ask(client, temperature=0, logprobs=True).choices[0].logprobs.content[0]
    for options in ({"temperature": 2, "seed": 3}, {"temperature": 0, "presence_penalty": 2}, {"temperature": 0.1, "top_p": 0.1}):
        first = ask(client, logprobs=True, top_logprobs=20, **options).choices[0].logprobs.content[0]
        assert first.top_logprobs[0].token == plain.token and first.top_logprobs[0].logprob == pytest.approx(plain.logprob, abs=1e-5)


def test_log_probabilities_in_a_stream(client):
    options = dict(logprobs=True, top_logprobs=3, seed=2)
    whole = ask(client, **options).choices[0]
    scores = []
    for chunk in ask(client, stream=True, **options):
        if chunk.choices and chunk.choices[0].logprobs:
            scores += chunk.choices[0].logprobs.content
    assert scores == whole.logprobs.content


def test_log_probabilities_of_a_completion(client):
    choice = complete(client, logprobs=3).choices[0]
    scores = choice.logprobs
    assert "".join(scores.tokens) == choice.text and scores.text_offset[0] == 0
    for token, value, top, offset in zip(scores.tokens, scores.token_logprobs, scores.top_logprobs, scores.text_offset, strict=True):
        assert top[token] == value == max(top.values()) and len(top) == 3 and choice.text[offset:].startswith(token)
    drawn = complete(client, logprobs=0, temperature=2, seed=1).choices[0].logprobs
    assert [set(top) for top in drawn.top_logprobs] == [{token} for token in drawn.tokens]
    assert complete(client).choices[0].logprobs is None


def test_an_echo_with_log_probabilities_scores_a_text(client):
    """As lm-evaluation-harness asks: nothing is made, and each token of the prompt is told how likely it was."""
    answer = complete(client, echo=True, logprobs=1, max_tokens=0)
    choice, scores = answer.choices[0], answer.choices[0].logprobs
    assert choice.text == START and choice.finish_reason == "length" and answer.usage.completion_tokens == 0 and answer.usage.prompt_tokens > 0
    assert "".join(scores.tokens).removeprefix("<s>") == START
    assert scores.token_logprobs[0] is None and scores.top_logprobs[0] is None
    assert all(value <= 0 for value in scores.token_logprobs[1:]) and answer.usage.model_extra["cost"] > 0
    # A prompt's tokens and an answer's are scored alike.
    told = complete(client, logprobs=1)
    text = START + told.choices[0].text
    both = complete(client, prompt=text, echo=True, logprobs=1, max_tokens=0).choices[0].logprobs
    assert both.token_logprobs[-8:] == pytest.approx(told.choices[0].logprobs.token_logprobs, abs=1e-3)
    assert [text[offset:].startswith(token) for token, offset in zip(both.tokens, both.text_offset) if token != "<s>"].count(False) == 0


def test_an_echo_goes_before_the_answer(client):
    plain = complete(client).choices[0].text
    assert complete(client, echo=True).choices[0].text == START + plain
    chunks = complete(client, echo=True, logprobs=0, stream=True)
    parts = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(part.text for part in parts) == START + plain and parts[0].text == START
    assert parts[0].logprobs.token_logprobs[0] is None and parts[1].logprobs.text_offset == [len(START)]


def test_several_answers_with_an_echo_have_the_prompts_scores(client):
    options = dict(n=3, seed=5, temperature=1, logprobs=2, echo=True, prompt=[START, "The sun"], max_tokens=4, extra_body={"ignore_eos": True})
    answer = complete(client, **options)
    for place, start in enumerate([START, "The sun"]):
        alone = complete(client, **options | {"n": 1, "prompt": start, "max_tokens": 0}).choices[0].logprobs
        count = len(alone.tokens)
        for choice in answer.choices[place * 3:place * 3 + 3]:
            scores = choice.logprobs
            assert choice.text.startswith(start) and len(scores.tokens) == count + 4
            assert (scores.tokens[:count], scores.token_logprobs[:count], scores.text_offset[:count]) == (alone.tokens, alone.token_logprobs, alone.text_offset)
            assert scores.text_offset[count] == len(start)
    texts = [""] * 6
    tokens = [[] for _ in range(6)]
    for chunk in complete(client, stream=True, **options):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            tokens[choice.index] += choice.logprobs.tokens if choice.logprobs else []
    assert texts == [choice.text for choice in answer.choices] and tokens == [choice.logprobs.tokens for choice in answer.choices]


# Several answers


def test_several_answers(client):
    whole = {"ignore_eos": True}
    answer = ask(client, n=3, seed=5, temperature=1.5, extra_body=whole)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    assert [choice.message.content for choice in ask(client, n=3, seed=5, temperature=1.5, extra_body=whole).choices] == texts
    # The first is the one that comes alone; the prompt counts once.
    alone = ask(client, seed=5, temperature=1.5, extra_body=whole)
    assert alone.choices[0].message.content == texts[0]
    assert answer.usage.prompt_tokens == alone.usage.prompt_tokens and answer.usage.completion_tokens == 36


def test_several_answers_in_a_stream(client):
    options = dict(n=3, seed=5, temperature=1.5, logprobs=True)
    whole = ask(client, **options)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}, **options))
    texts, scores, ends, roles = ["", "", ""], [[], [], []], [None] * 3, [None] * 3
    for choice in (chunk.choices[0] for chunk in chunks if chunk.choices):
        assert ends[choice.index] is None, "nothing comes after a choice's end"
        texts[choice.index] += choice.delta.content or ""
        scores[choice.index] += choice.logprobs.content if choice.logprobs else []
        ends[choice.index] = choice.finish_reason
        roles[choice.index] = roles[choice.index] or choice.delta.role
    assert texts == [choice.message.content for choice in whole.choices]
    assert scores == [choice.logprobs.content for choice in whole.choices]
    assert ends == [choice.finish_reason for choice in whole.choices] and roles == ["assistant"] * 3
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens and chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


def test_several_prompts(client, system):
    prompts = ["Once upon a time", "The sun", json.loads(system.post("/tokenize", {"model": "chat", "content": "The fox", "add_special": True}).body)["tokens"]]
    options = dict(seed=1, temperature=1, n=2, extra_body={"ignore_eos": True})
    alone = [complete(client, prompt=prompt, **options) for prompt in prompts]
    answer = complete(client, prompt=prompts, **options)
    assert [choice.index for choice in answer.choices] == list(range(6))
    assert [choice.text for choice in answer.choices] == [choice.text for one in alone for choice in one.choices]
    assert answer.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in alone)
    assert answer.usage.completion_tokens == 48
    texts = [""] * 6
    for chunk in complete(client, prompt=prompts, stream=True, **options):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in answer.choices]


def test_langchain_has_several_answers_and_log_probabilities(system):
    model = ChatOpenAI(model="chat", base_url=system.url + "/v1", api_key=system.key, temperature=1.5, max_tokens=10, seed=4, n=2, logprobs=True, top_logprobs=2)
    generations = model.generate([[HumanMessage("Tell me a story.")]]).generations[0]
    assert len({generation.text for generation in generations}) == 2
    for generation in generations:
        content = generation.message.response_metadata["logprobs"]["content"]
        assert "".join(item["token"] for item in content) == generation.text
    streamed = list(ChatOpenAI(
        model="chat", base_url=system.url + "/v1", api_key=system.key, temperature=0, max_tokens=10).stream("Tell me a story.", logprobs=True))
    scored = [item for chunk in streamed for item in (chunk.response_metadata.get("logprobs") or {}).get("content") or []]
    assert "".join(item["token"] for item in scored) == "".join(chunk.content for chunk in streamed)


# Bills and endings


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path, DEMO_MODEL)
    yield host
    host.end()


TWO_PROMPTS = {"model": "chat", "prompt": [START, "The sun was warm and the little bird sang its song to the old tree"], "max_tokens": 10, "n": 4,
               "temperature": 1, "seed": 1, "ignore_eos": True}


@pytest.mark.parametrize("streamed", [True, False])
def test_who_hangs_up_ends_all_answers(host, streamed):
    invocation = host.reserve()
    connection = host.send(LONGEST | {"stream": streamed}, host.token(invocation))
    host.await_tokens(16)
    connection.close()
    [(tokens, reason)] = eventually(lambda: host.billed(invocation), what="the bill")
    assert reason == "cancelled" and 0 < tokens < LONGEST_TOKENS


def test_one_row_has_the_prompts_once_and_every_answer(host):
    invocation = host.reserve()
    answer = host.post("/v1/completions", TWO_PROMPTS, host.token(invocation))[1]
    rows = host.ledger.execute("SELECT prompt_tokens, cached_tokens, completion_tokens FROM usage WHERE invocation = ?", (invocation,)).fetchall()
    usage = answer["usage"]
    assert rows == [(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"], 80)] and usage["completion_tokens"] == 80
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0, "the first answer computed what the others found"
    # Of what was computed once, whole blocks are found by the other answers.
    again = host.post("/v1/completions", TWO_PROMPTS, host.token())[1]["usage"]
    assert again["prompt_tokens_details"]["cached_tokens"] > 0


# Mistakes


@pytest.mark.parametrize("options, parameter, word", [
    ({"n": 0}, "n", "1"), ({"n": 129}, "n", "128"), ({"n": 1.5}, "n", "integer"), ({"top_logprobs": 2}, "top_logprobs", "logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "20"), ({"logprobs": 3}, "logprobs", "true or false"), ({"max_tokens": 0}, "max_tokens", "1"),
    ({"extra_body": {"functions": [{}]}}, "functions", "support"), ({"store": True}, "store", "support"), ({"metadata": {"a": "b"}}, "metadata", "support"),
    ({"service_tier": "flex"}, "service_tier", "support"), ({"verbosity": "low"}, "verbosity", "support"), ({"reasoning_effort": "high"}, "reasoning_effort", "support"),
    ({"modalities": ["audio"]}, "modalities", "support"), ({"prediction": {"type": "content", "content": "x"}}, "prediction", "support"),
    ({"web_search_options": {}}, "web_search_options", "support"),
    ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation", "support"),
])
def test_mistakes_in_chats(client, options, parameter, word):
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, **options)
    assert raised.value.param == parameter and word in raised.value.message


@pytest.mark.parametrize("options, parameter, word", [
    ({"logprobs": 6}, "logprobs", "5"), ({"extra_body": {"logprobs": True}}, "logprobs", "integer"), ({"best_of": 2}, "best_of", "support"),
    ({"suffix": "x"}, "suffix", "support"), ({"max_tokens": 0}, "max_tokens", "1"), ({"prompt": []}, "prompt", "at least one"),
    ({"prompt": ["x"] * 33, "n": 4}, "prompt", "128"), ({"prompt": ["x", "fox " * 2000]}, None, "context"), ({"prompt": ["x", [99999999]]}, "prompt", "99999999"),
])
def test_mistakes_in_completions(client, options, parameter, word):
    with pytest.raises(openai.BadRequestError) as raised:
        complete(client, **options)
    assert word in raised.value.message and (parameter is None or raised.value.param == parameter)


def test_generate_makes_one_text(system):
    for field, value in (("n", 2), ("logprobs", True)):
        answer = system.post("/generate", {"prompt": "Hello", field: value})
        assert answer.status == 400 and answer.error["param"] == field


# Embeddings


def test_fewer_dimensions(client):
    whole = client.embeddings.create(model="embed", input="A fox and a kite.", encoding_format="float").data[0].embedding
    for count in (1, 100, 384):
        cut = client.embeddings.create(model="embed", input="A fox and a kite.", dimensions=count).data[0].embedding
        length = math.sqrt(sum(value * value for value in whole[:count]))
        assert cut == pytest.approx([value / length for value in whole[:count]], abs=1e-6)
    for count in (0, 385):
        with pytest.raises(openai.BadRequestError) as raised:
            client.embeddings.create(model="embed", input="x", dimensions=count)
        assert raised.value.param == "dimensions" and "384" in raised.value.message
