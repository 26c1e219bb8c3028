"""Functions that come, change and go in a running system."""

import importlib.util
import re
import shutil
import time
from threading import Event, Thread

import pytest

from functions import HANDLERS
from swiftlet import eventually

STORY = (
    "Once upon a time there was a little fox named Tom. Tom lived near the river. Tom had a red kite and loved it very much. "
    "But the wind took the kite away, and Tom was sad. A kind owl called Mia heard Tom. \"Can I help you?\" said Mia. "
    "\"I lost my kite,\" said Tom. They looked for it together, and Mia found the kite behind a big tree. "
    "Tom smiled. \"Thank you, Mia!\" From that day on, they were best friends."
)


def test_a_folder_dropped_in_serves_and_is_gone_when_removed(system, functions):
    seconds = []
    # Within 2 s; a machine that others keep busy has three tries at it.
    while len(seconds) < 3 and min(seconds, default=9) > 2:
        assert system.request("GET", "/dropped").status == 404
        began = time.monotonic()
        functions.place_python("dropped", "GET /dropped", VERSION="one")
        answer = eventually(lambda: (a := system.request("GET", "/dropped")).status == 200 and a, what="serving")
        served = time.monotonic()
        assert answer.json["version"] == "one"
        workers = [p for p in system.processes() if p.pid == answer.json["process"]]
        removed = time.monotonic()
        functions.remove("dropped")
        eventually(lambda: system.request("GET", "/dropped").status == 404, what="going")
        seconds.append(max(served - began, time.monotonic() - removed))
        eventually(lambda: workers and not workers[0].alive, what="the worker's end")
    assert min(seconds) <= 2


def test_a_folder_that_is_copied_in_file_by_file_serves(system, functions):
    """As `cp -r` does it: the manifest may be seen before its handler is there."""
    finished = functions.place_python("spare", "GET /copied")
    target = functions.path / "copied"
    target.mkdir()
    try:
        manifest = (finished / "function.yaml").read_text().replace("spare", "copied")
        functions.remove("spare")
        (target / "function.yaml").write_text(manifest)
        eventually(lambda: "copied" in system.command("functions").stdout, what="a report")
        shutil.copy(HANDLERS / "echo.py", target)
        eventually(lambda: system.request("GET", "/copied").status == 200, what="serving")
    finally:
        shutil.rmtree(target)


def test_a_new_version_takes_over_without_a_lost_request(system, functions):
    functions.place_python("changing", "GET /changing", VERSION="one")
    eventually(lambda: system.request("GET", "/changing").status == 200)
    answers, done = [], Event()

    def ask():
        while not done.is_set():
            answer = system.request("GET", "/changing")
            answers.append(answer.json["version"] if answer.status == 200 else answer.status)

    askers = [Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        functions.place_python("changing", "GET /changing", VERSION="two")
        eventually(lambda: answers and answers[-1] == "two", what="the new version")
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert set(answers) == {"one", "two"}


@pytest.mark.parametrize("manifest, named", [
    ("name: broken\nroutes: [GET /broken]\nhandler: ./run\nscale:\n  minn: 1\n", ("minn", 5)),
    ("name: broken\nroutes: [GET /broken]\nhandler: ./run\nscale: {concurrency: many}\n", ("concurrency", 4)),
    ("name: broken\nroutes: [GET /broken]\nhandler: ./run\nlimits:\n  timeout: 5 parsecs\n", ("timeout", 5)),
    ("name: broken\nroutes: [FETCH /broken]\nhandler: ./run\n", ("FETCH /broken", 2)),
    ("name: broken\nroutes: [GET /broken\n", ("function.yaml", 3)),
    ("name: broken\nroutes: [GET /broken]\n", ("handler", 1)),
    ("name: broken\nroutes: [GET /broken]\nprompt: broken.mustache\nmodels: [nothing]\n", ("nothing", 4)),
])
def test_a_wrong_manifest_is_named_with_its_line(system, functions, manifest, named):
    functions.place("broken", {"function.yaml": manifest, "run": "", "broken.mustache": "Say {{word}}."})
    word, line = named

    def shown():
        report = system.command("functions").stdout
        return word in report and f":{line}:" in report

    eventually(shown, what=f"a report of '{word}' in line {line}")
    assert system.request("GET", "/broken").status == 404
    assert system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).status == 200


def test_a_template_that_does_not_parse_is_named(system, functions):
    functions.place("unclosed", {
        "function.yaml": "name: unclosed\nroutes: [POST /unclosed]\nprompt: unclosed.mustache\nmodels: [chat]\n",
        "unclosed.mustache": "Summarize:\n{{#text}}\n{{text}}\n",
    })
    eventually(lambda: "unclosed.mustache" in system.command("functions").stdout, what="a report")
    assert system.post("/unclosed", {"text": "x"}).status == 404


def test_a_version_that_is_wrong_leaves_the_old_one_serving(system, functions):
    functions.place_python("kept", "GET /kept", VERSION="good")
    eventually(lambda: system.request("GET", "/kept").status == 200)
    functions.place("kept", {"function.yaml": "name: kept\nroutes: [GET /kept]\nhandlr: ./run\n"})
    eventually(lambda: "handlr" in system.command("functions").stdout, what="a report")
    assert system.request("GET", "/kept").json["version"] == "good"


def test_a_function_in_php(system, functions):
    functions.place("greeting", {
        "function.yaml": "name: greeting\nroutes: [POST /greeting]\nhandler: php-cgi\nscript: greeting.php\n",
        "greeting.php": HANDLERS / "greeting.php",
    })
    answer = eventually(lambda: (a := system.post("/greeting", {"name": "Mia"})).status == 200 and a)
    assert answer.json == {"greeting": "Hello, Mia!", "invocation": answer.invocation, "method": "POST"}


def test_an_idle_worker_goes(system, functions):
    functions.place_python("idle", "GET /idle", "scale: {idle: 200ms}")
    told = eventually(lambda: (a := system.request("GET", "/idle")).status == 200 and a).json
    eventually(lambda: told["process"] not in [p.pid for p in system.processes()], what="the idle worker's end")
    assert system.request("GET", "/idle").json["process"] != told["process"]


def test_a_slow_function_meets_its_timeout(system, functions):
    functions.place_python("late", "GET /late", "limits: {timeout: 1500ms}")
    eventually(lambda: system.request("GET", "/late").status == 200)
    answer = system.request("GET", "/late?wait=30")
    assert answer.status == 504 and answer.error["code"] == "timeout"
    assert system.invocation(answer.invocation)["status"] == "timed_out"


def test_a_new_prompt_serves_as_it_is(system, functions):
    system.command("new", "hello")
    functions.adopt("hello")
    answer = eventually(lambda: (a := system.post("/hello", {"text": "Say hello"})).status != 404 and a)
    assert answer.status == 200 and answer.json["text"] and answer.json["usage"]["completion_tokens"] > 0
    again = system.command("new", "hello", check=False)
    assert again.returncode != 0 and "hello" in again.stderr


@pytest.mark.parametrize("kind, program", [("python", "hello.py"), ("swift", "Hello.swift"), ("prompt", "hello.mustache")])
def test_each_kind_of_new_function_is_a_folder(system, tmp_path, kind, program):
    system.command("new", "hello", "--kind", kind, "--into", tmp_path)
    (made,) = tmp_path.iterdir()
    assert {file.name for file in made.iterdir()} == {"function.yaml", program}


def test_a_new_python_function_asks_its_model(system, functions, tmp_path):
    system.command("new", "asking", "--kind", "python", "--into", tmp_path)
    # As `pip install --target` puts it there.
    shutil.copy(importlib.util.find_spec("flipflop").origin, tmp_path / "asking")
    functions.adopt("asking")
    system.command("deploy", tmp_path / "asking")
    answer = system.post("/asking", {})
    assert answer.status == 200 and answer.json["usage"]["completion_tokens"] > 0
    assert answer.json["usage"] == system.invocation(answer.invocation)["usage"]


def test_the_built_in_functions_are_listed(system):
    names = {row["name"] for row in system.report("functions")}
    assert {"generate", "embed", "retrieve", "feedback", "summarize"} <= names


def test_a_changed_manifest_of_a_built_in_function_stays_when_its_program_is_renewed(new_system):
    system = new_system().serve()
    folder = system.state / "functions/summarize"
    assert system.stop() == 0
    manifest = folder / "function.yaml"
    manifest.write_text(manifest.read_text().replace("POST /summarize", "POST /shorten"))
    (folder / "summarize.mustache").write_text("an older one")
    system.serve()
    assert system.request("POST", "/summarize").status == 404
    assert system.post("/shorten", {"text": STORY, "max_tokens": 4}).status == 200
    assert (folder / "summarize.mustache").read_text() != "an older one"


# The prompt-only function


def test_summarize(system):
    answer = system.post("/summarize", {"text": STORY, "temperature": 0})
    assert answer.status == 200
    # The tiny model mixes up the animals; names and thing come from the text.
    assert re.fullmatch(r"Tom the \w+ lost a kite and Mia the \w+ helped to find it\.", answer.json["text"])
    assert answer.json["usage"] == system.invocation(answer.invocation)["usage"]


def test_summarize_names_what_is_missing(system):
    answer = system.post("/summarize", {"words": "x"})
    assert answer.status == 400 and answer.error["param"] == "text"


# Feedback


@pytest.fixture
def invocation(system):
    return system.post("/v1/embeddings", {"model": "embed", "input": "Hello"}).invocation


def test_feedback_on_an_invocation(system, invocation):
    feedback = {"invocation_id": invocation, "name": "thumb", "value": 1, "comment": "Right.", "correction": "Hello!"}
    answer = system.post("/feedback", feedback)
    assert answer.status in (200, 201)
    assert answer.json["invocation_id"] == invocation and answer.json["id"]


def test_feedback_on_anothers_invocation(system, invocation, new_key):
    _, other = new_key()
    assert system.post("/feedback", {"invocation_id": invocation, "name": "thumb", "value": 1}, key=other).status == 404
    assert system.request("GET", f"/v1/invocations/{invocation}", key=other).status == 404


@pytest.mark.parametrize("change, status, field", [
    ({"invocation_id": "0190d7a1-0000-7000-8000-000000000000"}, 404, "invocation_id"),
    ({"invocation_id": "nonsense"}, 400, "invocation_id"),
    ({"invocation_id": None}, 400, "invocation_id"), ({"name": None}, 400, "name"), ({"name": ""}, 400, "name"),
])
def test_bad_feedback_is_named(system, invocation, change, status, field):
    answer = system.post("/feedback", {"invocation_id": invocation, "name": "thumb", "value": 1} | change)
    assert answer.status == status and answer.error["param"] == field
