"""The application as a whole: what it is made of, what it answers to what it does not have, how it fails."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from tests.web.conftest import Client, fill

from zarrange import Layout, Store
from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    AmbiguousPathError,
    BadRequestError,
    BusyError,
    CutError,
    DamagedError,
    FieldError,
    IncompleteError,
    NoPictureError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    UnknownKindError,
    UnreadableError,
)
from zarrange.stores.local import LocalBackend
from zarrange.web import answers
from zarrange.web.answers import error_answer, in_thread, json_answer, limiter, said, status_of, telling_errors
from zarrange.web.app import create_app
from zarrange.web.security import POLICY, Guard

ARRAY = "r1/validation.zarr/iterations/00001000/crop1/prediction"


@pytest.fixture(scope="module")
def client(filled):
    """Asks the application for the store that is only read."""
    return Client(create_app(filled))


# --- what it is made of ----------------------------------------------------------------------------------------------


def test_all_parts_are_there(filled):
    """The application has the ways of every part, each of them for GET and HEAD only."""
    routes = create_app(filled).routes
    paths = {route.path for route in routes}
    assert {"/", "/run", "/compare", "/scores", "/array/{path:path}", "/neuroglancer", "/static"} <= paths
    assert {"/image/{path:path}", "/values/{path:path}", "/data/{path:path}", "/api/runs", "/api/openapi.json"} <= paths
    assert {method for route in routes if isinstance(route, Route) for method in route.methods} == {"GET", "HEAD"}


def test_the_store_is_as_it_was(store):
    """The store that is shown can be written to as before; the application itself cannot write."""
    app = create_app(store)
    assert type(store._backend) is LocalBackend
    store.create(store.identifier("validation_raw", run="r9"), shape=(4, 4), dtype="u1")
    found = Client(app).get("/values/r9/validation.zarr/inputs/all/raw")
    assert (found.status_code, found.content) == (200, bytes(16))


def test_whatever_is_read_is_sheltered(filled):
    """The application reads a store in the way of who shows to others what is there."""

    class Told(LocalBackend):
        def sheltered(self):
            asked.append(super().sheltered())
            return asked[-1]

    asked = []
    store = Store(filled.root)
    store._backend = Told(filled.root)
    client = Client(create_app(store))
    assert len(asked) == 1
    seen = []
    for name in ("read_range", "found", "items"):
        setattr(asked[0], name, noting(getattr(asked[0], name), seen))
    for path in ("/", "/run?run=r1", f"/values/{ARRAY}", f"/data/{ARRAY}/zarr.json", f"/api/array?.path={ARRAY}"):
        seen.clear()
        assert client.get(path).status_code == 200
        assert seen


def noting(ask, seen):
    def asked(*arguments, **options):
        seen.append(arguments)
        return ask(*arguments, **options)

    return asked


@pytest.mark.parametrize("path", ["/", "/run?run=r1", f"/image/{ARRAY}", f"/data/{ARRAY}/zarr.json", "/api/runs"])
def test_head_is_get_without_content(client, path):
    """HEAD is answered as GET is, without the content."""
    get, head = client.get(path), client.head(path)
    assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers.get("etag") == get.headers.get("etag")


@pytest.mark.parametrize("path", ["/nothing", "/image", "/data", "/run/", "/api", "/api/nothing", "/.env"])
def test_what_there_is_not(client, path):
    """An address that leads nowhere is told as JSON to programs, and as a page to browsers."""
    found = client.get(path)
    assert (found.status_code, set(found.json())) == (404, {"error"})
    page = client.get(path, headers={"Accept": "text/html,*/*"})
    assert page.status_code == 404
    if not path.startswith("/api"):
        assert page.headers["content-type"].startswith("text/html")


def test_an_empty_store(tmp_path):
    """A store in which there is nothing yet is shown, and finds nothing."""
    client = Client(create_app(Store(tmp_path / "absent", "training")))
    assert client.get("/").status_code == 200
    assert client.get(f"/image/{ARRAY}").status_code == 404
    assert client.get(f"/data/{ARRAY}/zarr.json").status_code == 404


def test_other_layouts(tmp_path):
    """What is shown is what a layout says, whatever its fields are called."""
    layout = Layout.parse("""
        zarrange: 1
        fields: {day: {type: date}}
        containers: {box: {path: "box.zarr"}}
        arrays: {picture: {container: box, path: "{{ day }}"}}
    """)
    store = Store(tmp_path / "days", layout)
    store.create(store.identifier("picture", day=datetime.date(2026, 1, 31)), shape=(4, 6), dtype="u1")
    client = Client(create_app(store))
    assert client.get("/").status_code == 200
    assert client.get("/image/box.zarr/2026-01-31").status_code == 200
    assert client.get("/image/box.zarr/2026-01-32").status_code == 404


def test_in_memory():
    """A store in the memory of this process is shown, page by page."""
    store = fill("memory://app/runs", runs=("r1",), iterations=(1000,))
    client = Client(create_app(store))
    for path in ("/", "/run?run=r1", f"/image/{ARRAY}", f"/data/{ARRAY}/zarr.json", "/api/runs"):
        assert client.get(path).status_code == 200


def test_importing_it_is_not_importing_zarr():
    """The application is made without zarr and neuroglancer, which are imported by who asks for the first picture."""
    code = "import sys, zarrange.web.app; print(*sorted({'zarr', 'neuroglancer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- how it fails ----------------------------------------------------------------------------------------------------


def guarded(endpoint):
    return Client(Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(Guard)]), is_server=True)


def test_faults():
    """A fault of ours is answered, with all headers, and says nothing of what it was; the server is told of it."""

    async def fail(_):
        raise RuntimeError("the secret of the machine")

    found = guarded(fail).get("/")
    assert (found.status_code, set(found.json())) == (500, {"error"})
    assert "secret" not in found.text
    assert found.headers["content-security-policy"] == POLICY
    client = guarded(fail)
    client.is_server = False
    with pytest.raises(RuntimeError, match="secret"):
        client.get("/")


def test_faults_in_the_middle():
    """An answer that has begun is broken off, not ended with something else."""

    async def blocks():
        yield b"a"
        raise RuntimeError("no more")

    async def fail(_):
        return StreamingResponse(blocks())

    client = guarded(fail)
    client.is_server = False
    with pytest.raises((RuntimeError, ExceptionGroup)):
        client.get("/")


def test_websockets():
    """A websocket is refused."""
    sent = []

    async def ask():
        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "websocket.connect"}

        await Guard(None)({"type": "websocket", "path": "/", "headers": []}, receive, send)

    asyncio.run(ask())
    assert sent == [{"type": "websocket.close", "code": 1008}]


STATUSES = {
    NotFoundError(2, "there is no array", "a/b"): (404, "'a/b': there is no array"),
    NotInStoreError("no path"): (404, "no path"),
    BusyError("at work"): (409, "at work"),
    BadRequestError("does not fit"): (400, "does not fit"),
    FieldError("image", "step", -1, "is too small"): (400, "image: field `step` is too small"),
    UnknownKindError("no kind"): (400, "no kind"),
    AmbiguousPathError("a", ()): (400, "'a' can be split in too many ways to try them all"),
    ValueError("not so"): (400, "not so"),
    CutError("no axis"): (400, "no axis"),
    NoPictureError("text"): (422, "text"),
    UnreadableError("damaged"): (422, "damaged"),
    DamagedError("damaged"): (422, "damaged"),
    AccessDeniedError("denied"): (422, "denied"),
    IncompleteError([("a", "denied")]): (422, "not everything could be read: 'a': denied"),
    StoreError("written anew"): (422, "written anew"),
    AlreadyExistsError("there"): (422, "there"),
    ModuleNotFoundError("it needs neuroglancer"): (501, "it needs neuroglancer"),
}


@pytest.mark.parametrize(("error", "expected"), STATUSES.items(), ids=lambda one: type(one).__name__)
def test_errors_have_statuses(error, expected):
    """Each error of ours has a status, and says what it says anywhere, without the system's numbers."""
    status, message = expected
    answer = error_answer(error)
    assert (answer.status_code, answer.body) == (status, json_answer({"error": message}).body)
    assert (status_of(error), said(error)) == (status, message)


def test_others_are_faults():
    """What is none of ours is raised again."""
    with pytest.raises(RuntimeError):
        error_answer(RuntimeError("?"))


def test_endpoints_tell_errors():
    """An endpoint that raises an error of ours answers it."""

    @telling_errors
    async def endpoint(_):
        raise BusyError("at work")

    found = guarded(endpoint).get("/")
    assert (found.status_code, found.json()) == (409, {"error": "at work"})


def test_json():
    """JSON is ASCII, so that no browser guesses; what JSON does not have is refused."""
    answer = json_answer({"a": "é\u2028</script>"}, 201, {"X-Other": "1"})
    assert (answer.status_code, answer.headers["x-other"]) == (201, "1")
    assert answer.body == b'{"a":"\\u00e9\\u2028</script>"}'
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="JSON compliant"):
        json_answer(float("nan"))


def test_threads():
    """What blocks runs in other threads, no more at once than its pool has, and gives or raises what it does."""
    import threading

    at_once, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(answers.THREADS["pages"])

    def work(number):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        together.wait(30)
        with lock:
            at_once -= 1
        return number, threading.current_thread() is threading.main_thread()

    async def ask():
        count = 3 * answers.THREADS["pages"]
        found = await asyncio.gather(*(in_thread(work, number) for number in range(count)))
        assert limiter("pages").borrowed_tokens == 0
        with pytest.raises(BusyError):
            await in_thread(raising)
        return found

    def raising():
        raise BusyError("at work")

    found = asyncio.run(ask())
    assert found == [(number, False) for number in range(len(found))]
    assert most == answers.THREADS["pages"]


def test_answers_have_bodies():
    """A refusal without words has no content."""
    assert isinstance(answers.refusal(204, None), Response)
    assert answers.refusal(204, None).body == b""
