"""What a store has run by run: names by one listing, the rest run by run, and nothing that is wrong raises."""

from __future__ import annotations

import os
import time
from pathlib import Path
from uuid import uuid4

import pytest
from tests.view.filled import SHIPPED, add, counting, fill, write

from zarrange import Layout, Store
from zarrange.errors import FieldError, IncompleteError
from zarrange.view.listings import Gathering
from zarrange.view.matrix import matrix
from zarrange.view.runs import RunSummary, run_names, run_size, run_summary

DATED = Layout.parse("""
zarrange: 1
name: dated
fields:
  lab: {type: str}
  run: {type: int, min: 0}
  day: {type: date}
  name: {type: str}
arrays:
  frame: {container: box, path: "frames/{{ day }}/{{ name }}"}
containers:
  box: {path: "{% if lab is defined %}labs/{{ lab }}{% else %}common{% endif %}/box.zarr"}
files:
  note: {path: "notes/{{ lab }}.txt"}
view: {by: lab, slider: day}
""")
FLAT = Layout.parse("""
zarrange: 1
name: flat
fields: {level: {type: int}}
containers: {box: {path: box.zarr}}
arrays: {image: {container: box, path: "s{{ level }}"}}
view: {slider: level}
""")


@pytest.fixture(scope="module", params=["local", "memory"])
def place(request, tmp_path_factory):
    """A function that gives a root: of a folder, or in memory."""
    if request.param == "local":
        return lambda: tmp_path_factory.mktemp("store") / "root"
    return lambda: f"memory://{uuid4().hex}"


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request, place):
    """A filled store of each shipped layout, for reading only, with its runs and what each has."""
    return fill(place(), request.param), *SHIPPED[request.param][1:]


class TestNames:
    def test_every_shipped_layout_has_its_runs(self, shipped):
        """The runs of a store are what the layout tells them by, in order, on disk and in memory."""
        store, runs, _ = shipped
        assert run_names(store) == runs

    def test_ten_thousand_runs_are_one_listing(self, tmp_path):
        """The names of however many runs take one listing, and not one look at what is in them."""
        for number in range(10_000):
            os.mkdir(tmp_path / f"r{number:05}")
        store = Store(tmp_path, "training")
        asked = counting(store).asked
        assert len(run_names(store)) == 10_000
        assert asked == {"items": 1, "transactions": 1}

    def test_only_folders_are_runs(self, tmp_path):
        """What is no folder is no run, neither a file nor a symlink, and nor is what zarrange keeps for itself."""
        Store.init(tmp_path, "hive")
        for name in ("run=a", "run=.hidden", "b"):
            (tmp_path / name).mkdir()
        (tmp_path / "run=file").touch()
        (tmp_path / "run=link").symlink_to(tmp_path / "run=a")
        assert run_names(Store(tmp_path)) == ("a",)

    def test_what_was_removed_is_no_run(self, place):
        """A run of which everything was removed is gone at once, and back when the removal is undone."""
        store = fill(place(), "training")
        store.plan_removal_of(store.find(run="r2"), recursive=True, grace=3600).apply()
        assert run_names(store) == ("r1",)
        store.undo()
        assert run_names(store) == ("r1", "r2")

    def test_a_run_of_which_something_is_left_stays(self, place):
        """A run of which only a part was removed is one still."""
        store = fill(place(), "training")
        store.remove(store.identifier("validation_gt", run="r2"), grace=3600)
        assert run_names(store) == ("r1", "r2")

    def test_without_such_a_field_there_is_one_run_for_all(self, tmp_path):
        """Where no field tells runs, everything is of the run `None`."""
        store = Store(tmp_path, FLAT)
        write(tmp_path, "box.zarr/s0")
        assert run_names(store) == (None,)
        assert run_summary(store, None).count == 1

    def test_what_has_no_run_is_a_run_of_its_own(self, tmp_path):
        """What belongs to no run comes first, as `None`, and kinds that have their runs elsewhere count, too."""
        store = Store(tmp_path, DATED)
        write(tmp_path, "labs/b/box.zarr/frames/2026-01-31/x")
        assert run_names(store) == ("b",)
        write(tmp_path, "common/box.zarr/frames/2026-01-30/x")
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "a.txt").touch()
        assert run_names(store) == (None, "a", "b")
        assert run_summary(store, None).count == 1

    def test_an_empty_root_has_none(self, place):
        """A store that does not exist yet has no runs."""
        assert run_names(Store(place(), "training")) == ()


class TestSummary:
    def test_every_shipped_layout_is_counted(self, shipped):
        """A summary has every array once, under its kind, and the first and the last place of the slider."""
        store, (run, _), artifacts = shipped
        found = run_summary(store, run)
        counts = {kind: sum(one == kind for one, _, _ in artifacts) for kind, _, _ in artifacts}
        assert dict(found.kinds) == counts
        assert found.count == len(artifacts)
        slider = store.layout.view.slider
        steps = [values[slider] for _, values, _ in artifacts if slider in values]
        assert (found.first, found.last) == (min(steps), max(steps))
        assert found.unreadable == 0

    def test_when_something_came_last_is_told(self, shipped):
        """The time of the last change is about now for what was written just now."""
        store, (run, _), _ = shipped
        assert time.time() - 600 < run_summary(store, run).modified <= time.time() + 5

    def test_a_run_that_is_not_there_has_nothing(self, shipped):
        """A run that does not exist has a summary of nothing."""
        store, _, _ = shipped
        assert run_summary(store, "nobody") == RunSummary("nobody", (), 0, None, None, None, 0, 0)

    def test_a_run_is_walked_through_once(self, place):
        """Where a run has to be walked through as a whole for its matrix, its summary lists nothing again."""
        store = fill(place(), "dacapo")
        gathering = Gathering(store)
        matrix(store, "r1", gathering=gathering)
        backend = counting(store)
        found = run_summary(store, "r1", gathering=gathering)
        assert not backend.asked["items"]
        assert not backend.asked["look"]
        assert found == run_summary(store, "r1")
        assert backend.asked["items"]

    def test_chunks_are_not_looked_at(self, place):
        """A summary asks for nothing of chunks, neither their names nor their times."""
        store = fill(place(), "training")
        backend = counting(store)
        run_summary(store, "r1")
        assert not backend.asked["size"]
        times = [path for name, path in backend.paths if name == "modified"]
        assert times
        assert all(path.endswith("/zarr.json") for path in times)
        assert not any("/c/" in f"{path}/" for _, path in backend.paths)

    def test_what_cannot_be_read_is_counted(self, tmp_path):
        """Damaged metadata are counted beside what could be read, and raise nothing."""
        store = fill(tmp_path / "root", "training")
        Path(store.root, "r1/validation.zarr/inputs/all/raw/zarr.json").write_text("{")
        found = run_summary(store, "r1")
        assert (found.unreadable, dict(found.kinds)["validation_raw"]) == (1, 1)

    def test_what_may_be_something_else_counts_as_the_likeliest(self, tmp_path):
        """In DaCapo's layout, where a best array may be anything, each array counts once, and that is told."""
        store = Store(tmp_path, "dacapo")
        for path in ("1000/ds/prediction", "1000/ds/output/t/1", "fg__dice", "crop1/fg__dice", "inputs/raw"):
            write(tmp_path, f"r1/validation.zarr/{path}")
        found = run_summary(store, "r1")
        assert dict(found.kinds) == {
            "validation_prediction": 1,
            "validation_output": 1,
            "best_validation": 2,
            "validation_raw": 1,
        }
        assert found.ambiguous == 4

    def test_what_all_runs_share_is_of_none(self, tmp_path):
        """What does not know of runs counts for no run, neither its number nor its bytes."""
        layout = Layout.parse("""
zarrange: 1
name: shared
fields: {run: {type: str}, step: {type: int}, name: {type: str}}
containers: {box: {path: "{{ run }}/box.zarr"}, shelf: {path: shelf.zarr}}
arrays: {image: {container: box, path: "{{ step }}"}, atlas: {container: shelf, path: "{{ name }}"}}
view: {by: run, slider: step}
""")
        write(tmp_path, "r1/box.zarr/1")
        write(tmp_path, "shelf.zarr/atlas")
        store = Store(tmp_path, layout)
        assert run_summary(store, "r1").kinds == (("image", 1),)
        assert run_size(store, "r1") == os.stat(tmp_path / "r1/box.zarr/1/zarr.json").st_size

    def test_files_count(self, tmp_path):
        """Files are counted, and their times are asked for."""
        store = Store(tmp_path, DATED)
        with store.create(store.identifier("note", lab="a")) as file:
            file.write(b"x")
        found = run_summary(store, "a")
        assert found.kinds == (("note", 1),)
        assert found.modified == os.stat(tmp_path / "notes/a.txt").st_mtime

    def test_a_value_that_no_run_has_is_refused(self, tmp_path):
        """A value that does not fit the field is an error, and so is a run where there are none."""
        with pytest.raises(FieldError, match=r"does not take '\.\./x'"):
            run_summary(Store(tmp_path, "hive"), "../x")
        with pytest.raises(ValueError, match="no field that tells runs"):
            run_summary(Store(tmp_path, FLAT), "r1")


class TestSize:
    def test_it_is_what_all_files_take(self, tmp_path):
        """The size of a run is that of all its files, those of containers and groups included."""
        store = fill(tmp_path / "root", "training")
        files = [path for path in Path(store.root, "r1").rglob("*") if path.is_file()]
        assert run_size(store, "r1") == sum(path.stat().st_size for path in files)

    def test_it_is_told_in_memory_too(self):
        """The size of a run in an object store is counted, and one that is not there takes none."""
        store = fill(f"memory://{uuid4().hex}", "hive")
        assert run_size(store, "r1") == run_size(store, "r2") > 1000
        assert run_size(store, "r3") == 0

    def test_what_could_not_be_measured_is_an_error(self, tmp_path):
        """A size that is not of everything is an error, not a smaller size."""
        store = Store(tmp_path, "training")
        add(store, "validation_raw", run="r1")
        (tmp_path / "r1/snapshot.zarr").symlink_to(tmp_path)
        with pytest.raises(IncompleteError, match="symlink"):
            run_size(store, "r1")
