"""Object stores as a backend: a real S3 server with credentials and faults, and the memory of this process."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, groupby, product

import numpy as np
import pytest
import zarr
from hypothesis import given, settings, strategies as st
from tests.stores.servers import new_user

from zarrange import Layout
from zarrange.converter import to_json
from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    DamagedError,
    EmptyFoldersError,
    IncompleteError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    UnreadableError,
)
from zarrange.identifiers import ContainerIdentifier
from zarrange.language.selection import select
from zarrange.stores import remote as remote_module
from zarrange.stores.backend import FILE, FOLDER, Around, Requests
from zarrange.stores.catalog import Entry, Search
from zarrange.stores.remote import RemoteBackend, dropping, leases, steps
from zarrange.stores.remote.leases import LOCK
from zarrange.stores.removal import plan_removal
from zarrange.stores.transactions import Intent, Move
from zarrange.stores.upkeep import settle

PATHS = ("a", "a/b/c", "a-b/c", "a/b/d e%2F#?", "é/\U0001f600", "é/\uffff", "Z")
GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
OLD_GROUP = b'{"zarr_format": 2}'
ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
    "attributes": {},
}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [2],
    "dtype": "|u1",
    "fill_value": 0,
    "compressor": None,
    "filters": None,
    "order": "C",
}
NEW, OLD = json.dumps(ARRAY).encode(), json.dumps(OLD_ARRAY).encode()
DATA = np.arange(16, dtype="u1").reshape(4, 4)
_names = count()


def memory():
    """A backend of its own, in memory."""
    return RemoteBackend(f"memory://test-{next(_names)}/some/prefix é%20")


def on_s3(server, **options):
    """A backend of its own, on the server."""
    return RemoteBackend(f"s3://{server.new_bucket()}/some/prefix", server.options(**options))


@pytest.fixture(params=["memory", "s3", "az"])
def backend(request):
    """A backend with nothing in it, of each sort."""
    if request.param == "az":
        azure = request.getfixturevalue("azure")
        return RemoteBackend(f"az://{azure.new_container()}/some/prefix", azure.options())
    return memory() if request.param == "memory" else on_s3(request.getfixturevalue("server"))


def fill(backend, contents):
    """Write files."""
    for path, content in contents.items():
        backend.write(path, content, replace=True)


def keys(backend):
    """All files that there are."""
    return [key for page in backend.pages("", Requests()) for key in page]


def make_array(backend, path="c.zarr/a", **options):
    """Make an array as a store does, below groups."""
    container, _, dataset = path.partition("/")
    options = {"zarr_format": 3, "shape": (4, 4), "chunks": (2, 2), "dtype": "u1", **options}
    if "data" in options:
        del options["shape"], options["dtype"]
    above = dataset.rpartition("/")[0] or None

    def make_groups():
        zarr.open_group(backend.zarr_store(container), path=above, mode="a", zarr_format=options["zarr_format"])

    with backend.creating(path):
        backend.create_array(container, dataset, options, Around(make_groups, list))
    return zarr.open_array(backend.zarr_store(container), path=dataset, mode="r+")


LAYOUT = Layout.parse("zarrange: 1\nname: none\nfields: {}\nfiles: {f: {path: f}}\n")


def remove(backend, path, sort):
    """Remove an artifact as a store does: a group with all that is in it."""
    return plan_removal(backend, LAYOUT, [(path, sort, None)], is_recursive=True, grace=0).apply()


def removal_of(path):
    """What takes a file away."""
    return Intent("remove", f"the removal of {path!r}", (Move(path, None, is_folder=False),))


class TestUrls:
    """What a root may be."""

    def test_root(self):
        """The root is the URL as it was written, without a slash at its end."""
        assert RemoteBackend("memory://here/a b%20/").root == "memory://here/a b%20"
        assert RemoteBackend("memory://here").root == "memory://here"

    def test_memory_by_name(self):
        """Backends of one memory URL see the same, also when one of them is a part of the other."""
        RemoteBackend("memory://shared/part").write("x/y", b"1")
        assert RemoteBackend("memory://shared").read("part/x/y") == b"1"
        assert RemoteBackend("memory://shared/part/x").read("y") == b"1"
        assert keys(RemoteBackend("memory://other")) == []

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("ftp://host/x", "one of s3://, gs://, az://, memory://, not with ftp://"),
            ("plain", "begins with one of"),
            ("file:///data", "given as its path, without `file://`"),
            ("s3://", "has no bucket"),
            ("s3:///x", "has no bucket"),
            ("s3://b/x//y", "empty segment"),
            ("memory://b/x/../y", "empty segment"),
            ("memory://b/x\ny", "control character"),
        ],
    )
    def test_refused(self, url, message):
        """A URL that cannot be a root is refused, with what would be one."""
        with pytest.raises(ValueError, match=message):
            RemoteBackend(url)

    @pytest.mark.parametrize(
        "url",
        ["s3://AKIAKEY:hushhush@bucket/x", "s3://bucket/x?secret=hushhush", "s3://hushhush@bucket", "X://hush:@b"],
    )
    def test_credentials(self, url):
        """A URL that may carry credentials is refused without being repeated."""
        with pytest.raises(ValueError, match="may carry credentials") as caught:
            RemoteBackend(url)
        assert "hush" not in str(caught.value)

    def test_missing_obstore(self):
        """Without obstore, the error says what to install."""
        program = (
            "import sys; sys.modules['obstore'] = None\n"
            "from zarrange.stores.remote import RemoteBackend\n"
            "try: RemoteBackend('memory://x')\n"
            "except ModuleNotFoundError as error: print(error)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert "pip install 'zarrange[remote]'" in done.stdout

    def test_light_import(self):
        """Importing the module imports neither zarr nor obstore."""
        program = "import sys, zarrange.stores.remote; print({'zarr', 'obstore', 'numpy'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"


class TestOptions:
    """Storage options are obstore's."""

    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"secret": "hushhush"}, "secret"),
            ({"region": "us-east-1", "secret_acces_key": "hushhush"}, "secret_acces_key"),
            ({"skip_signature": "hushhush"}, "skip_signature"),
            ({"access_key_id": 12345678}, "access_key_id"),
            ({"bucket": "hushhush"}, "bucket"),
            ({"prefix": "hushhush"}, "prefix"),
            ({"client_options": {"timeout": "hushhush"}}, "client_options.timeout"),
            ({"client_options": {"hush": "hushhush"}}, "client_options.hush"),
            ({"retry_config": {"hush": "hushhush"}}, "retry_config"),
            ({"retry_config": {"backoff": {"hush": "hushhush"}}}, "retry_config"),
            ({"retry_config": {"retry_timeout": "hushhush"}}, "retry_config"),
        ],
    )
    def test_refused(self, options, name):
        """An option that is not accepted is named, and its value is not."""
        with pytest.raises(ValueError, match=name) as caught:
            RemoteBackend("s3://bucket", options)
        shown = "".join(traceback.format_exception(caught.value))
        assert "hushhush" not in shown
        assert "12345678" not in str(caught.value)

    @pytest.mark.parametrize(
        ("wrong", "name"),
        [({"regionn": "x"}, "regionn"), ({"client_options": {"timeoutt": "1s"}}, "client_options.timeoutt")],
    )
    def test_the_one_that_is_wrong(self, wrong, name):
        """Among options that need each other, the one that is not known is named."""
        pair = {"access_key_id": "hushhush", "secret_access_key": "hushhush"}
        with pytest.raises(ValueError, match=f"the storage option `{name}` is not known"):
            RemoteBackend("s3://bucket", {**pair, **wrong})

    def test_memory_has_none(self):
        """Memory takes no options."""
        with pytest.raises(ValueError, match="`region` is given"):
            RemoteBackend("memory://x", {"region": "r"})

    @pytest.mark.parametrize(
        ("url", "options"),
        [
            ("gs://bucket/x", {"skip_signature": True}),
            ("az://container/x", {"account_name": "somebody", "account_key": "aHVzaGh1c2g="}),
        ],
    )
    def test_other_clouds(self, url, options):
        """Google's and Azure's stores are opened by their URLs; nothing is asked of them yet."""
        backend = RemoteBackend(url, options)
        assert repr(backend) == f"RemoteBackend({url!r})"
        assert pickle.loads(pickle.dumps(RemoteBackend("gs://bucket", {"skip_signature": True}))).root == "gs://bucket"
        assert b"aHVzaGh1c2g" not in pickle.dumps(backend)

    def test_order(self):
        """Where keys are not listed in order, there is no flat listing."""
        azure = {"account_name": "somebody", "skip_signature": True}
        assert RemoteBackend("az://container", azure).page == 0
        assert RemoteBackend("s3://bucket--use1-az4--x-s3", {"region": "us-east-1"}).page == 0
        assert RemoteBackend("s3://bucket", {"region": "us-east-1"}).page == 1000


class TestListing:
    """What is in folders, and below them."""

    def test_items(self, backend):
        """A folder has the names of one level, each with its sort; a name may be both a file and a folder."""
        fill(backend, {path: b"1" for path in PATHS if path.isascii() and " " not in path})
        requests = Requests()
        found = backend.items("", requests)
        assert sorted(found) == [("Z", "file"), ("a", "file"), ("a", "folder"), ("a-b", "folder")]
        assert backend.items("a/b", requests) == [("c", "file")]
        assert backend.items("none/such", requests) == []
        assert requests == Requests(lists=3)

    def test_pages(self):
        """Keys come in the order of their characters, below the folder and by full pages."""
        backend = memory()
        fill(backend, dict.fromkeys(PATHS, b"1"))
        backend.page = 2
        requests = Requests()
        pages = list(backend.pages("", requests))
        assert [key for page in pages for key in page] == sorted(PATHS)
        assert [len(page) for page in pages] == [2, 2, 2, 1]
        assert [list(page) for page in backend.pages("é", Requests())] == [["é/\uffff", "é/\U0001f600"]]
        assert list(backend.pages("none", requests)) == []

    def test_pages_of_a_server(self, server, monkeypatch):
        """On a server too, keys come in order, one request for each of its pages."""
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
        backend = on_s3(server)
        written = [f"{a}{b}" for a, b in product(["a", "a-", "a/", "B/"], "zyx0")]
        fill(backend, dict.fromkeys(written, b"1"))
        backend.page = 3
        server.asked.clear()
        requests = Requests()
        assert [key for page in backend.pages("", requests) for key in page] == sorted(written)
        assert requests.lists == server.count() == 6
        assert len(backend.items("a", Requests())) == 4

    @pytest.mark.parametrize("path", ["a//b", "/a", "a/", "a/../b", "./a", "a\nb", "a\udc80"])
    def test_improper(self, backend, path):
        """Nothing is at a path that no key can have, and nothing can be written there."""
        assert backend.items(path, Requests()) == []
        assert backend.look(path, Requests()) == FOLDER
        assert backend.stat(path, Requests(), may_be_file=True) == "folder"
        assert list(backend.pages(path, Requests())) == []
        assert backend.found(path) is None
        assert backend.size(path) == 0
        for ask in (
            backend.read,
            lambda path: backend.open_file(path, "rb"),
            lambda path: remove(backend, path, "array"),
            lambda path: remove(backend, path, "group"),
            lambda path: remove(backend, path, "file"),
        ):
            with pytest.raises(NotFoundError):
                ask(path)
        for ask in (
            lambda path: backend.write(path, b"1"),
            lambda path: backend.write(path, b"1", replace=True),
            lambda path: backend.open_file(path, "xb"),
        ):
            with pytest.raises(NotInStoreError):
                ask(path)

    def test_unlistable_key(self, server):
        """A key that obstore cannot tell makes its own folder unreadable, not those beside it."""
        backend = on_s3(server)
        fill(backend, {"good/a": b"1"})
        server.client().put_object(Bucket=backend.root.split("/")[2], Key="some/prefix/bad//x", Body=b"")
        assert sorted(backend.items("", Requests())) == [("bad", "folder"), ("good", "folder")]
        assert backend.items("good", Requests()) == [("a", "file")]
        for ask in (lambda: backend.items("bad", Requests()), lambda: list(backend.pages("", Requests()))):
            with pytest.raises(UnreadableError, match="there is a key with an empty segment"):
                ask()

    def test_folder_marks(self, server):
        """An empty object that only makes a folder visible is no file, and does not keep a page from being full."""
        backend = on_s3(server)
        client, bucket = server.client(), backend.root.split("/")[2]
        for key in ("", "d/", "d/e/", "d-/", "empty"):
            client.put_object(Bucket=bucket, Key=f"some/prefix/{key}", Body=b"")
        fill(backend, {"d/x": b"1", "d-/y": b"1", "d.": b"1"})
        assert keys(backend) == ["d-/y", "d.", "d/x", "empty"]
        assert sorted(backend.items("d", Requests())) == [("e", "folder"), ("x", "file")]
        assert backend.found("d/e") is None
        assert backend.found("d") == FOLDER
        backend.page = 2
        assert [len(page) for page in backend.pages("", Requests())] == [2, 2]
        store = backend.zarr_store("d")
        assert sorted(asyncio.run(_collected(store.list_dir("")))) == ["e", "x"]

    def test_disorder(self, backend):
        """A listing out of order is refused, for the search goes by the order."""
        backend._objects.listed = lambda *_: iter([[("b", 1), ("a", 1)]])
        with pytest.raises(UnreadableError, match="does not list its keys in order"):
            keys(backend)

    def test_stat(self, backend):
        """What may be a file is asked for, what can only be a folder is not."""
        fill(backend, {"f": b"1", "d/f": b"1"})
        requests = Requests()
        assert backend.stat("none", requests, may_be_file=False) == "folder"
        assert requests == Requests()
        assert [backend.stat(one, requests, may_be_file=True) for one in ("f", "d", "d/f", "none")] == [
            "file",
            "folder",
            "file",
            "folder",
        ]
        assert requests == Requests(stats=4)

    def test_found(self, backend):
        """One artifact is told by its metadata, then as an object, then by what is below it."""
        fill(
            backend,
            {"new/zarr.json": NEW, "old/.zarray": OLD, "group/.zgroup": OLD_GROUP, "d/x": b"1", "f": b"1", "f/x": b"1"},
        )
        sorts = [
            found and found.sort for found in map(backend.found, ("new", "old", "group", "d", "f", "none", "new/c"))
        ]
        assert sorts == ["array", "array", "group", "folder", "file", None, None]
        assert backend.found("new").node.shape == (4,)
        assert backend.found("") == FOLDER
        assert backend.found("f") is FILE
        fill(backend, {"bad/zarr.json": b"{"})
        with pytest.raises(DamagedError, match=r"/bad': its zarr\.json is damaged"):
            backend.found("bad")


async def _collected(stream):
    return [one async for one in stream]


def plainly(backend, path):
    """What a folder is: each name asked for in its turn, one after the other."""
    for name, sort in (("zarr.json", None), (".zarray", "array"), (".zgroup", "group")):
        try:
            content = backend.read(f"{path}/{name}")
        except NotFoundError:
            continue
        return sort or json.loads(content)["node_type"]
    return "folder"


class TestLook:
    """What a folder is, with few and early requests."""

    @given(
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "zarr.json": st.sampled_from([GROUP, NEW, b"{"]),
                    ".zarray": st.sampled_from([OLD, b"["]),
                    ".zgroup": st.sampled_from([OLD_GROUP, b""]),
                },
            ),
            max_size=8,
        )
    )
    @settings(max_examples=60, deadline=None)
    def test_as_plainly(self, folders):
        """Whatever was found before, the answer is that of the plain order."""
        backend = memory()
        for at, folder in enumerate(folders):
            fill(backend, {f"{at}/{name}": content for name, content in folder.items()})
        for at, folder in enumerate(folders):
            first = next((name for name in ("zarr.json", ".zarray", ".zgroup") if name in folder), None)
            if first is not None and folder[first] in (b"{", b"[", b""):
                with pytest.raises(DamagedError):
                    backend.look(f"{at}", Requests())
            else:
                assert backend.look(f"{at}", Requests()).sort == plainly(backend, f"{at}")

    @pytest.mark.parametrize(
        ("name", "content", "each"), [("zarr.json", NEW, 1), (".zarray", OLD, 2), (".zgroup", OLD_GROUP, 3)]
    )
    def test_requests(self, server, name, content, each):
        """A node of format 3 costs one request, an array of format 2 two, a group of format 2 three."""
        backend = on_s3(server)
        fill(backend, {f"{at}/{name}": content for at in range(4)})
        server.asked.clear()
        requests = Requests()
        for at in range(4):
            backend.look(f"{at}", requests)
        assert requests.looks == server.count() == 4 * each

    def test_at_once(self, server):
        """What was needed last time is asked for at once: each request waits until all are there."""
        backend = on_s3(server)
        fill(backend, {"0/.zgroup": OLD_GROUP, "1/.zgroup": OLD_GROUP})
        assert backend.look("0", Requests()).sort == "group"
        together = threading.Barrier(3, timeout=10)

        def waits(asked):
            if "/1/" in asked.path:
                together.wait()
            return False

        server.fail("500", "InternalError", waits)
        assert backend.look("1", Requests()).sort == "group"

    def test_earlier_failure(self, server):
        """What cannot be read counts where it would have been asked for before what is there."""
        backend = on_s3(server)
        fill(backend, {"0/.zarray": OLD, "1/.zarray": OLD})
        backend.look("0", Requests())
        server.fail("403", "AccessDenied", lambda asked: asked.path.endswith("1/zarr.json"))
        with pytest.raises(AccessDeniedError):
            backend.look("1", Requests())


@pytest.mark.parametrize("name", ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_endpoints_of_the_environment(monkeypatch, server, name):
    """The environment's endpoint may be a plain one, and is refused by its name if it is no URL."""
    bucket = server.new_bucket()
    for other in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(other, raising=False)
    options = {key: value for key, value in server.options().items() if key != "endpoint"}
    monkeypatch.setenv(name, "nonsense")
    with pytest.raises(ValueError, match=f"`{name}`, is not http:// or https:// and a host"):
        RemoteBackend(f"s3://{bucket}", options)
    if name != "AWS_ENDPOINT_URL_S3":
        monkeypatch.setenv(name, server.url)
        assert RemoteBackend(f"s3://{bucket}", options).items("", Requests()) == []


@pytest.mark.parametrize(
    "options",
    [
        ["x"],
        {3: "x"},
        {"retry_config": "x"},
        {"endpoint": "nonsense"},
        {"endpoint": "http://"},
        {"endpoint": "http://a b/"},
    ],
)
def test_options_of_wrong_types(options):
    """Options that are none are refused before anything is asked."""
    with pytest.raises((TypeError, ValueError), match=r"storage option|endpoint"):
        RemoteBackend("s3://bucket", options)


def test_forked(monkeypatch):
    """A process that was forked asks by threads of its own: its parent's are not there."""
    backend = RemoteBackend("memory://forked")
    before = backend._pool()
    assert backend._pool() is before
    monkeypatch.setattr(remote_module.os, "getpid", lambda: -1)
    assert backend._pool() is not before
    assert backend.look("a", Requests()) == FOLDER


class TestFiles:
    """Single objects as files."""

    def test_read_and_write(self, backend):
        """A small file is written where none is, or in the stead of another one."""
        backend.write("d/f", b"one")
        with pytest.raises(AlreadyExistsError):
            backend.write("d/f", b"two")
        assert backend.read("d/f") == b"one"
        backend.write("d/f", b"two", replace=True)
        assert backend.read("d/f") == b"two"
        assert type(backend.read("d/f")) is bytes
        with pytest.raises(NotFoundError):
            backend.read("d")

    def test_size(self, backend):
        """A size is that of all files at and below a path."""
        fill(backend, {"d/a": b"12", "d/b/c": b"345", "d": b"6", "da": b"7"})
        assert [backend.size(one) for one in ("d", "d/b", "d/a", "none", "")] == [6, 3, 2, 0, 7]

    def test_reader(self, backend):
        """A file is read as any binary file is, by parts."""
        content = bytes(range(256)) * 20_000
        fill(backend, {"f": content, "empty": b"", "lines": b"a\nb\n"})
        with backend.open_file("f", "rb") as file:
            assert file.read(3) == content[:3]
            assert file.seek(-2, io.SEEK_END) == len(content) - 2
            assert file.read() == content[-2:]
            assert file.read() == b""
            assert file.seek(1_000_000) == 1_000_000
            assert file.read(1000) == content[1_000_000:1_001_000]
            assert file.tell() == 1_001_000
            file.seek(0)
            assert file.read() == content
        assert file.closed
        with backend.open_file("empty", "rb") as file:
            assert file.read() == b""
        with backend.open_file("lines", "rb") as file:
            assert list(file) == [b"a\n", b"b\n"]

    def test_saved_arrays(self, backend):
        """numpy saves into such a file and loads from it."""
        with backend.open_file("a.npy", "xb") as file:
            np.save(file, DATA)
        with backend.open_file("b.npz", "xb") as file:
            np.savez(file, data=DATA)
        with backend.open_file("a.npy", "rb") as file:
            assert (np.load(file) == DATA).all()
        with backend.open_file("b.npz", "rb") as file:
            assert (np.load(file)["data"] == DATA).all()

    def test_writer(self, backend):
        """A file that is created appears when it is closed, and not before."""
        with backend.open_file("d/f", "xb") as file:
            file.write(b"1" * 10)
            file.write(b"2")
            assert backend.found("d/f") is None
        assert backend.read("d/f") == b"1" * 10 + b"2"
        file.close()
        with pytest.raises(AlreadyExistsError):
            backend.open_file("d/f", "xb")

    def test_failing_writer(self, backend):
        """A file whose body raises does not appear."""
        with suppress(KeyError), backend.open_file("f", "xb") as file:
            file.write(b"1")
            raise KeyError
        assert file.closed
        assert keys(backend) == []

    def test_forgotten_writer(self):
        """A file that nobody closes does not appear, and Python warns of it."""
        backend = memory()
        file = backend.open_file("f", "xb")
        file.write(b"1")
        with pytest.warns(ResourceWarning, match="not closed, so that it was not written"):
            file.__del__()
        assert file.closed
        assert keys(backend) == []

    def test_two_writers(self, backend):
        """Of two who create a file at the same time, the second to close it is told."""
        first, second = backend.open_file("f", "xb"), backend.open_file("f", "xb")
        first.write(b"1")
        second.write(b"2")
        first.close()
        with pytest.raises(AlreadyExistsError):
            second.close()
        assert second.closed
        assert backend.read("f") == b"1"

    def test_large(self, backend, monkeypatch):
        """What is large goes by parts, and is refused all the same where something is."""
        monkeypatch.setattr(remote_module, "LARGE", 1000)
        content = os.urandom(11 * 1024 * 1024)
        with backend.open_file("f", "xb") as file:
            file.write(content)
        assert backend.read("f") == content
        other = backend.open_file("g", "xb")
        other.write(content)
        backend.write("g", b"1")
        with pytest.raises(AlreadyExistsError):
            other.close()
        assert backend.read("g") == b"1"

    def test_large_as_a_whole(self, server, monkeypatch):
        """What is large is not visible before all of it is there, not even as an empty file."""
        monkeypatch.setattr(remote_module, "LARGE", 1000)
        backend = on_s3(server)
        client, bucket = server.client(), backend.root.split("/")[2]
        seen = []

        def watches(asked):
            if asked.method in {"PUT", "POST"} and "/f" in asked.path:
                found = client.list_objects_v2(Bucket=bucket, Prefix="some/prefix/f").get("Contents", [])
                seen.append((sorted(asked.query), [one["Size"] for one in found]))
            return False

        server.fail("500", "InternalError", watches)
        content = os.urandom(11_000_000)
        with backend.open_file("f", "xb") as file:
            file.write(content)
        assert [sizes for _, sizes in seen] == [[]] * 4
        assert [query[0] for query, _ in seen] == ["uploads", "partNumber", "partNumber", "uploadId"]
        assert backend.read("f") == content
        assert keys(backend) == ["f"]

    def test_large_meets_another(self, server, monkeypatch):
        """Where somebody writes the same file while parts are sent, theirs stays, and whoever was late is told."""
        monkeypatch.setattr(remote_module, "LARGE", 1000)
        backend = on_s3(server)
        other = RemoteBackend(backend.root, server.options())

        def watches(asked):
            if "uploads" in asked.query:
                other.write("f", b"theirs")
            return False

        server.fail("500", "InternalError", watches)
        file = backend.open_file("f", "xb")
        file.write(b"1" * 11_000_000)
        with pytest.raises(AlreadyExistsError, match="something is there by now"):
            file.close()
        assert backend.read("f") == b"theirs"
        assert keys(backend) == ["f"]

    def test_large_at_once(self, server, monkeypatch):
        """Of two who send the same large file at once, the second is told."""
        monkeypatch.setattr(remote_module, "LARGE", 1000)
        backend = on_s3(server)
        refusals = []

        def watches(asked):
            if asked.query.get("partNumber") == ["1"] and not refusals:
                refusals.append(None)
                with pytest.raises(AlreadyExistsError, match="it is being written") as caught:
                    second.close()
                refusals[:] = [caught.value]
            return False

        first, second = backend.open_file("f", "xb"), backend.open_file("f", "xb")
        for file, byte in ((first, b"1"), (second, b"2")):
            file.write(byte * 11_000_000)
        server.fail("500", "InternalError", watches)
        first.close()
        assert isinstance(refusals[0], AlreadyExistsError)
        assert backend.read("f") == b"1" * 11_000_000
        assert keys(backend) == ["f"]

    def test_failing_large(self, server, monkeypatch):
        """A large file of which a part cannot be written leaves nothing."""
        monkeypatch.setattr(remote_module, "LARGE", 1000)
        backend = on_s3(server)
        server.fail("403", "AccessDenied", lambda asked: "partNumber" in asked.query)
        file = backend.open_file("f", "xb")
        file.write(b"1" * 11_000_000)
        with pytest.raises(StoreError, match="cannot be written: access denied"):
            file.close()
        assert keys(backend) == []

    def test_not_in_place(self, backend):
        """An object cannot be changed in its place."""
        fill(backend, {"f": b"1"})
        with pytest.raises(StoreError, match="cannot be changed in its place"):
            backend.open_file("f", "r+b")

    def test_removed_meanwhile(self, server):
        """A file that is removed while it is read is an error, not an end."""
        backend = on_s3(server)
        fill(backend, {"f": b"1" * 3_000_000})
        with backend.open_file("f", "rb") as file:
            assert file.read(1) == b"1"
            remove(backend, "f", "file")
            with pytest.raises(UnreadableError, match="removed meanwhile"):
                file.read()


class TestFaults:
    """What a server may answer instead."""

    def test_retried(self, server):
        """A server that is too busy is asked again."""
        backend = on_s3(server)
        backend.write("f", b"1")
        server.fail("503", "SlowDown", times=2)
        assert backend.read("f") == b"1"
        server.fail("500", "InternalError", times=2)
        assert backend.items("", Requests()) == [("f", "file")]

    @pytest.mark.parametrize(
        ("status", "code", "reason"),
        [
            ("503", "SlowDown", r"cannot be read: the server is too busy \(503(?: SlowDown)?\)"),
            ("500", "InternalError", r"cannot be read: the server failed \(500(?: InternalError)?\)"),
            ("403", "AccessDenied", r"cannot be read: access denied \(403 AccessDenied\)"),
            ("400", "ExpiredToken", r"cannot be read: the credentials have expired \(400 ExpiredToken\)"),
            ("404", "NoSuchBucket", r"cannot be read: there is no such bucket \(404 NoSuchBucket\)"),
            ("400", "KeyTooLongError", r"cannot be read: the server refused the request \(400 KeyTooLongError\)"),
            ("400", "AKIAIOSFODNN7EXAMPLE", r"cannot be read: the server refused the request \(400\)\Z"),
        ],
    )
    def test_told(self, server, status, code, reason):
        """What fails for good is unreadable, in few words: never absent, and never looking complete."""
        backend = on_s3(server)
        backend.write("a/zarr.json", GROUP)
        server.fail(status, code)
        for ask in (
            lambda: backend.items("", Requests()),
            lambda: backend.look("a", Requests()),
            lambda: list(backend.pages("", Requests())),
        ):
            with pytest.raises(UnreadableError, match=reason):
                ask()
        for ask in (lambda: backend.read("a/zarr.json"), lambda: backend.found("a"), lambda: backend.size("a")):
            with pytest.raises(UnreadableError, match=reason) as caught:
                ask()
            assert backend.root in str(caught.value)
        # The answer to this one has a status only.
        if status != "404":
            with pytest.raises(UnreadableError, match=f"cannot be read: .* \\({status}\\)"):
                backend.stat("a", Requests(), may_be_file=True)

    def test_no_server(self):
        """A server that cannot be reached is said to be so."""
        options = {"endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "b", "region": "r"}
        backend = RemoteBackend("s3://bucket", {**options, "retry_config": {"max_retries": 1}})
        with pytest.raises(UnreadableError, match="the server cannot be reached"):
            backend.items("", Requests())

    def test_half_a_listing(self, server, monkeypatch):
        """A listing that fails half-way raises after the pages that it had, and a search says that it is incomplete."""
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
        backend = on_s3(server)
        fill(backend, {f"{at}.txt": b"1" for at in range(6)})
        server.fail("403", "AccessDenied", lambda asked: asked.is_next_page)
        backend.page = 4
        pages = backend.pages("", Requests())
        assert len(next(pages)) == 4
        with pytest.raises(AccessDeniedError):
            next(pages)
        with pytest.raises(AccessDeniedError):
            backend.items("", Requests())
        layout = Layout.parse("zarrange: 1\nname: n\nfields: {x: {type: int}}\nfiles: {f: {path: '{{ x }}.txt'}}\n")
        for page in (0, 4):
            backend.page = page
            search = Search(backend, layout, select(layout, None, {}))
            with pytest.raises(IncompleteError, match="access denied"):
                list(search)

    def test_lost_answer(self, server):
        """A put whose answer is lost, and which is tried again, is not taken for somebody else's."""
        backend = on_s3(server)
        server.fail("500", "InternalError", lambda asked: asked.method == "PUT", times=1, is_late=True)
        backend.write("f", b"1")
        assert backend.read("f") == b"1"
        assert server.count(lambda asked: asked.method == "PUT") == 2

    def test_failed_put(self, server):
        """A put that has failed for its caller leaves nothing, though the server had done it."""
        backend = on_s3(server)
        server.fail("500", "InternalError", lambda asked: asked.method == "PUT", is_late=True)
        with pytest.raises(StoreError, match="cannot be created: the server failed"):
            backend.write("f", b"1")
        assert keys(backend) == []

    def test_reader_only(self, server):
        """Who may only read is told so with each change, and nothing is changed."""
        backend = on_s3(server)
        make_array(backend, data=DATA)
        fill(backend, {"f": b"1"})
        bucket = backend.root.split("/")[2]
        key_id, secret = new_user(server, f"reads-{bucket}", "s3:Get*", f"arn:aws:s3:::{bucket}/*")
        reader = RemoteBackend(backend.root, server.options(access_key_id=key_id, secret_access_key=secret))
        before = keys(backend)
        assert reader.look("c.zarr/a", Requests()).sort == "array"
        for ask in (
            lambda: reader.write("g", b"1"),
            lambda: remove(reader, "f", "file"),
            lambda: remove(reader, "c.zarr/a", "array"),
            lambda: reader.transact(removal_of("f")),
            lambda: make_array(reader, "c.zarr/b"),
            lambda: reader.items("", Requests()),
        ):
            with pytest.raises(StoreError, match="access denied"):
                ask()
        assert keys(backend) == before


class TestCredentials:
    """Neither the secret nor the id of a key is ever shown."""

    def options(self, server):
        return server.options(session_token="hush-token")

    def check(self, server, *shown):
        for one in shown:
            text = one if isinstance(one, bytes) else str(one).encode()
            assert server.secret.encode() not in text
            assert server.key_id.encode() not in text
            assert b"hush-token" not in text

    def test_looks(self, server):
        """Not in a repr, nor in what the attributes of a backend show, nor in an identifier."""
        backend = on_s3(server)
        identifier = ContainerIdentifier(f"{backend.root}/c.zarr")
        shown = [repr(backend), str(backend), repr(vars(backend)), repr(vars(backend._objects)), backend.root]
        self.check(server, *shown, pickle.dumps(identifier), to_json(identifier))

    def test_arrays(self, server, monkeypatch):
        """Not in an array, its store, or their pickles; who loads one takes the credentials from the environment."""
        backend = on_s3(server)
        array = make_array(backend, data=DATA)
        group = zarr.open_group(backend.zarr_store("c.zarr"), mode="r")
        store = array.store
        shown = [
            repr(array),
            str(array),
            repr(store),
            str(store),
            repr(array.store_path),
            repr(group),
            repr(vars(store)),
        ]
        pickles = [pickle.dumps(one) for one in (backend, array, store, group, array.store_path)]
        self.check(server, *shown, *pickles, array.info)
        environment = {
            "AWS_ACCESS_KEY_ID": server.key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        again, loaded, *_ = map(pickle.loads, pickles)
        assert keys(again) == keys(backend)
        assert (loaded[:] == DATA).all()
        assert loaded.store.read_only == store.read_only

    def test_memory_pickles(self):
        """What is in memory is not pickled: it would be empty elsewhere."""
        backend = memory()
        array = make_array(backend, data=DATA)
        for one in (backend, array, array.store):
            with pytest.raises(TypeError, match="in the memory of this process"):
                pickle.dumps(one)

    def test_copies(self, server):
        """A copy is the same backend, with what it was given."""
        backend = on_s3(server)
        backend.write("f", b"1")
        assert copy.copy(backend).read("f") == copy.deepcopy(backend).read("f") == b"1"
        array = make_array(backend, data=DATA)
        assert (copy.deepcopy(array)[:] == DATA).all()

    @pytest.mark.parametrize(
        ("status", "code"),
        [("403", "InvalidAccessKeyId"), ("400", "ExpiredToken"), ("503", "SlowDown"), ("409", "Odd")],
    )
    def test_errors(self, server, caplog, status, code):
        """Not in an error, its traceback with all that it follows from, or a log line, whatever the server repeats."""
        caplog.set_level(logging.DEBUG)
        backend = on_s3(server)
        array = make_array(backend, data=DATA)
        server.fail(status, code)
        failures = []
        for ask in (
            lambda: backend.items("", Requests()),
            lambda: backend.look("c.zarr", Requests()),
            lambda: backend.stat("c.zarr", Requests(), may_be_file=True),
            lambda: list(backend.pages("", Requests())),
            lambda: backend.found("c.zarr"),
            lambda: backend.read("f"),
            lambda: backend.write("f", b"1"),
            lambda: backend.write("f", b"1", replace=True),
            lambda: backend.size("c.zarr"),
            lambda: backend.open_file("f", "rb"),
            lambda: backend.open_file("f", "xb"),
            lambda: remove(backend, "c.zarr/a", "array"),
            lambda: remove(backend, "c.zarr", "group"),
            lambda: remove(backend, "f", "file"),
            lambda: backend.versions("c.zarr"),
            lambda: backend.strangers("c.zarr/a"),
            backend.transactions,
            lambda: backend.transact(removal_of("f")),
            lambda: backend.recover("0" * 16),
            lambda: backend.undo("0" * 16),
            lambda: backend.purge("0" * 16),
            lambda: make_array(backend, "c.zarr/b"),
            lambda: backend.create_array("c.zarr", "b", {"data": DATA}, Around(list, list)),
            lambda: array[:],
            lambda: array.__setitem__(..., 1),
            lambda: zarr.open_array(backend.zarr_store("c.zarr"), path="a"),
            lambda: list(zarr.open_group(backend.zarr_store("c.zarr"))),
            lambda: asyncio.run(array.store.delete_dir("")),
            lambda: asyncio.run(array.store.getsize_prefix("")),
            lambda: asyncio.run(array.store.getsize("zarr.json")),
        ):
            with pytest.raises(StoreError) as caught:
                ask()
            failures.append(caught.value)
        for failure in failures:
            self.check(server, *_shown(failure))
            assert not any("obstore" in type(one).__module__ for one in _history(failure))
        own = [one.getMessage() for one in caplog.records if not one.name.startswith(("moto", "boto", "urllib3"))]
        self.check(server, *own)

    def test_interrupted_removal(self, server):
        """Not in the error of a removal that was interrupted or is not wholly done, nor in what it has written down."""
        backend = on_s3(server)
        make_array(backend, data=DATA)
        failures = []
        server.fail("403", "AccessDenied", lambda asked: asked.method == "POST")
        for ask in (lambda: remove(backend, "c.zarr/a", "array"), lambda: settle(backend)):
            with pytest.raises(StoreError, match="access denied") as caught:
                ask()
            failures.append(caught.value)
        for failure in failures:
            self.check(server, *_shown(failure))
            assert not any("obstore" in type(one).__module__ for one in _history(failure))
        server.faults.clear()
        written = [key for key in keys(backend) if key.startswith(".zarrange/")]
        assert written
        self.check(server, *map(backend.read, written))

    def test_wrong_secret(self, server):
        """A secret that is wrong is not shown either."""
        bucket = server.new_bucket()
        backend = RemoteBackend(f"s3://{bucket}", server.options(secret_access_key="hush" * 10))
        with pytest.raises(AccessDeniedError, match="access denied") as caught:
            backend.items("", Requests())
        shown = b"".join(_shown(caught.value))
        assert b"hushhush" not in shown
        assert isinstance(caught.value, PermissionError)


def _shown(error):
    """All that could be shown of an error, the values of variables on the way among it."""
    yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()).encode()
    yield pickle.dumps(error)
    yield from (repr(one).encode() for one in _history(error))


def _history(error):
    """An error and all that it came from, also what a traceback would not show."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class TestArrays:
    """Arrays made through zarr."""

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_round_trip(self, backend, zarr_format):
        """An array is made with its groups, written, grown, and read again; zarr lists it."""
        array = make_array(backend, "c.zarr/g/a", zarr_format=zarr_format, attributes={"x": 1})
        array[:2] = DATA[:2]
        assert array.attrs["x"] == 1
        again = zarr.open_array(backend.zarr_store("c.zarr"), path="g/a", mode="r")
        assert (again[:2] == DATA[:2]).all()
        assert (again[2:] == 0).all()
        group = zarr.open_group(backend.zarr_store("c.zarr"), mode="r+")
        assert [name for name, _ in group.members(max_depth=None)] == ["g", "g/a"]
        array.attrs["y"] = 2
        array.resize((6, 6))
        array[5, 5] = 7
        assert zarr.open_array(backend.zarr_store("c.zarr"), path="g/a")[5, 5] == 7
        assert backend.found("c.zarr/g/a").node.shape == (6, 6)
        del group["g/a"]
        assert backend.found("c.zarr/g/a") is None
        assert backend.found("c.zarr/g").sort == "group"

    def test_zarr_store(self, backend):
        """zarr's store has what zarr's own stores have: parts, sizes, listings, a read-only twin, equality."""
        array = make_array(backend, data=DATA)
        store = array.store
        assert store == backend.zarr_store("c.zarr")
        assert store != backend.zarr_store("d.zarr")
        reading = store.with_read_only(read_only=True)
        assert reading != store
        with pytest.raises(ValueError, match="read-only"):
            zarr.create_array(reading, name="b", shape=(1,), dtype="u1")
        listed = asyncio.run(_collected(store.list()))
        assert sorted(listed) == sorted(key.removeprefix("c.zarr/") for key in keys(backend))
        assert sorted(asyncio.run(_collected(store.list_prefix("a/c/0/")))) == ["a/c/0/0", "a/c/0/1"]
        assert asyncio.run(store.getsize_prefix("")) == backend.size("c.zarr")
        assert asyncio.run(store.getsize("a/zarr.json")) == backend.size("c.zarr/a/zarr.json")
        assert asyncio.run(store.exists("a/zarr.json"))
        assert not asyncio.run(store.exists("b/zarr.json"))
        with pytest.raises(FileNotFoundError):
            asyncio.run(store.getsize("none"))
        sharded = zarr.create_array(store, name="s", shape=(8, 8), chunks=(2, 2), shards=(4, 4), dtype="u1")
        sharded[...] = 3
        assert (sharded[1:7, 1:7] == 3).all()

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("options", [{}, {"data": DATA}])
    def test_one_winner(self, backend, zarr_format, options):
        """Of twenty who make the same array at once, one does, and all others are told."""
        ready = threading.Barrier(20)

        def make(number):
            ready.wait()
            try:
                attributes = {"number": number}
                given = {"shape": (4, 4), "dtype": "u1"} | options
                if options:
                    given = dict(options)
                backend.create_array(
                    "c.zarr", "a", {**given, "zarr_format": zarr_format, "attributes": attributes}, Around(list, list)
                )
            except AlreadyExistsError:
                return None
            return number

        with ThreadPoolExecutor(20) as pool:
            winners = [number for number in pool.map(make, range(20)) if number is not None]
        array = zarr.open_array(backend.zarr_store("c.zarr"), path="a", mode="r")
        assert winners == [array.attrs["number"]]
        assert not any(key.endswith(".partial") for key in keys(backend))
        if options:
            assert (array[:] == DATA).all()

    def test_data_first(self, server):
        """Until all data are there, nobody sees an array; then all of it is there."""
        backend = on_s3(server)
        seen = []

        def watches(asked):
            if asked.method == "PUT" and "/a/c/" in asked.path:
                seen.append(asked.path)
                other = server.client().list_objects_v2(Bucket=backend.root.split("/")[2])
                assert not any(one["Key"].endswith("zarr.json") for one in other["Contents"])
            return False

        server.fail("500", "InternalError", watches)
        backend.create_array("c.zarr", "a", {"data": DATA, "chunks": (2, 2), "zarr_format": 3}, Around(list, list))
        assert len(seen) == 4
        assert keys(backend) == [f"c.zarr/a/c/{x}/{y}" for x, y in product("01", "01")] + ["c.zarr/a/zarr.json"]

    @pytest.mark.parametrize(
        ("fits", "zarr_format"),
        [
            (lambda asked: "/a/c/1/1" in asked.path, 3),
            (lambda asked: "/a/1.1" in asked.path, 2),
            (lambda asked: asked.path.endswith("/a/zarr.json"), 3),
            (lambda asked: asked.path.endswith("/a/.zarray"), 2),
            (lambda asked: asked.path.endswith("/a/.zattrs"), 2),
            (lambda asked: asked.path.endswith("/c.zarr/zarr.json"), 3),
        ],
    )
    @pytest.mark.parametrize("is_late", [False, True])
    def test_no_trace(self, server, fits, zarr_format, is_late):
        """Whatever fails while an array is made, in the end all is as it was."""
        backend = on_s3(server)
        fill(backend, {"other": b"1"})
        server.fail("500", "InternalError", lambda asked: asked.method == "PUT" and fits(asked), is_late=is_late)
        with pytest.raises(StoreError):
            make_array(backend, "c.zarr/g/a", zarr_format=zarr_format, data=DATA)
        server.faults.clear()
        assert keys(backend) == ["other"]

    @pytest.mark.parametrize(
        ("name", "zarr_format"), [("a/zarr.json", 3), ("a/.zarray", 2), ("a/.zattrs", 2), ("c.zarr/zarr.json", 3)]
    )
    def test_no_trace_without_data(self, server, name, zarr_format):
        """So it is where no data are given."""
        backend = on_s3(server)
        fill(backend, {"other": b"1"})
        server.fail(
            "500", "InternalError", lambda asked: asked.method == "PUT" and asked.path.endswith(name), is_late=True
        )
        with pytest.raises(StoreError):
            make_array(backend, "c.zarr/g/a", zarr_format=zarr_format)
        server.faults.clear()
        assert keys(backend) == ["other"]

    def test_refused_options(self, backend):
        """Options that zarr refuses leave nothing, and no group is made before they are known to be fine."""
        with pytest.raises(TypeError, match="nonsense"):
            make_array(backend, "c.zarr/g/a", nonsense=1)
        with pytest.raises(TypeError, match="nonsense"):
            make_array(backend, "c.zarr/g/a", nonsense=1, data=DATA)
        assert keys(backend) == []

    def test_groups_are_looked_at_again(self, backend):
        """A group that a purge has found to be empty just before an array came in is made again."""
        seen = []
        around = Around(lambda: seen.append(keys(backend)), lambda: seen.append("after"))
        backend.create_array("c.zarr", "a", {"shape": (4,), "dtype": "u1", "zarr_format": 3}, around)
        assert seen == [[], ["c.zarr/a/zarr.json"], "after"]

    @pytest.mark.parametrize("there", ["zarr.json", ".zarray", ".zgroup", "zarr.json.partial"])
    @pytest.mark.parametrize("options", [{"data": DATA}, {"shape": (4,), "dtype": "u1"}])
    def test_taken(self, backend, there, options):
        """Nothing is made where an array, a group or somebody who makes one is, and nothing of theirs is touched."""
        contents = {"zarr.json": NEW, ".zarray": OLD, ".zgroup": OLD_GROUP, "zarr.json.partial": b"x"}
        fill(backend, {f"c.zarr/a/{there}": contents[there], "c.zarr/a/c/0": b"12"})
        before = {key: backend.read(key) for key in keys(backend)}
        zarr_format = 2 if there in (".zarray", ".zgroup") else 3
        if there == ".zgroup" and "data" not in options:
            options = {"data": DATA}
        with pytest.raises(AlreadyExistsError):
            backend.create_array("c.zarr", "a", {**options, "zarr_format": zarr_format}, Around(list, list))
        assert {key: backend.read(key) for key in keys(backend)} == before

    @pytest.mark.parametrize("zarr_format", [2, 3])
    @pytest.mark.parametrize("options", [{"data": DATA}, {"shape": (4, 4), "dtype": "u1"}], ids=["data", "no data"])
    @pytest.mark.parametrize("there", ["c/9", "9.9", "c/0/0", "notes.txt", "b/zarr.json", ".zattrs"])
    def test_foreign_chunks(self, there, options, zarr_format):
        """Where chunks or other things lie without an array, none is made: it would have them as its own."""
        backend = memory()
        fill(backend, {f"c.zarr/a/{there}": b"foreign", "c.zarr/ab/c/0": b"1"})
        before = {key: backend.read(key) for key in keys(backend)}
        with pytest.raises(AlreadyExistsError, match="something is there already"):
            backend.create_array(
                "c.zarr", "a", {**options, "chunks": (2, 2), "zarr_format": zarr_format}, Around(list, list)
            )
        assert {key: backend.read(key) for key in keys(backend)} == before

    @pytest.mark.parametrize("options", [{"data": DATA}, {"shape": (4, 4), "dtype": "u1"}], ids=["data", "no data"])
    def test_failing_beside_chunks(self, backend, options):
        """A creation that fails, be it before or after it was refused, takes nobody's chunks with it."""
        fill(backend, {"c.zarr/a/c/9": b"foreign"})

        def fail():
            raise KeyError

        for around in (Around(fail, list), Around(list, fail)):
            with pytest.raises((KeyError, AlreadyExistsError)):
                backend.create_array("c.zarr", "a", {**options, "chunks": (2, 2), "zarr_format": 3}, around)
            assert keys(backend) == ["c.zarr/a/c/9"]
        backend._objects.delete(["c.zarr/a/c/9"])
        for around in (Around(fail, list), Around(list, fail)):
            with pytest.raises(KeyError):
                backend.create_array("c.zarr", "a", {**options, "chunks": (2, 2), "zarr_format": 3}, around)
            assert keys(backend) == []

    def test_requests(self, server):
        """An array without data costs a listing, its metadata, and a look whether somebody writes data there."""
        backend = on_s3(server)
        backend.create_array("c.zarr", "a", {"shape": (4,), "dtype": "u1", "zarr_format": 3}, Around(list, list))
        assert [(asked.method, asked.is_listing) for asked in server.asked] == [
            ("GET", True),
            ("PUT", False),
            ("HEAD", False),
        ]

    def test_the_way(self, backend):
        """Nothing is made below an array or a file."""
        fill(backend, {"c.zarr/a/zarr.json": NEW, "f": b"1", "bad/zarr.json": b"{", "c.zarr/zarr.json": GROUP})
        for path in ("c.zarr/a/b", "c.zarr/a/b/c/d", "f/a"):
            with pytest.raises(NotInStoreError), backend.creating(path):
                raise AssertionError
        with pytest.raises(DamagedError), backend.creating("bad/a"):
            raise AssertionError
        with backend.creating("c.zarr/b"):
            backend.write("c.zarr/b", b"1")
        assert backend.read("c.zarr/b") == b"1"

    def test_groups_taken_back(self, backend):
        """Groups that were made on the way go again, but for those that were there or that have something by then."""
        fill(backend, {"c.zarr/zarr.json": GROUP})
        with suppress(KeyError), backend.creating("c.zarr/g/h/a"):
            fill(backend, {"c.zarr/g/zarr.json": GROUP, "c.zarr/g/h/zarr.json": GROUP})
            raise KeyError
        assert keys(backend) == ["c.zarr/zarr.json"]
        with suppress(KeyError), backend.creating("c.zarr/g/h/a"):
            fill(backend, {"c.zarr/g/zarr.json": GROUP, "c.zarr/g/h/zarr.json": GROUP, "c.zarr/g/b/zarr.json": NEW})
            raise KeyError
        assert keys(backend) == ["c.zarr/g/b/zarr.json", "c.zarr/g/zarr.json", "c.zarr/zarr.json"]


class TestRemoval:
    """What is removed is out of sight first."""

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_array(self, backend, zarr_format):
        """An array goes with its chunks, and nothing else."""
        make_array(backend, "c.zarr/g/a", zarr_format=zarr_format, data=DATA)
        make_array(backend, "c.zarr/g/ab", zarr_format=zarr_format, data=DATA)
        before = keys(backend)
        remove(backend, "c.zarr/g/a", "array")
        assert keys(backend) == [key for key in before if not key.startswith("c.zarr/g/a/")]
        with pytest.raises(NotFoundError):
            remove(backend, "c.zarr/g/a", "array")

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_order(self, server, zarr_format):
        """The metadata go first, what makes it an array before its attributes."""
        backend = on_s3(server)
        make_array(backend, zarr_format=zarr_format, data=DATA)
        seen = []
        client, bucket = server.client(), backend.root.split("/")[2]

        def watches(asked):
            if asked.method == "POST":
                left = client.list_objects_v2(Bucket=bucket, Prefix="some/prefix/c.zarr/a/").get("Contents", [])
                seen.append({one["Key"].rpartition("/a/")[2] for one in left})
            return False

        server.fail("500", "InternalError", watches)
        remove(backend, "c.zarr/a", "array")
        chunks = {f"c/{x}/{y}" if zarr_format == 3 else f"{x}.{y}" for x, y in product("01", "01")}
        expected = [{"zarr.json"}, set()] if zarr_format == 3 else [{".zarray", ".zattrs"}, {".zattrs"}, set()]
        assert [one for one, _ in groupby(seen)] == [*(chunks | one for one in expected), set()]

    @pytest.mark.parametrize(
        ("inside", "message"),
        [
            ({"b/zarr.json": GROUP}, "'b' inside is another zarr node"),
            ({"c/0/b/.zarray": OLD}, "'c/0/b' inside is another zarr node"),
            ({"notes.txt": b"1"}, r"'notes\.txt' in its folder is not part"),
            ({"more/notes": b"1"}, "'more' in its folder is not part"),
            ({"x.partial/y": b"1"}, r"'x\.partial' in 'a' is not part"),
        ],
    )
    def test_something_else(self, backend, inside, message):
        """An array with something else in its folder stays as it is."""
        fill(backend, {"a/zarr.json": NEW, "a/c/0": b"12"})
        fill(backend, {f"a/{name}": content for name, content in inside.items()})
        before = keys(backend)
        with pytest.raises(NotInStoreError, match=message):
            remove(backend, "a", "array")
        assert keys(backend) == before

    def test_own_parts(self, backend):
        """Chunks of either format, consolidated metadata and what was being written are part of an array."""
        names = (
            "zarr.json",
            ".zarray",
            ".zattrs",
            ".zmetadata",
            "0.0",
            "0",
            "c/0/0",
            "c",
            "c.0.1",
            "zarr.json.partial",
        )
        fill(backend, {f"a/{name}": NEW if name == "zarr.json" else OLD for name in names})
        remove(backend, "a", "array")
        assert keys(backend) == []

    @pytest.mark.parametrize(
        ("contents", "sort", "message"),
        [
            ({"x/zarr.json": GROUP}, "array", "it is a group, not an array"),
            ({"x/zarr.json": NEW}, "group", "it is an array, not a group"),
            ({"x/zarr.json": NEW}, "file", "it is an array, not a file"),
            ({"x/y": b"1"}, "array", "it is not an array"),
            ({"x/y": b"1"}, "file", "it is not a file"),
            ({"x/y": b"1"}, "group", "no metadata of zarr"),
            ({"x": b"1"}, "array", "it is a file, not an array"),
            ({"x": b"1"}, "group", "it is a file, not a group"),
        ],
    )
    def test_wrong_sort(self, backend, contents, sort, message):
        """What is something else stays as it is."""
        fill(backend, contents)
        with pytest.raises(NotInStoreError, match=message):
            remove(backend, "x", sort)
        assert keys(backend) == list(contents)

    @pytest.mark.parametrize("sort", ["array", "group", "file"])
    def test_nothing(self, backend, sort):
        """Nothing to remove is an error of its own."""
        with pytest.raises(NotFoundError):
            remove(backend, "x/y", sort)

    def test_in_an_array(self, backend):
        """What lies in an array is part of it."""
        contents = {"a/b/zarr.json": NEW, "a/c/0": b"1", "a/zarr.json": NEW}
        fill(backend, contents)
        for path, sort in (("a/b", "array"), ("a/c/0", "file")):
            with pytest.raises(NotInStoreError, match="is an array, and what lies in it"):
                remove(backend, path, sort)
        assert keys(backend) == list(contents)

    def test_group(self, backend):
        """A group goes with all that is in it, also with metadata that are damaged."""
        make_array(backend, "c.zarr/g/a", data=DATA)
        make_array(backend, "d.zarr/a", data=DATA)
        fill(backend, {"c.zarr/notes": b"1", "c.zarr/g/b/zarr.json": b"{", "c.zarr-2/x": b"1"})
        kept = [key for key in keys(backend) if not key.startswith("c.zarr/")]
        remove(backend, "c.zarr/g", "group")
        assert "c.zarr/notes" in keys(backend)
        backend.write("c.zarr/zarr.json", b"{", replace=True)
        remove(backend, "c.zarr", "group")
        assert keys(backend) == kept

    def test_file(self, backend):
        """A file goes, and what is below its name stays."""
        fill(backend, {"f": b"1", "f/x": b"1"})
        remove(backend, "f", "file")
        assert keys(backend) == ["f/x"]

    def test_refused(self, server):
        """Who may not delete is told, nothing of the array is gone, and somebody who may ends it."""
        backend = on_s3(server)
        make_array(backend, data=DATA)
        before = keys(backend)
        server.fail("403", "AccessDenied", lambda asked: asked.method == "POST")
        with pytest.raises(StoreError, match="cannot be deleted: access denied") as caught:
            remove(backend, "c.zarr/a", "array")
        assert not isinstance(caught.value, LeftoverError)
        assert [key for key in keys(backend) if not key.startswith(".zarrange/")] == before
        server.faults.clear()
        backend._objects.delete([LOCK])  # which could not be let go of, and has expired by then
        settle(backend)
        assert keys(backend) == []

    def test_left_over(self, server):
        """Where chunks cannot be deleted, the array is out of sight, and the error says what is left; it goes later."""
        backend = on_s3(server)
        make_array(backend, data=DATA)
        client, bucket = server.client(), backend.root.split("/")[2]

        def is_hidden(asked):
            return asked.method == "POST" and not client.list_objects_v2(
                Bucket=bucket, Prefix="some/prefix/c.zarr/a/zarr.json"
            ).get("Contents")

        server.fail("403", "AccessDenied", is_hidden)
        with pytest.raises(LeftoverError, match=r"what is left of it could not be deleted: .*/c\.zarr/a/.*denied"):
            remove(backend, "c.zarr/a", "array")
        server.faults.clear()
        assert backend.found("c.zarr/a") == FOLDER
        settle(backend)
        assert keys(backend) == []

    def test_some_deleted(self, server):
        """A deletion that has failed for some is done again until nothing is left."""
        backend = on_s3(server)
        make_array(backend, data=DATA, chunks=(1, 1))
        posts = count()
        server.fail("500", "InternalError", lambda asked: asked.method == "POST" and 1 <= next(posts) < 6, is_late=True)
        remove(backend, "c.zarr/a", "array")
        assert next(posts) > 6
        assert keys(backend) == []


class TestLock:
    """What needs the lock, and cannot have it."""

    def test_a_removal(self, backend, monkeypatch):
        """Who holds it does not keep a removal from ending; that groups have stayed is told."""
        make_array(backend, "c.zarr/g/a", data=DATA)
        monkeypatch.setattr(leases, "PATIENCE", 0.0)
        real = steps.drop_empty

        def drop(*args):
            with leases.locked(backend._objects):
                return real(*args)

        monkeypatch.setattr(steps, "drop_empty", drop)
        with pytest.raises(EmptyFoldersError, match=r"may have stayed, .*: another process has had the") as caught:
            remove(backend, "c.zarr/g/a", "array")
        assert str(caught.value).count("another process") == 1
        assert keys(backend) == ["c.zarr/g/zarr.json", "c.zarr/zarr.json"]


class TestDrop:
    """The metadata of a group without anything in it go."""

    FILES = {"zarr.json": GROUP}  # noqa: RUF012 - never changed

    def test_gone(self, backend):
        """They go where nothing else is, as they were looked at."""
        fill(backend, {"a/g/zarr.json": GROUP, "a/gg/zarr.json": GROUP})
        assert backend.alone_in("a/g", ()) == self.FILES
        assert backend.alone_in("a", ()) is None
        assert backend.alone_in("a", {"g", "gg"}) == {}
        assert backend.drop({"a/g": self.FILES}, list) == {}
        assert keys(backend) == ["a/gg/zarr.json"]
        assert backend.alone_in("a/g", ()) == {}

    @pytest.mark.parametrize("name", ["zarr.json", "b/zarr.json", "notes"])
    def test_changed_since(self, backend, name):
        """What was put there since it was looked at keeps it as it is."""
        fill(backend, {"a/g/zarr.json": GROUP} | {f"a/g/{name}": NEW})
        before = {key: backend.read(key) for key in keys(backend)}
        assert backend.drop({"a/g": self.FILES}, list) == {"a/g": None}
        assert {key: backend.read(key) for key in keys(backend)} == before

    def test_somebody_comes(self, server):
        """What comes into it in the very moment finds its group again."""
        backend = on_s3(server)
        fill(backend, {"a/g/zarr.json": GROUP})

        def comes(asked):
            if asked.method == "POST":
                fill(backend, {"a/g/b/zarr.json": NEW})
            return False

        server.fail("500", "InternalError", comes)
        assert backend.drop({"a/g": self.FILES}, list) == {"a/g": None}
        assert keys(backend) == ["a/g/b/zarr.json", "a/g/zarr.json"]
        assert backend.read("a/g/zarr.json") == GROUP

    @pytest.mark.parametrize("error", [StoreError("no answer"), KeyboardInterrupt()], ids=["failure", "interrupt"])
    def test_nobody_can_look(self, backend, monkeypatch, error):
        """Where it cannot be told whether somebody has come, the group is there again, and that is told."""
        fill(backend, {"a/g/zarr.json": GROUP})
        real, looks = dropping.alone_in, count()

        def look(*args):
            if next(looks) == 1:
                fill(backend, {"a/g/b/zarr.json": NEW})
                raise error
            return real(*args)

        monkeypatch.setattr(dropping, "alone_in", look)
        if isinstance(error, StoreError):
            assert backend.drop({"a/g": self.FILES}, list) == {"a/g": "no answer"}
        else:
            with pytest.raises(KeyboardInterrupt):
                backend.drop({"a/g": self.FILES}, list)
        assert keys(backend) == ["a/g/b/zarr.json", "a/g/zarr.json"]
        assert backend.read("a/g/zarr.json") == GROUP

    def test_an_interrupt_without_a_connection(self, backend, monkeypatch):
        """An interrupt is one, also where the metadata cannot come back."""
        fill(backend, {"a/g/zarr.json": GROUP})

        def interrupted(*_):
            raise KeyboardInterrupt

        def lost(*_):
            raise StoreError("no answer")

        monkeypatch.setattr(backend._objects, "delete", interrupted)
        monkeypatch.setattr(backend._objects, "create", lost)
        with pytest.raises(KeyboardInterrupt):
            backend.drop({"a/g": self.FILES}, list)

    def test_that_cannot_be_put_again(self, server):
        """Where the metadata cannot come back, that is told."""
        backend = on_s3(server)
        fill(backend, {"a/g/zarr.json": GROUP})

        def comes(asked):
            if asked.method == "POST":
                fill(backend, {"a/g/b/zarr.json": NEW})
                server.fail("403", "AccessDenied", lambda asked: asked.method == "PUT")
            return False

        server.fail("500", "InternalError", comes)
        (told,) = backend.drop({"a/g": self.FILES}, list).values()
        assert told.startswith(f"'{backend.root}/a/g': its zarr.json was deleted, and could not be put again: ")


class TestVersions:
    """What tells that a node or a file was written anew."""

    def test_metadata(self, backend):
        """Each file of metadata has a version of its own, which another content changes, and the others keep theirs."""
        names = ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"]
        fill(backend, {f"a/{name}": b"{}" for name in names})
        fill(backend, {"a/c/0": b"1", "a/notes": b"1", "a/b/zarr.json": NEW, "ab/zarr.json": NEW})
        versions = backend.versions("a")
        assert versions.keys() == {*names}
        for name in names:
            fill(backend, {f"a/{name}": b"{ }"})
            again = backend.versions("a")
            assert {one for one in names if again[one] != versions[one]} == {name}
            versions = again
        fill(backend, {"a/c/0": b"2", "a/notes": b"2"})
        assert backend.versions("a") == versions

    def test_object(self, backend):
        """So it is with a plain object, also where there is something below its name; where nothing is, it is empty."""
        fill(backend, {"f": b"1", "f/zarr.json": GROUP, "g": b"1"})
        versions = backend.versions("f")
        assert versions.keys() == {"", "zarr.json"}
        fill(backend, {"f": b"2"})
        assert backend.versions("f")[""] != versions[""]
        assert backend.versions("f")["zarr.json"] == versions["zarr.json"]
        assert backend.versions("g").keys() == {""}
        assert [backend.versions(one) for one in ("none", "a//b", "f/..", "")] == [{}] * 4

    def test_refused(self, server):
        """What may not be looked at is unreadable, and never absent."""
        backend = on_s3(server)
        fill(backend, {"f": b"1"})
        server.fail("403", "AccessDenied", lambda asked: asked.method == "HEAD")
        with pytest.raises(AccessDeniedError, match=r"/f' cannot be read: access denied"):
            backend.versions("f")


class TestStrangers:
    """What is in an array's folder beside the array."""

    def test_names(self, backend):
        """Names that zarr gives to no part of an array are told in order, each once, by one request."""
        fill(backend, {f"a/{name}": b"{}" for name in ("zarr.json", ".zattrs", "c/0", "0.0", "x.partial")})
        assert backend.strangers("a") == []
        fill(backend, dict.fromkeys(["a/b/zarr.json", "a/notes/1", "a/notes/2", "a/a", "ab/x"], b"{}"))
        assert backend.strangers("a") == ["a", "b", "notes"]
        assert backend.strangers("none") == []

    def test_first_page(self):
        """Only the first page of keys is looked at."""
        backend = memory()
        fill(backend, {"a/notes": b"1", **{f"a/c/{at}": b"1" for at in range(999)}})
        assert backend.strangers("a") == ["notes"]
        fill(backend, {"a/c/999": b"1"})
        assert backend.strangers("a") == []

    def test_requests(self, server):
        """On a server, the first page is one request."""
        backend = on_s3(server)
        fill(backend, {"a/notes": b"1", "a/zarr.json": NEW})
        server.asked.clear()
        assert backend.strangers("a") == ["notes"]
        assert server.count() == 1
        server.fail("403", "AccessDenied")
        with pytest.raises(AccessDeniedError, match=r"/a' cannot be read: access denied"):
            backend.strangers("a")


class TestSearch:
    """A search over a real server."""

    LAYOUT = """
zarrange: 1
name: small
fields: {run: {type: str}, step: {type: int, min: 0}}
containers: {box: {path: "{{ run }}.zarr"}}
arrays: {image: {container: box, path: "images/{{ step }}"}}
files: {note: {path: "{{ run }}/notes/{{ step }}.txt"}}
"""

    def test_both_ways(self, server):
        """Level by level and flat give the same entries, in the same order, from keys of either format."""
        layout = Layout.parse(self.LAYOUT)
        backend = on_s3(server)
        for run, step, zarr_format in product("ab", range(3), (2, 3)):
            make_array(backend, f"{run}{zarr_format}.zarr/images/{step}", zarr_format=zarr_format, data=DATA)
            backend.write(f"{run}/notes/{step}.txt", b"1", replace=True)
        answers = []
        for page in (0, 1000, 7):
            backend.page = page
            search = Search(backend, layout, select(layout, None, {}))
            answers.append([(entry.path, str(entry.key), entry.node) for entry in search])
        assert len(answers[0]) == 4 + 12 + 6
        assert answers[1] == answers[2] == answers[0]

    def test_requests(self, server):
        """A search counts what the server was asked."""
        layout = Layout.parse(self.LAYOUT)
        backend = on_s3(server)
        for run, step in product("ab", range(3)):
            make_array(backend, f"{run}.zarr/images/{step}", data=DATA)
        for page in (0, 1000):
            backend.page = page
            server.asked.clear()
            search = Search(backend, layout, select(layout, "image", {"run": "a"}))
            assert len([one for one in search.results() if isinstance(one, Entry)]) == 3
            assert search.requests.total == server.count()


class TestModified:
    def test_newest_object(self, backend):
        """What is below a path is as old as the newest object there, by the clock of the store."""
        fill(backend, {"d/zarr.json": b"{}", "d/c/0": b"1", "e": b"2", "d2/x": b"3"})
        listed = [one for batch in backend._objects.client.list() for one in batch]
        base = backend._objects.base
        times = {one["path"].removeprefix(base): one["last_modified"].timestamp() for one in listed}
        assert backend.modified("d") == max(times["d/zarr.json"], times["d/c/0"])
        assert backend.modified("d/c") == backend.modified("d/c/0") == times["d/c/0"]
        assert backend.modified("e") == times["e"]
        assert backend.modified("") == max(times.values())

    def test_written_again(self):
        """An object that is written again is as young as the last time."""
        backend = memory()
        fill(backend, {"d/zarr.json": b"{}", "d/c/0": b"1"})
        before = backend.modified("d")
        fill(backend, {"d/zarr.json": b"{ }"})
        assert backend.modified("d") > before

    @pytest.mark.parametrize("path", ["none", "d/none", "d/c", "a//b", "d/.."])
    def test_nothing(self, backend, path):
        """What is not there has no age, and never looks old."""
        fill(backend, {"d/cc": b"1"})
        with pytest.raises(NotFoundError, match="nothing is there"):
            backend.modified(path)

    def test_refused(self, server):
        """What may not be listed is unreadable."""
        backend = on_s3(server)
        fill(backend, {"d/x": b"1"})
        server.fail("403 Forbidden", "AccessDenied", lambda asked: asked.is_listing)
        with pytest.raises(AccessDeniedError, match=r"/d' cannot be read: access denied"):
            backend.modified("d")
