"""Pictures and values over HTTP: what they show, when they are asked for again, what stands in the way."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pytest
import zarr
from PIL import Image
from tests.web.conftest import SCALED, Client, fill, output, prediction, raw

from zarrange import Store
from zarrange.stores.local import LocalBackend
from zarrange.stores.local.shelter import ShelteredBackend
from zarrange.web import images, serving
from zarrange.web.answers import THREADS, limiter
from zarrange.web.app import create_app

ARRAY = "r1/validation.zarr/iterations/00001000/crop1/prediction"
LABELS = "r1/validation.zarr/iterations/00001000/crop1/outputs/t=0.5"
RAW = "r1/validation.zarr/inputs/all/raw"
CHUNK = "c/0/1/0/0"
"""The first of the chunks of ARRAY that the middle of its first channel crosses."""


@pytest.fixture(scope="module")
def looker(filled):
    """Asks the application for the store that is only read."""
    return Client(create_app(filled))


def pixels(found):
    return np.asarray(Image.open(io.BytesIO(found.content)))


def numbers(found):
    shape = [int(one) for one in found.headers["x-zarrange-shape"].split(",")]
    dtype = np.dtype(found.headers["x-zarrange-dtype"]).newbyteorder("<")
    return np.frombuffer(found.content, dtype).reshape(shape)


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cut", "place"), {"": (0, 8), "z:3": (0, 3), "c:1": (1, 8), "z:15,c:1": (1, 15)}.items())
def test_values(looker, cut, place):
    """The values are those of the array, in the middle and of channel 0 unless the cut says where."""
    found = looker.get(f"/values/{ARRAY}", params={"cut": cut})
    assert (numbers(found) == prediction("r1", 1000)[place]).all()
    assert found.headers["x-zarrange-cut"] == f"c:{place[0]},z:{place[1]}"


def test_a_region(looker):
    """Of a large plane, a region can be asked for."""
    found = looker.get(f"/values/{RAW}?cut=z:3@5:20,10:31")
    assert (numbers(found) == raw("r1")[3, 5:20, 10:31]).all()
    assert pixels(looker.get(f"/image/{RAW}?cut=z:3@5:20,10:31")).shape == (15, 21)


def test_a_gray_picture(looker):
    """A picture of amounts goes from black at its least value to white at its greatest, and says which these are."""
    found = looker.get(f"/image/{RAW}?cut=z:3")
    values = raw("r1")[3].astype("f8")
    low, high = map(float, found.headers["x-zarrange-range"].split(","))
    assert (found.headers["content-type"], low, high) == ("image/png", values.min(), values.max())
    assert np.abs(pixels(found) - (values - low) / (high - low) * 255).max() <= 1


def test_a_range(looker):
    """A picture with a range that is given can be compared with others of that range."""
    found = looker.get(f"/image/{RAW}?cut=z:3&range=0,2")
    assert found.headers["x-zarrange-range"] == "0.0,2.0"
    assert np.abs(pixels(found) - raw("r1")[3] / 2 * 255).max() <= 1


def test_labels(looker):
    """Labels are in color, nothing where there is none; either can be asked for as the other."""
    found = looker.get(f"/image/{LABELS}?cut=z:3")
    colors = pixels(found)
    assert colors.shape == (24, 32, 4)
    assert found.headers["x-zarrange-labels"] == "1"
    assert ((colors[..., 3] == 0) == (output("r1", 1000, "t=0.5")[3] == 0)).all()
    assert pixels(looker.get(f"/image/{LABELS}?cut=z:3&labels=0")).ndim == 2
    assert pixels(looker.get(f"/image/{RAW}?cut=z:3&labels=1")).shape == (24, 32, 4)


def test_thumbnails(looker):
    """A thumbnail has at most so many pixels a side, and keeps the sides' ratio."""
    assert pixels(looker.get(f"/image/{RAW}?size=16")).shape == (12, 16)
    assert pixels(looker.get(f"/image/{LABELS}?size=8")).shape == (6, 8, 4)
    assert pixels(looker.get(f"/image/{RAW}?size=4096")).shape == (24, 32)


SENT = {
    "bool": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    ">u2": "uint16",
    ">i4": "int32",
    "int64": "int64",
    "uint64": "uint64",
    "float16": "float32",
    ">f4": "float32",
    "float64": "float64",
    "complex64": "float32",
}


@pytest.mark.parametrize(("stored", "sent"), SENT.items())
def test_types_of_values(store, client, stored, sent):
    """Values are little-endian, of a type that a page has arrays of, whatever they are stored as."""
    values = np.arange(12).reshape(3, 4).astype(stored)
    replace(store, RAW, data=values, chunks=(2, 2))
    found = client.get(f"/values/{RAW}")
    assert found.headers["x-zarrange-dtype"] == sent
    assert (numbers(found) == (np.abs(values) if "complex" in stored else values)).all()
    assert client.get(f"/image/{RAW}").headers["content-type"] == "image/png"
    assert found.headers["x-zarrange-note"] == ("magnitude of complex values" if "complex" in stored else "")


def replace(store, path, **options):
    import shutil

    shutil.rmtree(f"{store.root}/{path}")
    return zarr.create_array(f"{store.root}/{path}", **options)


def test_no_number(store, client):
    """Of a picture without any number there is no range, and it is transparent."""
    replace(store, RAW, data=np.full((4, 4), np.nan), chunks=(2, 2))
    found = client.get(f"/image/{RAW}")
    assert "x-zarrange-range" not in found.headers
    assert not pixels(found)[..., -1].any()


# --- what is not shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "said"),
    {
        "cut=z:16": "`z` is from 0 to 15, not 16",
        "cut=z:-1": "`z` is from 0 to 15, not -1",
        "cut=z:999999999999999999": "`z` is from 0 to 15, not 999999999999999999",
        "cut=z:9999999999999999999999": "is no cut",
        "cut=t:1": "there is no axis `t` to cut on",
        "cut=z": "is no cut",
        "cut=z:1&cut=z:2": "`cut` is given 2 times",
        "cut=@0:99,0:9": "the region 0:99,0:9 is not in the plane",
        "range=1": "`range` takes two numbers, as in 0,1, not '1'",
        "range=0,nan": "`range` takes two numbers",
        "range=0,inf": "`range` takes two numbers",
        "range=a,b": "`range` takes two numbers",
        "labels=2": "`labels` takes 0 or 1",
        "labels=true": "`labels` takes 0 or 1",
        "size=0": "`size` does not take '0'",
        "size=99999": "`size` does not take '99999'; it takes a whole number, from 1 to 4096",
        "size=1e3": "`size` does not take '1e3'",
        "color=red": "'color' is no parameter of this; known: `cut`, `labels`, `range`, `size`",
    }.items(),
)
def test_what_does_not_fit(looker, query, said):
    """A parameter that does not fit is refused, and it is said what would fit."""
    found = looker.get(f"/image/{ARRAY}?{query}")
    assert found.status_code == 400
    assert said in found.json()["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    {
        "": 404,
        "nothing": 404,
        "r1/validation.zarr": 404,
        f"{ARRAY}/c": 404,
        f"{ARRAY}/zarr.json": 404,
        ARRAY.replace("r1", "r9"): 404,
        ".zarrange/layout.json": 404,
    }.items(),
)
def test_what_is_not_there(looker, path, status):
    """A path at which the layout has no array, or there is none, is not found."""
    for part in ("image", "values"):
        found = looker.get(f"/{part}/{path}")
        assert found.status_code == status
        assert found.json()["error"]


@pytest.mark.parametrize(
    ("made", "said"),
    {
        "no dimensions": ({"data": np.array(1)}, "no dimensions"),
        "empty": ({"shape": (0, 4), "dtype": "u1", "chunks": (1, 1)}, "it is empty"),
        "text": ({"data": np.array(["a", "b"])}, "a picture needs numbers"),
        "too large": ({"shape": (100_000, 100_000), "dtype": "u1", "chunks": (10_000, 10_000)}, "ask for a region"),
    }.values(),
)
@pytest.mark.filterwarnings("ignore:The data type:zarr.errors.UnstableSpecificationWarning")
def test_what_is_no_picture(store, client, made, said):
    """An array that cannot be a picture says why, and the next picture is shown all the same."""
    replace(store, RAW, **made)
    for part in ("image", "values"):
        found = client.get(f"/{part}/{RAW}")
        assert found.status_code == 422
        assert said in found.json()["error"]
    assert client.get(f"/image/{ARRAY}").status_code == 200


def test_damaged_chunks(store, client):
    """A damaged chunk is told where it is crossed; elsewhere the array is shown."""
    Path(store.root, ARRAY, CHUNK).write_bytes(b"damaged")
    for part in ("image", "values"):
        found = client.get(f"/{part}/{ARRAY}?cut=z:8")
        assert found.status_code == 422
        assert "prediction' cannot be read" in found.json()["error"]
        assert client.get(f"/{part}/{ARRAY}?cut=z:7").status_code == 200


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"zarr_format": 3, "node_type": "array"}', b"\xff"])
def test_damaged_metadata(store, client, content):
    """Damaged metadata are told as such."""
    Path(store.root, ARRAY, "zarr.json").write_bytes(content)
    found = client.get(f"/image/{ARRAY}")
    assert found.status_code == 422
    assert "damaged" in found.json()["error"]


# --- again -----------------------------------------------------------------------------------------------------------


def spoil(path):
    """Damage a file so that nobody can tell without reading it: the next who decodes it fails."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"\0" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("part", ["image", "values"])
def test_what_is_known_is_not_decoded(store, client, part):
    """Who has a picture already is told so without a chunk being read."""
    url = f"/{part}/{ARRAY}?cut=z:8"
    tag = client.get(url).headers["etag"]
    spoil(Path(store.root, ARRAY, CHUNK))
    again = client.get(url, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(url).status_code == 422


def test_tags_tell_apart(looker):
    """What is drawn in another way, of another place, or of another array has another tag; the same has the same."""
    urls = [f"/image/{path}?cut=z:{z}{more}" for path in (ARRAY, RAW) for z in (3, 4) for more in DRAWN]
    urls += [f"/values/{path}?cut=z:{z}" for path in (ARRAY, RAW) for z in (3, 4)]
    tags = [looker.get(url).headers["etag"] for url in urls]
    assert len(set(tags)) == len(urls)
    assert [looker.get(url).headers["etag"] for url in urls] == tags
    assert all(tag.startswith('"') for tag in tags)


DRAWN = ["", "&size=16", "&size=8", "&labels=1", "&range=0,1", "&range=0,2", "@0:4,0:4", "@0:4,0:5"]


def test_chunks_that_are_written(store, client):
    """A picture has another tag when a chunk that it crosses is written, and the same when it is another one."""
    crossed, other = f"/image/{ARRAY}?cut=z:8", f"/image/{ARRAY}?cut=z:7"
    before = [client.get(url).headers["etag"] for url in (crossed, other)]
    array = zarr.open_array(f"{store.root}/{ARRAY}", mode="r+")
    metadata = Path(store.root, ARRAY, "zarr.json").read_bytes()
    array[0, 8] = 5
    assert Path(store.root, ARRAY, "zarr.json").read_bytes() == metadata
    after = [client.get(url, headers={"If-None-Match": ", ".join(before)}) for url in (crossed, other)]
    assert [one.status_code for one in after] == [200, 304]
    assert (numbers(client.get(f"/values/{ARRAY}?cut=z:8")) == 5).all()


def test_chunks_that_come_and_go(store, client):
    """A chunk that is written for the first time, or removed, changes the picture's tag."""
    replace(store, RAW, shape=(4, 4), chunks=(2, 2), dtype="f4", fill_value=1)
    url = f"/values/{RAW}"
    empty = client.get(url)
    zarr.open_array(f"{store.root}/{RAW}", mode="r+")[0, 0] = 7
    written = client.get(url, headers={"If-None-Match": empty.headers["etag"]})
    assert (written.status_code, numbers(written)[0, 0]) == (200, 7)
    Path(store.root, RAW, "c/0/0").unlink()
    gone = client.get(url, headers={"If-None-Match": written.headers["etag"]})
    assert (gone.status_code, numbers(gone)[0, 0], gone.headers["etag"]) == (200, 1, empty.headers["etag"])


def test_attributes_that_are_written(store, client):
    """Attributes may say what the axes are: another tag."""
    before = client.get(f"/image/{RAW}").headers["etag"]
    zarr.open_array(f"{store.root}/{RAW}", mode="r+").update_attributes({"seen": True})
    assert client.get(f"/image/{RAW}", headers={"If-None-Match": before}).status_code == 200


def test_thumbnails_are_kept(store, client):
    """A thumbnail that was made is given again without a chunk being read; a whole picture is not kept."""
    thumbnail, whole = f"/image/{ARRAY}?cut=z:8&size=16", f"/image/{ARRAY}?cut=z:8"
    first = client.get(thumbnail)
    assert client.get(whole).status_code == 200
    spoil(Path(store.root, ARRAY, CHUNK))
    again = client.get(thumbnail)
    assert (again.status_code, again.content, again.headers) == (200, first.content, first.headers)
    assert client.get(whole).status_code == 422
    assert client.get(f"/image/{ARRAY}?cut=z:8&size=17").status_code == 422


def test_few_thumbnails_are_kept(store, client, monkeypatch):
    """What thumbnails take in memory is bounded: the one that was not asked for the longest goes first."""
    monkeypatch.setattr(images, "KEPT", 400)
    urls = [f"/image/{ARRAY}?cut=z:8&size={size}" for size in range(8, 20)]
    made = {url: client.get(url) for url in urls}
    assert sum(len(one.content) for one in made.values()) > 800
    spoil(Path(store.root, ARRAY, CHUNK))
    statuses = [client.get(url).status_code for url in urls]
    kept = sum(len(made[url].content) for url, status in zip(urls, statuses, strict=True) if status == 200)
    assert statuses == sorted(statuses, reverse=True)
    assert set(statuses) == {200, 422}
    assert kept <= 400


def test_very_many_chunks(store, client, monkeypatch):
    """A picture of too many chunks to look after is shown, and not kept by anybody."""
    monkeypatch.setattr(images, "MAX_TOLD", 3)
    found = client.get(f"/image/{ARRAY}?size=16")
    assert (found.status_code, found.headers["cache-control"]) == (200, "no-store")
    assert "etag" not in found.headers


# --- meanwhile -------------------------------------------------------------------------------------------------------


def test_only_what_is_crossed_is_read(store, client):
    """A slice reads the chunks that it crosses and no others: all others may be damaged."""
    crossed = {f"c/0/1/{y}/{x}" for y in (0, 1) for x in (0, 1)}
    for path in Path(store.root, ARRAY, "c").rglob("*"):
        if path.is_file() and str(path.relative_to(Path(store.root, ARRAY))) not in crossed:
            path.write_bytes(b"damaged")
    found = client.get(f"/values/{ARRAY}?cut=c:0,z:8")
    assert (numbers(found) == prediction("r1", 1000)[0, 8]).all()
    assert client.get(f"/values/{ARRAY}?cut=c:1,z:8").status_code == 422


def test_removed(store, client):
    """An array that was removed is not found any more, however often it was shown."""
    url = f"/image/{ARRAY}?size=16"
    tag = client.get(url).headers["etag"]
    store.remove(store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1"))
    assert client.get(url).status_code == 404
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 404


class Slow(LocalBackend):
    """A folder whose chunks wait until somebody opens the gate."""

    def __init__(self, root):
        super().__init__(root)
        self.gate = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.read = []

    def sheltered(self):
        return SlowShelter(self)


class SlowShelter(ShelteredBackend):
    def __init__(self, slow):
        super().__init__(slow._top)
        self.slow = slow

    def read_range(self, path, start=0, stop=None):
        if "/c/" in path:
            self.slow.read.append(path)
            self.slow.waiting.release()
            assert self.slow.gate.wait(60)
        return super().read_range(path, start, stop)


@pytest.fixture
def slow(store):
    """A store that is read from only when the gate of its backend is opened."""
    store._backend = Slow(store.root)
    yield store
    store._backend.gate.set()


def test_pictures_do_not_hold_up_pages(slow):
    """While eight pictures wait for their chunks, pages, metadata and refusals are answered."""

    async def look():
        async with Client(create_app(slow)).opened() as client:
            urls = [f"/image/{ARRAY}?cut=z:{z}" for z in range(8)]
            pictures = [asyncio.create_task(client.get(url)) for url in urls]
            await asyncio.to_thread(slow._backend.waiting.acquire)
            pages = ("/", "/run?run=r1", "/api/runs", f"/data/{ARRAY}/zarr.json", "/static/style.css", "/nowhere")
            statuses = [(await client.get(url)).status_code for url in pages]
            was_any_done = any(one.done() for one in pictures)
            slow._backend.gate.set()
            return statuses, was_any_done, await asyncio.gather(*pictures)

    statuses, was_any_done, pictures = asyncio.run(look())
    assert statuses == [200, 200, 200, 200, 200, 404]
    assert not was_any_done
    assert [one.status_code for one in pictures] == [200] * 8
    assert [one.headers["x-zarrange-cut"] for one in pictures] == [f"c:0,z:{z}" for z in range(8)]


def test_what_nobody_waits_for_is_not_read(slow):
    """A picture whose turn comes when who asked for it has gone is not made."""

    async def look():
        app = create_app(slow)
        async with Client(app).opened() as client:
            busy = [asyncio.create_task(client.get(f"/image/{RAW}?cut=z:{z}")) for z in range(THREADS["pictures"])]
            while limiter("pictures").available_tokens:  # noqa: ASYNC110 - nobody else tells
                await asyncio.sleep(0)
            left = [asyncio.create_task(abandoned(app, f"/image/{ARRAY}", f"cut=z:{z}")) for z in range(8)]
            while limiter("pictures").statistics().tasks_waiting < len(left):  # noqa: ASYNC110
                await asyncio.sleep(0)
            slow._backend.gate.set()
            return await asyncio.gather(*left), await asyncio.gather(*busy)

    left, busy = asyncio.run(look())
    assert left == [499] * 8
    assert [one.status_code for one in busy] == [200] * len(busy)
    assert {path.partition("/c/")[0] for path in slow._backend.read} == {RAW}


def test_a_server_ends_while_pictures_wait(slow, monkeypatch, capfd):
    """A picture that waits for its chunks does not keep a server from ending."""
    monkeypatch.setattr(serving, "PATIENCE", 1)
    found = []
    with serving.running(slow) as url:
        looking = threading.Thread(target=lambda: found.append(httpx.get(f"{url}/image/{ARRAY}", timeout=60)))
        looking.start()
        slow._backend.waiting.acquire()
    looking.join()
    assert [(one.status_code, one.json()) for one in found] == [(503, {"error": "the server has ended"})]
    assert "Traceback" not in capfd.readouterr().err


async def abandoned(app, path, query):
    """Ask, and be gone at once; return the status of the answer that nobody sees."""
    statuses = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        statuses.append(message.get("status"))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    return statuses[0]


def test_written_while_it_is_looked_at(store, client):
    """While an array is written anew again and again, each picture is one of its states, or a message."""
    path = f"{store.root}/{RAW}"
    stop = threading.Event()

    def write():
        value = 0
        while not stop.is_set():
            value += 1
            zarr.open_array(path, mode="r+")[:] = value

    replace(store, RAW, data=np.zeros((64, 64), "f4"), chunks=(64, 64), attributes=SCALED)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [client.get(f"/values/{RAW}") for _ in range(60)]
    finally:
        stop.set()
        writer.join()
    values = [numbers(one) for one in seen if one.status_code == 200]
    assert {one.status_code for one in seen} <= {200, 422}
    assert all((one == one[0, 0]).all() for one in values)
    assert len({float(one[0, 0]) for one in values}) > 2


def test_removed_while_it_is_looked_at(store, client):
    """While an array is removed and put back again and again, it is shown as it is, or something is said."""
    where = store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1")
    stop = threading.Event()

    def remove():
        other = Store(store.root)
        while not stop.is_set():
            other.remove(where, grace=60)
            other.undo()

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        seen = [client.get(f"/values/{ARRAY}?cut=z:8") for _ in range(60)]
    finally:
        stop.set()
        remover.join()
    assert {one.status_code for one in seen} <= {200, 404, 409, 422}
    expected = prediction("r1", 1000)[0, 8]
    assert all((numbers(one) == expected).all() for one in seen if one.status_code == 200)
    assert all(one.json()["error"] for one in seen if one.status_code != 200)


# --- where it is -----------------------------------------------------------------------------------------------------


def test_object_stores(s3):
    """Pictures, values, tags and refusals are the same for an object store."""
    for root, options in (
        ("memory://images/runs", {}),
        (f"s3://{s3.new_bucket()}/runs", {"storage_options": s3.options()}),
    ):
        store = fill(root, runs=("r1",), iterations=(1000,), **options)
        client = Client(create_app(store))
        found = client.get(f"/values/{ARRAY}?cut=z:3")
        assert (numbers(found) == prediction("r1", 1000)[0, 3]).all()
        tag = {"If-None-Match": found.headers["etag"]}
        assert client.get(f"/values/{ARRAY}?cut=z:3", headers=tag).status_code == 304
        store.open(store.identifier("validation_prediction", run="r1", iteration=1000, dataset="crop1"), "r+")[0, 3] = 9
        again = client.get(f"/values/{ARRAY}?cut=z:3", headers=tag)
        assert (numbers(again) == 9).all()
        assert client.get(f"/image/{ARRAY}").status_code == 200
        assert client.get(f"/image/{ARRAY}?cut=z:99").status_code == 400
        assert client.get("/image/../secret").status_code == 404


def test_requests_to_an_object_store(s3):
    """Each chunk is asked about once and read once; beside chunks, nothing is asked for more than a few times."""
    store = fill(f"s3://{s3.new_bucket()}/runs", runs=("r1",), iterations=(1000,), storage_options=s3.options())
    client = Client(create_app(store))
    client.get(f"/image/{ARRAY}")
    s3.asked.clear()
    assert client.get(f"/image/{ARRAY}").status_code == 200
    chunks = Counter((one.method, one.path) for one in s3.asked if "/prediction/c/" in one.path)
    assert {*chunks.values()} == {1}
    assert {method for method, _ in chunks} == {"HEAD", "GET"}
    others = Counter((one.method, one.path) for one in s3.asked if "/prediction/c/" not in one.path)
    assert max(others.values()) <= 5
    assert others.total() <= 26


def test_format_2(store, client):
    """Arrays of zarr format 2, whose attributes are in a file of their own, are shown and have tags as others do."""
    replace(store, RAW, data=raw("r1"), chunks=(8, 12, 16), zarr_format=2)
    found = client.get(f"/values/{RAW}?cut=z:3")
    assert (numbers(found) == raw("r1")[3]).all()
    assert client.get(f"/values/{RAW}?cut=z:3", headers={"If-None-Match": found.headers["etag"]}).status_code == 304
    zarr.open_array(f"{store.root}/{RAW}", mode="r+").attrs["axis_names"] = ["x", "y", "z"]
    again = client.get(f"/values/{RAW}?cut=x:3", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, numbers(again).shape) == (200, (24, 32))
