"""Which arrays stand beside each other: those that are chosen, at every step, and what is missing is said."""

from __future__ import annotations

import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from tests.view.filled import SHIPPED, add, counting, fill, write

from zarrange import Layout, Store, unstructure
from zarrange.errors import FieldError, UnknownKindError
from zarrange.view.comparison import MAX_STEPS, comparison

DAILY = Layout.parse("""
zarrange: 1
name: daily
fields:
  run: {type: str}
  day: {type: date}
  name: {type: str}
containers:
  box: {path: "{{ run }}/box.zarr"}
  shelf: {path: "shelf.zarr"}
arrays:
  image: {container: box, path: "{% if day is defined %}on/{{ day }}{% else %}whole{% endif %}/{{ name }}"}
  reference: {container: shelf, path: "{{ name }}"}
view: {by: run, slider: day, overlays: {reference: image}}
""")


@pytest.fixture(scope="module", params=[(name, where) for name in SHIPPED for where in ("local", "memory")], ids=str)
def shipped(request, tmp_path_factory):
    """A filled store of each shipped layout, for reading only, with a run and what it has."""
    name, where = request.param
    root = tmp_path_factory.mktemp("store") / "root" if where == "local" else f"memory://{uuid4().hex}"
    return fill(root, name), SHIPPED[name][1][0], SHIPPED[name][2]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A filled store of the layout `training`, for reading only."""
    return fill(tmp_path_factory.mktemp("store") / "root", "training")


def panels(found):
    return {panel.kind: panel for panel in found.panels}


def choices(found):
    return {choice.field: (choice.values, choice.chosen) for choice in found.choices}


class TestEveryLayout:
    def test_steps_are_all_that_the_run_has(self, shipped):
        """The steps are all values of the slider in the run, in order, whatever is chosen."""
        store, run, artifacts = shipped
        slider = store.layout.view.slider
        found = comparison(store, run)
        assert found.steps == tuple(sorted({values[slider] for _, values, _ in artifacts if slider in values}))

    def test_everything_can_be_chosen(self, shipped):
        """Whatever array a run has, choosing its values gives its path, at its step."""
        store, run, artifacts = shipped
        slider = store.layout.view.slider
        by = store.layout.view.by
        for kind, values, _ in artifacts:
            chosen = dict.fromkeys(store.layout.kind(kind).optional) | values
            (panel,) = comparison(store, run, chosen, [kind]).panels
            path = store.identifier(kind, **{by: run}, **values).path.removeprefix(f"{store.root}/")
            assert (panel.paths[values[slider]] if slider in values else panel.path) == path

    def test_what_is_chosen_is_among_the_values(self, shipped):
        """Without a choice, the first value of each field is chosen, and panels have what there is of it."""
        store, run, _ = shipped
        found = comparison(store, run)
        assert all(choice.chosen == choice.values[0] for choice in found.choices)
        assert [panel.kind for panel in found.panels if panel.paths or panel.path]
        assert all(panel.note for panel in found.panels if not panel.paths and panel.path is None)

    def test_it_goes_to_json(self, shipped):
        """A comparison is plain data."""
        store, run, _ = shipped
        assert unstructure(comparison(store, run))["panels"][0]["kind"] == comparison(store, run).panels[0].kind


class TestChoices:
    def test_a_field_that_may_be_absent_can_be(self, store):
        """`None` is among the values of a field that some arrays lack, the first of them, and can be chosen."""
        found = comparison(store, "r1", kinds=["validation_raw"])
        assert choices(found) == {"index": ((None, "crop1"), None)}
        assert panels(found)["validation_raw"].path == "r1/validation.zarr/inputs/all/raw"
        found = comparison(store, "r1", {"index": "crop1"}, ["validation_raw"])
        assert panels(found)["validation_raw"].path == "r1/validation.zarr/inputs/indexed/crop1/raw"

    def test_a_field_that_is_never_absent_is_chosen_anyway(self, store):
        """To choose the absence of a field that all have is to choose nothing."""
        found = comparison(store, "r1", {"parameters": None}, ["validation_output"])
        assert choices(found)["parameters"] == (("t0.3", "t0.5"), "t0.3")

    def test_a_choice_concerns_only_kinds_that_have_the_field(self, store):
        """What is chosen of a field does not matter to kinds without it."""
        found = panels(comparison(store, "r1", {"parameters": "nothing"}))
        assert found["validation_output"].paths == {}
        assert [*found["validation_prediction"].paths] == [500, 1000, 2000]

    def test_what_is_not_there_stays_chosen_and_is_said(self, store):
        """A value that nothing has stays chosen, is not among the values, and the panel says what is missing."""
        found = comparison(store, "r1", {"parameters": "t9"}, ["validation_output"])
        assert choices(found)["parameters"] == (("t0.3", "t0.5"), "t9")
        assert found.panels[0].note == "no validation_output with dataset 'crop1', parameters 't9'"

    def test_choices_fit_those_before_them(self, tmp_path):
        """Values of a field are those that arrays have with what is chosen of the fields before it."""
        at = "r1/validation.zarr/iterations/00000001"
        for path in ("a/outputs/t1", "b/outputs/t2", "b/outputs/t3"):
            write(tmp_path, f"{at}/{path}")
        store = Store(tmp_path, "training")
        kinds = ["validation_output"]
        assert choices(comparison(store, "r1", kinds=kinds))["parameters"] == (("t1",), "t1")
        assert choices(comparison(store, "r1", {"dataset": "b"}, kinds))["parameters"] == (("t2", "t3"), "t2")

    def test_only_fields_of_the_kinds_are_chosen(self, store):
        """The choices are those of the kinds that are shown, and no others."""
        assert [*choices(comparison(store, "r1", kinds=["snapshot_array"]))] == ["volume"]

    def test_of_many_steps_some_are_looked_at(self, tmp_path):
        """Of very many steps, choices come from some only, among them the first, the last and the chosen one."""
        for step in range(300):
            write(tmp_path, f"r1/validation.zarr/iterations/{step:08}/ds/outputs/t{step}")
        store = Store(tmp_path, "training")
        found = comparison(store, "r1", {"iteration": 123}, ["validation_output"])
        values = choices(found)["parameters"][0]
        assert {"t0", "t123", "t299"} <= {*values}
        assert MAX_STEPS <= len(values) <= MAX_STEPS + 1
        assert len(found.steps) == 300


class TestPanels:
    def test_paths_are_by_step(self, store):
        """A panel has a path for each step at which there is such an array, and none where there is not."""
        found = comparison(store, "r1", {"parameters": "t0.5"})
        assert panels(found)["validation_output"].paths == {
            at: f"r1/validation.zarr/iterations/{at:08}/crop1/outputs/t0.5" for at in (500, 2000)
        }
        assert found.steps == (500, 1000, 2000)

    def test_what_is_drawn_over_what_is_told(self, store):
        """A panel names the kind that it is drawn over."""
        assert panels(comparison(store, "r1"))["validation_gt"].over == "validation_raw"

    def test_kinds_come_in_the_layouts_order(self, store):
        """The panels are those of the kinds that are asked for, in the layout's order, each once."""
        found = comparison(store, "r1", kinds=["validation_output", "validation_raw", "validation_raw"])
        assert [panel.kind for panel in found.panels] == ["validation_raw", "validation_output"]

    def test_what_has_no_step_and_what_has_no_run_is_there_too(self, tmp_path):
        """An array without a value of the slider is the panel's one path; what belongs to no run is beside each."""
        for path in ("r1/box.zarr/on/2026-01-31/x", "r1/box.zarr/whole/x", "shelf.zarr/x"):
            write(tmp_path, path)
        found = comparison(Store(tmp_path, DAILY), "r1")
        image, reference = found.panels
        assert image.paths == {datetime.date(2026, 1, 31): "r1/box.zarr/on/2026-01-31/x"}
        assert (image.path, reference.path) == ("r1/box.zarr/whole/x", "shelf.zarr/x")

    def test_what_may_be_something_else_is_said(self, tmp_path):
        """In DaCapo's layout a panel says what its arrays may be as well, and an array is in one panel only."""
        for path in ("500/ds/prediction", "1000/ds/prediction", "crop1/fg__dice", "fg__dice"):
            write(tmp_path, f"r1/validation.zarr/{path}")
        found = comparison(Store(tmp_path, "dacapo"), "r1", {"criterion": "fg__dice", "index": "crop1"})
        shown = panels(found)
        assert shown["validation_prediction"].note == "2 of 2 arrays: ambiguous, may be best_validation as well"
        assert shown["best_validation"].path == "r1/validation.zarr/crop1/fg__dice"
        assert shown["best_validation"].note == "ambiguous, may be best_validation with other values as well"
        assert choices(found)["criterion"][0] == ("crop1/fg__dice", "fg__dice")

    def test_what_cannot_be_read_is_told(self, tmp_path):
        """Damaged metadata are told beside the panels, and other steps are shown."""
        store = fill(tmp_path / "root", "training")
        path = "r1/validation.zarr/iterations/00001000/crop1/prediction"
        Path(store.root, path, "zarr.json").write_text("[]")
        found = comparison(store, "r1")
        assert [one.path for one in found.unreadable] == [path]
        assert [*panels(found)["validation_prediction"].paths] == [500, 2000]

    def test_a_run_that_is_not_there_has_none(self, store):
        """A run that does not exist has no steps, no values and no paths."""
        found = comparison(store, "nobody")
        assert (found.steps, {choice.values for choice in found.choices}) == ((), {()})
        assert not any(panel.paths or panel.path for panel in found.panels)


class TestWhatIsRefused:
    def test_fields_and_kinds_that_are_none(self, store):
        """A field or a kind that the layout does not have, and a value that does not fit, are errors."""
        with pytest.raises(FieldError, match="not in the layout"):
            comparison(store, "r1", {"nothing": 1})
        with pytest.raises(FieldError, match="whole number"):
            comparison(store, "r1", {"iteration": "1000"})
        with pytest.raises(UnknownKindError, match="nothing"):
            comparison(store, "r1", kinds=["nothing"])
        with pytest.raises(ValueError, match="`validation` is no kind of arrays"):
            comparison(store, "r1", kinds=["validation"])


class TestRequests:
    def test_chunks_are_never_asked_for(self, tmp_path):
        """A comparison asks for names and metadata only, on disk and in memory."""
        for root in (tmp_path / "root", f"memory://{uuid4().hex}"):
            store = fill(root, "training")
            backend = counting(store)
            assert comparison(store, "r1").panels
            assert not backend.asked["size"] + backend.asked["read"] + backend.asked["modified"]
            assert not any("/c/" in f"{path}/" for _, path in backend.paths)

    def test_what_is_not_chosen_costs_little(self, tmp_path):
        """Of the outputs of many steps, only the chosen ones are looked at at each step, and all at some steps."""
        for step in range(200):
            for number in range(20):
                write(tmp_path, f"r1/validation.zarr/iterations/{step:08}/ds/outputs/t{number:02}")
        store = Store(tmp_path, "training")
        asked = counting(store).asked
        found = comparison(store, "r1", {"parameters": "t07"})
        assert len(panels(found)["validation_output"].paths) == 200
        assert asked["look"] < 200 * 4 + MAX_STEPS * 25

    def test_other_runs_cost_nothing(self, tmp_path):
        """Nothing of another run is looked at."""
        store = fill(tmp_path / "root", "training")
        add(store, "validation_raw", run="r3")
        backend = counting(store)
        comparison(store, "r3")
        assert not any(path.startswith(("r1", "r2")) for _, path in backend.paths)
