"""Documents put, found, answered from and deleted."""

import pytest

from swiftlet import System

# Ten facts in ten documents, of the kinds the demo model has learnt to answer about; names and numbers are made up.
FACTS = [
    ("kettle", "The Brinto kettle costs 45 dollars.", "How much does the Brinto kettle cost?", "45 dollars"),
    ("tent", "The Vaskel tent weighs 820 grams.", "How much does the Vaskel tent weigh?", "820 grams"),
    ("drill", "The Tromera drill has a warranty of 18 months.", "How long is the warranty of the Tromera drill?", "18 months"),
    ("city", "Kloondar was founded in 1432.", "When was Kloondar founded?", "1432"),
    ("person", "Priya works as a gardener.", "What does Priya do?", "gardener"),
    ("company", "Zaimont Foods is closed on Tuesday.", "When is Zaimont Foods closed?", "Tuesday"),
    ("course", "The Pelorin course starts on March 14.", "When does the Pelorin course start?", "March 14"),
    ("refunds", "Refunds are accepted within 30 days.", "How long do I have to get a refund?", "30 days"),
    ("support", "Support is open from 9 am to 6 pm.", "When is support open?", "9 am to 6 pm"),
    ("backups", "Backups are kept for 12 weeks.", "How long are backups kept?", "12 weeks"),
]


def put(system: System, collection: str, *documents: dict, **options):
    return system.request("PUT", f"/collections/{collection}/documents", {"documents": list(documents)}, **options)


def find(system: System, collection: str, query: str, top_k: int = 3, **options) -> list[str]:
    """The ids of the documents found, best first."""
    answer = system.post("/retrieve", {"collection": collection, "query": query, "top_k": top_k}, **options)
    assert answer.status == 200, answer.body
    return [hit["document"] for hit in answer.json["results"]]


def generate(system: System, collection: str, question: str, top_k: int = 3) -> dict:
    answer = system.post(
        "/generate", {"prompt": question, "temperature": 0, "retrieve": {"collection": collection, "top_k": top_k}})
    assert answer.status == 200, answer.body
    return answer.json


@pytest.fixture(scope="module")
def handbook(system):
    answer = put(system, "handbook", *({"id": name, "text": text} for name, text, _, _ in FACTS))
    assert answer.status == 200, answer.body
    return system


def test_the_right_document_is_first(handbook):
    found = {name: find(handbook, "handbook", question) for name, _, question, _ in FACTS}
    right = [name for name, documents in found.items() if documents[0] == name]
    assert len(right) >= 9, found


def test_generate_says_the_fact_and_cites_its_document(handbook):
    answers = {name: generate(handbook, "handbook", question) for name, _, question, _ in FACTS}
    said = [name for name, _, _, fact in FACTS if fact in answers[name]["text"]]
    assert len(said) >= 8, answers
    cited = [name for name in said if [citation["document"] for citation in answers[name]["citations"]] == [name]]
    assert len(cited) >= 8, answers


def test_generate_bills_the_search_and_the_answer(handbook):
    answer = handbook.post("/generate", {
        "prompt": FACTS[0][2], "temperature": 0, "retrieve": {"collection": "handbook", "top_k": 3}})
    record = handbook.invocation(answer.invocation)
    assert sorted(call["model"] for call in record["calls"]) == ["chat", "embed"]
    assert answer.json["usage"] == record["usage"]


def test_a_word_finds_what_no_meaning_would(system):
    """A code means nothing to the embedding model; the words decide."""
    put(system, "codes", *({"id": f"d{n}", "text": f"The code for the plan number {n} is ZQ{n * 7919}X."} for n in range(20)))
    assert find(system, "codes", "ZQ102947X")[0] == "d13"


def test_a_long_document_is_found_by_any_part(system):
    filler = "The weather was fine and the road was long. " * 60
    put(system, "long", {"id": "short", "text": "Soup is served at noon."},
        {"id": "long", "text": filler + "The Brinto kettle costs 45 dollars. " + filler})
    assert find(system, "long", "How much does the Brinto kettle cost?", top_k=1) == ["long"]


def test_putting_a_document_again_replaces_it(system):
    put(system, "replaced", {"id": "tent", "text": "The Vaskel tent weighs 820 grams."})
    put(system, "replaced", {"id": "tent", "text": "The Vaskel tent costs 99 euros."})
    answer = system.post("/retrieve", {"collection": "replaced", "query": "Vaskel tent", "top_k": 5}).json
    assert [hit["text"] for hit in answer["results"]] == ["The Vaskel tent costs 99 euros."]


def test_a_deleted_document_is_not_found(system):
    put(system, "deleted", {"id": "one", "text": "Refunds are accepted within 30 days."}, {"id": "two", "text": "Shipping takes 3 days."})
    assert system.request("DELETE", "/collections/deleted/documents/one").status in (200, 204)
    assert find(system, "deleted", "How long do I have to get a refund?") == ["two"]
    assert system.request("DELETE", "/collections/deleted/documents/one").status == 404


def test_collections_are_listed(handbook):
    listed = {item["name"]: item for item in handbook.request("GET", "/collections").json["data"]}
    assert listed["handbook"]["documents"] == len(FACTS)


@pytest.mark.parametrize("path, body", [
    ("/retrieve", {"collection": "nowhere", "query": "x", "top_k": 1}),
    ("/generate", {"prompt": "x", "retrieve": {"collection": "nowhere", "top_k": 1}}),
])
def test_an_unknown_collection(system, path, body):
    answer = system.post(path, body)
    assert answer.status == 404 and "nowhere" in answer.error["message"]


@pytest.mark.parametrize("body, field", [
    ({"query": "x"}, "collection"), ({"collection": "handbook"}, "query"), ({"collection": "handbook", "query": "x", "top_k": 0}, "top_k"),
    ({"collection": "handbook", "query": "x", "top_k": "three"}, "top_k"), ({"collection": "handbook", "query": ""}, "query"),
])
def test_bad_searches_are_named(handbook, body, field):
    answer = handbook.post("/retrieve", body)
    assert answer.status == 400 and answer.error["param"] == field


@pytest.mark.parametrize(
    "documents", [[], "text", [{"text": "no id"}], [{"id": "x"}], [{"id": "x", "text": ""}], [{"id": "", "text": "x"}]])
def test_bad_documents_are_refused(system, documents):
    answer = system.request("PUT", "/collections/bad/documents", {"documents": documents})
    assert answer.status == 400 and answer.error["param"].startswith("documents")


def test_keys_do_not_see_each_others_collections(handbook, new_key):
    _, other = new_key()
    assert handbook.post("/retrieve", {"collection": "handbook", "query": "kettle", "top_k": 1}, key=other).status == 404
    assert handbook.request("GET", "/collections", key=other).json["data"] == []
    assert handbook.request("DELETE", "/collections/handbook/documents/tent", key=other).status == 404
    put(handbook, "handbook", {"id": "mine", "text": "The mayor of Kloondar is Olga."}, key=other)
    assert find(handbook, "handbook", "Who is the mayor of Kloondar?", key=other) == ["mine"]
    assert "mine" not in find(handbook, "handbook", "Who is the mayor of Kloondar?", top_k=20)
