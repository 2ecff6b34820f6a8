"""What is known of one array: what its metadata say, and Python code that really opens it."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from tests.view.filled import DATA, SHIPPED, add, counting, fill, write

from zarrange import Key, Layout, Store, unstructure
from zarrange.errors import NotFoundError, NotInStoreError, UnreadableError
from zarrange.view.details import MAX_DEPTH, described

DAILY = """
zarrange: 1
name: daily
fields: {run: {type: str, charset: text}, day: {type: date}}
containers: {box: {path: "{{ run | quote }}.zarr", zarr_format: 2}}
arrays: {image: {container: box, path: "{{ day }}/image"}}
"""


@pytest.fixture(scope="module", params=[(name, where) for name in SHIPPED for where in ("local", "memory")], ids=str)
def shipped(request, tmp_path_factory):
    """A filled store of each shipped layout, for reading only, with a run and what it has."""
    name, where = request.param
    root = tmp_path_factory.mktemp("store") / "root" if where == "local" else f"memory://{uuid4().hex}"
    return fill(root, name), SHIPPED[name]


def run(code):
    """Run code, and return the array that it opens."""
    found = {}
    exec(code, found)
    return found["array"]


class TestWhatIsKnown:
    def test_every_array_of_every_shipped_layout_is_described(self, shipped):
        """An array's key, run, shape, data type, chunks and attributes are told."""
        store, (by, runs, artifacts) = shipped
        for kind, values, attributes in artifacts[::4]:
            identifier = store.identifier(kind, **{by: runs[1]}, **values)
            found = described(store, identifier.path.removeprefix(f"{store.root}/"))
            assert Key(kind, {by: runs[1], **values}) in found.keys
            assert (found.place, found.run) == (identifier.path, runs[1])
            assert (found.shape, found.dtype, found.chunks, found.nbytes) == ((4, 4, 4), "float32", (2, 4, 4), 256)
            assert found.attributes == attributes
            assert [axis.size for axis in found.axes] == [4, 4, 4]
            assert found.note == ""

    def test_scales_are_told(self, tmp_path):
        """The axes have the scales that the attributes say."""
        store = fill(tmp_path / "root", "training")
        found = described(store, "r1/validation.zarr/inputs/all/raw")
        assert [(axis.name, axis.scale) for axis in found.axes] == [("z", 8), ("y", 4), ("x", 4)]
        written = Path(store.root, "r1/validation.zarr/inputs/all/raw/zarr.json").stat().st_mtime
        assert found.modified == written

    def test_chunks_are_not_looked_at(self, tmp_path):
        """Nothing of an array is asked for but its metadata, and those of the groups above."""
        store = fill(tmp_path / "root", "training")
        backend = counting(store)
        described(store, "r1/validation.zarr/inputs/all/raw")
        assert not backend.asked["size"] + backend.asked["items"] + backend.asked["pages"]
        assert {path for name, path in backend.paths if name == "modified"} == {
            "r1/validation.zarr/inputs/all/raw/zarr.json"
        }

    def test_all_readings_are_told(self, tmp_path):
        """What may be several artifacts has all their keys, and code for the likeliest one."""
        write(tmp_path, "r1/validation.zarr/1000/ds/prediction")
        found = described(Store(tmp_path, "dacapo"), "r1/validation.zarr/1000/ds/prediction")
        assert len(found.keys) > 2
        assert "'validation_prediction'" in found.python
        assert found.run == "r1"

    def test_it_goes_to_json(self, shipped):
        """A description is plain data."""
        store, (by, runs, artifacts) = shipped
        kind, values, _ = artifacts[0]
        path = store.identifier(kind, **{by: runs[0]}, **values).path.removeprefix(f"{store.root}/")
        assert json.loads(json.dumps(unstructure(described(store, path))))["path"] == path


class TestPython:
    def test_both_ways_open_the_array(self, tmp_path):
        """The code opens the very array, by its key and by zarr alone, of whatever name it is."""
        name = 'it\'s "a" \\ {x} \n <b>'
        layout = tmp_path / "daily.yaml"
        layout.write_text(DAILY)
        store = Store(tmp_path / "a 'root'", layout)
        day = datetime.date(2026, 1, 31)
        found = described(store, add(store, "image", run=name, day=day))
        for code in (found.python, found.plain_python):
            assert np.array_equal(run(code)[:], DATA)

    def test_a_store_that_says_its_layout_needs_none(self, tmp_path):
        """The layout is given by its name if it is a shipped one, by its file if not, and not at all if recorded."""
        (tmp_path / "own.yaml").write_text(DAILY)
        for layout, said in (("training", "layout='training'"), (tmp_path / "own.yaml", f"'{tmp_path}/own.yaml'")):
            store = Store(tmp_path / "a", layout)
            path = "r1/validation.zarr/inputs/all/raw" if layout == "training" else "r1.zarr/2026-01-31/image"
            write(tmp_path / "a", path)
            assert said in described(store, path).python
        Store.init(tmp_path / "b", "training")
        write(tmp_path / "b", "r1/validation.zarr/inputs/all/raw")
        found = described(Store(tmp_path / "b"), "r1/validation.zarr/inputs/all/raw")
        assert "layout" not in found.python
        assert run(found.python).shape == (4,)

    def test_the_code_runs_in_a_process_of_its_own(self, tmp_path):
        """The code needs nothing that was there before."""
        store = fill(tmp_path / "root", "hive")
        found = described(store, "run=r1/validation.zarr/inputs/all/gt")
        for code in (found.python, found.plain_python):
            asked = [sys.executable, "-c", f"{code}\nprint(array[3, 3, 3])"]
            assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "63.0\n"

    def test_an_array_of_an_object_store_is_opened_by_zarr_with_obstore(self, tmp_path):
        """For an object store, zarr alone is given a store of obstore, of the same URL."""
        store = Store(f"memory://{uuid4().hex}/a", "training")
        found = described(store, add(store, "validation_gt", run="a b"))
        assert f"from_url({store.root!r})" in found.plain_python
        assert "path='a%20b/validation.zarr/inputs/all/gt'" in found.plain_python
        folder = fill(tmp_path / "root", "training")
        code = found.plain_python.replace(repr(store.root), repr(Path(folder.root).as_uri())).replace("a%20b", "r1")
        assert np.array_equal(run(code)[:], DATA)


class TestWhatIsWrong:
    def test_attributes_that_cannot_be_read_are_a_note(self, tmp_path):
        """An array of format 2 with damaged attributes is described without them, and it is said why."""
        store = Store(tmp_path, Layout.parse(DAILY))
        path = add(store, "image", run="r1", day=datetime.date(2026, 1, 31))
        Path(tmp_path, path, ".zattrs").write_text("{")
        found = described(store, path)
        assert found.attributes is None
        assert "not JSON" in found.note
        assert [axis.name for axis in found.axes] == ["z", "y", "x"]

    def test_attributes_that_are_nested_too_deeply_are_a_note(self, tmp_path):
        """What is nested so deeply that it would break what reads it is not given."""
        deep = {}
        for _ in range(MAX_DEPTH + 1):
            deep = {"x": [deep]}
        write(tmp_path, "r1/validation.zarr/inputs/all/raw", deep)
        write(tmp_path, "r1/validation.zarr/inputs/all/gt", {"x": [{"y": [1]}]})
        store = Store(tmp_path, "training")
        found = described(store, "r1/validation.zarr/inputs/all/raw")
        assert found.attributes is None
        assert "nested" in found.note
        assert described(store, "r1/validation.zarr/inputs/all/gt").attributes == {"x": [{"y": [1]}]}

    def test_what_is_no_array_is_refused(self, tmp_path):
        """A path outside, of no kind, of nothing, of a group, of a symlink or with damaged metadata is an error."""
        store = fill(tmp_path / "root", "training")
        for path in ("../x", "/etc/passwd", "r1", "r1/validation.zarr", "r1/validation.zarr/other", ""):
            with pytest.raises(NotInStoreError):
                described(store, path)
        with pytest.raises(NotFoundError):
            described(store, "r3/validation.zarr/inputs/all/raw")
        os.symlink(tmp_path / "root/r1", tmp_path / "root/r4")
        with pytest.raises(UnreadableError):
            described(store, "r4/validation.zarr/inputs/all/raw")
        Path(store.root, "r1/validation.zarr/inputs/all/raw/zarr.json").write_text("{}")
        with pytest.raises(UnreadableError):
            described(store, "r1/validation.zarr/inputs/all/raw")
