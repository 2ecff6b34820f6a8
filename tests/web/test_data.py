"""`/data`: exactly the files that zarr needs of what the layout has, whole and in parts, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
from itertools import count
from pathlib import Path

import httpx
import numpy as np
import pytest
import zarr
from hypothesis import given, settings, strategies as st
from tests.web.conftest import Client, fill

from zarrange import Layout, Store
from zarrange.web import data
from zarrange.web.app import create_app
from zarrange.web.chunks import read_grid

ARRAY = "r1/validation.zarr/iterations/00001000/crop1/prediction"
LAYOUT = """
zarrange: 1
name: mixed
fields:
  run: {type: str, charset: unicode}
  name: {type: path, charset: unicode}
  file: {type: str, pattern: ".*"}
containers:
  box: {path: "{{ run }}/box.zarr"}
groups:
  part: {container: box, path: "parts/{{ name }}"}
arrays:
  image: {container: box, path: "images/{{ name }}"}
files:
  note: {path: "{{ run }}/notes/{{ name }}/{{ file }}"}
allow:
  - {rule: nested-kinds, kinds: [image], because: A name may have slashes.}
  - {rule: nested-kinds, kinds: [part], because: A name may have slashes.}
"""
VALUES = np.arange(24, dtype="u2").reshape(4, 6)
_names = count()


@pytest.fixture(scope="module")
def client(filled):
    """Asks the application for the store that is only read."""
    return Client(create_app(filled))


@pytest.fixture
def mixed(tmp_path):
    """A store of arrays, groups and files whose names may have slashes."""
    return Store(tmp_path / "mixed", Layout.parse(LAYOUT))


def made(store, name, **options):
    where = store.identifier("image", run="r1", name=name)
    return zarr.create_array(where.path, **{"chunks": (2, 3), "data": VALUES, **options})


def files(root):
    """The files below a folder, by their paths."""
    return {str(path.relative_to(root)): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


# --- what is served --------------------------------------------------------------------------------------------------


def test_all_files_of_all_arrays(client, filled):
    """Every file of every array is served, byte for byte, and every container's metadata."""
    arrays = [entry.path for entry in filled.find() if entry.node == "array"]
    containers = [entry.path for entry in filled.find() if entry.node == "group"]
    expected = {path for path in files(filled.root) if path.startswith(tuple(f"{one}/" for one in arrays))}
    expected |= {f"{one}/zarr.json" for one in containers}
    assert len(arrays) > 20
    assert len(containers) == 4
    for path in sorted(expected):
        assert client.get(f"/data/{path}").content == Path(filled.root, path).read_bytes()
    others = set(files(filled.root)) - expected
    assert any(path.startswith(".zarrange/") for path in others)
    for path in sorted(others):
        assert client.get(f"/data/{path}").status_code == 404


STORED = {
    "default": {},
    "dots": {"chunk_key_encoding": {"name": "default", "separator": "."}},
    "v2": {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    "v2 slashes": {"chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "shards": {"shards": (4, 6)},
    "old": {"zarr_format": 2},
    "old slashes": {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
    "no dimensions": {"data": np.array(7), "chunks": ()},
    "old, no dimensions": {"data": np.array(7), "chunks": (), "zarr_format": 2},
    "v2, no dimensions": {"data": np.array(7), "chunks": (), "chunk_key_encoding": {"name": "v2", "separator": "."}},
    "one": {"data": np.arange(1, 8), "chunks": (3,)},
    "five": {"data": np.ones((1, 2, 3, 4, 5)), "chunks": (1, 1, 2, 3, 4)},
}


@pytest.mark.parametrize("stored", STORED)
def test_keys_of_all_sorts(mixed, stored):
    """Whatever keys zarr gives to chunks, exactly these are served, and the metadata of either format."""
    made(mixed, "x", attributes={"a": 1}, **STORED[stored])
    client = Client(create_app(mixed))
    folder = Path(mixed.root, "r1/box.zarr/images/x")
    found = files(folder)
    assert len(found) > 1
    for path, content in found.items():
        answer = client.get(f"/data/r1/box.zarr/images/x/{path}")
        assert (answer.status_code, answer.content) == (200, content)
    for path in ("9/9", "9.9", "c/9/9", "c.9.9", "c/0/-1", "0", "0/0", "0.0", "c/0/0", "c.0.0", "c", "c/0", "c/0/0/0"):
        expected = 200 if path in found else 404
        assert client.get(f"/data/r1/box.zarr/images/x/{path}").status_code == expected


def strange(path):
    """Other ways to write the same chunk, to a lenient reader."""
    yield from (f"{path}/", f"{path}.partial", f"{path} ", path.replace("0", "00"))
    yield from (path.replace("0", "+0"), path.replace("0", "\u0660"), path.replace("0", "0x0"), path.replace("0", "-0"))
    yield from (path.upper(), path.replace("/", "."), path.replace("/", "//"), f"{path}/0", path.rpartition("/")[0])


@pytest.mark.parametrize("path", sorted({*strange("c/0/0"), *strange("c/1/1")} - {"c/1/1"}))
def test_a_chunk_has_one_key(mixed, path):
    """A key that is not exactly as zarr writes it is no key, even where a file has that name."""
    made(mixed, "x")
    client = Client(create_app(mixed))
    there = Path(mixed.root, "r1/box.zarr/images/x", path)
    if not there.exists() and not there.parent.is_file():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("stray")
    assert client.get(f"/data/r1/box.zarr/images/x/{path}").status_code == 404


def test_strays(mixed):
    """What lies in an array's folder, and is none of its files, is not served; nor are copies of all metadata."""
    made(mixed, "x")
    client = Client(create_app(mixed))
    folder = Path(mixed.root, "r1/box.zarr/images/x")
    for name in ("notes.txt", ".hidden", "c/notes.txt", "c/0/0.partial", ".zmetadata", "zarr.json.bak", "c/2/0", "d/0"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("stray")
        assert client.get(f"/data/r1/box.zarr/images/x/{name}").status_code == 404


def test_files_of_the_layout(mixed):
    """Files that are no zarr are not served, whatever they are called."""
    client = Client(create_app(mixed))
    for name in ("a/one.txt", "a/zarr.json", "a/c/0/0", "a/0.0", "images/x/zarr.json"):
        path = Path(mixed.root, "r1/notes", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        assert name.endswith("zarr.json") or mixed.layout.match(f"r1/notes/{name}").kind == "note"
        assert client.get(f"/data/r1/notes/{name}").status_code == 404


def test_groups(mixed):
    """The metadata of a group that the layout has are served, those of a group that it has not are not."""
    for path in ("r1/box.zarr", "r1/box.zarr/parts/a", "r1/box.zarr/others"):
        zarr.create_group(Path(mixed.root, path))
    client = Client(create_app(mixed))
    assert client.get("/data/r1/box.zarr/zarr.json").json()["node_type"] == "group"
    assert client.get("/data/r1/box.zarr/parts/a/zarr.json").json()["node_type"] == "group"
    assert client.get("/data/r1/box.zarr/others/zarr.json").status_code == 404
    assert client.get("/data/r1/zarr.json").status_code == 404
    assert client.get("/data/zarr.json").status_code == 404


def test_arrays_that_may_be_below_one_another(mixed):
    """Where a chunk's name could as well be an array's, what is there decides."""
    made(mixed, "a")
    made(mixed, "a/9/9", data=VALUES + 1)
    client = Client(create_app(mixed))
    for path in ("a/c/0/0", "a/9/9/c/0/0", "a/zarr.json", "a/9/9/zarr.json"):
        expected = Path(mixed.root, "r1/box.zarr/images", path).read_bytes()
        assert client.get(f"/data/r1/box.zarr/images/{path}").content == expected


def test_what_a_store_keeps_for_itself(mixed):
    """What a store keeps for itself is not shown, even where a layout has a path there."""
    shutil.copytree(Path(made(mixed, "x").store.root).parents[1], Path(mixed.root, ".zarrange/box.zarr"))
    assert mixed.layout.match(".zarrange/box.zarr/images/x").values["run"] == ".zarrange"
    client = Client(create_app(mixed))
    for part in ("data/r1", "image/r1", "data/.zarrange", "image/.zarrange", "values/.zarrange"):
        path = "box.zarr/images/x" if not part.startswith("data") else "box.zarr/images/x/zarr.json"
        assert client.get(f"/{part}/{path}").status_code == (200 if part.endswith("r1") else 404)


def test_what_is_no_array_has_no_chunks(mixed):
    """Where metadata are missing, damaged, or a group's, a file with the name of a chunk is none."""
    made(mixed, "x")
    client = Client(create_app(mixed))
    metadata = Path(mixed.root, "r1/box.zarr/images/x/zarr.json")
    chunk = "/data/r1/box.zarr/images/x/c/0/0"
    assert client.get(chunk).status_code == 200
    good = json.loads(metadata.read_text())
    for bad in (
        "{",
        json.dumps({"zarr_format": 3, "node_type": "group"}),
        json.dumps({**good, "shape": []}),
        json.dumps({**good, "chunk_key_encoding": {"name": "other"}}),
        json.dumps({**good, "chunk_key_encoding": {"name": "default", "configuration": {"separator": "c"}}}),
        json.dumps({**good, "chunk_grid": {"name": "other", "configuration": {"chunk_shape": [2, 3]}}}),
        json.dumps({**good, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [0, 3]}}}),
    ):
        metadata.write_text(bad)
        assert client.get(chunk).status_code == 404
    metadata.unlink()
    assert client.get(chunk).status_code == 404


def test_removed(store):
    """What was removed is not served any more, also while it can still be put back."""
    client = Client(create_app(store))
    assert client.get(f"/data/{ARRAY}/c/0/0/0/0").status_code == 200
    store.remove(store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1"), grace=3600)
    for name in ("zarr.json", "c/0/0/0/0"):
        assert client.get(f"/data/{ARRAY}/{name}").status_code == 404


@given(shape=st.lists(st.integers(0, 7), max_size=4), data=st.data())
@settings(max_examples=100, deadline=None)
def test_grids_have_the_keys_of_zarr(shape, data):
    """The keys of a grid are those that zarr writes, for each window those of the chunks that it crosses."""
    chunks = tuple(data.draw(st.integers(1, 4)) for _ in shape)
    form = data.draw(st.sampled_from(["2.", "2/", "default/", "default.", "v2.", "v2/"]))
    name, separator = form[:-1], form[-1]
    is_old = name == "2"
    encoding = {"name": "v2" if is_old else name, "separator": separator}
    store = zarr.storage.MemoryStore()
    written = {"zarr_format": 2 if is_old else 3, "fill_value": 0, "chunk_key_encoding": encoding}
    array = zarr.create_array(store, shape=tuple(shape), chunks=chunks, dtype="u1", **written)
    file = ".zarray" if is_old else "zarr.json"
    grid = read_grid(file, store._store_dict[file].to_bytes())
    window = [sorted([data.draw(st.integers(0, size)), data.draw(st.integers(0, size))]) for size in shape]
    array[tuple(slice(*one) for one in window)] = 1
    keys = {key for key in store._store_dict if key not in {file, ".zattrs"}}
    assert all(map(grid.has, keys))
    assert set(grid.crossed(window, 10_000)) >= keys
    if all(start < stop for start, stop in window):
        assert set(grid.crossed(window, 10_000)) == keys
        assert len(keys) == 1 or grid.crossed(window, len(keys) - 1) is None


# --- parts -----------------------------------------------------------------------------------------------------------

SIZE = 973
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=0-9": (0, 10),
    "bytes=10-19": (10, 20),
    "bytes=900-": (900, None),
    "bytes=900-99999": (900, None),
    "bytes=-1": (-1, None),
    "bytes=-99999": (0, None),
    "bytes=0-": (0, None),
}


@pytest.fixture(scope="module")
def chunk(filled):
    return Path(filled.root, ARRAY, "c/0/0/0/0").read_bytes()


@pytest.fixture
def block(request, monkeypatch):
    """How much is read at once."""
    monkeypatch.setattr(data, "BLOCK", request.param)
    return request.param


@pytest.mark.parametrize("block", [7, 4 * 1024 * 1024], indirect=True)
@pytest.mark.parametrize(("asked", "span"), RANGES.items())
def test_ranges(client, chunk, asked, span, block):
    """A part of a file is answered as such, with its place in it, however many blocks it takes."""
    found = client.get(f"/data/{ARRAY}/c/0/0/0/0", headers={"Range": asked})
    expected = chunk[slice(*span)]
    start = len(chunk) - len(expected) if span[1] is None else span[0]
    assert (found.status_code, found.content) == (206, expected)
    assert found.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(chunk)}"
    assert found.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=99999-100000", "bytes=-0"])
def test_ranges_that_are_beyond(client, chunk, asked):
    """A part that the file does not have is refused, with how long it is."""
    found = client.get(f"/data/{ARRAY}/c/0/0/0/0", headers={"Range": asked})
    assert (found.status_code, found.headers["content-range"]) == (416, f"bytes */{len(chunk)}")


@pytest.mark.parametrize(
    "asked", ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "bytes=a-b", "items=0-5", "bytes=٣-٤"]
)
def test_ranges_that_are_none(client, chunk, asked):
    """What is no range, or several, is answered by the whole."""
    found = client.get(f"/data/{ARRAY}/c/0/0/0/0", headers={"Range": asked.encode()})
    assert (found.status_code, found.content) == (200, chunk)
    assert "content-range" not in found.headers


@pytest.mark.parametrize("block", [7, 4 * 1024 * 1024], indirect=True)
def test_whole_files(client, chunk, block):
    """A whole file says how long it is, what it is, and that parts of it can be asked for."""
    found = client.get(f"/data/{ARRAY}/c/0/0/0/0")
    assert (found.status_code, found.content) == (200, chunk)
    assert found.headers["content-length"] == str(len(chunk))
    assert (found.headers["accept-ranges"], found.headers["content-type"]) == ("bytes", "application/octet-stream")
    assert client.get(f"/data/{ARRAY}/zarr.json").headers["content-type"] == "application/json"


def test_head(client, chunk):
    """HEAD tells what GET would, without the content; a range means nothing to it."""
    for headers in ({}, {"Range": "bytes=0-9"}):
        found = client.head(f"/data/{ARRAY}/c/0/0/0/0", headers=headers)
        assert (found.status_code, found.content) == (200, b"")
        assert found.headers["content-length"] == str(len(chunk))
        assert found.headers["etag"] == client.get(f"/data/{ARRAY}/c/0/0/0/0").headers["etag"]
    assert client.head(f"/data/{ARRAY}/c/9/0/0/0").status_code == 404


def test_tags(store):
    """A file that is known already is not sent again, until it is written anew."""
    client = Client(create_app(store))
    url = f"/data/{ARRAY}/zarr.json"
    tag = client.get(url).headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for method in ("GET", "HEAD"):
            found = client.request(method, url, headers={"If-None-Match": known})
            assert (found.status_code, found.content, found.headers["etag"]) == (304, b"", tag)
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    path = Path(store.root, ARRAY, "zarr.json")
    path.write_bytes(path.read_bytes() + b"\n")
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (200, path.read_bytes())


def test_a_part_of_what_has_changed(store):
    """Who has the beginning of another version is sent the whole of this one."""
    client = Client(create_app(store))
    url = f"/data/{ARRAY}/zarr.json"
    whole = client.get(url)
    part = {"Range": "bytes=5-9"}
    same = client.get(url, headers={**part, "If-Range": whole.headers["etag"]})
    assert (same.status_code, same.content) == (206, whole.content[5:10])
    other = client.get(url, headers={**part, "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)


def test_written_anew_while_it_is_sent(serve, store, monkeypatch):
    """A file that is written anew while it is sent is broken off, never mixed of two."""
    monkeypatch.setattr(data, "BLOCK", 1000)
    path = Path(store.root, ARRAY, "c/0/0/0/0")
    path.write_bytes(b"a" * 50_000_000)
    served = serve(store)
    with httpx.stream("GET", f"{served.url}/data/{ARRAY}/c/0/0/0/0", timeout=60) as answer:
        parts = answer.iter_raw()
        received = next(parts)
        (path.parent / "new").write_bytes(b"b" * 50_000_000)
        os.rename(path.parent / "new", path)
        with pytest.raises(httpx.RemoteProtocolError):
            received += b"".join(parts)
    assert set(received) == set(b"a")


# --- where it is -----------------------------------------------------------------------------------------------------


def test_object_stores(s3):
    """An object store's files are served as a folder's are, in parts too, and nothing else of the bucket."""
    name = f"data-{next(_names)}"
    bucket = s3.new_bucket()
    s3.client().put_object(Bucket=bucket, Key="secret/zarr.json", Body=b"canary")
    for root, options in ((f"memory://{name}/runs", {}), (f"s3://{bucket}/runs", {"storage_options": s3.options()})):
        store = fill(root, runs=("r1",), iterations=(1000,), **options)
        client = Client(create_app(store))
        for file in ("zarr.json", "c/0/0/0/0"):
            whole = store._backend.read(f"{ARRAY}/{file}")
            found = client.get(f"/data/{ARRAY}/{file}")
            assert (found.status_code, found.content, found.headers["content-length"]) == (200, whole, str(len(whole)))
            tag = {"If-None-Match": found.headers["etag"]}
            assert client.get(f"/data/{ARRAY}/{file}", headers=tag).status_code == 304
            for asked, span in (
                ("bytes=5-9", slice(5, 10)),
                ("bytes=-3", slice(-3, None)),
                ("bytes=9-", slice(9, None)),
            ):
                part = client.get(f"/data/{ARRAY}/{file}", headers={"Range": asked})
                assert (part.status_code, part.content) == (206, whole[span])
            beyond = client.get(f"/data/{ARRAY}/{file}", headers={"Range": "bytes=99999-"})
            assert beyond.status_code == 416
        for path in ("../secret/zarr.json", "secret/zarr.json", f"{ARRAY}/c/9/9/9/9", ".zarrange/layout.json"):
            assert client.get(f"/data/{path}").status_code == 404


def test_an_object_store_is_asked_once_for_metadata(s3):
    """The chunks of an array in an object store cost a request each, not one more for its metadata."""
    bucket = s3.new_bucket()
    store = fill(f"s3://{bucket}/runs", runs=("r1",), iterations=(1000,), storage_options=s3.options())
    client = Client(create_app(store))
    client.get(f"/data/{ARRAY}/c/0/0/0/0")
    s3.asked.clear()
    for key in ("0/0/0/1", "0/0/1/0", "1/0/0/0", "1/1/1/1"):
        assert client.get(f"/data/{ARRAY}/c/{key}").status_code == 200
    assert len(s3.asked) == 4
