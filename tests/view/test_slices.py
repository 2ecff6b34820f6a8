"""One plane of an array, of any sort: what is read of it, and what is said where there is no picture."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import zarr
from hypothesis import given, strategies as st
from zarr.storage import LocalStore

from zarrange import Key, Layout, Store
from zarrange.errors import CutError, NoPictureError, NotFoundError, StoreError, UnreadableError
from zarrange.view import slices
from zarrange.view.placing import locate
from zarrange.view.slices import Cut, read_slice

LAYOUT = Layout.parse("""
zarrange: 1
name: shelf
fields:
  name: {type: str}
containers:
  box: {path: box.zarr, zarr_format: 3}
  old_box: {path: old.zarr, zarr_format: 2}
arrays:
  image: {container: box, path: "{{ name }}"}
  old_image: {container: old_box, path: "{{ name }}"}
""")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", LAYOUT)


@pytest.fixture(params=["local", "memory"])
def either(request, tmp_path):
    """A store on disk, and one in memory."""
    return Store(tmp_path / "store" if request.param == "local" else f"memory://{uuid4().hex}", LAYOUT)


@pytest.fixture(params=["image", "old_image"])
def kind(request):
    """A kind of each zarr format."""
    return request.param


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    """For each of three dimensions, an array with a channel there: its values, its store and its entry."""
    found = []
    for axis in range(3):
        data = np.random.default_rng(axis).integers(0, 99, (9, 9, 9))
        store = Store(tmp_path_factory.mktemp("cube"), LAYOUT)
        names = ["channel" if at == axis else name for at, name in enumerate("abd")]
        found.append((data, store, made(store, data, chunks=(4, 5, 2), dimension_names=names)))
    return found


def entry(store, kind="image", name="a"):
    return locate(store, f"{'box' if kind == 'image' else 'old'}.zarr/{name}")


def made(store, data, kind="image", **options):
    """Make an array; return its entry."""
    store.create(Key(kind, {"name": "a"}), data=data, **options)
    return entry(store, kind)


def written(*shape, dtype="f4"):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


@pytest.fixture
def chunk_reads(monkeypatch):
    """The chunks that zarr asks its store for."""
    found = Counter()

    def counting(cls):
        read = cls.get

        async def get(self, key, prototype=None, byte_range=None):
            if not key.endswith(("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")):
                found[key] += 1
            return await read(self, key, prototype, byte_range)

        monkeypatch.setattr(cls, "get", get)

    from zarrange.stores.remote.bridge import RemoteStore

    counting(LocalStore)
    counting(RemoteStore)
    return found


class TestCut:
    @pytest.mark.parametrize(
        ("text", "index", "region"),
        [
            ("", {}, None),
            ("z:3", {"z": 3}, None),
            ("z:3,c:0", {"z": 3, "c": 0}, None),
            ("z:-1", {"z": -1}, None),
            ("z:3@0:64,8:16", {"z": 3}, (0, 64, 8, 16)),
            ("@0:64,8:16", {}, (0, 64, 8, 16)),
        ],
    )
    def test_text(self, text, index, region):
        """A cut is written as places on axes, then a region, and is written back the same."""
        cut = Cut.parse(text)
        assert (dict(cut.index), cut.region, str(cut)) == (index, region, text)

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "z",
                "z:",
                ":3",
                "z:x",
                "z:1.5",
                "z:+3",
                "z: 3",
                "z:3,",
                ",z:3",
                "z:3;c:0",
                "z:٣",
                "3:3",
                "z:3\n",
                "z:1_0",
            ),
            *("@", "@1:2", "@1:2,3", "@1:2,3:4,5:6", "@-1:2,3:4", "@a:b,c:d", "z:3@1:2,3:4@1:2,3:4", "z:1,z:2"),
            *("z:" + "9" * 19, "z:" + "9" * 10_000, "a" * 10_000, "\0", "z:3\0"),
        ],
        ids=lambda text: ascii(text[:20]),
    )
    def test_refused(self, text):
        """What is no cut is refused, in a message of a readable length."""
        with pytest.raises(ValueError, match="no cut") as refused:
            Cut.parse(text)
        assert len(str(refused.value)) < 300

    @given(
        index=st.dictionaries(st.from_regex("[a-z_][a-z0-9_]{0,5}", fullmatch=True), st.integers(-(10**9), 10**12)),
        region=st.none() | st.tuples(*[st.integers(0, 10**12)] * 4),
    )
    def test_back(self, index, region):
        """Every cut is read back as it was."""
        assert Cut.parse(str(Cut(index, region))) == Cut(index, region)

    def test_fitting(self, store):
        """Of a cut for several arrays, one takes the axes that it has."""
        found = read_slice(store, made(store, written(4, 5, 6))).axes
        assert str(Cut.parse("z:3,c:1,x:9@0:1,0:1").fitting(found)) == "z:3@0:1,0:1"


class TestPlane:
    def test_the_middle(self, either):
        """Unless a cut says more, the plane is in the middle of each axis, of the first channel."""
        data = written(2, 5, 6, 7)
        one = read_slice(either, made(either, data, chunks=(1, 2, 3, 4)))
        assert str(one.cut) == "c:0,z:2"
        assert np.array_equal(one.values, data[0, 2])
        assert [axis.name for axis in one.axes] == ["c", "z", "y", "x"]
        assert (one.note, one.is_labels) == ("", False)

    def test_a_place(self, either):
        """A cut says where the plane is, and which region of it is wanted."""
        data = written(2, 5, 6, 7)
        one = read_slice(either, made(either, data), Cut.parse("z:4,c:1@1:6,2:3"))
        assert np.array_equal(one.values, data[1, 4, 1:6, 2:3])
        assert str(one.cut) == "c:1,z:4@1:6,2:3"

    @pytest.mark.parametrize(
        ("names", "cut", "expected"),
        [
            ("yxc", "c:1", np.s_[:, :, 1]),
            ("ycx", "c:2", np.s_[:, 2, :]),
            ("xyz", "x:3", np.s_[3, :, :]),
        ],
    )
    def test_other_axes(self, store, names, cut, expected):
        """Which dimensions make the plane comes from their names."""
        data = written(4, 5, 6)
        one = read_slice(store, made(store, data, dimension_names=list(names)), Cut.parse(cut))
        assert np.array_equal(one.values, data[expected])

    def test_one_dimension(self, store):
        """An array of one dimension is one row, and says so."""
        one = read_slice(store, made(store, written(7)))
        assert (one.values.shape, one.note, str(one.cut)) == ((1, 7), "1-d, as a row", "")
        assert read_slice(store, entry(store), Cut.parse("@0:1,2:4")).values.tolist() == [[2, 3]]

    def test_two_dimensions(self, store):
        """An array of two dimensions is its own plane."""
        data = written(5, 7)
        assert np.array_equal(read_slice(store, made(store, data)).values, data)

    @pytest.mark.parametrize("count", [5, 6])
    def test_many_dimensions(self, store, count):
        """An array of many dimensions has a place on each of those that are not of the plane."""
        data = written(*range(2, 2 + count))
        one = read_slice(store, made(store, data))
        place = [one.cut.index[axis.name] for axis in one.axes[:-2]]
        assert np.array_equal(one.values, data[tuple(place)])
        assert one.cut.index["c"] == 0

    def test_formats_and_orders(self, store, kind):
        """Arrays of both zarr formats, in either order of their elements, give the same plane."""
        data = written(4, 5, 6, dtype="i4")
        options = {"order": "F"} if kind == "old_image" else {}
        one = read_slice(store, made(store, data, kind, chunks=(2, 3, 4), **options))
        assert np.array_equal(one.values, data[2])
        assert one.values.flags.c_contiguous

    def test_attributes_of_format_2(self, store):
        """The attributes of an array of format 2 name its axes, too."""
        one = read_slice(store, made(store, written(3, 4, 5), "old_image", attributes={"axes": "tyx"}))
        assert str(one.cut) == "t:1"

    def test_shards(self, either):
        """Of a sharded array, the plane is read as of any other."""
        data = written(16, 16, 16)
        one = read_slice(either, made(either, data, chunks=(4, 4, 4), shards=(8, 8, 8)), Cut.parse("z:9"))
        assert np.array_equal(one.values, data[9])

    @pytest.mark.parametrize("axis", range(3))
    @given(at=st.integers(0, 8), box=st.tuples(*[st.integers(0, 9)] * 4))
    def test_any_cut(self, cubes, axis, at, box):
        """Any cut gives what numpy gives of the same array, along any dimension."""
        data, store, found = cubes[axis]
        y0, y1, x0, x1 = box
        cut = Cut({"channel": at}, (min(y0, y1), max(y0, y1), min(x0, x1), max(x0, x1)))
        expected = np.take(data, at, axis)[cut.region[0] : cut.region[1], cut.region[2] : cut.region[3]]
        if expected.size == 0:
            with pytest.raises(CutError):
                read_slice(store, found, cut)
        else:
            assert np.array_equal(read_slice(store, found, cut).values, expected)


class TestCutsThatDoNotFit:
    @pytest.mark.parametrize(
        ("cut", "message"),
        [
            ("z:4", "`z` is from 0 to 3, not 4"),
            ("z:-1", "`z` is from 0 to 3, not -1"),
            ("z:999999999999999999", "`z` is from 0 to 3"),
            ("t:0", "no axis `t` to cut on: it has `z`"),
            ("y:0", "no axis `y` to cut on: it has `z`"),
            ("@0:6,0:6", "the region 0:6,0:6 is not in the plane, which is 0:5,0:6"),
            ("@2:2,0:6", "the region"),
            ("@3:2,0:6", "the region"),
            ("@0:5,0:999999999999999999", "the region"),
        ],
    )
    def test_refused(self, store, cut, message):
        """A cut outside of the array is refused, and told what would fit."""
        with pytest.raises(CutError, match=message):
            read_slice(store, made(store, written(4, 5, 6)), Cut.parse(cut))

    @pytest.mark.parametrize("region", [(-1, 2, 0, 2), (0, 2, -3, -1)])
    def test_negative_regions(self, store, region):
        """A region that begins before the plane is refused, not counted from the end."""
        with pytest.raises(CutError):
            read_slice(store, made(store, written(4, 5, 6)), Cut({}, region))

    def test_an_array_without_other_axes(self, store):
        """An array that is a plane has no axis to cut on."""
        with pytest.raises(CutError, match="has none but those of the plane"):
            read_slice(store, made(store, written(4, 5)), Cut({"z": 0}))

    def test_what_it_is(self):
        """It is an error of the store's own, and a `ValueError`."""
        assert issubclass(CutError, StoreError)
        assert issubclass(CutError, ValueError)


class TestTypes:
    @pytest.mark.parametrize(
        "dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i2", ">u4", ">f4", ">f8"]
    )
    def test_numbers(self, store, kind, dtype):
        """Numbers of every type are given as they are, in this machine's byte order."""
        data = (written(3, 4, 5, dtype="i4") % 100).astype(dtype)
        one = read_slice(store, made(store, data, kind))
        assert np.array_equal(one.values, data[1])
        assert one.values.dtype == np.dtype(dtype).newbyteorder("=")
        assert one.values.dtype.isnative

    @pytest.mark.parametrize("dtype", ["c8", "c16", ">c8"])
    def test_complex(self, store, kind, dtype):
        """Of complex values, the magnitude is given, and it says so."""
        data = written(4, 5).astype(dtype) * (3 + 4j)
        one = read_slice(store, made(store, data, kind))
        assert np.allclose(one.values, written(4, 5) * 5)
        assert (one.values.dtype.kind, one.note) == ("f", "magnitude of complex values")

    def test_complex_row(self, store):
        """Everything that was done is said."""
        one = read_slice(store, made(store, np.array([3 + 4j, 0], "c8")))
        assert (one.values.tolist(), one.note) == ([[5, 0]], "1-d, as a row; magnitude of complex values")

    def test_large_labels(self, store):
        """Labels that no float holds stay as they are."""
        data = np.array([[2**63 - 1, -(2**63)], [2**53 + 1, 7]], "i8")
        assert np.array_equal(read_slice(store, made(store, data)).values, data)

    def test_no_numbers(self, store):
        """NaN and infinities are values as any others."""
        data = np.array([[np.nan, np.inf], [-np.inf, 1e-310]])
        assert np.array_equal(read_slice(store, made(store, data)).values, data, equal_nan=True)

    @pytest.mark.parametrize(
        ("dtype", "is_labels"),
        [
            *(("?", True), ("u1", False), ("i1", False), ("u2", False), ("i2", True), ("i4", True), ("u4", True)),
            *(("i8", True), ("u8", True), ("f2", False), ("f4", False), ("f8", False), ("c8", False)),
        ],
    )
    def test_labels(self, store, dtype, is_labels):
        """Booleans and large integers are taken for labels; bytes and 16 bits without a sign are what cameras give."""
        assert read_slice(store, made(store, np.ones((2, 2), dtype))).is_labels is is_labels


class TestNoPicture:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (np.array(3.0), "only one value"),
            (np.zeros((0, 4)), "empty: its shape is 0 x 4"),
            (np.zeros((3, 4, 0)), "empty: its shape is 3 x 4 x 0"),
            (np.zeros((2, 2), "M8[s]"), "values of type datetime64"),
            (np.zeros((2, 2), "m8[s]"), "values of type timedelta64"),
        ],
    )
    def test_what_has_none(self, store, data, message):
        """What has no plane of numbers is said to have no picture."""
        with pytest.raises(NoPictureError, match=message):
            read_slice(store, made(store, data))

    def test_structured(self, store):
        """Values with parts have no picture."""
        data = np.zeros((2, 2), [("a", "i4"), ("b", "f4")])
        found = made(store, data, "old_image")
        with pytest.raises(NoPictureError, match="structured values"):
            read_slice(store, found)

    @pytest.mark.parametrize("data", [np.array([["a", "bc"]]), np.array([[b"a", b"bc"]])], ids=["text", "bytes"])
    def test_strings(self, store, data):
        """Texts have no picture."""
        with pytest.raises(NoPictureError, match="a picture needs numbers"):
            read_slice(store, made(store, data, "old_image"))

    def test_a_type_that_zarr_does_not_know(self, store):
        """An array that zarr cannot open is unreadable, and it is said why."""
        found = made(store, written(3, 4))
        file = Path(store.root, "box.zarr/a/zarr.json")
        file.write_text(file.read_text().replace('"float32"', '"of_another_world"'))
        with pytest.raises(UnreadableError, match="of_another_world"):
            read_slice(store, found)

    def test_a_group(self, store):
        """A group has no picture."""
        made(store, written(3, 4))
        (box,) = store.find("box")
        with pytest.raises(NoPictureError, match="no array"):
            read_slice(store, box)


class TestTooLarge:
    def created(self, store, **options):
        store.create(Key("image", {"name": "a"}), dtype="f4", **options)
        return entry(store)

    def test_a_large_plane(self, store):
        """Of a plane with very many values, a region can be asked for, and nothing else."""
        found = self.created(store, shape=(10**6, 10**6), chunks=(1000, 1000))
        with pytest.raises(NoPictureError, match=r"1,000,000,000,000 values.* ask for a region"):
            read_slice(store, found)
        with pytest.raises(NoPictureError, match="ask for a region"):
            read_slice(store, found, Cut.parse("@0:5000,0:5000"))
        assert read_slice(store, found, Cut.parse("@5000:5100,999000:1000000")).values.shape == (100, 1000)

    def test_very_many_chunks(self, store):
        """A slice does not ask for very many chunks."""
        found = self.created(store, shape=(1000, 1000), chunks=(1, 1))
        with pytest.raises(NoPictureError, match="crosses 1,000,000 chunks"):
            read_slice(store, found)
        assert read_slice(store, found, Cut.parse("@0:10,0:10")).values.shape == (10, 10)

    def test_enormous_chunks(self, store):
        """A chunk that would fill the memory is not decoded."""
        found = self.created(store, shape=(2**20, 64, 64), chunks=(2**20, 64, 64))
        with pytest.raises(NoPictureError, match="its chunks have 17,179,869,184 bytes each"):
            read_slice(store, found)

    def test_as_many_as_possible(self, store):
        """A plane that has just as many values as a picture may have is read."""
        found = self.created(store, shape=(2, 4096, 4096), chunks=(1, 4096, 4096))
        assert read_slice(store, found).values.size == slices.MAX_PIXELS


class TestChunks:
    def test_only_those_that_are_crossed(self, either, chunk_reads):
        """A plane reads each chunk that it crosses once, and no other."""
        found = made(either, written(64, 64, 64), chunks=(16, 16, 16))
        chunk_reads.clear()
        read_slice(either, found, Cut.parse("z:17"))
        assert set(chunk_reads.values()) == {1}
        assert {key.split("c/")[1] for key in chunk_reads} == {f"1/{y}/{x}" for y in range(4) for x in range(4)}

    def test_a_region(self, either, chunk_reads):
        """A region reads the chunks that it touches."""
        found = made(either, written(64, 64, 64), chunks=(16, 16, 16))
        chunk_reads.clear()
        read_slice(either, found, Cut.parse("z:63@15:17,32:48"))
        assert {key.split("c/")[1]: count for key, count in chunk_reads.items()} == {"3/0/2": 1, "3/1/2": 1}

    def test_one_channel(self, store, chunk_reads):
        """Other channels are not read."""
        found = made(store, written(3, 4, 8, 8), chunks=(1, 1, 8, 8))
        chunk_reads.clear()
        read_slice(store, found, Cut.parse("c:2,z:1"))
        assert dict(chunk_reads) == {"a/c/2/1/0/0": 1}

    def test_format_2(self, store, chunk_reads):
        """Of format 2, too, only crossed chunks are read."""
        found = made(store, written(8, 8, 8), "old_image", chunks=(4, 4, 4))
        chunk_reads.clear()
        read_slice(store, found, Cut.parse("z:5@0:4,0:8"))
        assert dict(chunk_reads) == {"a/1.0.0": 1, "a/1.0.1": 1}

    def test_shards(self, store, chunk_reads):
        """Of shards, only those are opened that the plane crosses."""
        found = made(store, written(32, 32, 32), chunks=(4, 4, 4), shards=(16, 16, 16))
        chunk_reads.clear()
        read_slice(store, found, Cut.parse("z:20@0:16,0:32"))
        assert set(chunk_reads) == {"a/c/1/0/0", "a/c/1/0/1"}

    def test_no_picture_reads_nothing(self, store, chunk_reads):
        """What cannot be shown is refused before any chunk is read."""
        found = made(store, np.zeros((2, 2), "M8[s]"))
        chunk_reads.clear()
        with pytest.raises(NoPictureError):
            read_slice(store, found)
        with pytest.raises(CutError):
            read_slice(store, made(store, written(2, 2), "old_image"), Cut({"z": 0}))
        assert not chunk_reads


class TestDamage:
    @pytest.mark.parametrize("name", ["zstd", "blosc", "gzip", "none"])
    @pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "more"])
    def test_a_chunk(self, store, name, damage):
        """A chunk that is damaged is told as unreadable, with the array's path and a reason."""
        codecs = {"zstd": zarr.codecs.ZstdCodec(), "blosc": zarr.codecs.BloscCodec(), "gzip": zarr.codecs.GzipCodec()}
        data = np.random.default_rng(0).random((4, 8, 8))
        found = made(store, data, chunks=(2, 8, 8), compressors=codecs.get(name))
        file = Path(store.root, "box.zarr/a/c/1/0/0")
        content = file.read_bytes()
        changed = {"empty": b"", "cut": content[: len(content) // 2], "garbage": b"\xff" * 100}
        file.write_bytes(changed.get(damage, content + b"more"))
        if damage == "more" and name != "none":
            # Codecs do not look behind the end of what they have read; either answer will do, but it must be one.
            with suppress(UnreadableError):
                assert np.array_equal(read_slice(store, found, Cut({"z": 2})).values, data[2])
        else:
            with pytest.raises(UnreadableError, match=r"'box.zarr/a' cannot be read: .+"):
                read_slice(store, found, Cut({"z": 2}))
        assert np.array_equal(read_slice(store, found, Cut({"z": 1})).values, data[1])

    def test_a_shard(self, store):
        """A damaged shard is unreadable, too."""
        found = made(store, written(8, 8, 8), chunks=(4, 4, 4), shards=(8, 8, 8))
        file = Path(store.root, "box.zarr/a/c/0/0/0")
        file.write_bytes(file.read_bytes()[:-10])
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_slice(store, found)

    def test_a_missing_chunk(self, store):
        """A chunk that was never written has the fill value, as zarr has it."""
        store.create(Key("image", {"name": "a"}), shape=(4, 4), chunks=(2, 2), dtype="f4", fill_value=7)
        assert (read_slice(store, entry(store)).values == 7).all()

    def test_metadata_that_change_nothing_for_us(self, store):
        """Metadata that zarr does not take are unreadable, though our own reading of them was fine."""
        found = made(store, written(4, 4))
        file = Path(store.root, "box.zarr/a/zarr.json")
        file.write_text(file.read_text().replace('"bytes"', '"no_such_codec"'))
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_slice(store, found)

    def test_long_reasons(self):
        """A reason that goes on and on is cut short, in one line."""
        with pytest.raises(UnreadableError) as told, slices._telling("path"):
            raise RuntimeError("first\nline " * 1000)
        assert len(str(told.value)) < 300
        assert "\n" not in str(told.value)


class Planted:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class TestPickles:
    @pytest.mark.parametrize(
        "changed",
        [
            {"compressor": {"id": "pickle"}},
            {"filters": [{"id": "pickle"}]},
            {"filters": [{"id": "shuffle"}, {"id": "pickle"}]},
            {"filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]},
            {"dtype": "|O", "fill_value": 0, "filters": [{"id": "pickle"}]},
            {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]},
        ],
    )
    def test_nothing_is_run(self, store, tmp_path, changed):
        """Chunks that are pickles, which can run anything when they are read, are not read."""
        found = made(store, written(4, 4), "old_image")
        file = Path(store.root, "old.zarr/a/.zarray")
        file.write_text(json.dumps({**json.loads(file.read_text()), "compressor": None, "filters": None, **changed}))
        planted = pickle.dumps(Planted(str(tmp_path / "was run")))
        Path(store.root, "old.zarr/a/0.0").write_bytes(planted)
        with pytest.raises((UnreadableError, NoPictureError)):
            read_slice(store, found)
        assert not (tmp_path / "was run").exists()


class TestSymlinksAndPipes:
    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_chunks(self, store, tmp_path, depth):
        """A chunk, or a folder of chunks, that is a symlink is not followed."""
        found = made(store, written(4, 4))
        place = Path(store.root, "box.zarr/a", *["c", "0", "0"][:depth])
        place.rename(tmp_path / "outside")
        place.symlink_to(tmp_path / "outside")
        with pytest.raises(UnreadableError, match="symlink"):
            read_slice(store, found)

    def test_a_shard(self, store, tmp_path):
        """A shard that is a symlink is not followed, though it is read in parts."""
        found = made(store, written(8, 8), chunks=(4, 4), shards=(8, 8))
        place = Path(store.root, "box.zarr/a/c/0/0")
        place.rename(tmp_path / "outside")
        place.symlink_to(tmp_path / "outside")
        with pytest.raises(UnreadableError, match="symlink"):
            read_slice(store, found)

    def test_a_pipe(self, store):
        """A chunk that is a pipe is not waited for."""
        found = made(store, written(4, 4))
        place = Path(store.root, "box.zarr/a/c/0/0")
        place.unlink()
        os.mkfifo(place)
        with pytest.raises(UnreadableError, match="no regular file"):
            read_slice(store, found)


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something after an array was opened, before its first chunk is read."""

    def doing(do):
        guarded = slices.guarded

        def after(array):
            do()
            return guarded(array)

        monkeypatch.setattr(slices, "guarded", after)

    return doing


class TestMeanwhile:
    def test_removed(self, either, meanwhile):
        """An array that is removed while it is read is told, and no zeros are given for it."""
        found = made(either, written(4, 4) + 1)
        meanwhile(lambda: either.remove(either.identifier("image", name="a")))
        with pytest.raises(StoreError, match="while it was read"):
            read_slice(either, found)

    def test_deleted_by_others(self, store, meanwhile):
        """An array that somebody deletes is told, whatever they deleted it with."""
        found = made(store, written(4, 4) + 1)
        meanwhile(lambda: shutil.rmtree(Path(store.root, "box.zarr/a")))
        with pytest.raises(StoreError, match="while it was read"):
            read_slice(store, found)

    def test_replaced(self, either, meanwhile):
        """An array that is replaced by another one while it is read is told."""
        found = made(either, written(4, 4) + 1)

        def replace():
            either.remove(either.identifier("image", name="a"))
            made(either, np.zeros((4, 4)))

        meanwhile(replace)
        with pytest.raises(StoreError, match="while it was read"):
            read_slice(either, found)

    def test_removed_with_a_grace(self, either, meanwhile):
        """What can still be put back can be read to its end."""
        data = written(4, 4) + 1
        found = made(either, data)
        meanwhile(lambda: either.remove(either.identifier("image", name="a"), grace=3600))
        assert np.array_equal(read_slice(either, found).values, data)

    def test_gone_before(self, either):
        """An array that is gone since it was found is not there."""
        found = made(either, written(4, 4))
        either.remove(either.identifier("image", name="a"))
        with pytest.raises(NotFoundError):
            read_slice(either, found)


def test_many_at_once(either):
    """Slices can be read by many threads at once."""
    data = written(32, 16, 16)
    found = made(either, data, chunks=(4, 8, 8))
    with ThreadPoolExecutor(8) as threads:
        planes = list(threads.map(lambda at: read_slice(either, found, Cut({"z": at})).values, range(32)))
    assert np.array_equal(planes, data)
