"""From a path that somebody asks for to the array that is there: nothing else is ever looked at."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from zarrange import Key, Layout, Store
from zarrange.errors import NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.view.placing import attributes_of, axes_of, dimension_names_of, locate, parents_of

LAYOUT = Layout.parse("""
zarrange: 1
name: shelf
fields:
  run: {type: str}
  name: {type: str, charset: unicode, pattern: "[a-zé]+"}
  level: {type: int, min: 0}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
  old_box: {path: "{{ run }}/old.zarr", zarr_format: 2}
groups:
  part: {container: box, path: "{{ name }}"}
arrays:
  image: {container: box, path: "{{ name }}/{{ level }}"}
  old_image: {container: old_box, path: "{{ name }}/{{ level }}"}
files:
  note: {path: "{{ run }}/{{ name }}.txt"}
""")
PATH = "r1/box.zarr/raw/0"
OME = {
    "multiscales": [
        {
            "axes": [{"name": "y"}, {"name": "x"}],
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 3]}]}],
        }
    ]
}


def key(kind="image", name="raw", level=0):
    return Key(kind, {"run": "r1", "name": name, "level": level})


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    """A store on disk and one in memory, each with an array, a group and a file."""
    return filled(tmp_path / "store" if request.param == "local" else f"memory://{uuid4().hex}")


@pytest.fixture
def local(tmp_path):
    return filled(tmp_path / "store")


def filled(root):
    made = Store.init(root, LAYOUT)
    made.create(
        key(), data=np.arange(12.0).reshape(3, 4), dimension_names=["p", "q"], attributes={"voxel_size": [5, 6]}
    )
    made.create(key("old_image"), data=np.zeros((3, 4)), attributes={"axes": ["p", "q"]})
    made.create(Key("part", {"run": "r1", "name": "part"}))
    with made.create(Key("note", {"run": "r1", "name": "note"})) as file:
        file.write(b"text")
    return made


class TestThere:
    def test_an_array(self, store):
        """The array at a path of the layout is an entry, as a search finds it."""
        found = locate(store, PATH)
        assert found == next(iter(store.find("image")))
        assert found.key == key()
        assert found.metadata.shape == (3, 4)
        assert store.open(found.identifier)[1, 1] == 5

    def test_an_array_of_format_2(self, store):
        """Arrays of both formats are found."""
        assert locate(store, "r1/old.zarr/raw/0").metadata.zarr_format == 2

    def test_a_backslash(self, store):
        """A backslash separates nothing: it leads neither up nor to what lies between."""
        for path in ("r1\\box.zarr\\raw\\0", "r1/box.zarr/raw\\0", "r1/x\\..\\box.zarr/raw/0"):
            with pytest.raises(NotInStoreError):
                locate(store, path)

    def test_a_path_of_two_kinds(self, tmp_path):
        """Where the layout lets two kinds have one path, the entry has both readings."""
        text = (
            "zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\ncontainers: {box: {path: box.zarr}}\n"
            'arrays: {one: {container: box, path: "{{ a }}"}, two: {container: box, path: "{{ b }}"}}\n'
            "allow: [{rule: overlapping-kinds, kinds: [one, two], because: a test}]\n"
        )
        store = Store(tmp_path, Layout.parse(text))
        store.create(Key("one", {"a": "x"}), data=np.zeros((1, 1)))
        found = locate(store, "box.zarr/x")
        assert [one.kind for one in found.keys] == ["one", "two"]
        assert found.is_ambiguous


class TestNotThere:
    @pytest.mark.parametrize("path", ["r1/box.zarr/raw/1", "r2/box.zarr/raw/0", "r1/box.zarr/part/0"])
    def test_nothing(self, store, path):
        """A path of the layout where nothing is, is not found."""
        with pytest.raises(NotFoundError, match="there is no array"):
            locate(store, path)

    def test_a_group(self, store):
        """Where an array might be and a group is, no array is found."""
        store.open(Key("part", {"run": "r1", "name": "part"}), mode="r+").create_group("3")
        with pytest.raises(NotFoundError, match="there is a group, not an array"):
            locate(store, "r1/box.zarr/part/3")

    def test_what_was_removed(self, store):
        """An array that was removed is not found, though it can still be put back."""
        store.remove(store.identifier("image", **key().values), grace=3600)
        with pytest.raises(NotFoundError):
            locate(store, PATH)

    @pytest.mark.parametrize(
        "path",
        [
            "r1/box.zarr",
            "r1/box.zarr/part",
            "r1/note.txt",
            "r1",
            "r1/box.zarr/raw/0/c/0/0",
            "r1/box.zarr/raw/0/zarr.json",
            "r1/box.zarr/raw/00",
            "r1/box.zarr/raw/-1",
            "r1/box.zarr/RAW/0",
            "etc/passwd",
            ".zarrange/store.json",
            ".zarrange/box.zarr/raw/0",
        ],
    )
    def test_no_path_of_an_array(self, store, path):
        """Containers, groups, files, chunks and everything else that is no array of the layout is refused."""
        with pytest.raises(NotInStoreError):
            locate(store, path)

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            ".",
            "..",
            f"/{PATH}",
            f"{PATH}/",
            f"./{PATH}",
            f"../store/{PATH}",
            f"x/../{PATH}",
            "r1//box.zarr/raw/0",
            "r1/./box.zarr/raw/0",
            "r1/box.zarr/raw/../raw/0",
            "r1/box.zarr/raw/0\0",
            "\0",
            "r1\0/box.zarr/raw/0",
            "~/x",
            "file:///etc/passwd",
            "r1/box.zarr/raw/\uff10",
            "r1/box.zarr/\udcff/0",
            pytest.param("a/" * 5000, id="many"),
            pytest.param("a" * 100_000, id="long"),
            None,
            7,
            b"r1/box.zarr/raw/0",
        ],
    )
    def test_improper(self, store, path):
        """A path that is not plain is refused, also where it would lead to an array in the end."""
        with pytest.raises(NotInStoreError):
            locate(store, path)

    def test_the_root_itself_is_given(self, local):
        """An absolute path is refused, also one below the root."""
        with pytest.raises(NotInStoreError):
            locate(local, f"{local.root}/{PATH}")


class TestSymlinks:
    @pytest.mark.parametrize("depth", [1, 2, 3, 4])
    def test_none_is_followed(self, local, tmp_path, depth):
        """A symlink on the way to an array is not followed, whether it leads out of the root or not."""
        steps = PATH.split("/")
        place = Path(local.root, *steps[:depth])
        for target in (tmp_path / "outside", Path(local.root, "inside")):
            place.rename(target)
            place.symlink_to(target)
            with pytest.raises(UnreadableError, match="symlink"):
                locate(local, PATH)
            place.unlink()
            target.rename(place)
        assert locate(local, PATH).path == PATH

    def test_metadata_that_are_a_symlink(self, local, tmp_path):
        """Metadata that are a symlink are not read."""
        file = Path(local.root, PATH, "zarr.json")
        file.rename(tmp_path / "zarr.json")
        file.symlink_to(tmp_path / "zarr.json")
        with pytest.raises(UnreadableError, match="symlink"):
            locate(local, PATH)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_metadata_that_are_a_pipe(self, local):
        """Metadata that are a pipe are not waited for."""
        file = Path(local.root, PATH, "zarr.json")
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(UnreadableError):
            locate(local, PATH)

    def test_damaged_metadata(self, local):
        """An array whose metadata are damaged is not absent, but unreadable."""
        Path(local.root, PATH, "zarr.json").write_text("{")
        with pytest.raises(UnreadableError, match="damaged"):
            locate(local, PATH)


class TestProper:
    """Whatever path is asked for, it is an array of the layout below the root, or refused in our own words."""

    SEGMENTS = ("", ".", "..", "r1", "box.zarr", "raw", "0", "\0", "a\\b", "%2e%2e", "é", "\udcff", "zarr.json", "c")

    @given(segments=st.lists(st.sampled_from(SEGMENTS) | st.text(max_size=3), max_size=6))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_nothing_else(self, local, segments):
        """A path is located only if it is that of the array, letter by letter."""
        path = "/".join(segments)
        try:
            found = locate(local, path)
        except StoreError:
            assert path != PATH
        else:
            assert found.path == path == PATH


class TestMetadata:
    def test_axes(self, store):
        """The axes of an array of either format are read from its metadata."""
        found = axes_of(store, locate(store, PATH))
        assert [(one.name, one.scale) for one in found] == [("p", 5.0), ("q", 6.0)]
        assert [one.name for one in axes_of(store, locate(store, "r1/old.zarr/raw/0"))] == ["p", "q"]

    def test_parts(self, store):
        """Attributes and the names of dimensions can be asked for, of either format."""
        new, old = locate(store, PATH), locate(store, "r1/old.zarr/raw/0")
        assert (dict(attributes_of(store, new)), dimension_names_of(store, new)) == ({"voxel_size": [5, 6]}, ("p", "q"))
        assert (attributes_of(store, old), dimension_names_of(store, old)) == ({"axes": ["p", "q"]}, None)

    @pytest.mark.parametrize("kind", ["image", "old_image"])
    def test_groups_above(self, store, kind):
        """What the group above an array says in its multiscale counts."""
        store.create(key(kind, "ome"), data=np.zeros((3, 4)))
        container = store.identifier(kind, **key(kind, "ome").values).container
        import zarr

        group = zarr.open_group(store._backend.zarr_store(container[len(store.root) + 1 :]), path="ome", mode="r+")
        group.attrs.update(OME)
        entry = locate(store, f"r1/{'box' if kind == 'image' else 'old'}.zarr/ome/0")
        assert [(one.name, one.scale) for one in axes_of(store, entry)] == [("y", 2.0), ("x", 3.0)]
        assert [len(one) for one in parents_of(store, entry)] == [1, 0]

    def test_a_damaged_group(self, local):
        """A group above that cannot be read says nothing, and the array can be looked at all the same."""
        Path(local.root, "r1/box.zarr/raw/zarr.json").write_text("[")
        assert [one.name for one in axes_of(local, locate(local, PATH))] == ["p", "q"]

    def test_damaged_attributes(self, local):
        """Attributes in a file of their own that is damaged are unreadable, not absent."""
        entry = locate(local, "r1/old.zarr/raw/0")
        Path(local.root, "r1/old.zarr/raw/0/.zattrs").write_text("nonsense")
        with pytest.raises(UnreadableError, match="damaged"):
            attributes_of(local, entry)
