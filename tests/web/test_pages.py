"""The pages of runs, one run, scores and one array, as the server makes them."""

from __future__ import annotations

import asyncio
import datetime
import html
import shutil
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import numpy as np
import pytest
from tests.web.conftest import Client, fill
from tests.web.reading import read

from zarrange import Layout, Store
from zarrange.language.arrangement import arrangement
from zarrange.report.characters import printable
from zarrange.stores.amounts import in_bytes
from zarrange.view.runs import run_size
from zarrange.web.app import create_app
from zarrange.web.frame import words

LAYOUTS = ("training", "hive", "dacapo", "ome-zarr-plate", "cellmap")
PREDICTION = "r1/validation.zarr/iterations/00001000/crop1/prediction"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</script><script>alert(1)</script>",
    "</title><h1>x</h1>",
    "</textarea></select></option><b>x",
    "{{7*7}}",
    "{% raw %}{{ config }}",
    "${7*7}<%= 7*7 %>#{7*7}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/x",
    "/\\evil.example",
    "--><!--<script>alert(1)</script>",
    "]]><!DOCTYPE x [<!ENTITY y 'z'>]>",
    "&lt;script&gt;&quot;&#x27;&amp;",
    '" autofocus onfocus=alert(1) x="',
    "a\u202egnp.exe\u202c\u2066b\u200f",
    "a\r\nSet-Cookie: a=b\r\n\r\n<b>",
    "\0<b>\x1b[31m",
    "?run=r1&run=r2#x",
    "%3Cscript%3E%2e%2e%2f",
    "`'\"\\\n\u2028\u2029",
)
PLAIN = "a plain name"
UNSENDABLE = [name for name in HOSTILE if set(name) & set("\0\r\n")]


def get(client, address, status=200):
    """A page, taken apart, of an answer that was asked for as browsers do."""
    answer = client.get(address, headers=BROWSER)
    assert answer.status_code == status, answer.text
    return read(answer)


def asked(place, **values):
    return f"{place}?{urlencode(values, doseq=True)}"


@pytest.fixture(scope="module")
def shown(filled):
    """Asks the application for the filled store, which nobody changes."""
    return Client(create_app(filled))


def small(store, kind="validation_raw", **values):
    """Make an array, quickly."""
    options = values.pop("options", {})
    return store.create(store.identifier(kind, **values), data=np.ones((2, 2), "f4"), **options)


class TestRuns:
    """The table of runs."""

    def test_names_come_without_asking_for_more(self, shown):
        """The table has every run with a link and a box to choose it, and says what a script has to ask for."""
        page = get(shown, "/")

        assert [one["data-ask"] for one in page.all("tr") if "data-ask" in one] == ["run=r1", "run=r2"]
        assert {"/run?run=r1", "/run?run=r2"} <= set(page.links)
        assert [one["value"] for one in page.all("input", type="checkbox", name="run")] == ["r1", "r2"]
        assert "2 runs" in page.text
        assert "Training runs" in page.within("title")[0]

    def test_all_of_it_without_a_script(self, shown, filled):
        """With `.full=1` the server fills in counts, places of the slider, sizes and times itself."""
        page = get(shown, "/?.full=1")

        assert "validation prediction 3" in page.text
        assert "validation output 4" in page.text  # the second run misses some
        assert page.text.count("1000 \N{EN DASH} 3000") == 2
        for run in ("r1", "r2"):
            assert in_bytes(run_size(filled, run)) in page.text
        assert len(page.all("time")) == 2

    def test_who_has_no_script_is_told(self, shown):
        """Without a script there is a link to the whole table."""
        answer = shown.get("/", headers=BROWSER)

        assert '<noscript>. <a href="/?.full=1">' in answer.text

    def test_the_filter_works_without_a_script(self, shown):
        """The form asks the server for a part of a name, in any case, and keeps it."""
        page = get(shown, "/?.filter=R2")

        assert [one["data-ask"] for one in page.all("tr") if "data-ask" in one] == ["run=r2"]
        assert page.all("input", name=".filter")[0]["value"] == "R2"
        assert "1 of 2 runs" in page.text

    def test_a_filter_that_nothing_fits(self, shown):
        """Where no name fits, the page says so and leads to all."""
        page = get(shown, "/?.filter=zzz")

        assert "No run has zzz in its name. Show all 2" in page.text

    def test_two_hundred_a_page(self, tmp_path):
        """Many runs are on several pages, of which each leads to the next with the same filter."""
        store = Store(tmp_path, "training")
        for number in range(450):
            (tmp_path / f"run-{number:03}" / "validation.zarr").mkdir(parents=True)
        small(store, run="other")
        client = Client(create_app(store))

        first = get(client, "/?.filter=run-")
        (onward,) = {one["href"] for one in first.all("a", rel="next")}
        second = get(client, onward)
        last = get(client, second.all("a", rel="next")[0]["href"])

        assert [len([one for one in page.all("tr") if "data-ask" in one]) for page in (first, second, last)] == [
            200,
            200,
            50,
        ]
        assert "450 of 451 runs; 201 to 400 are shown" in second.text
        assert not last.all("a", rel="next")
        assert last.all("a", rel="prev")[0]["href"] == "/?.filter=run-&.start=200"
        assert "There are only 450 runs" in get(client, "/?.filter=run-&.start=900").text

    def test_an_empty_store_says_what_to_do(self, tmp_path):
        """A store without anything says where its artifacts would appear from."""
        page = get(Client(create_app(Store(tmp_path / "none", "training"))), "/")

        assert "There is nothing here yet" in page.text
        assert str(tmp_path / "none") in page.text

    def test_a_run_that_cannot_be_read(self, store, client):
        """What could not be read is counted in the row of its run."""
        Path(store.root, PREDICTION, "zarr.json").write_text("{")

        assert "1 unreadable place" in get(client, "/?.full=1").text

    @pytest.mark.parametrize("address", ["/?.start=-1", "/?.start=x", "/?.full=2", "/?start=1", "/?.filter=&.filter="])
    def test_what_does_not_fit_is_refused(self, shown, address):
        """A parameter that does not fit is a page with status 400 that says what would."""
        page = get(shown, address, 400)

        assert "This does not fit" in page.text
        assert page.all("p", id="reason")


class TestStreaming:
    """Pages begin at once, however long the rest takes."""

    @staticmethod
    async def ask(app, address, after_first):
        """The pieces of an answer; `after_first` is called when the first one has come."""
        path, _, query = address.partition("?")
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"accept", b"text/html")],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }
        pieces = []

        async def send(message):
            if message["type"] == "http.response.body":
                if not pieces:
                    after_first()
                pieces.append(message["body"].decode())

        async def receive():
            await asyncio.Event().wait()

        await app(scope, receive, send)
        return pieces

    def test_the_runs_are_listed_after_the_first_bytes(self, store, app):
        """A run that is made when the first bytes have come is in the rest of the page."""
        pieces = asyncio.run(self.ask(app, "/", lambda: small(store, run="latecomer")))

        assert "Training runs" in pieces[0]
        assert "latecomer" not in pieces[0]
        assert "latecomer" in "".join(pieces[1:])

    def test_the_matrix_is_made_after_the_first_bytes(self, store, app):
        """An array that is made when the first bytes have come is in the rest of the page of its run."""
        values = {"run": "r1", "iteration": 4000, "dataset": "crop1"}
        later = asyncio.run(
            self.ask(app, "/run?run=r1", lambda: small(store, "validation_prediction", **values)),
        )

        assert "4000" not in later[0]
        assert "iteration=4000" in "".join(later[1:])

    def test_arrays_to_compare_are_looked_for_after_the_first_bytes(self, store, app):
        """An array that is made when the first bytes have come is among those that are compared."""
        values = {"run": "r1", "iteration": 4000, "dataset": "crop1"}
        pieces = asyncio.run(
            self.ask(app, "/compare?run=r1", lambda: small(store, "validation_prediction", **values)),
        )

        assert "r1" in pieces[0]
        assert "4000" not in pieces[0]
        assert "00004000/crop1/prediction" in "".join(pieces[1:])

    def test_a_head_is_a_head(self, shown):
        """HEAD is answered without making the page."""
        answer = shown.head("/")

        assert (answer.status_code, answer.content) == (200, b"")


class TestRun:
    """The page of one run."""

    def test_what_there_is_and_what_is_missing(self, store, client):
        """The matrix has a link with the count where something is, and says in words where nothing or less is."""
        for values in ({"parameters": "t=0.3"}, {"parameters": "t=0.5"}):
            shutil.rmtree(
                Path(store.root, f"r1/validation.zarr/iterations/00002000/crop1/outputs/{values['parameters']}")
            )
        shutil.rmtree(Path(store.root, "r1/validation.zarr/iterations/00003000/crop1/outputs/t=0.3"))
        page = get(client, "/run?run=r1")

        assert "missing" in page.text
        assert "1 of 2" in page.text
        assert "3 iterations; 1 gap" in page.text
        assert "/compare?run=r1&iteration=2000" in page.links
        assert "/compare?run=r1&iteration=1000&dataset=crop1" in page.links
        assert f"/array/{'r1/validation.zarr/inputs/all/raw'}" in page.links

    def test_a_place_where_nothing_is_at_all(self, tmp_path):
        """Between places that are equally far apart, one with nothing at all is told."""
        store = Store(tmp_path, "training")
        for iteration in (1000, 2000, 3000, 5000, 6000, 10000):
            small(store, "validation_prediction", run="r", iteration=iteration, dataset="d")
        page = get(Client(create_app(store)), "/run?run=r")

        assert "nothing at 4000" in page.text
        assert "nothing at 7000 to 9000, 3 places" in page.text

    def test_a_hundred_rows_a_page(self, tmp_path):
        """A run with many places of the slider is on several pages."""
        store = Store(tmp_path, "training")
        small(store, "validation_prediction", run="r", iteration=0, dataset="d")
        for iteration in range(1, 130):
            shutil.copytree(
                tmp_path / "r/validation.zarr/iterations/00000000",
                tmp_path / f"r/validation.zarr/iterations/{iteration:08}",
            )
        client = Client(create_app(store))
        first = get(client, "/run?run=r")
        (onward,) = {one["href"] for one in first.all("a", rel="next")}
        second = get(client, onward)

        assert "130 iterations; 1 to 100 are shown" in first.text
        assert "130 iterations; 101 to 130 are shown" in second.text
        assert "There are only 130 rows" in get(client, "/run?run=r&.start=500").text

    def test_beside_another_one(self, shown):
        """A form leads to the comparison with another run."""
        page = get(shown, "/run?run=r1")
        form = page.all("form", action="/compare")
        names = [(one.get("name"), one.get("value")) for one in page.all("input", type="hidden")]

        assert form
        assert names == [("run", "r1")]
        assert [one["value"] for one in page.all("option")] == ["r2"]

    def test_a_run_that_is_gone(self, shown):
        """A run that is not there is a page with status 404, and JSON for who does not ask for pages."""
        page = get(shown, "/run?run=gone", 404)
        bare = shown.get("/run?run=gone")

        assert "Nothing is there" in page.text
        assert "'gone': there is no run of this name" in page.text
        assert "/" in page.links
        assert bare.json() == {"error": "'gone': there is no run of this name"}

    @pytest.mark.parametrize("address", ["/run", "/run?run=r1&run=r2", "/run?run=", "/run?run=r1&iteration=1"])
    def test_one_run_is_asked_for(self, shown, address):
        """No run, two, or what has no meaning here is refused."""
        assert "This does not fit" in get(shown, address, 400).text

    def test_what_cannot_be_read_is_said(self, store, client):
        """A damaged array is told of, and the rest is shown."""
        Path(store.root, PREDICTION, "zarr.json").write_text("{")
        page = get(client, "/run?run=r1")

        assert "Not everything could be read" in page.text
        assert PREDICTION in page.text
        assert "unreadable" in page.within("span")
        assert "missing" not in page.within("span")
        assert "/compare?run=r1&iteration=3000&dataset=crop1" in page.links

    def test_an_empty_run(self, tmp_path):
        """A folder of a run without anything in it has a page that says so."""
        (tmp_path / "r" / "validation.zarr").mkdir(parents=True)
        page = get(Client(create_app(Store(tmp_path, "training"))), "/run?run=r")

        assert "There is nothing in it yet" in page.text


class TestScores:
    """The plot of scores."""

    def test_every_point_leads_to_its_place(self, shown):
        """Each score is a point with a title and a link to compare, and a number in the table below."""
        page = get(shown, "/scores?run=r1&run=r2")
        points = page.all("a")
        marks = [one for one in points if "aria-label" in one]

        assert len(marks) == 2 * 10  # in two sizes
        assert "/compare?run=r1&dataset=crop1&parameters=t%3D0.5&iteration=3000" in {one["href"] for one in marks}
        assert "r1 · t=0.5: scores.dice 0.75 at iteration 3000" in page.within("title")
        cells = [one for one in points if "aria-label" not in one and "/compare" in one["href"]]
        assert {one["href"] for one in cells} == {one["href"] for one in marks}
        assert "scores.dice of validation output, dataset crop1" in page.text

    def test_numbers_of_the_table_are_those_of_the_attributes(self, shown, filled):
        """The table has exactly the numbers that stand in the arrays."""
        page = get(shown, "/scores?run=r2&.score=scores.dice")
        found = [entry.metadata.attributes["scores"]["dice"] for entry in filled.find("validation_output", run="r2")]

        assert sorted(float(text) for text in page.within("a") if text.startswith("0.")) == sorted(found)

    def test_choosing(self, shown):
        """Runs, score, kind and values of fields are chosen by forms, and the choice is kept."""
        page = get(shown, "/scores?run=r1&.score=scores.voi&.kind=validation_output&parameters=t%3D0.3&dataset=&.log=1")
        marks = [one["aria-label"] for one in page.all("a") if "aria-label" in one]

        assert len(marks) == 2 * 3
        assert all("scores.voi" in one for one in marks)
        chosen = {one["value"] for one in page.all("option") if "selected" in one}
        assert chosen == {"scores.voi", "t=0.3"}
        checked = [(one["name"], one["value"]) for one in page.all("input") if "checked" in one]
        assert checked == [("run", "r1"), (".log", "1")]

    def test_the_first_runs_without_a_choice(self, shown):
        """Without a choice, the first runs are overlaid."""
        page = get(shown, "/scores")

        assert {"r1 · t=0.3", "r2 · t=0.5"} <= {text.strip() for text in page.within("bdi")}

    def test_points_that_no_logarithm_has(self, tmp_path):
        """On a logarithmic scale, points of 0 or less are counted instead of drawn."""
        store = Store(tmp_path, "training")
        for iteration, value in enumerate([-1.0, 0.0, 1.0, 10.0]):
            values = {"run": "r", "iteration": iteration, "dataset": "d", "options": {"attributes": {"loss": value}}}
            small(store, "validation_prediction", **values)
        page = get(Client(create_app(store)), "/scores?.log=1")

        assert "2 points of 0 or less cannot be on a logarithmic scale" in page.text

    def test_scores_without_a_place_of_the_slider(self, tmp_path):
        """A score of an array without slider stands in a table of its own."""
        store = Store(tmp_path, "training")
        small(store, "best_validation", run="r", criterion="voi", options={"attributes": {"voi": 0.25}})
        page = get(Client(create_app(store)), "/scores")

        assert "Without iteration" in page.text
        assert "/compare?run=r&criterion=voi" in page.links
        assert "0.25" in page.within("a")

    def test_no_scores(self, tmp_path):
        """Where no array has a number, the page says how one gets there."""
        store = Store(tmp_path, "training")
        small(store, run="r")

        assert "No array has a number in its attributes" in get(Client(create_app(store)), "/scores").text

    def test_a_name_that_no_array_has(self, shown):
        """A score that no array has is said to be missing, and what there is can be chosen."""
        page = get(shown, "/scores?.score=nope")

        assert "No array that is chosen has the score nope" in page.text
        assert "scores.dice" in {one["value"] for one in page.all("option")}

    @pytest.mark.parametrize("address", ["/scores?.kind=nope", "/scores?.log=2", "/scores?nope=1", "/scores?run="])
    def test_what_does_not_fit_is_refused(self, shown, address):
        """A parameter that does not fit is a page with status 400."""
        assert "This does not fit" in get(shown, address, 400).text

    def test_very_many_lines(self, tmp_path):
        """Of very many lines some are drawn, and how many is said."""
        store = Store(tmp_path, "training")
        for number in range(30):
            values = {"run": "r", "iteration": 1, "dataset": f"d{number:02}", "options": {"attributes": {"n": number}}}
            small(store, "validation_prediction", **values)
        page = get(Client(create_app(store)), "/scores")

        assert "24 of 30 lines are shown" in page.text


class TestArray:
    """The page of one array."""

    def test_what_is_known_of_it(self, shown):
        """The page has the path, the key, the metadata, and links to compare it and to open it elsewhere."""
        page = get(shown, f"/array/{PREDICTION}")

        shape, chunks = (" \N{MULTIPLICATION SIGN} ".join(sizes.split()) for sizes in ("2 16 24 32", "1 8 12 16"))
        for text in (PREDICTION, shape, chunks, "float32", "z 16, 40 nm each", "iteration 1000"):
            assert text in page.text
        assert f"/image/{PREDICTION}?cut=c%3A0%2Cz%3A8&size=512" in page.links
        assert "/compare?run=r1&iteration=1000&dataset=crop1&.cut=c%3A0%2Cz%3A8" in page.links
        assert any(link.startswith("/neuroglancer?run=r1&iteration=1000&dataset=crop1&") for link in page.links)
        assert "/run?run=r1" in page.links

    @pytest.mark.parametrize("name", ["python", "plain"])
    def test_the_code_opens_it(self, filled, shown, name):
        """The code on the page opens the array, as it stands."""
        answer = shown.get(f"/array/{PREDICTION}")
        code = html.unescape(answer.text.split(f'<code id="{name}">')[1].split("</code>")[0])
        names = {}
        exec(code, names)

        assert names["array"].shape == (2, 16, 24, 32)
        assert (names["array"][0, 0] == filled.open(filled.layout.match(PREDICTION))[0, 0]).all()

    def test_a_slice_can_be_chosen_and_saved(self, shown):
        """The place on each axis is chosen by a form, and what is shown is what is saved."""
        page = get(shown, f"/array/{PREDICTION}?.index=1&.index=3")
        (saved,) = [one for one in page.all("a") if "download" in one]

        assert saved["href"] == f"/image/{PREDICTION}?cut=c%3A1%2Cz%3A3"
        assert saved["download"].endswith("prediction_c1,z3.png")
        assert shown.get(saved["href"]).headers["content-type"] == "image/png"
        assert [one["value"] for one in page.all("input", type="number")] == ["1", "3"]

    @pytest.mark.parametrize("query", ["?.index=1", "?.index=0&.index=16", "?.index=0&.index=-1", "?.index=0&.index=x"])
    def test_a_place_that_does_not_fit(self, shown, query):
        """A place beyond the end of an axis, or on an axis that there is not, is refused."""
        assert "This does not fit" in get(shown, f"/array/{PREDICTION}{query}", 400).text

    @pytest.mark.parametrize(
        "path", ["nope", "r1/validation.zarr", "r1/validation.zarr/inputs/all", "r9/validation.zarr/inputs/all/raw"]
    )
    def test_what_is_no_array(self, shown, path):
        """A path where no array is, or that no kind has, is a page with status 404."""
        assert "Nothing is there" in get(shown, f"/array/{path}", 404).text

    def test_attributes_are_a_tree(self, tmp_path):
        """Attributes unfold, however deep and many: beyond a limit, how many are left out is said."""
        store = Store(tmp_path, "training")
        deep = current = {}
        for _ in range(50):
            current["in"] = current = {}
        attributes = {
            "deep": deep,
            "many": list(range(1000)),
            "empty": {},
            "none": None,
            "yes": True,
            "text": "x" * 9999,
        }
        small(store, run="r", options={"attributes": attributes})
        page = get(Client(create_app(store)), "/array/r/validation.zarr/inputs/all/raw")

        assert "1,000 items" in page.text
        assert "and 800 more" in page.text
        assert page.text.count("in 1 item") <= 10
        for text in ("empty : {}", "none : null", "yes : true"):
            assert text in page.text
        assert "x" * 9999 not in page.text

    def test_arrays_of_any_shape_have_a_page(self, tmp_path):
        """An array that is no picture has a page all the same."""
        store = Store(tmp_path, "training")
        arrays = {
            "scalar": np.array(1.0),
            "empty": np.zeros((0, 3, 3, 3)),
            "row": np.arange(5),
            "deep": np.zeros((2, 2, 2, 2, 2)),
            "flags": np.zeros((2, 2), bool),
            "complex": np.zeros((2, 2), complex),
        }
        for name, data in arrays.items():
            store.create(store.identifier("snapshot_array", run="r", volume=name), data=data)
        client = Client(create_app(store))

        for name in arrays:
            assert f"r/snapshot.zarr/{name}" in get(client, f"/array/r/snapshot.zarr/{name}").text
        assert "a single value" in get(client, "/array/r/snapshot.zarr/scalar").text
        assert len(get(client, "/array/r/snapshot.zarr/deep").all("input", type="number")) == 3


class TestLayouts:
    """Nothing on the pages is of one layout."""

    @staticmethod
    def store(name, root):
        store = Store(root, Layout.load(name))
        for kind in store.layout.kinds.values():
            for example in kind.examples if kind.sort == "array" else ():
                small(store, kind.name, **example.values, options={"attributes": {"score": 0.5}})
        return store

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_every_page_of_every_layout(self, name, tmp_path):
        """Every link on every page of a store of each shipped layout leads to what is there."""
        client = Client(create_app(self.store(name, tmp_path)))
        waiting, seen = ["/", "/?.full=1", "/scores"], set()
        while waiting:
            address = waiting.pop()
            if address in seen or address.startswith(("#", "/static/", "/neuroglancer", "/api/")):
                continue
            seen.add(address)
            answer = client.get(address, headers=BROWSER)
            assert answer.status_code == 200, (address, answer.text)
            if address.startswith("/image/"):
                assert answer.headers["content-type"] == "image/png"
            else:
                waiting += [one["href"] for one in read(answer).all("a") if "href" in one]

        assert {urlsplit(one).path.split("/")[1] for one in seen} >= {"", "run", "scores", "array", "compare"}

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_words_are_those_of_the_layout(self, name, tmp_path):
        """What the runs are called is the name of the field that tells them, and its meaning stands below it."""
        layout = Layout.load(name)
        by = arrangement(layout).by
        page = get(Client(create_app(Store(tmp_path, layout))), "/")

        assert page.within("h1") == [words(by).capitalize()]
        assert layout.fields[by].doc in page.text
        assert words(by).capitalize() in page.within("a")

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_an_empty_store_has_pages(self, name, tmp_path):
        """A store that is not there yet has pages, and nothing is made by looking at them."""
        client = Client(create_app(Store(tmp_path / "none", name)))
        for address in ("/", "/?.full=1", "/scores"):
            get(client, address)

        assert not (tmp_path / "none").exists()

    def test_what_belongs_to_no_run(self, tmp_path):
        """Where the field that tells runs may be left out, what is without it is a row with a page of its own."""
        path = "x{% if run is defined %}-{{ run }}{% endif %}.zarr"
        text = (
            "zarrange: 1\nfields: {run: {type: str}, n: {type: int}}\n"
            f"containers: {{c: {{path: '{path}'}}}}\narrays: {{a: {{container: c, path: 'a/{{{{ n }}}}'}}}}\n"
        )
        store = Store(tmp_path, Layout.parse(text))
        small(store, "a", n=1)
        small(store, "a", n=2, run="r")
        client = Client(create_app(store))

        assert "without run" in get(client, "/").within("bdi")
        assert "/compare?run=&n=1" in get(client, "/run?run=").links
        assert "/compare?run=r&n=2" in get(client, "/run?run=r").links

    def test_a_slider_of_days(self, tmp_path):
        """Where the slider goes through days, the matrix and the plot do."""
        text = (
            "zarrange: 1\nfields: {run: {type: str}, day: {type: date}}\ncontainers: {c: {path: '{{ run }}.zarr'}}\n"
            "arrays: {a: {container: c, path: \"{{ day | date('%Y%m%d') }}/a\"}}\n"
        )
        store = Store(tmp_path, Layout.parse(text))
        for day in (30, 31):
            small(store, "a", run="r", day=datetime.date(2026, 1, day), options={"attributes": {"score": day / 100}})
        client = Client(create_app(store))

        assert "2026-01-30 \N{EN DASH} 2026-01-31" in get(client, "/?.full=1").text
        assert "/compare?run=r&day=2026-01-31" in get(client, "/run?run=r").links
        page = get(client, "/scores")
        assert {"2026-01-30", "2026-01-31"} <= set(page.within("text"))
        assert "score 0.31 at day 2026-01-31" in page.within("title")

    def test_a_layout_without_runs_and_slider(self, tmp_path):
        """Where nothing tells runs from each other, all of the store is one row, with a page."""
        text = "zarrange: 1\ncontainers: {c: {path: c.zarr}}\narrays: {a: {container: c, path: a}}\n"
        store = Store(tmp_path, Layout.parse(text))
        small(store, "a", options={"attributes": {"score": 1.5}})
        client = Client(create_app(store))

        assert "/run" in get(client, "/?.full=1").links
        assert "/array/c.zarr/a" in get(client, "/run").links
        assert "1.5" in get(client, "/scores").text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Runs of hostile names, each with hostile values in every field, and hostile attributes."""
    store = Store(tmp_path_factory.mktemp("hostile"), "training")
    for name in (*HOSTILE, PLAIN):
        attributes = {name: name, "list": [name] * 20, "map": {name: {name: [name * 20]}}, "score": 0.5}
        attributes |= {"units": [name * 20, name * 20], "scores": {name: 0.25}}
        options = {"attributes": attributes, "dimension_names": [name, name + "2"]}
        small(store, "validation_prediction", run=name, iteration=1, dataset=name, options=options)
        small(store, "best_validation", run=name, criterion=name, index=name, options=options)
    return store


@pytest.fixture(scope="module")
def attacked(hostile):
    """Asks the application for the store of hostile names."""
    return Client(create_app(hostile))


def test_object_stores(s3):
    """A store in an object store has the same pages, and its credentials are on none of them."""
    root = f"s3://{s3.new_bucket()}/runs"
    store = fill(root, runs=("r1",), iterations=(1000,), storage_options=s3.options())
    client = Client(create_app(store))
    pages = [get(client, address) for address in ("/?.full=1", "/run?run=r1", "/scores", f"/array/{PREDICTION}")]

    assert "validation output 2" in pages[0].text
    assert in_bytes(run_size(store, "r1")) in pages[0].text
    assert "/compare?run=r1&iteration=1000&dataset=crop1" in pages[1].links
    assert "r1" in pages[2].text
    assert f"Store('{root}')" in pages[3].text
    assert not any(s3.secret in page.html for page in pages)


class TestHostileNames:
    """Nothing in a store's names or attributes is ever run, or becomes a part of a page's structure."""

    def test_the_corpus_is_large_enough(self, hostile):
        """There are more than twenty hostile names, and the layout takes every one of them."""
        assert len(set(HOSTILE)) >= 20
        assert set(hostile.values("run")) == {*HOSTILE, PLAIN}

    @pytest.mark.parametrize("address", ["/", "/?.full=1"])
    def test_the_table_of_runs(self, attacked, address):
        """Every row has the same elements, and shows its name as text, with a link that leads to its page."""
        page = get(attacked, address)
        rows = "".join(f"<{tag} {attributes}>" for tag, attributes in page.shape).split("<tr")[2:]
        links = [one["href"] for one in page.all("a") if one["href"].startswith("/run?")]

        assert len(rows) == len(HOSTILE) + 1
        assert len({row for row in rows if "input" in row and "form" not in row}) <= 2  # the last one has what follows
        assert {parse_qs(urlsplit(one).query, keep_blank_values=True)["run"][0] for one in links} == {
            *HOSTILE,
            PLAIN,
        }
        assert {printable(name) for name in HOSTILE} <= set(page.within("bdi"))

    def test_what_a_form_would_change_has_no_box(self, attacked):
        """A name that browsers change in forms can be looked at, but not chosen in one."""
        values = {one["value"] for one in get(attacked, "/").all("input", type="checkbox")}

        assert values == {*HOSTILE, PLAIN} - set(UNSENDABLE)

    @pytest.mark.parametrize("name", HOSTILE)
    def test_the_page_of_a_run(self, attacked, name):
        """The page of a hostile run has the elements of any run's page, and its name as text."""
        page = get(attacked, asked("/run", run=name))
        plain = get(attacked, asked("/run", run=PLAIN))
        options = len(UNSENDABLE) - (name in UNSENDABLE)

        assert [one for one in page.shape if one[0] != "option"] == [one for one in plain.shape if one[0] != "option"]
        assert len(page.all("option")) == len(HOSTILE) - options
        assert printable(name) in page.within("bdi")

    @pytest.mark.parametrize("name", HOSTILE)
    def test_the_page_of_an_array(self, attacked, hostile, name):
        """The page of an array with hostile values and attributes has the elements of any array's page."""
        pages = []
        for run in (name, PLAIN):
            where = hostile.layout.render("best_validation", run=run, criterion=run, index=run)
            pages.append(get(attacked, f"/array/{quote(where.path)}"))

        assert pages[0].shape == pages[1].shape
        assert printable(name) in pages[0].text or " ".join(printable(name).split()) in pages[0].text

    @pytest.mark.parametrize("name", HOSTILE)
    def test_the_page_of_scores(self, attacked, name):
        """Scores of hostile names are drawn as any others."""
        pages = [get(attacked, asked("/scores", **{"run": run, ".score": f"scores.{run}"})) for run in (name, PLAIN)]
        has_dot = "." in name  # a dot in a name would be a step into it

        drawn = [[one for one in page.shape if one[0] not in {"option", "input", "bdi", "label"}] for page in pages]
        assert has_dot or drawn[0] == drawn[1]

    @pytest.mark.parametrize("name", HOSTILE)
    def test_errors_and_filters(self, attacked, name):
        """What is asked for comes back as text, in errors and in the filter."""
        for address in (
            asked("/run", run=f"{name} is gone"),
            asked("/scores", **{".kind": name}),
            asked("/scores", **{name: name}),
            asked("/", **{".start": name}),
            f"/array/x{quote(name, safe='')}",
        ):
            answer = attacked.get(address, headers=BROWSER)
            assert answer.status_code in {400, 404}
            if answer.headers["content-type"] != "application/json":  # control characters are refused before all else
                read(answer)
        page = get(attacked, asked("/", **{".filter": name}))
        assert page.all("input", name=".filter")[0]["value"] == name

    def test_a_root_of_a_hostile_name(self, tmp_path):
        """The root's own path is text, too."""
        root = tmp_path / "<script>alert(1)<"
        store = fill(root, runs=("r1",), iterations=(1000,))

        assert str(root) in get(Client(create_app(store)), f"/array/{PREDICTION}").text

    def test_a_title_of_a_hostile_layout(self, tmp_path):
        """What a layout says of itself is text, too."""
        text = (
            "zarrange: 1\nfields: {run: {type: str, doc: '<img src=x onerror=alert(1)>'}}\n"
            "containers: {c: {path: '{{ run }}/c.zarr'}}\narrays: {a: {container: c, path: a}}\n"
            "view: {title: '</title><script>alert(1)</script>'}\n"
        )
        page = get(Client(create_app(Store(tmp_path, Layout.parse(text)))), "/")

        assert "</title><script>alert(1)</script>" in page.text
        assert "<img src=x onerror=alert(1)>" in page.text


class TestFrame:
    """What all pages have."""

    ADDRESSES = ("/", "/run?run=r1", "/scores", f"/array/{PREDICTION}", "/run?run=gone")

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_landmarks(self, shown, address):
        """Every page has a header, navigation, a main part with one heading, a footer, and a link that skips to it."""
        answer = shown.get(address, headers=BROWSER)
        page = read(answer)

        for landmark in ("header", "nav", "main", "footer", "h1", "title"):
            assert page.all(landmark), landmark
        assert len(page.all("main")) == len(page.all("h1")) == 1
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}
        assert page.all("main", id="main")
        assert page.all("html", lang="en")
        assert all("alt" in one for one in page.all("img"))

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_every_control_has_a_label(self, shown, address):
        """Every field of a form has a label, of its own or around it."""
        page = read(shown.get(address, headers=BROWSER))
        labels = {one["for"] for one in page.all("label") if "for" in one}
        controls = [one for tag in ("input", "select") for one in page.all(tag) if one.get("type") != "hidden"]

        assert all(one.get("id") in labels or one.get("type") == "checkbox" for one in controls)

    @pytest.mark.parametrize("name", ["style.css", "theme.js", "table.js", "copy.js", "icon.svg"])
    def test_what_pages_need_is_served(self, shown, name):
        """Styles and scripts come from this server, and are not sent again while they are the same."""
        answer = shown.get(f"/static/{name}")
        again = shown.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})

        assert (answer.status_code, again.status_code) == (200, 304)

    @pytest.mark.parametrize("path", ["../pages/__init__.py", "%2e%2e/pages/__init__.py", "..%2fapp.py", "nope.css"])
    def test_nothing_else_is_served(self, shown, path):
        """No path leads out of the folder of styles and scripts."""
        assert shown.get(f"/static/{path}").status_code == 404

    @pytest.mark.parametrize("address", ADDRESSES)
    def test_nothing_comes_from_elsewhere(self, shown, address):
        """Every picture, style and script is of this server, so that pages work offline."""
        page = read(shown.get(address, headers=BROWSER))

        assert page.links
        assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in page.links)
