"""Frame: what every page stands in: the templates, the words in them, links to other pages, and pages of errors.

Names come from strangers: templates escape all that they are given, `plain` shows what is not printable as its escape,
and a link is made of quoted parts only, and always leads to this server.
"""

from __future__ import annotations

import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response, StreamingResponse

from zarrange.language.arrangement import arrangement
from zarrange.report.characters import printable
from zarrange.stores.amounts import counted, in_bytes
from zarrange.web.answers import error_answer, in_thread, said, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from starlette.requests import Request

    from zarrange.identifiers import Value
    from zarrange.language.layout import Layout
    from zarrange.stores.store import Store

__all__ = [
    "error_page",
    "failure",
    "is_sendable",
    "link",
    "page",
    "place_of",
    "query",
    "streamed",
    "text_of",
    "wants_page",
    "word",
    "words",
]

MAX_PIECE = 16_384
"""A streamed page is sent in pieces of so many characters, but for what is sent at once."""
REASONS = {400: "This does not fit", 404: "Nothing is there", 409: "Something else is at work there"}
FAULT = 500
UNSENDABLE = frozenset("\0\r\n")
"""Browsers change these in what a form sends."""
FLUSH = Markup("<!--sent-->")
"""A template says so that what comes before it is sent at once: what follows may be slow."""


def page(store: Store, name: str, context: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a template as a page; it is given what `base.html` needs, too."""
    return HTMLResponse(_template(name).render(_context(store, context)), status)


def streamed(store: Store, request: Request, name: str, context: Mapping[str, Any]) -> Response:
    """Return a template as a page that is sent while it is made: what is iterated in it may be slow.

    It is made in a thread. Nothing in it may raise: what is wrong by then is a part of the page.
    """
    if request.method == "HEAD":
        return HTMLResponse()
    pieces = _template(name).generate(_context(store, context))
    return StreamingResponse(_sent(_gathered(pieces)), media_type="text/html")


async def _sent(pieces: Iterator[str]) -> AsyncIterator[str]:
    while (piece := await in_thread(next, pieces, None)) is not None:
        yield piece


def error_page(store: Store, status: int, message: str) -> HTMLResponse:
    """Return a page that says what is wrong."""
    reason = REASONS.get(status, "This cannot be shown")
    return page(store, "error.html", {"reason": reason, "message": message, "status": status}, status)


def failure(store: Store, request: Request, error: Exception) -> Response:
    """Answer an error of ours as a page to who asks for pages, else as JSON. Others are raised again."""
    if not wants_page(request) or status_of(error) == FAULT:
        return error_answer(error)
    return error_page(store, status_of(error), said(error))


def wants_page(request: Request) -> bool:
    """Whether what is wrong is to be said as a page: a browser asks so for what it opens."""
    return "text/html" in request.headers.get("accept", "")


def link(layout: Layout, place: str, values: Mapping[str, Any], own: Mapping[str, object] | None = None) -> str:
    """Return the address of one of our pages, `place`, for values of fields and parameters of our own."""
    asked = query(layout, values, own)
    return f"{place}?{asked}" if asked else place


def query(layout: Layout, values: Mapping[str, Any], own: Mapping[str, object] | None = None) -> str:
    """Return values of fields, and parameters of our own, as the query of an address; a tuple is given one by one."""
    fields = [(name, text_of(layout, name, one)) for name, value in values.items() for one in _each(value)]
    return urlencode([*fields, *((name, str(one)) for name, value in (own or {}).items() for one in _each(value))])


def place_of(page: str, path: str) -> str:
    """Return the address of what is told by its path below one of our pages: `/array`, `/image`."""
    return f"{page}/{quote(path, safe='/')}"


def text_of(layout: Layout, name: str, value: Value | None) -> str:
    """Return a value as it is written in an address, and in a form; a field that is absent is empty."""
    return "" if value is None else layout.fields[name].encode(value)


def is_sendable(text: str) -> bool:
    """Whether a form sends a text as it is; a link can have any."""
    return not UNSENDABLE & set(text)


def word(name: str) -> str:
    """Return the name of a field, or of a kind, as a word."""
    return name.replace("_", " ")


def words(name: str) -> str:
    """Return the name of a field as the word for several."""
    one = word(name)
    if one.endswith("y") and not one.endswith(("ay", "ey", "oy", "uy")):
        return f"{one[:-1]}ies"
    return one if one.endswith("s") else f"{one}s"


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def _gathered(pieces: Iterable[str]) -> Iterator[str]:
    """Yield what is to be sent: much at once, but what a template says is sent without delay."""
    waiting: list[str] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= MAX_PIECE or piece == FLUSH:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)


def _context(store: Store, context: Mapping[str, Any]) -> dict[str, Any]:
    arranged = arrangement(store.layout)
    frame = {
        "title": arranged.title,
        "root": store.root,
        "layout": store.layout,
        "by": arranged.by,
        "slider": arranged.slider,
        "runs": words(arranged.by) if arranged.by else "everything",
        "one_run": word(arranged.by) if arranged.by else "everything",
    }
    return {**frame, **context}


def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("zarrange.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"FLUSH": FLUSH, "counted": counted, "link": link, "place_of": place_of, "time": _time}
    found.filters |= {"plain": _plain, "bytes": in_bytes, "word": word, "words": words}
    return found


def _plain(value: object) -> str:
    """Return a value as text that can be read: nothing in it is hidden, or turns the reading direction."""
    if value is None:
        return "—"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return printable(str(value))


def _time(seconds: float) -> Markup:
    """Return a moment; a script shows it in the zone of who looks."""
    try:
        found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return Markup()
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{found:%Y-%m-%dT%H:%M:%SZ}", f"{found:%Y-%m-%d %H:%M}")
