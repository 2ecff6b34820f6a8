"""What is refused before anything is looked at, and that nothing from outside of the root is ever shown."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
import zarr
from tests.stores.conftest import take_snapshot
from tests.stores.racing import attacking
from tests.web.conftest import Client

from zarrange.stores.local import opening
from zarrange.web.app import create_app
from zarrange.web.security import ANY_HOST, POLICY

ARRAY = "r1/validation.zarr/iterations/00001000/crop1/prediction"
CANARY = b"the canary sings"
VALUE = 77
"""What all elements of the array outside are."""


@pytest.fixture(scope="module")
def outside(filled):
    """What is beside the root: a file, and an array whose bytes are in its chunks as they are."""
    folder = Path(filled.root).with_name("outside")
    folder.mkdir()
    (folder / "secret").write_bytes(CANARY)
    options = {"compressors": None, "chunks": (1, 8, 12, 16), "attributes": {"secret": CANARY.decode()}}
    zarr.create_array(folder / "array", data=np.full((2, 16, 24, 32), VALUE, "f4"), **options)
    return folder


@pytest.fixture(scope="module")
def client(filled):
    """Asks the application for the store that is only read."""
    return Client(create_app(filled))


# --- who may ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LocalHost:1", "127.0.0.1", "127.0.0.1:65000", "[::1]", "[::1]:80"]
)
def test_known_hosts(client, host):
    """A request to this machine by one of its own names is answered, whatever the port."""
    assert client.get(f"/data/{ARRAY}/zarr.json", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "localhost."),
        *("127.0.0.2", "0.0.0.0", "[::]", "[::1].evil.example", "127.1", "2130706433", "::1"),
    ],
)
@pytest.mark.parametrize("path", ["/", f"/data/{ARRAY}/zarr.json", f"/image/{ARRAY}", "/static/nothing"])
def test_unknown_hosts(client, host, path):
    """A name that was made to lead here is refused, for every path."""
    found = client.get(path, headers={"Host": host})
    assert found.status_code in {400, 421}
    assert "error" in found.json()


@pytest.mark.parametrize("host", ["", "a b", "user@localhost", "localhost/x", "localhost:x", "localhost,evil", "[::1"])
def test_hosts_that_are_none(client, host):
    """What is no host is refused."""
    assert client.get("/", headers={"Host": host}).status_code in {400, 421}


@pytest.mark.parametrize("hosts", [[], [b"localhost", b"evil.example"], [b"localhost", b"localhost"]])
def test_one_host(client, hosts):
    """Of several hosts none is believed, and no host at all is none."""
    assert raw(client, "/", hosts=hosts).status_code == 400


def test_a_host_that_was_bound_to(filled):
    """Beside the names of loopback, those count that the application is told."""
    app = create_app(filled, hosts={"gpu7.example", "localhost"})
    assert Client(app, "GPU7.example:80").get(f"/data/{ARRAY}/zarr.json").status_code == 200
    assert Client(app, "gpu8.example").get(f"/data/{ARRAY}/zarr.json").status_code == 421


def test_any_host(filled):
    """Where the application is told to, it answers to every name, but still not to none."""
    app = create_app(filled, hosts={ANY_HOST})
    assert Client(app, "whatever.example").get(f"/data/{ARRAY}/zarr.json").status_code == 200
    assert Client(app).get("/", headers={"Host": ""}).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "Get"])
@pytest.mark.parametrize("path", ["/", f"/data/{ARRAY}/zarr.json", f"/image/{ARRAY}", "/api/runs", "/nowhere"])
def test_methods(client, method, path):
    """What is neither GET nor HEAD is refused everywhere, and says what is allowed."""
    found = raw(client, path, method=method)
    assert (found.status_code, found.headers["allow"]) == (405, "GET, HEAD")


def test_nothing_is_changed(client, filled):
    """Whatever is asked in whatever way, the store is byte for byte as it was."""
    before = take_snapshot(filled.root)
    for path in (f"/data/{ARRAY}/zarr.json", f"/image/{ARRAY}", f"/values/{ARRAY}", "/", "/api/runs", "/run?run=r1"):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            client.request(method, path)
    assert take_snapshot(filled.root) == before


ELSEWHERE = [
    {"Origin": "http://elsewhere.example"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "http://127.0.0.1:8000.evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object"},
]
HERE = [
    {},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_other_origins(client, headers):
    """A page of another origin gets no page, no picture and no answer of ours."""
    for path in ("/", f"/image/{ARRAY}", f"/values/{ARRAY}", "/api/runs", "/static/style.css"):
        found = client.get(path, headers=headers)
        assert found.status_code == 403
        assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize("origin", ["http://127.0.0.1:40123", "http://localhost:8000", "http://[::1]:9"])
def test_data_for_servers_of_this_machine(client, origin):
    """A page of another server of this machine, such as Neuroglancer's, may read data, and says which one it is."""
    found = client.get(f"/data/{ARRAY}/zarr.json", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
    assert (found.status_code, found.headers["access-control-allow-origin"]) == (200, origin)
    assert "Origin" in found.headers["vary"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://evil.example:127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    ],
)
def test_no_data_for_others(client, headers):
    """A page from elsewhere that guesses a path gets no data."""
    found = client.get(f"/data/{ARRAY}/zarr.json", headers=headers)
    assert found.status_code == 403
    assert "access-control-allow-origin" not in found.headers
    assert "shape" not in found.text


@pytest.mark.parametrize("headers", HERE)
def test_our_own_pages(client, headers):
    """Our own pages, a person who follows a link, and a program that is no browser are answered."""
    assert client.get(f"/image/{ARRAY}", headers=headers).status_code == 200


# --- what every answer has -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", f"/image/{ARRAY}", {}, 200),
        ("HEAD", f"/image/{ARRAY}", {}, 200),
        ("GET", f"/data/{ARRAY}/zarr.json", {}, 200),
        ("GET", f"/data/{ARRAY}/zarr.json", {"If-None-Match": "*"}, 304),
        ("GET", f"/data/{ARRAY}/zarr.json", {"Range": "bytes=99999-"}, 416),
        ("GET", f"/image/{ARRAY}?cut=z:99", {}, 400),
        ("GET", "/image/nothing", {}, 404),
        ("GET", "/nowhere", {}, 404),
        ("POST", "/", {}, 405),
        ("GET", "/", {"Host": "evil.example"}, 421),
        ("GET", "/", {"Origin": "null"}, 403),
    ],
)
def test_headers(client, method, path, headers, status):
    """Every answer, also a refusal, forbids scripts and frames of others, sniffing, referrers and foreign pages."""
    found = client.request(method, path, headers=headers)
    assert found.status_code == status
    assert found.headers["content-security-policy"] == POLICY
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["referrer-policy"] == "no-referrer"
    is_data = path.startswith("/data/")
    assert found.headers["cross-origin-resource-policy"] == ("cross-origin" if is_data else "same-origin")
    assert "access-control-allow-origin" not in found.headers
    assert method != "HEAD" or found.content == b""


def test_policy():
    """Nothing is loaded but from here, nothing is run from a page's own text, and nobody frames a page."""
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY


# --- ways out --------------------------------------------------------------------------------------------------------

CLIMBING = [
    "../outside/secret",
    "..%2foutside%2fsecret",
    "..%2Foutside/secret",
    "%2e%2e/outside/secret",
    "%2e%2e%2foutside%2fsecret",
    "%252e%252e/outside/secret",
    "%252e%252e%252foutside%252fsecret",
    "..%252foutside%252fsecret",
    "..%5coutside%5csecret",
    "..\\outside\\secret",
    "%c0%ae%c0%ae/outside/secret",
    "%c0%ae%c0%ae%c0%afoutside%c0%afsecret",
    "%e0%80%ae%e0%80%ae/outside/secret",
    "%u002e%u002e/outside/secret",
    "%ef%bc%8e%ef%bc%8e/outside/secret",
    "..;/outside/secret",
    ".%00./outside/secret",
    "..%00/outside/secret",
    "./../outside/secret",
    "r1/../../outside/secret",
    "r1/validation.zarr/../../../outside/secret",
    "r1/validation.zarr/..%2f..%2f..%2foutside%2fsecret",
    f"{ARRAY}/../../../../../../../outside/secret",
    f"{ARRAY}/c/0/0/0/0/../../../../../../../../../../../outside/secret",
    f"{ARRAY}/..%2f..%2f..%2f..%2f..%2f..%2f..%2foutside%2farray%2fzarr.json",
    f"{ARRAY}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/outside/array/c/0/0/0/0",
    "%2foutside%2fsecret",
    "/outside/secret",
    "//outside/secret",
    "%2f%2foutside%2fsecret",
    "ABSOLUTE",
    "%2fABSOLUTE",
    "file:ABSOLUTE",
    "zarr.json",
    ".zarrange/layout.json",
    ".zarrange%2flayout.json",
    "r1/../.zarrange/layout.json",
    "%2ezarrange/layout.json",
    f"{ARRAY}%00/zarr.json",
    f"{ARRAY}/zarr.json%00.png",
    f"{ARRAY}//zarr.json",
    f"{ARRAY}/./zarr.json",
    f"{ARRAY}/zarr.json/",
    f"{ARRAY}/c/0/0/0/0/",
    f"{ARRAY}/c/0/0/0/0%0a",
    f"{ARRAY}/",
    "~/secret",
    "$HOME/secret",
]


@contextmanager
def told_what_is_opened():
    """A list of the paths that this process opens, for as long as the context.

    What Linux opens by one call is not heard; without that call, each step of a path is.
    """
    opened = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "OPENAT2", -1)
        _listeners.append(opened)
        try:
            yield opened
        finally:
            _listeners.remove(opened)


_listeners: list[list[str]] = []


def _hear(event, arguments):
    if _listeners and event in {"open", "os.listdir", "os.scandir"}:
        for one in _listeners:
            one.append(os.fspath(arguments[0]) if isinstance(arguments[0], str | Path) else str(arguments[0]))


@pytest.fixture(scope="session", autouse=True)
def hearing():
    """An audit hook cannot be taken away again; it does nothing while nobody listens."""
    sys.addaudithook(_hear)


def test_what_is_opened_is_told(client):
    """The ear that the next tests trust hears what an ordinary request opens."""
    with told_what_is_opened() as opened:
        assert raw(client, f"/data/{ARRAY}/zarr.json").status_code == 200
    assert "zarr.json" in opened


@pytest.mark.parametrize("written", CLIMBING)
@pytest.mark.parametrize("part", ["data", "image", "values"])
def test_ways_out(client, outside, written, part):
    """However a way out of the root is written, it is not found, and nothing is opened for it."""
    root = str(outside.parent)
    url = f"/{part}/{written.replace('ABSOLUTE', str(outside / 'secret'))}"
    with told_what_is_opened() as opened:
        found = raw(client, url)
    assert (found.status_code, CANARY in found.content) == (404, False)
    assert [path for path in opened if path.startswith(root) and path != f"{root}/runs"] == []
    assert [path for path in opened if path in {"secret", "outside", ".zarrange", "layout.json"}] == []


def raw(client, url, method="GET", hosts=(b"127.0.0.1:8000",)):
    """Ask as a server is asked by who writes the bytes of a request by hand: nothing is put in order before."""
    sent = []
    bodies = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        return bodies.pop() if bodies else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(url),
        "raw_path": url.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host) for host in hosts],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(client.app(scope, receive, send))
    body = b"".join(one.get("body", b"") for one in sent)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return SimpleNamespace(status_code=sent[0]["status"], headers=headers, content=body)


def test_ways_out_of_a_real_server(serve, store, outside):
    """A real server, asked by the bytes of a request, gives nothing from outside of the root either."""
    served = serve(store)
    Path(store.root, ".zarrange/canary").write_bytes(CANARY)
    Path(store.root).with_name("outside").symlink_to(outside)
    for prefix in ("", "data/", "image/", "values/", "static/", "array/"):
        for written in (*CLIMBING, ".zarrange/canary", "%2ezarrange%2fcanary"):
            path = written.replace("ABSOLUTE", str(outside / "secret"))
            line = f"GET /{prefix}{path} HTTP/1.1\r\nHost: localhost\r\n".encode()
            status, answer = asked(served, line)
            assert 400 <= status < 500, line
            assert CANARY not in answer


def asked(served, head):
    """Send the beginning of a request; return the status and all that comes back."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall(head + b"Connection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer


PLACES = [
    "r1",
    "r1/validation.zarr",
    "r1/validation.zarr/iterations",
    ARRAY,
    f"{ARRAY}/c",
    f"{ARRAY}/c/0",
    f"{ARRAY}/c/0/1/0",
    f"{ARRAY}/c/0/1/0/0",
    f"{ARRAY}/zarr.json",
]


@pytest.mark.parametrize("place", PLACES)
def test_symlinks(store, outside, tmp_path, place):
    """Where a symlink leads out of the root, on the way or at its end, nothing is shown of what is there."""
    client = Client(create_app(store))
    swapped = Path(store.root, place)
    target = stand_in(outside, tmp_path) / place
    if swapped.is_dir():
        shutil.rmtree(swapped)
    else:
        swapped.unlink()
    swapped.symlink_to(target)
    for path in (f"{ARRAY}/zarr.json", f"{ARRAY}/c/0/1/0/0"):
        found = client.get(f"/data/{path}")
        is_behind = path.startswith(place) or place == f"{ARRAY}/zarr.json"
        assert (found.status_code in {404, 422}) is is_behind
        assert not shows_outside(found)
    for part in ("image", "values"):
        found = client.get(f"/{part}/{ARRAY}?cut=z:8")
        assert found.status_code in {404, 422}
        assert not shows_outside(found)


def stand_in(outside, folder):
    """Make a tree that has the array of outside in the place of ours, and return it."""
    shutil.copytree(outside / "array", folder / "tree" / ARRAY)
    return folder / "tree"


def shows_outside(found):
    """Whether anything of the array outside is in an answer."""
    whole = np.full(4, VALUE, "<f4").tobytes()
    return CANARY in found.content or whole in found.content


SWAPPED = ["r1", "r1/validation.zarr", ARRAY, f"{ARRAY}/c", f"{ARRAY}/c/0/1"]


@pytest.mark.parametrize("place", SWAPPED)
def test_swapped_while_it_is_read(store, outside, tmp_path, place):
    """While a folder is swapped for a symlink to elsewhere, again and again, nothing of elsewhere is ever shown."""
    client = Client(create_app(store))
    tree = stand_in(outside, tmp_path)
    urls = [f"/data/{ARRAY}/zarr.json", f"/data/{ARRAY}/c/0/1/0/0", f"/values/{ARRAY}?cut=z:8"]
    statuses = set()
    with attacking(tmp_path, Path(store.root), tree, [place]) as attack:
        while attack.attempts < 10:
            pass
        for _ in range(60):
            for url in urls:
                found = client.get(url)
                statuses.add(found.status_code)
                assert not shows_outside(found)
    assert statuses <= {200, 404, 409, 422}
    assert 200 in statuses
    assert len(statuses) > 1
