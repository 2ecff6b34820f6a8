"""The API: it answers as its document says, whatever is asked, and what it answers is what the store has."""

from __future__ import annotations

import datetime
import json
import os
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.stores.conftest import take_snapshot
from tests.view.filled import SHIPPED, fill as fill_shipped, write
from tests.web.conftest import ITERATIONS, Client

from zarrange import Key, Layout, Store, structure
from zarrange.view.comparison import comparison
from zarrange.web.api import document, plain, routes
from zarrange.web.app import create_app

TEMPLATE = json.loads((files("zarrange.web") / "static/openapi.json").read_bytes())
FREE = {"/api/find", "/api/values"}
"""Here filters may contradict each other and kinds lack fields, which a document cannot say of parameters."""
RAW = "r1/validation.zarr/inputs/all/raw"
HOSTILE = [
    "",
    "\0",
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "/etc/passwd",
    ".zarrange",
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "\u202e\ud7ff",
    "a" * 5000,
    "-1",
    "9" * 400,
    "1e9",
    "NaN",
    "\u0667",
    "1000..",
    "2000..1000",
    "None",
    "[]",
]
DATED = Layout.parse("""
zarrange: 1
name: dated
fields: {run: {type: str}, day: {type: date}, at: {type: datetime}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {image: {container: box, path: "{{ day }}/{{ at | date('%Y%m%dT%H%M%S') }}"}}
view: {by: run, slider: day}
""")


@pytest.fixture(scope="module")
def client(filled):
    """Asks the application for the store that is only read."""
    return Client(create_app(filled))


def answer(client, name, **asked):
    """What is answered to a good question; parameters of ours begin with `_` here."""
    given = {f".{name[1:]}" if name.startswith("_") else name: value for name, value in asked.items()}
    found = client.get(f"/api/{name}?{urlencode(given, doseq=True)}")
    assert found.status_code == 200, found.text
    return found.json()


# --- the document ----------------------------------------------------------------------------------------------------

schema = schemathesis.openapi.from_dict(document(Layout.load("training")))
served = {}


async def forward(*asked):
    """The application, which is there only when tests run."""
    await served["app"](*asked)


schema.app = forward


@pytest.fixture(scope="module", autouse=True)
def app(filled):
    served["app"] = create_app(filled, hosts={"testserver"})
    return served["app"]


@schema.parametrize()
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_whatever_is_asked_is_answered_as_documented(case):
    """Whatever parameters and methods come, the status, type, headers and content are those of the document."""
    excluded = [positive_data_acceptance] if case.operation.path in FREE else []
    assert case.call_and_validate(excluded_checks=excluded).status_code < 500


@pytest.mark.parametrize("layout", SHIPPED)
def test_what_is_there_is_answered_as_documented(tmp_path, layout):
    """For each shipped layout, answers about what is there have the shape that its document says, and no other."""
    store = fill_shipped(tmp_path / "root", layout)
    by, (run, _), artifacts = SHIPPED[layout]
    kind, values, _ = artifacts[0]
    path = store.identifier(kind, **{by: run}, **values).path.removeprefix(f"{store.root}/")
    said = schemathesis.openapi.from_dict(document(store.layout))
    said.app = create_app(store, hosts={"testserver"})
    for name, query in {
        "runs": {".filter": run[0], ".most": 1},
        "runs/summary": {by: run},
        "runs/size": {by: run},
        "matrix": {by: run, ".start": 1},
        "compare": {by: run, ".kind": [kind]},
        "scores": {by: [run]},
        "find": {by: [run], ".most": 1000},
        "values": {".field": by, ".kind": [kind]},
        "array": {".path": path},
        "openapi.json": {},
    }.items():
        for method in ("GET", "HEAD"):
            found = said[f"/api/{name}"][method].Case(query=query).call_and_validate()
            assert found.status_code == 200, found.content
            assert bool(found.content) == (method == "GET")


def test_the_document_has_every_route(filled):
    """The document and the server have the same addresses, each for GET and for HEAD."""
    assert [route.path for route in routes(filled)] == [*TEMPLATE["paths"]]
    assert all({*item} == {"get", "head"} for item in TEMPLATE["paths"].values())


def test_references_of_the_document_lead_somewhere():
    """Every `$ref` is of a component that is there, and every component is used, also with a layout's fields in it."""
    for found in (TEMPLATE, document(Layout.load("training")), document(Layout.load("cellmap"))):
        used = {one for one in walked(found) if one.startswith("#/components/")}
        assert used == {f"#/components/{sort}/{name}" for sort, some in found["components"].items() for name in some}


def walked(data):
    """All texts of references in a document."""
    if isinstance(data, dict):
        yield from ([data["$ref"]] if "$ref" in data else [])
        data = [*data.values()]
    for one in data if isinstance(data, list) else ():
        yield from walked(one)


def test_the_document_that_is_served_knows_the_layout(client):
    """The document of a server has the fields of its layout as parameters, with what they mean."""
    found = answer(client, "openapi.json")
    names = {one.get("name") for one in found["paths"]["/api/compare"]["get"]["parameters"]}
    assert names >= {"run", "iteration", "dataset", "parameters", "criterion", "index", "volume"}
    (run,) = found["paths"]["/api/matrix"]["get"]["parameters"][:1]
    assert (run["name"], run["required"], run["description"]) == ("run", True, "Name of the training run.")


@pytest.mark.parametrize("path", TEMPLATE["paths"])
def test_unknown_parameters_are_refused(client, path):
    """A parameter that means nothing is an error that names it, and so is one of ours that is given twice."""
    for name in ("nothing", ".nothing", "iteration2", "<b>"):
        found = client.get(f"{path}?{urlencode({name: 1})}")
        assert found.status_code == 400
        assert name in found.json()["error"]
        assert client.head(f"{path}?{urlencode({name: 1})}").status_code == 400
    for name in (".start", ".path", ".field", ".filter", ".score"):
        assert client.get(f"{path}?{name}=1&{name}=1").status_code == 400


@pytest.mark.parametrize("path", [path for path in TEMPLATE["paths"] if path != "/api/openapi.json"])
def test_hostile_values_are_values(client, filled, path):
    """Whatever a parameter has in it, the answer is JSON, no fault of the server, and the store stays as it was."""
    before = take_snapshot(filled.root)
    own = document(filled.layout)
    parameters = own["paths"][path]["get"]["parameters"]
    known = own["components"]["parameters"]
    names = [one.get("name") or known[one["$ref"].rpartition("/")[2]]["name"] for one in parameters]
    needed = {"run": "r1", ".path": RAW, ".field": "run"}
    for name in names:
        for value in HOSTILE:
            asked = {one: text for one, text in needed.items() if one in names} | {name: value}
            found = client.get(f"{path}?{urlencode(asked, errors='surrogatepass')}")
            assert found.status_code in {200, 400, 404}, (asked, found.text)
            assert found.headers["content-type"] == "application/json"
            assert isinstance(found.json(), dict)
    assert take_snapshot(filled.root) == before


def test_head_is_get_without_content(client):
    """HEAD has the status and the headers of GET, and no content, for answers and for errors."""
    for asked in ("runs", "matrix?run=r1", "matrix", f"array?.path={RAW}", "array?.path=nothing"):
        got, head = client.get(f"/api/{asked}"), client.head(f"/api/{asked}")
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert {**head.headers} == {**got.headers}


# --- answers ---------------------------------------------------------------------------------------------------------


def test_runs(client):
    """The runs come with what the store is, in parts, and by a part of their names in upper or lower case."""
    found = answer(client, "runs")
    assert found == {
        "layout": "training",
        "title": "Training runs",
        "by": "run",
        "slider": "iteration",
        "total": 2,
        "start": 0,
        "runs": ["r1", "r2"],
    }
    assert answer(client, "runs", _filter="R2")["runs"] == ["r2"]
    assert answer(client, "runs", _start=1, _most=1)["runs"] == ["r2"]


def test_one_run(client, filled):
    """A run has its summary, its size and its matrix, in parts."""
    found = answer(client, "runs/summary", run="r2")
    assert (found["kinds"]["validation_output"], found["first"], found["last"]) == (4, 1000, 3000)
    files = [path for path in Path(filled.root, "r2").rglob("*") if path.is_file()]
    assert answer(client, "runs/size", run="r2")["bytes"] == sum(path.stat().st_size for path in files)
    rows = answer(client, "matrix", run="r1", _start=1, _most=1)["rows"]
    assert [(row["value"], row["cells"][1]["count"]) for row in rows] == [(2000, 2)]


def test_comparison(client, filled):
    """A comparison is the library's, with steps as text where they name members, and an empty field is absent."""
    found = answer(client, "compare", run="r1", parameters="t=0.5", index="")
    assert found == plain(comparison(filled, "r1", {"parameters": "t=0.5", "index": None}))
    panels = {one["kind"]: one for one in found["panels"]}
    assert [*panels["validation_output"]["paths"]] == [*map(str, ITERATIONS)]
    shown = answer(client, "compare", run="r1", _kind=["validation_gt", "validation_raw"])["panels"]
    assert [one["kind"] for one in shown] == ["validation_raw", "validation_gt"]


def test_scores(client):
    """Scores are those of the runs, the kind and the name that are asked for; without runs, of all."""
    found = answer(client, "scores", run="r2", _kind="validation_output", _score="scores.voi")
    assert (found["names"], found["name"]) == (["scores.dice", "scores.voi"], "scores.voi")
    assert [[point["value"] for point in line["points"]] for line in found["lines"]] == [[3, 1], [3, 1]]
    assert {line["run"] for line in answer(client, "scores")["lines"]} == {"r1", "r2"}


def test_find_gives_everything_in_parts(client, filled):
    """Part after part gives everything that exists, once, in order, with keys that can be read back."""
    found, start, more = [], 0, True
    while more:
        part = answer(client, "find", _start=start, _most=7)
        found += part["entries"]
        start, more = start + 7, part["has_more"]
    entries = [*filled.find()]
    assert [one["path"] for one in found] == [entry.path for entry in entries]
    assert [structure(one["keys"][0], Key) for one in found] == [entry.key for entry in entries]


def test_find_takes_filters(client):
    """Filters are values, several of them, ranges and absence, of kinds or of all that have the fields."""

    def paths(**asked):
        return [
            one["path"].removeprefix("r1/validation.zarr/")
            for one in answer(client, "find", run="r1", **asked)["entries"]
        ]

    at = [f"iterations/{step:08}/crop1/prediction" for step in ITERATIONS]
    assert paths(_kind="validation_prediction", iteration="2000..") == at[1:]
    assert paths(_kind="validation_prediction", iteration=[1000, 3000]) == [at[0], at[2]]
    assert paths(_kind=["validation_raw", "validation_gt"], index="") == ["inputs/all/gt", "inputs/all/raw"]
    assert paths(_kind="validation_raw", index=["", "x"]) == ["inputs/all/raw"]
    assert client.get("/api/find?iteration=1..2&iteration=").status_code == 400


def test_values(client):
    """The values of a field are those of what exists, under filters and of kinds."""
    assert answer(client, "values", _field="iteration", run="r2")["values"] == [1000, 3000]
    assert answer(client, "values", _field="run", _kind="snapshot_array")["values"] == ["r1", "r2"]
    assert client.get("/api/values").status_code == 400
    assert client.get("/api/values?.field=volume&.kind=validation_raw").status_code == 400


def test_array(client, filled):
    """An array has its metadata, and code that opens it; what is no array of the store is not there."""
    found = answer(client, "array", _path=RAW)
    assert (found["shape"], found["attributes"]["voxel_size"], found["axes"][0]["name"]) == (
        [16, 24, 32],
        [40, 4, 4],
        "z",
    )
    assert found["keys"] == [{"type": "key", "kind": "validation_raw", "values": {"run": "r1"}}]
    for path in ("r1", "../x", f"{RAW}/zarr.json", f"{RAW}/c/0/0/0", ".zarrange/store.json", f"/{filled.root}/{RAW}"):
        assert client.get(f"/api/array?{urlencode({'.path': path})}").status_code == 404


# --- what is odd -----------------------------------------------------------------------------------------------------


def test_days_are_days(tmp_path):
    """Days are tagged, as in keys, and plain where they name members; they are asked for as they are written."""
    store = Store(tmp_path, DATED)
    values = {"day": datetime.date(2026, 1, 31), "at": datetime.datetime(2026, 1, 31, 10)}
    identifier = store.identifier("image", run="r1", **values)
    write(tmp_path, identifier.path.removeprefix(f"{store.root}/"))
    client = Client(create_app(store))
    found = answer(client, "compare", run="r1", day="2026-01-31")
    assert found["steps"] == [{"date": "2026-01-31"}]
    assert [*found["panels"][0]["paths"]] == ["2026-01-31"]
    assert found["choices"][0]["values"] == [{"datetime": "2026-01-31T10:00:00"}]
    assert answer(client, "matrix", run="r1")["rows"][0]["value"] == {"date": "2026-01-31"}


def test_numbers_and_texts_that_json_does_not_have(tmp_path):
    """Numbers without a finite value are text, and half characters go to JSON as they are written."""
    write(tmp_path, RAW, {"a": float("nan"), "b": [float("inf"), float("-inf")], "c": "\ud800", "d": 10**30})
    found = answer(Client(create_app(Store(tmp_path, "training"))), "array", _path=RAW)
    assert found["attributes"] == {"a": "NaN", "b": ["Infinity", "-Infinity"], "c": "\ud800", "d": 10**30}


def test_what_cannot_be_read_is_told(tmp_path):
    """What is damaged is told beside the rest; only what is asked for by itself, or to be summed up, is an error."""
    store = fill_shipped(tmp_path / "root", "training")
    Path(store.root, RAW, "zarr.json").write_text("{")
    os.symlink(tmp_path, f"{store.root}/r1/snapshot")
    client = Client(create_app(store))
    for name in ("find", "matrix", "compare", "scores"):
        found = answer(client, name, run="r1")
        assert [one["path"] for one in found["unreadable"]] == [RAW]
    assert answer(client, "runs/summary", run="r1")["unreadable"] == 1
    for asked in (f"array?.path={RAW}", "runs/size?run=r1"):
        found = client.get(f"/api/{asked}")
        assert (found.status_code, "not JSON" in found.json()["error"]) == (422, True)


def test_a_store_that_is_not_there_yet_has_nothing(tmp_path):
    """A root that does not exist is a store without runs, and nothing makes it."""
    client = Client(create_app(Store(tmp_path / "root", "training")))
    assert answer(client, "runs")["runs"] == []
    assert answer(client, "find") == {"start": 0, "entries": [], "unreadable": [], "has_more": False}
    assert not (tmp_path / "root").exists()


def test_an_object_store_is_answered_alike(tmp_path):
    """A store in memory has the same answers as one on disk, but for places and times."""
    local = Client(create_app(fill_shipped(tmp_path / "root", "hive")))
    remote = Client(create_app(fill_shipped(f"memory://{tmp_path.name}", "hive")))
    for name in ("runs", "matrix", "compare", "scores", "find"):
        asked = {} if name == "runs" else {"run": "r2"}
        assert answer(local, name, **asked) == answer(remote, name, **asked)
