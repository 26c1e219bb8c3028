"""The OpenAI API through nginx, with OpenAI's own client."""

import base64
import math
import struct

import openai
import pytest

QUESTION = "Context:\nRefunds are accepted within 30 days.\nShipping takes 3 days.\n\nQuestion: How long does shipping take?"


def ask(client, content, **options):
    return client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": content}], temperature=0, **options)


# Chat


def test_chat_answers_from_what_it_is_told(client):
    answer = ask(client, QUESTION)
    assert answer.object == "chat.completion" and answer.model == "chat" and answer.id
    assert len(answer.choices) == 1
    assert answer.choices[0].message.role == "assistant"
    assert "Shipping takes 3 days" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"


def test_chat_usage_adds_up_and_is_priced(client):
    usage = ask(client, "Hello").usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.model_extra["cost"] > 0


def test_chat_follows_a_conversation(client):
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello! How can I help you?"},
        {"role": "user", "content": [{"type": "text", "text": "Who are you?"}]},
    ]
    answer = client.chat.completions.create(model="chat", messages=messages, temperature=0)
    assert "Swiftlet demo model" in answer.choices[0].message.content


def test_chat_stops_at_max_tokens(client):
    answer = ask(client, "Tell me a story about a fox.", max_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_chat_stops_at_a_stop_string_and_leaves_it_out(client):
    whole = ask(client, "Count to ten.").choices[0].message.content
    stopped = ask(client, "Count to ten.", stop=[", 4"]).choices[0]
    assert whole.startswith("1, 2, 3, 4, 5")
    assert stopped.message.content == "1, 2, 3" and stopped.finish_reason == "stop"


def test_a_seed_repeats_a_sample(client):
    def sample(seed):
        return client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "Tell me a story."}], temperature=1, seed=seed, max_tokens=40
        ).choices[0].message.content

    assert sample(11) == sample(11)
    assert len({sample(seed) for seed in range(1, 5)}) > 1


# Chat, streamed


def test_chat_stream_says_the_same_as_one_answer(client):
    whole = ask(client, QUESTION)
    chunks = list(ask(client, QUESTION, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    # Usage comes once, in a last chunk of its own.
    assert chunks[-1].choices == [] and all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.model_extra["cost"] > 0


def test_chat_stream_has_no_usage_unless_asked(client):
    chunks = list(ask(client, "Hello", stream=True))
    assert len(chunks) > 1 and all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_an_error_before_a_stream_is_a_plain_answer(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "Hello"}], stream=True)


# Completions


def test_completion_goes_on_with_a_story(client):
    answer = client.completions.create(model="chat", prompt="Once upon a time", max_tokens=12, temperature=0)
    assert answer.object == "text_completion" and answer.choices[0].finish_reason == "length"
    assert answer.choices[0].text.startswith(" there was a")
    assert answer.usage.completion_tokens == 12 and answer.usage.model_extra["cost"] > 0


def test_completion_stream_says_the_same_as_one_answer(client):
    options = dict(model="chat", prompt="Once upon a time", max_tokens=30, temperature=0)
    whole = client.completions.create(**options)
    chunks = list(client.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 30


# Embeddings


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_embeddings_agree_with_sentence_transformers(client):
    texts = ["A fox and a kite.", "A small animal flies a toy in the wind.", "The invoice is due on Monday."]
    answer = client.embeddings.create(model="embed", input=texts, encoding_format="float")
    vectors = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert all(len(vector) == 384 and abs(cosine(vector, vector) - 1) < 1e-6 for vector in vectors)
    # From sentence-transformers 6.2 on the same weights in F32.
    assert vectors[0][:4] == pytest.approx([0.0203, 0.0089, -0.0546, 0.0527], abs=0.004)
    assert cosine(vectors[0], vectors[1]) == pytest.approx(0.4427, abs=0.01)
    assert cosine(vectors[0], vectors[2]) == pytest.approx(0.0521, abs=0.01)
    # What its tokenizer counts, [CLS] and [SEP] included.
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 8 + 12 + 11
    assert answer.usage.model_extra["cost"] == pytest.approx(31 * 0.00000002)


def test_embeddings_in_base64_are_the_same_numbers(client):
    floats = client.embeddings.create(model="embed", input="A fox and a kite.", encoding_format="float").data[0].embedding
    text = client.embeddings.create(model="embed", input="A fox and a kite.", encoding_format="base64").data[0].embedding
    assert isinstance(text, str)
    assert struct.unpack("<384f", base64.b64decode(text)) == pytest.approx(floats, abs=1e-6)
    # Without a wish the client asks for base64 and decodes it.
    assert client.embeddings.create(model="embed", input="A fox and a kite.").data[0].embedding == pytest.approx(floats, abs=1e-6)


def test_embed_is_a_shorter_way(system, client):
    answer = system.post("/embed", {"input": "A fox and a kite."}).json
    same = client.embeddings.create(model="embed", input="A fox and a kite.", encoding_format="float")
    assert answer["embeddings"] == [pytest.approx(same.data[0].embedding, abs=1e-5)] and answer["dimensions"] == 384
    assert answer["usage"]["prompt_tokens"] == same.usage.prompt_tokens


# Models


def test_models_lists_the_aliases(client):
    models = {model.id: model for model in client.models.list()}
    assert {"chat", "embed"} <= set(models)
    assert models["chat"].object == "model" and models["chat"].owned_by


# Errors


def test_wrong_key(system):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(system.client(key="sk-wrong"), "Hello")
    assert caught.value.status_code == 401 and caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer "}])
def test_no_key(system, headers):
    answer = system.request("POST", "/v1/chat/completions", {}, key=None, headers=headers)
    assert answer.status == 401 and answer.error["code"] == "invalid_api_key"


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.code == "model_not_found" and caught.value.param == "model" and "nothing" in str(caught.value)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nothing", input="Hello")


def test_a_model_of_the_wrong_kind(client):
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as caught:
        client.chat.completions.create(model="embed", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.param == "model"


USER = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("field, value", [
    ("temperature", 3), ("temperature", -1), ("temperature", "hot"), ("top_p", 1.5), ("max_tokens", 0), ("max_tokens", -5),
    ("max_tokens", "many"), ("messages", []), ("messages", "Hello"), ("messages", None), ("stop", 7), ("stream", "yes"), ("n", 0),
])
def test_bad_values_are_named(client, field, value):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": "chat", "messages": USER}, extra_body={field: value})
    assert caught.value.param == field and caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_missing_fields_are_named(system, missing):
    body = {"model": "chat", "messages": USER}
    del body[missing]
    answer = system.post("/v1/chat/completions", body)
    assert answer.status == 400 and answer.error["param"] == missing


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"text"', b'{"model": "chat", "messages": [}', b"[" * 100_000, b'{"model": "chat"} x',
    b'{"model": "chat", "messages": [{"role": "user", "content": "\xff\xfe"}]}',  # not UTF-8
    b'{"model": "chat", "messages": [{"role": "user", "content": "\\ud800"}]}',  # half a surrogate pair
    b'{"model": "chat", "messages": [{"role": "user"}]}', b'{"model": "chat", "messages": [{"role": "nobody", "content": "x"}]}',
], ids=lambda body: body[:24].decode("latin-1") + ("…" if len(body) > 24 else ""))
def test_bad_bodies_get_a_clear_error(system, body):
    answer = system.post("/v1/chat/completions", body)
    assert answer.status == 400 and answer.error["type"] == "invalid_request_error"


@pytest.mark.parametrize("size", [1 << 20, 80 << 20])
def test_a_body_that_is_too_large(client, size):
    """One that passes nginx, and one that nginx itself refuses."""
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, "x" * size)
    assert caught.value.status_code == 413 and caught.value.code == "request_too_large"


def test_a_prompt_longer_than_the_context(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "fox " * 2000)
    assert caught.value.code == "context_length_exceeded"
    numbers = [int(word) for word in caught.value.message.replace(".", " ").split() if word.isdigit()]
    assert 512 in numbers and max(numbers) > 2000


def test_a_text_longer_than_the_embedding_context(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="embed", input="fox " * 2000)
    assert caught.value.code == "context_length_exceeded"


def test_an_empty_input(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="embed", input=[])
    assert caught.value.param == "input"
