"""Functions that models call, thoughts, and chat templates: with OpenAI's own client, LangChain, and a model that calls for sure."""

import json

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

import scripted_model
from swiftlet import System

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}
NOW = {"type": "function", "function": {"name": "now", "description": "The time."}}
QUESTION = [{"role": "user", "content": "What's the weather in Paris?"}]


@pytest.fixture(scope="module")
def scripted(system, tmp_path_factory):
    """A system whose chat model is the scripted one."""
    made = System(tmp_path_factory.mktemp("scripted")).borrow_models(system)
    scripted_model.write(made.state / "models/scripted.gguf")
    (made.state / "models.yaml").write_text("chat:\n  file: scripted.gguf\n")
    try:
        yield made.serve()
        assert made.stop() == 0
    finally:
        made.kill()


@pytest.fixture(scope="module")
def scripted_client(scripted):
    return scripted.client()


def ask(client, messages=QUESTION, **options):
    return client.chat.completions.create(model="chat", messages=messages, temperature=0, **options)


def streamed(client, **options):
    """A stream put together: (content, thoughts, calls, finish reasons)."""
    content, thoughts, calls, reasons = "", "", [], []
    for chunk in ask(client, stream=True, **options):
        choice = chunk.choices[0]
        content += choice.delta.content or ""
        thoughts += (choice.delta.model_extra or {}).get("reasoning_content", "")
        for part in choice.delta.tool_calls or []:
            if part.index == len(calls):
                assert part.type == "function" and part.id and part.function.arguments == ""
                calls.append([part.id, part.function.name, ""])
            calls[part.index][2] += part.function.arguments or ""
        reasons += [choice.finish_reason] if choice.finish_reason else []
    return content, thoughts, calls, reasons


# OpenAI's client


def test_a_call(scripted_client):
    choice = ask(scripted_client, tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see." and choice.message.model_extra["reasoning_content"] == "I need the weather."
    [call] = choice.message.tool_calls
    assert call.type == "function" and call.id and call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris", "days": 2}


def test_a_streamed_call(scripted_client):
    content, thoughts, [(id, name, arguments)], reasons = streamed(scripted_client, tools=[WEATHER])
    assert content == "Let me see." and thoughts == "I need the weather." and reasons == ["tool_calls"]
    assert id and name == "get_weather" and json.loads(arguments) == {"city": "Paris", "days": 2}


def test_several_calls(scripted_client):
    message = ask(scripted_client, tools=[WEATHER, NOW]).choices[0].message
    assert message.content is None
    assert [(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls] == [("get_weather", {"city": "Oslo"}), ("now", {})]
    assert len({call.id for call in message.tool_calls}) == 2
    _, _, calls, reasons = streamed(scripted_client, tools=[WEATHER, NOW])
    assert [name for _, name, _ in calls] == ["get_weather", "now"] and reasons == ["tool_calls"]
    assert len(ask(scripted_client, tools=[WEATHER, NOW], parallel_tool_calls=False).choices[0].message.tool_calls) == 1


def test_a_result_is_answered(scripted_client):
    message = ask(scripted_client, tools=[WEATHER]).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21"}
    choice = ask(scripted_client, QUESTION + [message.model_dump(), result], tools=[WEATHER]).choices[0]
    assert choice.message.content == "It is 21° in Paris now." and choice.finish_reason == "stop" and not choice.message.tool_calls


def test_no_tools_no_calls(scripted_client):
    assert ask(scripted_client).choices[0].message.content == "Hello there."
    choice = ask(scripted_client, tools=[WEATHER], tool_choice="none").choices[0]
    assert choice.message.content == "Hello there." and choice.message.tool_calls is None


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_call_that_must_be(scripted_client, choice):
    [call] = ask(scripted_client, tools=[WEATHER], tool_choice=choice).choices[0].message.tool_calls
    assert call.function.name == "get_weather" and json.loads(call.function.arguments) == {"city": "Rome", "days": 1}
    _, _, [(_, name, arguments)], reasons = streamed(scripted_client, tools=[WEATHER], tool_choice=choice)
    assert name == "get_weather" and json.loads(arguments)["city"] == "Rome" and reasons == ["tool_calls"]


@pytest.mark.parametrize("strict, choice", [
    (True, "auto"), (True, "required"), (False, "required"), (False, {"type": "function", "function": {"name": "get_weather"}}),
])
def test_arguments_fit_their_schema(scripted_client, strict, choice):
    """The model would say other cities and other days."""
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Bergen"]}, "days": {"type": "integer", "minimum": 7, "maximum": 7}},
              "required": ["city", "days"], "additionalProperties": False}
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": schema, "strict": strict}}
    # Where its script does not help it, this model has no preference: it is to write no space, and to end when it may.
    bias = {"9": -100, "10": -100, "32": -100} | ({} if choice == "auto" else {str(256 + scripted_model.CONTROL.index(scripted_model.END)): 100})
    options = dict(tools=[tool], tool_choice=choice, max_tokens=200, logit_bias=bias)
    [call] = ask(scripted_client, **options).choices[0].message.tool_calls
    arguments = json.loads(call.function.arguments)
    assert list(arguments) == ["city", "days"] and arguments["city"] in ("Paris", "Bergen") and arguments["days"] == 7
    content, thoughts, [(_, name, streamed_arguments)], reasons = streamed(scripted_client, **options)
    assert name == "get_weather" and json.loads(streamed_arguments) == arguments
    assert choice == "auto" or reasons == ["tool_calls"]
    if choice == "auto":
        assert content == "Let me see." and thoughts == "I need the weather."


def test_a_strict_schema_that_cannot_be_held_to(scripted_client):
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object", "minProperties": 1}}}
    with pytest.raises(openai.BadRequestError, match="minProperties") as caught:
        ask(scripted_client, tools=[tool])
    assert caught.value.param == "tools"


def test_text_that_looks_like_a_call(scripted_client):
    messages = [{"role": "user", "content": "Tell me how calls look."}]
    text = "A call is <tool_call>{…}</tool_call>, like so."
    assert ask(scripted_client, messages, tools=[WEATHER]).choices[0].message.content == text
    assert streamed(scripted_client, messages=messages, tools=[WEATHER]) == (text, "", [], ["stop"])


@pytest.mark.parametrize("options, param", [
    ({"tools": [{"type": "magic"}]}, "tools[0].type"), ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {"name": "two words"}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]}, "tools[0].function.strict"),
    ({"tools": [WEATHER], "tool_choice": "always"}, "tool_choice"), ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "nothing"}}}, "tool_choice"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
     "messages[0].tool_calls[0].function.arguments"),
])
def test_what_is_wrong_is_named(scripted_client, options, param):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(scripted_client, **options)
    assert caught.value.param == param


def test_a_model_without_tools_says_so(client):
    with pytest.raises(openai.BadRequestError, match="no place for tools"):
        ask(client, tools=[WEATHER])


# LangChain


@tool
def get_weather(city: str, days: int = 1) -> str:
    """The weather of a city."""
    return f"21 in {city}"


@pytest.fixture(scope="module")
def chain(scripted):
    return ChatOpenAI(model="chat", base_url=f"{scripted.url}/v1", api_key=scripted.key, temperature=0, max_retries=0)


def test_langchain_calls_and_answers(chain):
    model = chain.bind_tools([get_weather])
    question = HumanMessage("What's the weather in Paris?")
    message = model.invoke([question])
    [call] = message.tool_calls
    assert call["name"] == "get_weather" and call["args"] == {"city": "Paris", "days": 2}
    result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
    assert model.invoke([question, message, result]).content == "It is 21° in Paris now."


def test_langchain_streams_calls(chain):
    whole = None
    for chunk in chain.bind_tools([get_weather]).stream("What's the weather in Paris?"):
        whole = chunk if whole is None else whole + chunk
    [call] = whole.tool_calls
    assert call["name"] == "get_weather" and call["args"] == {"city": "Paris", "days": 2}


# The command


def test_the_template_command(scripted, tmp_path):
    messages, tools, template = tmp_path / "m.json", tmp_path / "t.json", tmp_path / "t.jinja"
    messages.write_text(json.dumps([{"role": "user", "content": "é\n"}]))
    tools.write_text(json.dumps([NOW]))
    shown = scripted.command("template", "chat", "--messages", messages).stdout
    assert shown == "<|im_start|>user\né\n<|im_end|>\n<|im_start|>assistant\n<|plain|>"
    assert '"name": "now"' in scripted.command("template", "chat", "--messages", messages, "--tools", tools).stdout
    template.write_text("{{ bos_token }}{{ messages[0].content }}{{ x }}{% if add_generation_prompt %}>{% endif %}{{ eos_token }}")
    arguments = ["--file", template, "--messages", messages, "--bos", "<s>", "--eos", "</s>"]
    assert scripted.command("template", *arguments, "--set", "x=[1]").stdout == "<s>é\n[1]></s>"
    assert scripted.command("template", *arguments, "--no-generation-prompt").stdout == "<s>é\n</s>"


@pytest.mark.parametrize("template, message", [
    ("a\n{% if %}", "line 2: expected an expression"), ("a\n\n{{ messages.x.y }}", "line 3: 'list object' has no attribute 'x'"),
    ("{{ raise_exception('Roles must alternate') }}", "Roles must alternate"),
])
def test_a_wrong_template(scripted, tmp_path, template, message):
    (tmp_path / "m.json").write_text("[]")
    (tmp_path / "t.jinja").write_text(template)
    done = scripted.command("template", "--file", tmp_path / "t.jinja", "--messages", tmp_path / "m.json", check=False)
    assert done.returncode == 1 and message in done.stderr and not done.stdout


def test_a_model_with_a_broken_template_completes_text(system, new_system):
    broken = new_system()
    scripted_model.write(broken.state / "models/broken.gguf", "a\n{% for %}")
    (broken.state / "models.yaml").write_text("chat:\n  file: broken.gguf\n")
    client = broken.serve().client()
    assert client.completions.create(model="chat", prompt="x:", max_tokens=2, temperature=0).choices[0].text.startswith(' {"city": ')
    with pytest.raises(openai.BadRequestError, match="line 2: expected a name"):
        ask(client)
