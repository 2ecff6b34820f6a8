"""What a run has at each place of the slider: all that is there, nothing else, and no more looked at than is shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from tests.view.filled import SHIPPED, counting, fill, write

from zarrange import Layout, Store
from zarrange.errors import FieldError
from zarrange.view.matrix import Cell, matrix

LOOSE = Layout.parse("""
zarrange: 1
name: loose
fields:
  run: {type: str}
  step: {type: int, min: 0}
  name: {type: str}
containers:
  box: {path: "{{ run }}/box.zarr"}
  shelf: {path: "shelf.zarr"}
arrays:
  image: {container: box, path: "{% if step is defined %}at/{{ step }}{% else %}whole{% endif %}/{{ name }}"}
  reference: {container: shelf, path: "{{ name }}"}
view: {by: run, slider: step}
""")
"""The slider may be absent, and one kind belongs to all runs."""


@pytest.fixture(scope="module", params=[(name, where) for name in SHIPPED for where in ("local", "memory")], ids=str)
def shipped(request, tmp_path_factory):
    """A filled store of each shipped layout, for reading only, with a run and what it has."""
    name, where = request.param
    root = tmp_path_factory.mktemp("store") / "root" if where == "local" else f"memory://{uuid4().hex}"
    return fill(root, name), SHIPPED[name][1][0], SHIPPED[name][2]


def steps(tmp_path, count, outputs=1):
    """A run with many steps, of which each has a prediction and some outputs."""
    for step in range(count):
        at = f"r1/validation.zarr/iterations/{step:08}/ds"
        write(tmp_path, f"{at}/prediction")
        for number in range(outputs):
            write(tmp_path, f"{at}/outputs/t{number}")
    return Store(tmp_path, "training")


class TestWhatIsThere:
    def test_every_shipped_layout_is_counted(self, shipped):
        """The cells of the rows and the fixed ones have each array of the run once, where it belongs."""
        store, run, artifacts = shipped
        slider = store.layout.view.slider
        found = matrix(store, run)
        counts = Counter((kind, values.get(slider)) for kind, values, _ in artifacts)
        cells = {(cell.kind, row.value): cell.count for row in found.rows for cell in row.cells if cell.count}
        cells |= {(cell.kind, None): cell.count for cell in found.fixed if cell.count}
        assert cells == counts
        assert [row.value for row in found.rows] == sorted({step for _, step in counts if step is not None})
        assert found.total == len(found.rows)

    def test_each_cell_leads_to_an_array(self, shipped):
        """The path of a cell is that of an array of its kind, and a cell without any has none."""
        store, run, _ = shipped
        found = matrix(store, run)
        for cell in [*found.fixed, *(cell for row in found.rows for cell in row.cells)]:
            readings = store.layout.matches(cell.path) if cell.path else ()
            assert bool(cell.count) == (cell.kind in {key.kind for key in readings})

    def test_a_gap_is_where_other_rows_have_some(self, tmp_path):
        """A cell is a gap if it has nothing and another row has; a kind of which there is nothing has none."""
        found = matrix(fill(tmp_path / "root", "training"), "r1")
        assert [[cell.is_gap for cell in row.cells] for row in found.rows] == [[0, 0], [0, 1], [0, 0]]
        assert (found.columns, found.fullest) == (("validation_prediction", "validation_output"), (1, 2))
        assert found.gaps == 1
        write(tmp_path, "other/r1/validation.zarr/iterations/00000001/ds/prediction")
        assert matrix(Store(tmp_path / "other", "training"), "r1").gaps == 0

    def test_what_was_pruned_is_no_row(self, tmp_path):
        """The groups that are left of a step without any array make no row."""
        store = fill(tmp_path / "root", "training")
        store.remove(store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1"))
        assert [row.value for row in matrix(store, "r1").rows] == [500, 2000]

    def test_a_run_that_is_not_there_has_no_rows(self, shipped):
        """A run that does not exist has no rows, and its fixed cells are empty."""
        found = matrix(shipped[0], "nobody")
        assert (found.rows, found.total, found.gaps) == ((), 0, 0)
        assert all(cell == Cell(cell.kind) for cell in found.fixed)

    def test_what_has_no_step_and_what_has_no_run_is_fixed(self, tmp_path):
        """Arrays without a value of the slider are fixed, and so is what belongs to every run."""
        for path in ("r1/box.zarr/at/1/x", "r1/box.zarr/whole/x", "r1/box.zarr/whole/y", "r2/box.zarr/at/1/x"):
            write(tmp_path, path)
        write(tmp_path, "shelf.zarr/atlas")
        store = Store(tmp_path, LOOSE)
        shelf = Cell("reference", 1, "shelf.zarr/atlas")
        assert matrix(store, "r1").fixed == (Cell("image", 2, "r1/box.zarr/whole/x"), shelf)
        assert matrix(store, "r2").fixed == (shelf,)

    def test_a_value_that_no_run_has_is_refused(self, tmp_path):
        """A value that does not fit the field is an error."""
        with pytest.raises(FieldError, match="portable"):
            matrix(Store(tmp_path, "hive"), "a b")


class TestWhatIsNotClear:
    def test_what_may_be_something_else_is_told(self, tmp_path):
        """In DaCapo's layout each array stands in one cell, that of its likeliest kind, which tells of the doubt."""
        for path in ("500/ds/prediction", "1000/ds/output/t/1", "fg__dice", "crop1/fg__dice", "inputs/raw"):
            write(tmp_path, f"r1/validation.zarr/{path}")
        found = matrix(Store(tmp_path, "dacapo"), "r1")
        counts = [[cell.count for cell in row.cells] for row in found.rows]
        assert (found.columns, counts) == (("validation_prediction", "validation_output"), [[1, 0], [0, 1]])
        assert {cell.kind: (cell.count, cell.ambiguous) for cell in found.fixed if cell.count} == {
            "validation_raw": (1, 1),
            "best_validation": (2, 1),
        }

    def test_what_cannot_be_read_is_told_once(self, tmp_path):
        """Damaged metadata are told, each place once, and the rest is shown."""
        store = fill(tmp_path / "root", "training")
        path = "r1/validation.zarr/iterations/00001000/crop1/prediction"
        Path(store.root, path, "zarr.json").write_text('{"zarr_format": 3}')
        found = matrix(store, "r1")
        assert [one.path for one in found.unreadable] == [path]
        assert "node_type" in found.unreadable[0].reason
        assert [row.value for row in found.rows] == [500, 2000]


class TestParts:
    def test_rows_come_in_parts(self, tmp_path):
        """A part has the rows from its start on, at most as many as are asked for, and how many there are in all."""
        store = steps(tmp_path, 25)
        part = matrix(store, "r1", start=10, most=7)
        assert [row.value for row in part.rows] == [*range(10, 17)]
        assert (part.start, part.total) == (10, 25)
        assert matrix(store, "r1", start=30).rows == ()

    def test_only_what_is_shown_is_looked_at(self, tmp_path):
        """Beside a look for each step, requests are for the rows that are shown, however many arrays there are."""
        store = steps(tmp_path, 120, outputs=30)
        asked = counting(store).asked
        found = matrix(store, "r1", most=5)
        assert [[cell.count for cell in row.cells] for row in found.rows] == [[1, 30]] * 5
        assert asked["look"] < 120 * 3 + 5 * 31 + 50
        assert not asked["size"] + asked["modified"] + asked["read"]

    def test_what_has_to_be_walked_through_is_walked_through_once(self, tmp_path):
        """In DaCapo's layout, where a best array may be anywhere, every array is looked at once for all kinds."""
        for step in range(40):
            for number in range(5):
                write(tmp_path, f"r1/validation.zarr/{step}/ds/output/t{number}")
        store = Store(tmp_path, "dacapo")
        backend = counting(store)
        assert matrix(store, "r1").total == 40
        looks = Counter(path for name, path in backend.paths if name == "look")
        assert looks["r1/validation.zarr/7/ds/output/t3"] == 1
