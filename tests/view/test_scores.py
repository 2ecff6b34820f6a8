"""The numbers in arrays' attributes, as lines over the slider: each once, where it belongs, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from tests.view.filled import SHIPPED, add, counting, fill, write

from zarrange import Layout, Store, unstructure
from zarrange.errors import FieldError, UnknownKindError
from zarrange.view.scores import MAX_NAMES, Line, Point, scores

OLD = Layout.parse("""
zarrange: 1
name: old
fields: {run: {type: str}, step: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr", zarr_format: 2}}
arrays: {image: {container: box, path: "{{ step }}/image"}}
""")
PLACE = "r1/validation.zarr/iterations/{:08}/ds/prediction"


@pytest.fixture(scope="module", params=[(name, where) for name in SHIPPED for where in ("local", "memory")], ids=str)
def shipped(request, tmp_path_factory):
    """A filled store of each shipped layout, for reading only, with its runs and what each has."""
    name, where = request.param
    root = tmp_path_factory.mktemp("store") / "root" if where == "local" else f"memory://{uuid4().hex}"
    return fill(root, name), *SHIPPED[name][1:]


def with_attributes(tmp_path, *attributes):
    """A store with one run, of which each step has the attributes given."""
    for step, each in enumerate(attributes):
        write(tmp_path, PLACE.format(step), each)
    return Store(tmp_path, "training")


def flat(attributes):
    """All numbers among attributes, and in mappings in them, by name."""
    for name, value in attributes.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        elif isinstance(value, int | float):
            yield name, value


class TestLines:
    def test_every_number_of_every_shipped_layout_is_a_point(self, shipped):
        """The lines of a score have a point for each array with that number, under its run, kind and choices."""
        store, runs, artifacts = shipped
        view = store.layout.view
        names = {name for _, _, attributes in artifacts for name, _ in flat(attributes)}
        assert scores(store).names == tuple(sorted(names))
        for name in names:
            expected = {
                (run, kind, frozenset({**values, view.slider: None}.items()), values.get(view.slider), value)
                for run in runs
                for kind, values, attributes in artifacts
                for one, value in flat(attributes)
                if one == name
            }
            found = [
                (line.run, line.kind, frozenset({**line.choices, view.slider: None}.items()), point.step, point.value)
                for line in scores(store, name=name).lines
                for point in line.points
            ]
            assert set(found) == expected
            assert len(found) == len(expected)

    def test_points_are_in_the_order_of_the_slider_and_lead_to_their_arrays(self, shipped):
        """A line goes from the first step to the last, and each point names the array that it is of."""
        store, _, _ = shipped
        for line in scores(store).lines:
            assert list(line.points) == sorted(line.points, key=lambda point: point.step)
            for point in line.points:
                readings = store.layout.matches(point.path)
                assert line.kind in {key.kind for key in readings}

    def test_the_name_is_the_commonest_one_unless_it_is_given(self, tmp_path):
        """Without a name, the lines are of the score that most arrays have, and all names are told anyway."""
        store = with_attributes(tmp_path, {"a": 1, "b": 1}, {"b": 2})
        found = scores(store)
        assert (found.names, found.name) == (("a", "b"), "b")
        assert scores(store, name="a").names == ("a", "b")
        assert scores(store, name="c").lines == ()

    def test_an_array_without_a_step_is_a_line_of_one_point(self, tmp_path):
        """A best array has no iteration, and its score stands at none."""
        found = scores(fill(tmp_path / "root", "training"), kind="best_validation", runs=["r1"])
        assert found.lines == (
            Line(
                "r1",
                "best_validation",
                {"criterion": "dice"},
                (Point(None, 0.8, "r1/validation.zarr/best/dice/all"),),
            ),
        )

    def test_it_goes_to_json(self, shipped):
        """Scores are plain data."""
        assert json.loads(json.dumps(unstructure(scores(shipped[0]))))["names"]


class TestWhichArrays:
    def test_runs_and_a_kind_can_be_chosen(self, shipped):
        """Only runs that are asked for are looked at, and only the kind."""
        store, (run, other), artifacts = shipped
        kind = next(kind for kind, _, attributes in artifacts if [*flat(attributes)])
        found = scores(store, kind=kind, runs=[run, run])
        assert {(line.run, line.kind) for line in found.lines} == {(run, kind)}
        assert {line.run for line in scores(store, runs=[other, run]).lines} == {run, other}
        assert scores(store, runs=["nobody"]).lines == ()

    def test_what_has_no_scores_is_refused(self, tmp_path):
        """A kind that is of no arrays, or that the layout does not have, is an error, and so is no run."""
        store = Store(tmp_path, "hive")
        with pytest.raises(ValueError, match="no kind of arrays"):
            scores(store, kind="validation")
        with pytest.raises(UnknownKindError):
            scores(store, kind="nothing")
        with pytest.raises(FieldError):
            scores(store, runs=["a b"])

    def test_chunks_are_not_looked_at(self, tmp_path):
        """Scores ask for metadata only, and for nothing of other runs."""
        store = fill(tmp_path / "root", "training")
        backend = counting(store)
        assert scores(store, runs=["r1"]).names
        assert not backend.asked["size"] + backend.asked["modified"] + backend.asked["read"]
        assert not any(path.startswith("r2") or "/c/" in f"{path}/" for _, path in backend.paths)

    @pytest.mark.parametrize("where", ["local", "memory"])
    def test_arrays_of_format_2_have_theirs_in_another_file(self, tmp_path, where):
        """The attributes of arrays of zarr format 2 are read, too; what cannot be read is told."""
        store = Store(tmp_path if where == "local" else f"memory://{uuid4().hex}", OLD)
        for step in range(3):
            add(store, "image", {"dice": step / 4}, run="r1", step=step)
        if where == "local":
            (tmp_path / "r1.zarr/1/image/.zattrs").write_text("{")
        else:
            store._backend.write("r1.zarr/1/image/.zattrs", b"{", replace=True)
        found = scores(store)
        assert [(point.step, point.value) for point in found.lines[0].points] == [(0, 0.0), (2, 0.5)]
        assert [(one.path, "JSON" in one.reason) for one in found.unreadable] == [("r1.zarr/1/image", True)]

    def test_what_cannot_be_read_is_told(self, tmp_path):
        """Damaged metadata are told beside the lines of the rest."""
        store = with_attributes(tmp_path, {"a": 1}, {"a": 2})
        Path(tmp_path, PLACE.format(1), "zarr.json").write_text("")
        found = scores(store)
        assert [one.path for one in found.unreadable] == [PLACE.format(1)]
        assert [point.step for point in found.lines[0].points] == [0]

    def test_what_may_be_something_else_has_one_line(self, tmp_path):
        """In DaCapo's layout each score is of the likeliest array, once, and how many are in doubt is told."""
        for step in (0, 1):
            write(tmp_path, f"r1/validation.zarr/{step}/ds/prediction", {"a": step})
        write(tmp_path, "r1/validation.zarr/fg__dice", {"a": 5})
        found = scores(Store(tmp_path, "dacapo"))
        assert {line.kind: len(line.points) for line in found.lines} == {
            "validation_prediction": 2,
            "best_validation": 1,
        }
        assert found.ambiguous == 2

    def test_a_limit_is_told(self, tmp_path):
        """Of very many arrays only the first ones are looked at, and that is said."""
        store = with_attributes(tmp_path, *({"a": step} for step in range(5)))
        assert scores(store).cut_at is None
        found = scores(store, most=3)
        assert (found.cut_at, len(found.lines[0].points)) == (3, 3)
        assert scores(store, most=5).cut_at is None


class TestNames:
    def test_numbers_in_mappings_have_dotted_names(self, tmp_path):
        """A number may stand three levels deep; its name has the names above it, and one with dots is taken first."""
        attributes = {"x": 1, "s": {"y": 2, "t": {"z": 3, "u": {"deep": 4}}}, "s.y": 5}
        found = scores(with_attributes(tmp_path, attributes))
        assert found.names == ("s.t.z", "s.y", "x")
        assert scores(Store(tmp_path, "training"), name="s.y").lines[0].points[0].value == 5

    def test_what_says_what_an_array_is_is_no_score(self, tmp_path):
        """zarrange's own mark, OME-Zarr's metadata and those of voxels are no scores, whatever numbers are in them."""
        attributes = {
            "zarrange": {"complete": True, "n": 1},
            "ome": {"version": 0.5},
            "multiscales": {"v": 1},
            "omero": {"v": 1},
            "voxel_size": 4,
            "resolution": {"x": 4},
            "offset": 0,
            "loss": 0.5,
        }
        assert scores(with_attributes(tmp_path, attributes)).names == ("loss",)

    def test_what_is_no_number_is_no_score(self, tmp_path):
        """Texts, truth values, lists, nothing, and numbers without a finite value are no scores."""
        odd = {"text": "1", "yes": True, "list": [1], "none": None, "nan": float("nan"), "inf": float("inf")}
        found = scores(with_attributes(tmp_path, {**odd, "huge": 10**400, "big": 2**70, "one": 1}))
        assert found.names == ("big", "one")

    def test_names_from_strangers_are_names(self, tmp_path):
        """Whatever a name has in it, it is one, and gives its line."""
        names = ["<script>", "a.b", "", "..", "\u202e", "'\"", "x\0y"]
        store = with_attributes(tmp_path, dict.fromkeys(names, 1))
        assert scores(store).names == tuple(sorted(names))
        assert all(len(scores(store, name=name).lines) == 1 for name in names)

    def test_very_many_names_have_a_limit(self, tmp_path):
        """Of more names than anybody would look at, some are left out."""
        store = with_attributes(tmp_path, {f"n{number}": number for number in range(5000)})
        assert len(scores(store).names) == MAX_NAMES
