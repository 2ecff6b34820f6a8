"""Sealed arrays: the mark that says whether all of an array was written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
import zarr

from zarrange import Key, Layout, Store, StoreError
from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError
from zarrange.stores.seal import is_complete, mark, marked

LAYOUT = Layout.parse("""\
zarrange: 1
name: sealed
fields: {run: {type: str}, name: {type: str}}
containers:
  old_box: {path: "{{ run }}/old.zarr", zarr_format: 2}
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
groups:
  part: {container: box, path: "parts/{{ name }}"}
arrays:
  old_image: {container: old_box, path: "images/{{ name }}"}
  image: {container: box, path: "images/{{ name }}"}
files:
  note: {path: "{{ run }}/{{ name }}.txt"}
""")
SHAPE = {"shape": (4,), "dtype": "u1", "chunks": (2,)}
UNFINISHED, COMPLETE = {"zarrange": {"complete": False}}, {"zarrange": {"complete": True}}
KINDS = pytest.mark.parametrize("kind", ["image", "old_image"])


@pytest.fixture
def store(root):
    return Store(root, LAYOUT)


def key(kind, name="a"):
    return Key(kind, {"run": "r", "name": name})


def attributes(store, artifact):
    return dict(store.open(artifact).attrs)


def unfinished(store):
    """The arrays that the doctor finds to be unfinished, relative to the root."""
    found = [one for one in store.examine() if one.rule == "unfinished-array"]
    return [os.path.relpath(one.span.file, store.root) for one in found]


class TestWhy:
    """Why there are marks: zarr does not tell what was never written from zeros."""

    @KINDS
    def test_zeros(self, store, kind):
        """zarr reads chunks that were never written as zeros, without an error; the mark tells them apart."""
        store.create(key(kind), **SHAPE, seal=True)[:2] = 7
        array = store.open(key(kind))
        assert array[:].tolist() == [7, 7, 0, 0]
        assert is_complete(dict(array.attrs)) is False
        assert len(unfinished(store)) == 1

    def test_unsealed(self, store):
        """An array that was created without a seal has no mark, and nothing is said of it."""
        store.create(key("image"), **SHAPE)
        assert attributes(store, key("image")) == {}
        assert is_complete({}) is None
        assert unfinished(store) == []


class TestCreate:
    """`create(seal=True)` marks an array as unfinished until all of it was written."""

    @KINDS
    def test_unfinished(self, store, kind):
        """A new array is marked as unfinished, in its own metadata."""
        array = store.create(key(kind), **SHAPE, seal=True)
        assert dict(array.attrs) == UNFINISHED
        assert attributes(store, key(kind)) == UNFINISHED
        file = "zarr.json" if kind == "image" else ".zattrs"
        with open(f"{store.identifier(kind, run='r', name='a').path}/{file}", encoding="utf-8") as stream:
            content = json.load(stream)
        assert (content["attributes"] if kind == "image" else content) == UNFINISHED

    @KINDS
    def test_data(self, store, kind):
        """An array that is given its data is complete at once."""
        array = store.create(key(kind), data=np.ones(3), seal=True)
        assert dict(array.attrs) == attributes(store, key(kind)) == COMPLETE
        assert unfinished(store) == []

    @KINDS
    @pytest.mark.parametrize("content", [{"shape": (3,), "dtype": "u1"}, {"data": np.ones(3)}])
    def test_own_attributes(self, store, kind, content):
        """The attributes that are given stay, beside the mark, and the mapping itself is not changed."""
        mine = {"a": 1, "b": {"complete": False}}
        store.create(key(kind), **content, attributes=mine, seal=True)
        assert attributes(store, key(kind)) == {**mine, **(COMPLETE if "data" in content else UNFINISHED)}
        assert mine == {"a": 1, "b": {"complete": False}}

    @KINDS
    @pytest.mark.parametrize("value", [{"complete": True}, {}, None, "mine"])
    def test_the_name_is_taken(self, store, root, kind, value):
        """An attribute `zarrange` of one's own is refused with a seal, and nothing is made; without one it is fine."""
        with pytest.raises(ValueError, match="the attribute `zarrange` is where a sealed array keeps its mark"):
            store.create(key(kind), **SHAPE, attributes={"zarrange": value}, seal=True)
        assert os.listdir(root) == []
        store.create(key(kind), **SHAPE, attributes={"zarrange": value})
        assert attributes(store, key(kind)) == {"zarrange": value}

    @pytest.mark.parametrize(("kind", "sort"), [("box", "container"), ("part", "group"), ("note", "file")])
    def test_arrays_only(self, store, root, kind, sort):
        """What is no array is not sealed."""
        values = {"run": "r"} if kind == "box" else {"run": "r", "name": "a"}
        with pytest.raises(TypeError, match=f"only arrays are sealed, not a {sort}"):
            store.create(Key(kind, values), seal=True)
        assert os.listdir(root) == []

    def test_never_over(self, store, snapshot):
        """An array that is there is not sealed by creating it again."""
        store.create(key("image"), data=np.ones(3))
        before = snapshot(store.root)
        with pytest.raises(AlreadyExistsError):
            store.create(key("image"), **SHAPE, seal=True)
        assert snapshot(store.root) == before


class TestWriting:
    """`writing` marks an array as complete when its body has ended well, and as unfinished until then."""

    @KINDS
    @pytest.mark.parametrize("as_key", [True, False])
    def test_complete(self, store, kind, as_key):
        """The array is unfinished while the body runs, and complete behind it."""
        store.create(key(kind), **SHAPE, seal=True)
        artifact = key(kind) if as_key else store.identifier(kind, run="r", name="a")
        with store.writing(artifact) as array:
            array[:] = 7
            assert attributes(store, key(kind)) == UNFINISHED
            assert len(unfinished(store)) == 1
        assert attributes(store, key(kind)) == COMPLETE
        assert store.open(key(kind))[:].tolist() == [7] * 4
        assert unfinished(store) == []

    @KINDS
    def test_unsealed(self, store, kind):
        """An array that has no mark gets one."""
        store.create(key(kind), **SHAPE)
        with store.writing(key(kind)):
            assert attributes(store, key(kind)) == UNFINISHED
        assert attributes(store, key(kind)) == COMPLETE

    @KINDS
    @pytest.mark.parametrize("was_complete", [True, False])
    @pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
    def test_raises(self, store, kind, was_complete, error):
        """Where the body raises, the array stays unfinished, also if it was complete before; the error goes up."""
        store.create(key(kind), **({"data": np.ones(4)} if was_complete else SHAPE), seal=True)
        with pytest.raises(error), store.writing(key(kind)):
            raise error
        assert attributes(store, key(kind)) == UNFINISHED
        assert len(unfinished(store)) == 1
        with store.writing(key(kind)):
            pass
        assert unfinished(store) == []

    @KINDS
    def test_killed(self, store, kind):
        """Where the process is killed in the body, the array stays unfinished, and the doctor finds it."""
        store.create(key(kind), **SHAPE, seal=True)
        script = f"""
import os, signal
from zarrange import Key, Layout, Store
store = Store({store.root!r}, Layout.parse({LAYOUT.texts[0]!r}))
with store.writing(Key({kind!r}, {{"run": "r", "name": "a"}})) as array:
    array[:2] = 7
    os.kill(os.getpid(), signal.SIGKILL)
"""
        done = subprocess.run([sys.executable, "-c", script], check=False)
        assert done.returncode == -signal.SIGKILL
        assert store.open(key(kind))[:].tolist() == [7, 7, 0, 0]
        assert attributes(store, key(kind)) == UNFINISHED
        assert unfinished(store) == [f"r/{'box' if kind == 'image' else 'old'}.zarr/images/a"]

    @KINDS
    def test_own_attributes(self, store, kind):
        """Attributes stay, and those that are set in the body too, by whichever way."""
        store.create(key(kind), **SHAPE, attributes={"before": 1}, seal=True)
        with store.writing(key(kind)) as array:
            array.attrs["inside"] = 2
            store.open(key(kind), mode="r+").attrs["beside"] = 3
        assert attributes(store, key(kind)) == {"before": 1, "inside": 2, "beside": 3, **COMPLETE}

    @KINDS
    def test_resized(self, store, kind):
        """A shape that is changed in the body stays, by whichever way it was."""
        store.create(key(kind), **SHAPE, seal=True)
        with store.writing(key(kind)) as array:
            array.resize((6,))
        assert store.open(key(kind)).shape == (6,)
        with store.writing(key(kind)):
            store.open(key(kind), mode="r+").resize((8,))
        assert store.open(key(kind)).shape == (8,)

    @KINDS
    @pytest.mark.parametrize("value", ["mine", {"complete": "yes"}, {"complete": True, "more": 1}, {}, None])
    def test_the_name_is_taken(self, store, snapshot, kind, value):
        """An attribute `zarrange` that is no mark is somebody's: it is not replaced, and nothing is written."""
        store.create(key(kind), **SHAPE, attributes={"zarrange": value})
        before = snapshot(store.root)
        with pytest.raises(StoreError, match="has an attribute `zarrange` of its own, which the mark would replace"):
            store.writing(key(kind)).__enter__()
        assert snapshot(store.root) == before

    @pytest.mark.parametrize(("kind", "sort"), [("box", "container"), ("part", "group"), ("note", "file")])
    def test_arrays_only(self, store, root, kind, sort):
        """What is no array is not written into this way."""
        values = {"run": "r"} if kind == "box" else {"run": "r", "name": "a"}
        with pytest.raises(TypeError, match=f"only arrays are written into this way, not a {sort}"):
            store.writing(Key(kind, values)).__enter__()
        assert os.listdir(root) == []

    def test_refused(self, store, root, snapshot):
        """What does not exist, or is no array of the store, is refused as `open` refuses it, and nothing changes."""
        store.create(key("image"), **SHAPE)
        zarr.create_group(root / "r/box.zarr/images/b")
        before = snapshot(root)
        refusals = [
            (key("image", "absent"), NotFoundError),
            (key("image", "b"), StoreError),
            (Store(root / "other", LAYOUT).identifier("image", run="r", name="a"), NotInStoreError),
        ]
        for artifact, error in refusals:
            with pytest.raises(error):
                store.writing(artifact).__enter__()
            assert snapshot(root) == before

    def test_removed_meanwhile(self, store):
        """An array that is removed in the body is not brought back by its mark."""
        store.create(key("image"), **SHAPE, seal=True)
        store.create(key("image", "b"), **SHAPE)
        with pytest.raises(NotFoundError), store.writing(key("image")):
            store.remove(key("image"))
        assert not store.exists(key("image"))
        assert store.examine() == ()

    def test_two_at_once(self, store):
        """Arrays are written beside each other."""
        for name in "ab":
            store.create(key("image", name), **SHAPE, seal=True)
        with store.writing(key("image", "a")), pytest.raises(ZeroDivisionError), store.writing(key("image", "b")):
            raise ZeroDivisionError
        assert unfinished(store) == ["r/box.zarr/images/b"]


class TestConsolidated:
    """A group above that keeps a copy of the metadata has the mark in it too."""

    @KINDS
    @pytest.mark.parametrize("is_container", [True, False])
    def test_copies_are_kept(self, store, kind, is_container):
        """Who reads by the copy sees at each moment what the array itself says."""
        store.create(key(kind, "first"), data=np.ones(3))
        container = store.identifier(kind, run="r", name="a").container
        group = container if is_container else f"{container}/images"
        path = "images/a" if is_container else "a"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(group)

        def seen():
            return dict(zarr.open_consolidated(group, mode="r")[path].attrs)

        store.create(key(kind), **SHAPE, seal=True)
        assert seen() == UNFINISHED
        with store.writing(key(kind)):
            assert seen() == UNFINISHED
        assert seen() == COMPLETE
        with pytest.raises(ZeroDivisionError), store.writing(key(kind)):
            raise ZeroDivisionError
        assert seen() == UNFINISHED
        assert [one.rule for one in store.examine()] == ["unfinished-array"]


class TestObjectStore:
    """In an object store marks are as on disk."""

    @KINDS
    def test_marks(self, kind):
        """An array is unfinished until its writing has ended well."""
        store = Store(f"memory://seal-{kind}", LAYOUT)
        store.create(key(kind), **SHAPE, seal=True)
        assert attributes(store, key(kind)) == UNFINISHED
        with store.writing(key(kind)) as array:
            array[:] = 7
        assert attributes(store, key(kind)) == COMPLETE
        with pytest.raises(ZeroDivisionError), store.writing(key(kind)):
            raise ZeroDivisionError
        assert [one.rule for one in store.examine()] == ["unfinished-array"]
        store.create(key(kind, "b"), data=np.ones(3), seal=True)
        assert attributes(store, key(kind, "b")) == COMPLETE


class TestMark:
    """A mark is an attribute, which goes where the array goes."""

    @pytest.mark.parametrize(
        ("found", "answer"),
        [
            ({}, None),
            ({"a": 1}, None),
            (COMPLETE, True),
            (UNFINISHED, False),
            ({**COMPLETE, "a": 1}, True),
            ({"zarrange": {"complete": True, "by": "somebody"}}, True),
            ({"zarrange": {}}, None),
            ({"zarrange": None}, None),
            ({"zarrange": "complete"}, None),
            ({"zarrange": ["complete"]}, None),
            ({"zarrange": {"complete": 1}}, None),
            ({"zarrange": {"complete": 0}}, None),
            ({"zarrange": {"complete": None}}, None),
            ({"zarrange": {"complete": "False"}}, None),
        ],
    )
    def test_is_complete(self, found, answer):
        """Only a truth value is an answer; anything else says nothing."""
        assert is_complete(found) is answer

    def test_marked(self):
        """Attributes are returned with the mark, or refused if they have something of its name."""
        assert marked(None, is_complete=False) == marked({}, is_complete=False) == UNFINISHED
        assert marked({"a": 1}, is_complete=True) == {"a": 1, **COMPLETE}
        with pytest.raises(ValueError, match="give it another name"):
            marked(COMPLETE, is_complete=True)

    def test_goes_with_the_array(self, store, tmp_path):
        """A copy of the folder has the mark, and so has an array that was opened elsewhere."""
        store.create(key("image"), data=np.ones(3), seal=True)
        os.rename(store.root, tmp_path / "moved")
        array = zarr.open_array(tmp_path / "moved/r/box.zarr/images/a", mode="r+")
        assert is_complete(dict(array.attrs)) is True
        mark(array, is_complete=False)
        assert unfinished(Store(tmp_path / "moved", LAYOUT)) == ["r/box.zarr/images/a"]
