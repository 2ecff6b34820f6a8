"""The Compare page as the server gives it: what its address says, which arrays stand where, and what is not there."""

from __future__ import annotations

import json
import re
from datetime import date
from html import unescape

import numpy as np
import pytest
from tests.web.conftest import Client
from tests.web.reading import read

from zarrange import Layout, Store
from zarrange.errors import UnreadableError
from zarrange.view.axes import Axis
from zarrange.web import compare
from zarrange.web.alignment import Placing, across, along
from zarrange.web.app import create_app

PREDICTION = "r1/validation.zarr/iterations/{:08}/crop1/prediction"
LAYOUT = """
zarrange: 1
name: scans
fields:
  day: {type: date}
  scan: {type: str}
containers:
  box: {path: "{{ scan }}.zarr"}
arrays:
  image: {container: box, path: "images/{{ day | date('%Y%m%d') }}"}
  labels: {container: box, path: "labels/{{ day | date('%Y%m%d') }}"}
"""


@pytest.fixture
def make_client():
    """A function that gives what asks the application for a store."""
    return lambda store: Client(create_app(store))


def shown(client, query="", status=200):
    """The page, taken apart."""
    answer = client.get(f"/compare{query}", headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text
    return read(answer)


def data(client, query=""):
    """What the page gives to its script."""
    text = client.get(f"/compare{query}", headers={"Accept": "text/html"}).text
    return json.loads(re.search(r'<script type="application/json" id="comparison">(.*?)</script>', text, re.DOTALL)[1])


def pictures(page):
    """The addresses of the pictures that need no script."""
    return [attributes["src"] for name, attributes in page.elements if name == "img"]


def notices(page):
    """What the page says of what is not there."""
    return [unescape(one.strip()) for one in re.findall(r'<p class="notice warn"[^>]*>(.*?)</p>', page.html)]


def axis(name="x", size=10, role="index", **said):
    return Axis(name, size, role, **said)


class TestPage:
    """The page has a panel for each kind, at the place that the address says."""

    def test_panels_are_in_the_order_of_the_layout(self, client):
        """There is a panel for each kind of array, in the order that the layout's view says."""
        panels = data(client, "?run=r1")["rows"][0]["panels"]
        kinds = ["raw", "gt", "prediction", "output"]
        assert [one["kind"] for one in panels] == [
            *(f"validation_{kind}" for kind in kinds),
            "best_validation",
            "snapshot_array",
        ]

    def test_the_last_iteration_is_shown_first(self, client):
        """Unless the address says otherwise, the first run is shown, at its last iteration, in the middle."""
        found = data(client)
        assert found["rows"][0]["run"] == "r1"
        assert found["slider"] == {"name": "iteration", "word": "iteration", "texts": ["1000", "2000", "3000"]}
        assert found["state"]["step"] == 2
        assert found["state"]["cut"] == {"z": 8, "c": 0}

    def test_the_last_iteration_of_what_is_chosen(self, client, store):
        """The last iteration is the last one at which there is something of what is chosen."""
        where = store.identifier("validation_prediction", run="r1", iteration=4000, dataset="other")
        store.create(where, data=np.ones((4, 4), "f4"))
        assert data(client, "?run=r1&dataset=crop1")["state"]["step"] == 2
        assert data(client, "?run=r1&dataset=other")["state"]["step"] == 3

    def test_first_pictures(self, client):
        """The pictures that need no script are those of the place that the address says, labels over raw data."""
        page = shown(client, "?run=r1&iteration=1000&parameters=t=0.5&.cut=z:3,c:1&.range=0,1")
        path = f"/image/{PREDICTION.format(1000)}"
        assert f"{path}?cut=c%3A1%2Cz%3A3&labels=0&range=0.0%2C1.0" in pictures(page)
        labels = [one for one in pictures(page) if "labels=1" in one]
        assert labels[0] == "/image/r1/validation.zarr/inputs/all/gt?cut=z%3A3&labels=1"
        assert len(labels) == 3
        assert [client.get(one).status_code for one in pictures(page)] == [200] * len(pictures(page))

    def test_two_runs(self, client):
        """Runs stand in the order in which they are asked for, and share all iterations that any of them has."""
        found = data(client, "?run=r2&run=r1")
        assert [row["run"] for row in found["rows"]] == ["r2", "r1"]
        assert found["slider"]["texts"] == ["1000", "2000", "3000"]
        by_kind = {one["kind"]: one for one in found["rows"][0]["panels"]}
        assert [path is None for path in by_kind["validation_prediction"]["paths"]] == [False, True, False]

    def test_the_state_comes_back(self, client):
        """What the address says of the view, the page knows."""
        state = data(
            client,
            "?run=r1&.cut=z:3,c:1&.range=shared&.zoom=2.5&.at=3,4&.show=validation_raw&.labels=validation_raw"
            "&.over=validation_raw:validation_gt&.opacity=0.25",
        )["state"]
        assert state == {
            "step": 2,
            "cut": {"z": 3, "c": 1},
            "range": "shared",
            "zoom": 2.5,
            "at": [3, 4],
            "show": ["validation_raw"],
            "labels": ["validation_raw"],
            "over": {"validation_raw": "validation_gt"},
            "opacity": 0.25,
        }

    def test_kinds_without_any_array_are_told(self, client, store):
        """A kind that has no array at all takes no panel, but is told of."""
        store.remove(store.identifier("snapshot_array", run="r1", volume="raw"))
        page = shown(client, "?run=r1")
        assert "Nothing is here of: snapshot array." in page.html
        assert "snapshot_array" not in data(client, "?run=r1")["state"]["show"]

    def test_any_layout(self, tmp_path, make_client):
        """Dates slide as well as numbers, and labels are told by their type where the layout says nothing."""
        store = Store(tmp_path, Layout.parse(LAYOUT))
        for day in (date(2024, 1, 31), date(2024, 2, 1)):
            for kind, dtype in (("image", "u2"), ("labels", "u4")):
                store.create(store.identifier(kind, scan="s", day=day), data=np.ones((4, 4), dtype))
        found = data(make_client(store), "?day=2024-02-01")
        assert (found["by"], found["slider"]["texts"]) == ("scan", ["2024-01-31", "2024-02-01"])
        assert found["labels"] == ["labels"]
        assert found["state"]["step"] == 1

    @pytest.mark.parametrize("count", [3, 500])
    def test_many_runs_are_typed_in(self, tmp_path, make_client, count):
        """Few runs are chosen from a list, of many one is typed in."""
        for number in range(count):
            (tmp_path / f"run{number:03}" / "validation.zarr").mkdir(parents=True)
        page = shown(make_client(Store(tmp_path, "training")))
        controls = [name for name, attributes in page.elements if attributes.get("name") == "run"]
        assert set(controls) == {"select" if count < 400 else "input"}
        assert sum(name == "option" for name, _ in page.elements) <= 2 * 400


class TestWhatIsNotThere:
    """What is not there is said, and what is nearest is shown."""

    @pytest.mark.parametrize(
        ("query", "notice"),
        [
            ("&iteration=2400", "There is nothing at iteration 2400; 2000, which is nearest, is shown."),
            ("&.cut=z:999", "z goes from 0 to 15: 15 is shown, not 999."),
            ("&.cut=z:-3", "z goes from 0 to 15: 0 is shown, not -3."),
            ("&.cut=q:3", "No array here has an axis 'q' to be cut on."),
        ],
    )
    def test_the_nearest_is_shown(self, client, query, notice):
        """A place that is not there is told, with the one that is shown instead."""
        page = shown(client, f"?run=r1{query}")
        assert [re.sub(r"</?bdi>", "", one) for one in notices(page)] == [notice]
        assert len(pictures(page)) >= 7

    def test_no_such_run(self, client):
        """A run that is not there is told; its panels are empty."""
        page = shown(client, "?run=nobody")
        assert any("There is no run 'nobody'." in one for one in notices(page))
        assert pictures(page) == []

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("?.cut=z", "`.cut`: 'z' is no cut"),
            ("?.range=a,b", "`.range` does not take 'a,b'"),
            ("?.range=0,nan", "`.range` does not take '0,nan'"),
            ("?.zoom=inf", "`.zoom` does not take 'inf'"),
            ("?.at=1", "`.at` does not take '1'; it takes 2 numbers"),
            ("?.show=cat", "`.show` does not take 'cat'; it takes validation_raw"),
            ("?.over=validation_raw:cat", "`.over` does not take 'cat'"),
            ("?.zoom=1&.zoom=2", "`.zoom` is given 2 times"),
            ("?iteration=x", "field `iteration`"),
            ("?colour=red", "'colour' is no parameter of this"),
            ("?run=a&run=b&run=c&run=d&run=e", "at most 4 stand side by side"),
        ],
    )
    def test_what_does_not_fit(self, client, query, message):
        """What cannot be read in an address is refused: as a page to browsers, and as JSON to programs."""
        assert message in unescape(shown(client, query, 400).html)
        answer = client.get(f"/compare{query}")
        assert answer.status_code == 400
        assert message in answer.json()["error"]

    def test_empty_store(self, tmp_path, make_client):
        """A store that has nothing yet has a page, which says so."""
        assert "There is nothing here yet." in shown(make_client(Store(tmp_path / "none", "training"))).html

    def test_data_cannot_end_the_script(self, tmp_path, make_client):
        """What a page gives to its script cannot become markup, whatever the names."""
        name = "</script><script>alert(1)</script><!--"
        store = Store(tmp_path, "training")
        store.create(store.identifier("validation_raw", run=name), data=np.ones((4, 4), "u1"))
        client = make_client(store)
        assert data(client)["rows"][0]["run"] == name
        sources = [attributes for element, attributes in shown(client).elements if element == "script"]
        assert all("src" in one or one.get("type") == "application/json" for one in sources)

    def test_what_cannot_be_looked_through(self, client, monkeypatch):
        """What keeps a run from being looked through is said on the page, which has no script then."""

        def fail(*_):
            raise UnreadableError("'r1' cannot be read: input/output error")

        monkeypatch.setattr(compare, "comparison", fail)
        page = client.get("/compare", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "cannot be read: input/output error" in unescape(page.text)
        assert "compare.js" not in page.text
        assert page.text.rstrip().endswith("</html>")


class TestAlignment:
    """All panels show the same place, whatever the sizes of their arrays."""

    def test_the_same_size(self):
        """Axes of one size go together, place by place."""
        assert [along(axis(), axis()).index(place) for place in range(10)] == [*range(10)]

    def test_by_scale(self):
        """Where scales are known, a place is the one that has the same position; what is outside is nowhere."""
        fine, coarse = axis(size=20, scale=4.0, offset=0.0), axis(size=5, scale=8.0, offset=40.0)
        assert [along(coarse, fine).index(place) for place in (9, 10, 11, 12, 19)] == [None, 0, 0, 1, 4]

    def test_without_scale(self):
        """Where they are not, an axis of another size is taken to be finer or coarser."""
        assert [along(axis(size=5), axis(size=10)).index(place) for place in (0, 1, 2, 9)] == [0, 0, 1, 4]

    def test_other_units_are_no_scale(self):
        """Scales of other units say nothing of each other."""
        one = axis(size=10, scale=4.0, unit="nm")
        assert along(axis(size=10, scale=8.0, unit="s"), one).index(9) == 9

    @pytest.mark.parametrize("unit", ["um", "µm", "micrometer", "nm", "nanometre"])
    def test_units_of_one_quantity(self, unit):
        """Scales of one quantity meet, whatever they are told in."""
        size = 0.001 if unit not in ("nm", "nanometre") else 1.0
        fine, coarse = (
            axis(size=20, scale=4.0, unit="nanometer"),
            axis(size=5, scale=8 * size, offset=40 * size, unit=unit),
        )
        assert [along(coarse, fine).index(place) for place in (9, 10, 11, 12, 19)] == [None, 0, 0, 1, 4]

    def test_channels(self):
        """A channel is the one of that number, or nowhere; an axis of one place is always there."""
        shared = axis("c", 3, "channel")
        assert along(axis("c", 2, "channel"), shared).index(2) is None
        assert along(axis("c", 1, "channel"), shared).index(2) == 0

    def test_planes_by_scale(self):
        """A plane lies where its scales and offsets say."""
        shared = [axis(one, 100, "plane", scale=4.0, offset=0.0) for one in "yx"]
        inner = [axis(one, 20, "plane", scale=8.0, offset=80.0) for one in "yx"]
        assert across(inner, shared) == (Placing(0.5, -10.0, 20), Placing(0.5, -10.0, 20))

    def test_planes_without_scale_keep_their_shape(self):
        """Without scales, a plane of another size fits as a whole, in the middle, not stretched."""
        shared = [axis(one, 100, "plane") for one in "yx"]
        y, x = across([axis("y", 10, "plane"), axis("x", 20, "plane")], shared)
        assert (y, x) == (Placing(0.2, -5.0, 10), Placing(0.2, 0.0, 20))

    def test_planes_that_do_not_meet(self):
        """Where scales would put two planes apart from each other, they are laid on each other."""
        shared = [axis(one, 10, "plane", scale=1.0, offset=0.0) for one in "yx"]
        away = [axis(one, 10, "plane", scale=1.0, offset=1e6) for one in "yx"]
        assert across(away, shared) == (Placing(1.0, 0.0, 10), Placing(1.0, 0.0, 10))
