"""The copies of metadata that groups keep: what has gone leaves them, what is there comes into them, nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import tempfile
import warnings
from itertools import count
from pathlib import Path

import pytest
import zarr
from hypothesis import given, settings, strategies as st
from tests.stores.conftest import take_snapshot
from tests.stores.handwritten import GROUP, array, old_array

from zarrange.errors import AccessDeniedError, DamagedError, NotInStoreError, UnreadableError
from zarrange.stores.copies import groups_above, refresh, strip
from zarrange.stores.local import LocalBackend
from zarrange.stores.remote import RemoteBackend

FILES = {2: ".zmetadata", 3: "zarr.json"}
COPYING = ("box", "box/a", "box/a/b")
"""The groups that keep copies in the fixture `backend`."""
ARRAYS = ("box/a/b/bx", "box/a/b/x", "box/a/b/y", "box/a/bx", "box/x")
numbers = count()


@pytest.fixture(params=[2, 3])
def written(request):
    """A zarr format."""
    return request.param


@pytest.fixture(params=["local", "memory"])
def bare(request, tmp_path):
    """A backend in which nothing is yet."""
    if request.param == "local":
        return LocalBackend(str(tmp_path))
    return RemoteBackend(f"memory://copies-{next(numbers)}")


@pytest.fixture
def backend(bare, written):
    """A container with arrays on several levels, whose groups on all levels keep copies."""
    fill(bare, written)
    return bare


@pytest.fixture
def local(tmp_path, written):
    """The same on disk."""
    backend = LocalBackend(str(tmp_path))
    fill(backend, written)
    return backend


def fill(backend, written):
    box = zarr.create_group(backend.zarr_store("box"), zarr_format=written, attributes={"voxel": 8.0, "none": None})
    box.create_group("a/b", attributes={"offset": [0, 0.5], "bad": float("nan")})
    for path in ARRAYS:
        one = box.create_array(path.removeprefix("box/"), shape=(2,), dtype="f4", fill_value=float("nan"))
        one[:] = 7
    for group in reversed(COPYING):
        consolidate(backend, group)


def consolidate(backend, group):
    """Let zarr itself write the copy of a group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(backend.zarr_store(group))


def remove(backend, path):
    """Remove a node with all that is below it, and leave all copies as they are."""
    container, _, name = path.partition("/")
    del zarr.open_group(backend.zarr_store(container), mode="r+", use_consolidated=False)[name]


def hide(backend, path):
    """Remove a file of metadata."""
    if isinstance(backend, LocalBackend):
        os.unlink(f"{backend.root}/{path}")
    else:
        asyncio.run(backend.zarr_store("").delete(path))


def listed(backend, group="box"):
    """The nodes that a reader of a group's copy sees."""
    opened = zarr.open_group(backend.zarr_store(group), mode="r", use_consolidated=True)
    return {name for name, _ in opened.members(max_depth=None)}


def content(backend, written, group="box"):
    return backend.read(f"{group}/{FILES[written]}")


def contents(backend, written):
    return [content(backend, written, group) for group in COPYING]


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))


class TestGroupsAbove:
    def test_they_come_from_above(self, backend):
        """All groups above a path that keep a copy are told, the outermost first, the path itself not among them."""
        assert groups_above(backend, "box/a/b/x") == COPYING
        assert groups_above(backend, "box/a/b/new/deep/down") == COPYING
        assert groups_above(backend, "box/a/b") == ("box", "box/a")
        assert groups_above(backend, "box/x") == ("box",)
        assert groups_above(backend, "box") == groups_above(backend, "") == ()

    def test_the_root(self, bare, written):
        """The root of a store is a group above all that is in it."""
        zarr.create_group(bare.zarr_store(""), zarr_format=written).create_group("box/a")
        assert groups_above(bare, "box/a/x") == ()
        consolidate(bare, "")
        assert groups_above(bare, "box/a/x") == groups_above(bare, "box") == ("",)

    def test_without_copies(self, bare):
        """Groups without a copy, folders without metadata and what is not there are none of them."""
        zarr.create_group(bare.zarr_store("box")).create_array("a/x", shape=(1,), dtype="i1")
        assert groups_above(bare, "box/a/x") == groups_above(bare, "none/of/it") == ()

    def test_damaged(self, bare):
        """Metadata above that cannot be read are told with their place: they may have a copy."""
        zarr.create_group(bare.zarr_store("box")).create_group("a/b")
        bare.write("box/a/zarr.json", b"{", replace=True)
        with pytest.raises(DamagedError, match=r"its zarr\.json is damaged") as caught:
            groups_above(bare, "box/a/b/x")
        assert f"{bare.root}/box/a'" in str(caught.value)

    def test_a_symlink_as_a_copy(self, tmp_path):
        """A copy that is a symlink counts, for zarr follows it; it cannot be kept true, which is said."""
        backend = LocalBackend(str(tmp_path))
        zarr.create_group(tmp_path / "box", zarr_format=2)
        (tmp_path / "elsewhere").write_text('{"metadata": {}}')
        (tmp_path / "box/.zmetadata").symlink_to(tmp_path / "elsewhere")
        assert groups_above(backend, "box/x") == ("box",)
        for change in (lambda: strip(backend, "box", ["box/x"]), lambda: refresh(backend, "box")):
            with pytest.raises(UnreadableError, match="symlink"):
                change()


class TestStrip:
    def test_one_array(self, backend):
        """An array that is taken out of a copy is seen no more; all others are, with their data."""
        for group in groups_above(backend, "box/a/b/x"):
            strip(backend, group, ["box/a/b/x"])
        assert listed(backend) == {"a", "a/b", "a/b/bx", "a/b/y", "a/bx", "x"}
        assert listed(backend, "box/a") == {"b", "b/bx", "b/y", "bx"}
        assert listed(backend, "box/a/b") == {"bx", "y"}
        box = zarr.open_group(backend.zarr_store("box"), mode="r", use_consolidated=True)
        assert "a/b/x" not in box
        assert "x" not in box["a/b"]
        assert list(box["a/b/y"][:]) == list(box["a/bx"][:]) == list(box["x"][:]) == [7, 7]
        assert dict(box["a/b"].attrs)["offset"] == [0, 0.5]

    def test_a_group(self, backend):
        """A group goes with all that is below it, and with nothing whose name merely begins like its own."""
        strip(backend, "box", ["box/a/b"])
        assert listed(backend) == {"a", "a/bx", "x"}

    def test_many(self, backend):
        """Several paths go at once; those that are not listed, or are elsewhere, matter to nobody."""
        strip(backend, "box", ["box/a/b/x", "box/a/bx", "box/none", "elsewhere/x", "x", "box/a/b/x/c"])
        assert listed(backend) == {"a", "a/b", "a/b/bx", "a/b/y", "x"}

    def test_the_group_itself(self, backend, written):
        """From what is at or above the group all nodes go, and what the group says of itself stays."""
        for place in ("box", ""):
            strip(backend, "box", [place])
            assert listed(backend) == set()
            box = zarr.open_group(backend.zarr_store("box"), mode="r", use_consolidated=True)
            assert box.attrs["voxel"] == 8.0
            refresh(backend, "box")
            assert len(listed(backend)) == 7
        if written == 2:
            strip(backend, "box", ["box"])
            assert json.loads(content(backend, 2))["metadata"].keys() == {".zgroup", ".zattrs"}

    def test_what_refresh_makes_of_it(self, backend, written):
        """What was taken out and is there all the same comes back, and each file is byte for byte what zarr wrote."""
        before = contents(backend, written)
        for group in COPYING:
            strip(backend, group, ["box/a/b"])
        assert contents(backend, written)[:2] != before[:2]
        for group in COPYING:
            refresh(backend, group)
        assert contents(backend, written) == before

    def test_the_bytes_are_zarrs(self, backend, written):
        """The copy without an array is byte for byte what zarr writes when the array has gone."""
        strip(backend, "box", ["box/a/b/x"])
        stripped = content(backend, written)
        remove(backend, "box/a/b/x")
        for group in reversed(COPYING):
            consolidate(backend, group)
        assert content(backend, written) == stripped

    def test_nothing_to_do(self, local, tmp_path, written, snapshot):
        """A copy without any of the paths is not even written again; nor is anything where there is no copy."""
        inode = os.stat(tmp_path / "box" / FILES[written]).st_ino
        zarr.create_group(tmp_path / "plain", zarr_format=written).create_array("x", shape=(1,), dtype="i1")
        before = snapshot(tmp_path)
        for group in ("box", "plain", "plain/x", "none", "none/at/all"):
            strip(local, group, ["box/a/b/z", "box/a/b/x/c", "plain/y"])
            strip(local, group, [])
        assert snapshot(tmp_path) == before
        assert os.stat(tmp_path / "box" / FILES[written]).st_ino == inode

    @pytest.mark.parametrize("indent", [None, 2, 4, "\t"])
    def test_all_else_stays(self, local, tmp_path, written, indent):
        """What is not zarr's, the order of keys and the indentation stay as they are."""
        place = tmp_path / "box" / FILES[written]
        data = {"theirs": {"b": 1, "a": [1.0, 1e300]}, **json.loads(place.read_bytes()), "more": "\ud800é"}
        place.write_text(json.dumps(data, indent=indent))
        strip(local, "box", ["box/x"])
        nodes = (data if written == 2 else data["consolidated_metadata"])["metadata"]
        for key in [key for key in nodes if key.partition("/")[0] == "x"]:
            del nodes[key]
        assert place.read_text() == json.dumps(data, indent=indent)

    def test_both_formats(self, tmp_path):
        """A group that has metadata of both formats has two copies, and both are kept true."""
        for one in (2, 3):
            group = zarr.create_group(tmp_path / str(one), zarr_format=one)
            group.create_array("x", shape=(1,), dtype="i1")
            group.create_array("y", shape=(1,), dtype="i1")
            consolidate(LocalBackend(str(tmp_path)), str(one))
            shutil.copytree(tmp_path / str(one), tmp_path / "box", dirs_exist_ok=True)
        backend = LocalBackend(str(tmp_path))
        before = [content(backend, one) for one in (2, 3)]
        strip(backend, "box", ["box/x"])
        assert all(b'"y' in one and b'"x' not in one for one in (content(backend, 2), content(backend, 3)))
        refresh(backend, "box")
        assert [content(backend, one) for one in (2, 3)] == before

    def test_a_nested_list(self, tmp_path):
        """What a group in the copy lists by itself is read by zarr, and so it is taken out as well."""
        copy = {"kind": "inline", "must_understand": False}
        inner = copy | {"metadata": {"x": array((1,), "int8"), "y": array((1,), "int8")}}
        outer = copy | {"metadata": {"a": GROUP, "a/b": GROUP | {"consolidated_metadata": inner}}}
        write(tmp_path / "box/zarr.json", GROUP | {"consolidated_metadata": outer})
        backend = LocalBackend(str(tmp_path))
        assert listed(backend) == {"a", "a/b", "a/b/x", "a/b/y"}
        strip(backend, "box", ["box/a/b/x"])
        assert listed(backend) == {"a", "a/b", "a/b/y"}

    @pytest.mark.parametrize(
        ("name", "damaged"),
        [
            *(
                (".zmetadata", one)
                for one in ("", "{", "[]", "{}", '{"metadata": 1}', '{"metadata": {"a/.zgroup": 1}}')
            ),
            *(("zarr.json", one) for one in ("", "{", "[]", '{"consolidated_metadata": 1}')),
            *(("zarr.json", f'{{"consolidated_metadata": {{"metadata": {one}}}}}') for one in ("null", '{"a": 1}')),
            ("zarr.json", '{"consolidated_metadata":' * 5_000),
        ],
    )
    def test_damaged(self, tmp_path, snapshot, name, damaged):
        """A damaged copy is told with its place, and nothing is written, not even a copy of the other format."""
        backend = LocalBackend(str(tmp_path))
        fill(backend, 2)
        zarr.create_group(tmp_path / "box", zarr_format=3).create_group("a")
        consolidate(backend, "box")
        (tmp_path / "box" / name).write_text(damaged)
        before = snapshot(tmp_path)
        with pytest.raises(DamagedError, match=f"its {re.escape(name)} is damaged") as caught:
            strip(backend, "box", ["box/a"])
        assert str(tmp_path / "box") in str(caught.value)
        assert snapshot(tmp_path) == before
        with pytest.raises(DamagedError, match=f"its {re.escape(name)} is damaged"):
            refresh(backend, "box")


class TestRefresh:
    def test_what_came_and_went(self, backend):
        """An array that was made since comes into all copies above it, one that was removed goes out of them."""
        box = zarr.open_group(backend.zarr_store("box"), mode="r+", use_consolidated=False)
        box.create_array("a/b/new", shape=(3,), dtype="f4")
        remove(backend, "box/a/b/y")
        box["x"].attrs["changed"] = True
        for group in groups_above(backend, "box/a/b/new"):
            refresh(backend, group)
        assert listed(backend) == {"a", "a/b", "a/b/bx", "a/b/new", "a/b/x", "a/bx", "x"}
        assert listed(backend, "box/a/b") == {"bx", "new", "x"}
        assert zarr.open_consolidated(backend.zarr_store("box"), mode="r")["x"].attrs["changed"]

    def test_the_bytes_are_zarrs(self, backend, written):
        """What is written is byte for byte what zarr itself would have written."""
        remove(backend, "box/a")
        zarr.open_group(backend.zarr_store("box"), mode="r+", use_consolidated=False).create_group("new/er")
        refresh(backend, "box")
        refreshed = content(backend, written)
        strip(backend, "box", ["box/new"])
        consolidate(backend, "box")
        assert content(backend, written) == refreshed
        assert listed(backend) == {"new", "new/er", "x"}

    def test_a_true_copy(self, local, tmp_path, written, snapshot):
        """A copy that is true is not written again, however it is formatted; nor is anything where there is none."""
        place = tmp_path / "box" / FILES[written]
        place.write_text(json.dumps(json.loads(place.read_bytes()), indent=3))
        inode = os.stat(place).st_ino
        zarr.create_group(tmp_path / "plain", zarr_format=written).create_array("x", shape=(1,), dtype="i1")
        before = snapshot(tmp_path)
        for group in (*COPYING, "plain", "plain/x", "none", "none/at/all"):
            refresh(local, group)
        assert snapshot(tmp_path) == before
        assert os.stat(place).st_ino == inode

    def test_copies_below(self, backend):
        """What the copies of groups below say is not believed: zarr itself would take it for what is there."""
        remove(backend, "box/a/b/x")
        zarr.open_group(backend.zarr_store("box"), mode="r+", use_consolidated=False).create_group("a/b/new")
        refresh(backend, "box")
        assert listed(backend) == {"a", "a/b", "a/b/bx", "a/b/new", "a/b/y", "a/bx", "x"}

    def test_hidden(self, backend, written):
        """An array whose metadata have gone is not listed, though its chunks are there still."""
        name = "zarr.json" if written == 3 else ".zarray"
        hide(backend, f"box/a/b/x/{name}")
        remove(backend, "box/a/bx")
        refresh(backend, "box")
        assert listed(backend) == {"a", "a/b", "a/b/bx", "a/b/y", "x"}

    def test_only_the_copy_is_written(self, local, tmp_path, written, snapshot):
        """Nothing but the file of the copy changes, and nothing else appears, though zarr would write more."""
        (tmp_path / "box/.zattrs").unlink(missing_ok=True)
        (tmp_path / "box/notes.txt").write_text("mine")
        shutil.rmtree(tmp_path / "box/x")
        before = snapshot(tmp_path)
        refresh(local, "box")
        after = snapshot(tmp_path)
        assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == {
            f"box/{FILES[written]}"
        }

    def test_what_else_is_in_the_file(self, local, tmp_path, written):
        """What is in the file beside the copy stays, in its order."""
        place = tmp_path / "box" / FILES[written]
        data = json.loads(place.read_bytes())
        key = "attributes" if written == 3 else "theirs"
        data[key] = {"b": [1.0, "\ud800é"], "a": None}
        place.write_text(json.dumps(data, indent=4))
        shutil.rmtree(tmp_path / "box/a/b/x")
        refresh(local, "box")
        strip(local, "box", ["box/a/b/x"])
        again = json.loads(place.read_bytes())
        assert list(again) == list(data)
        assert again[key] == data[key]
        assert place.read_text() == json.dumps(again, indent=4)
        assert "a/b/x" not in listed(local)

    def test_changed_meanwhile(self, local, tmp_path, written):
        """What else is in the file may change while zarr builds the copy, and stays; a copy given up stays away."""
        place = tmp_path / "box" / FILES[written]
        shutil.rmtree(tmp_path / "box/a/b/x")

        class Changing(LocalBackend):
            def items(self, path, requests):
                place.write_text(json.dumps(self.change(json.loads(place.read_bytes()))))
                return super().items(path, requests)

        backend = Changing(local.root)
        backend.change = lambda data: data | {"attributes": {"new": 1}}
        refresh(backend, "box")
        assert json.loads(place.read_bytes())["attributes"] == {"new": 1}
        assert "a/b/x" not in listed(local)
        backend.change = lambda data: {key: one for key, one in data.items() if key != "consolidated_metadata"}
        refresh(backend, "box")
        assert "consolidated_metadata" not in json.loads(place.read_bytes())

    def test_the_root(self, bare, written):
        """The root of a store may keep a copy, in which the working folder has no place."""
        zarr.create_group(bare.zarr_store(""), zarr_format=written).create_group("box")
        zarr.create_group(bare.zarr_store(".zarrange"), zarr_format=written).create_group("trash/x")
        consolidate(bare, "")
        zarr.open_group(bare.zarr_store("box"), mode="r+").create_array("x", shape=(1,), dtype="i1")
        refresh(bare, "")
        assert listed(bare, "") == {"box", "box/x"}
        strip(bare, "", ["box/x"])
        assert listed(bare, "") == {"box"}

    def test_no_group(self, tmp_path, snapshot):
        """A `.zmetadata` without a group, which zarr does not read, stays as it is."""
        write(tmp_path / "box/.zmetadata", {"metadata": {"x/.zarray": old_array((1,), "|i1")}})
        before = snapshot(tmp_path)
        refresh(LocalBackend(str(tmp_path)), "box")
        assert snapshot(tmp_path) == before


class TestTrouble:
    @pytest.mark.parametrize("damaged", ["{", "[]", '{"zarr_format": 3, "node_type": "array", "shape": [1]}'])
    def test_a_damaged_node(self, local, tmp_path, written, snapshot, damaged):
        """A damaged node below the group is told with its place, also where zarr would take it for none."""
        place = tmp_path / "box/a/b/x" / ("zarr.json" if written == 3 else ".zarray")
        place.write_text(damaged)
        before = snapshot(tmp_path)
        with pytest.raises(DamagedError, match="is damaged") as caught:
            refresh(local, "box")
        assert str(tmp_path / "box/a/b/x") in str(caught.value)
        assert snapshot(tmp_path) == before

    def test_a_strange_node(self, local, tmp_path, written, snapshot):
        """A node that zarr cannot read is told: it is not left out as if it were gone."""
        place = tmp_path / "box/x" / ("zarr.json" if written == 3 else ".zarray")
        data = json.loads(place.read_bytes())
        place.write_text(json.dumps(data | {"data_type" if written == 3 else "dtype": "something else"}))
        before = snapshot(tmp_path)
        with pytest.raises(UnreadableError, match="zarr cannot read the metadata of all that is below it") as caught:
            refresh(local, "box")
        assert str(tmp_path / "box") in str(caught.value)
        assert snapshot(tmp_path) == before

    def test_permissions(self, shared_folder, as_nobody, written):
        """What may not be read is told with its place: it may be there."""
        backend = LocalBackend(str(shared_folder))
        fill(backend, written)
        before = content(backend, written)
        (shared_folder / "box/a/b").chmod(0)
        with as_nobody():
            for change in (lambda: refresh(backend, "box"), lambda: groups_above(backend, "box/a/b/x")):
                with pytest.raises(AccessDeniedError) as caught:
                    change()
                assert str(shared_folder / "box/a/b") in str(caught.value)
        (shared_folder / "box/a/b").chmod(0o711)
        with as_nobody(), pytest.raises(AccessDeniedError, match="cannot be read") as caught:
            refresh(backend, "box")
        assert str(shared_folder / "box/a/b") in str(caught.value)
        assert content(backend, written) == before


class TestSymlinks:
    def test_below(self, local, tmp_path, written):
        """A child that is a symlink is not followed, and not listed, wherever it leads."""
        outside = zarr.create_group(tmp_path / "outside", zarr_format=written)
        outside.create_array("y", shape=(1,), dtype="i1")
        (tmp_path / "box/out").symlink_to(tmp_path / "outside")
        (tmp_path / "box/a/b/again").symlink_to(tmp_path / "box/x")
        (tmp_path / "box/a/loop").symlink_to(tmp_path / "box/a")
        before = content(local, written)
        refresh(local, "box")
        assert content(local, written) == before

    def test_metadata_below(self, local, tmp_path, written, snapshot):
        """Metadata below that are a symlink are not followed, and not taken for absent."""
        name = "zarr.json" if written == 3 else ".zarray"
        place = tmp_path / "box/x" / name
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
        before = snapshot(tmp_path)
        with pytest.raises(UnreadableError, match="symlink"):
            refresh(local, "box")
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("way", ["box", "box/a"])
    def test_on_the_way(self, local, tmp_path, snapshot, way):
        """A group that is or lies behind a symlink is neither read nor written."""
        (tmp_path / way).rename(tmp_path / "outside")
        (tmp_path / way).symlink_to(tmp_path / "outside")
        before = snapshot(tmp_path)
        for change in (lambda: strip(local, "box/a", ["box/a/b/x"]), lambda: refresh(local, "box/a")):
            with pytest.raises(UnreadableError, match="symlink"):
                change()
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("way", ["box", "box/a"])
    @pytest.mark.parametrize(
        "change", [lambda one: strip(one, "box/a", ["box/a/b/x"]), lambda one: refresh(one, "box/a")]
    )
    def test_swapped_in(self, tmp_path, written, way, change):
        """A folder that a symlink takes the place of just before the writing is not written through."""
        root = tmp_path / "store"
        root.mkdir()
        fill(LocalBackend(str(root)), written)
        shutil.copytree(root / "box", tmp_path / "outside")
        target = tmp_path / "outside" / way.partition("/")[2]
        shutil.rmtree(root / "box/a/b/x")
        seen = []

        class Swapped(LocalBackend):
            def write(self, path, content, *, replace=False):
                seen.append(path)
                (root / way).rename(tmp_path / "aside")
                (root / way).symlink_to(target)
                super().write(path, content, replace=replace)

        before = take_snapshot(tmp_path / "outside")
        with pytest.raises(NotInStoreError):
            change(Swapped(str(root)))
        assert seen == [f"box/a/{FILES[written]}"]
        assert take_snapshot(tmp_path / "outside") == before


SEGMENTS = st.sampled_from(["a", "b", "ab", "Z", "0", "é b"])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@st.composite
def trees(draw):
    """Nodes below a group, as a mapping from their paths to whether they are groups; paths of which some may go."""
    nodes = {}
    for path in draw(st.lists(PATHS, max_size=12)):
        steps = path.split("/")
        ways = ["/".join(steps[:length]) for length in range(1, len(steps) + 1)]
        if all(nodes.get(way, True) for way in ways[:-1]):
            nodes.update(dict.fromkeys(ways[:-1], True))
            nodes.setdefault(path, draw(st.booleans()))
    return nodes, draw(st.lists(PATHS | st.sampled_from(sorted(nodes) or ["a"]), max_size=5))


class TestProperty:
    """`strip` gives what zarr's own consolidation gives when the nodes have gone; `refresh` has nothing to add."""

    @settings(max_examples=60, deadline=None)
    @given(tree=trees(), written=st.sampled_from([2, 3]), at=st.sampled_from(["", "box", "deep/er/box"]))
    def test_strip(self, tree, written, at):
        """Whatever the tree and whatever goes, the copy without it is the one that zarr writes after it has gone."""
        nodes, gone = tree
        with tempfile.TemporaryDirectory() as folder:
            backend = LocalBackend(folder)
            place = Path(folder, at)
            for path, is_group in {"": True, **nodes}.items():
                write_node(place / path, written, is_group=is_group)
            consolidate(backend, at)
            assert listed(backend, at) == set(nodes)
            strip(backend, at, [f"{at}/{path}".lstrip("/") for path in gone])
            stripped = (place / FILES[written]).read_bytes()
            for path in gone:
                shutil.rmtree(place / path, ignore_errors=True)
            refresh(backend, at)
            assert (place / FILES[written]).read_bytes() == stripped
            consolidate(backend, at)
            assert json.loads((place / FILES[written]).read_bytes()) == json.loads(stripped)
            assert (place / FILES[written]).read_bytes() == stripped


def write_node(place, written, *, is_group):
    if written == 3:
        write(place / "zarr.json", GROUP if is_group else array((2,), "int16"))
    elif is_group:
        write(place / ".zgroup", {"zarr_format": 2})
    else:
        write(place / ".zarray", old_array((2,), "<i2"))
        write(place / ".zattrs", {"unit": "nm"})
