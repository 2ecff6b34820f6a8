"""Neuroglancer: `/neuroglancer` opens what the Compare page shows, by the same address, in Neuroglancer.

The answer leads to a viewer of the package's own server, which is on this machine only; the viewer gets its data from
`/data` here. So many viewers are live at once; a further one ends the oldest.
"""

from __future__ import annotations

import errno
from collections import deque
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from zarrange.errors import BadRequestError, NotFoundError, StoreError, ZarrangeError
from zarrange.language.arrangement import arrangement
from zarrange.view.comparison import comparison
from zarrange.view.neuroglancer import Look, close, viewer_of
from zarrange.view.placing import locate
from zarrange.view.runs import run_names
from zarrange.view.slices import Cut
from zarrange.web.answers import in_thread, refusal
from zarrange.web.frame import error_page, failure, wants_page
from zarrange.web.looking import OWN, Looking
from zarrange.web.requests import given, refuse_unknown, value_of
from zarrange.web.security import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from zarrange.identifiers import Value
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store
    from zarrange.view.comparison import Comparison

__all__ = ["MAX_VIEWERS", "routes"]

MAX_VIEWERS = 8
MAX_RUNS = 4


def routes(store: Store) -> list[Route]:
    """Return the way of a store to its viewers."""
    return [Route("/neuroglancer", partial(_answer, _Viewers(store)), methods=["GET"])]


async def _answer(viewers: _Viewers, request: Request) -> Response:
    if _name(request) not in LOOPBACK_HOSTS:
        return await _refused(viewers.store, request, 501, "Neuroglancer's server is reached from this machine only")
    try:
        return await in_thread(viewers.answer, request)
    except (ZarrangeError, ValueError, ModuleNotFoundError) as error:
        return await in_thread(failure, viewers.store, request, error)


async def _refused(store: Store, request: Request, status: int, message: str) -> Response:
    if wants_page(request):
        return await in_thread(error_page, store, status, message)
    return refusal(status, message)


def _name(request: Request) -> str:
    """The name by which this server was asked, as a host has it."""
    name = request.url.hostname or ""
    return f"[{name}]" if ":" in name else name


class _Viewers:
    """The live viewers of a store, the oldest first."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._live: deque[Any] = deque()
        self._lock = Lock()

    def answer(self, request: Request) -> Response:
        """Lead to a new viewer; who asks for the head only is told that there could be one."""
        refuse_unknown(request, (*OWN, *self.store.layout.fields))
        asked = _Asked(self.store, request)
        entries, look = [*asked.entries()], asked.look()
        if not entries:
            raise NotFoundError(errno.ENOENT, "there is no such array", request.url.query)
        if request.method == "HEAD":
            return Response()
        viewer = viewer_of(self.store, entries, f"{request.base_url}data", look)
        self._keep(viewer)
        return RedirectResponse(viewer.get_viewer_url(), 303)

    def _keep(self, viewer: Any) -> None:
        with self._lock:
            self._live.append(viewer)
            while len(self._live) > MAX_VIEWERS:
                close(self._live.popleft())


class _Asked:
    """What an address of the Compare page asks for."""

    def __init__(self, store: Store, request: Request) -> None:
        self._store = store
        self._request = request
        self._arranged = arrangement(store.layout)
        self._looking = Looking(request, [panel.kind for panel in self._arranged.panels])
        self._rows = [*self._comparisons()]

    def _comparisons(self) -> Iterator[Comparison]:
        """What each run has; the choices of the first one are those of all."""
        chosen = self._chosen()
        for run in self._runs():
            found = comparison(self._store, run, chosen)
            chosen = {**{one.field: one.chosen for one in found.choices if one.values}, **chosen}
            yield found

    def _chosen(self) -> dict[str, Value | None]:
        layout = self._store.layout
        names = [name for name in self._request.query_params if name in layout.fields and name != self._arranged.by]
        return {name: self._value(name, given(self._request, name) or "") for name in names}

    def _value(self, name: str, text: str) -> Value | None:
        return value_of(self._store.layout, name, text) if text else None

    def _runs(self) -> list[Value | None]:
        """The runs that are asked for, or the first one; an empty text is what belongs to no run."""
        by, names = self._arranged.by, run_names(self._store)
        texts = self._request.query_params.getlist(by) if by else []
        asked = [self._value(by, text) for text in dict.fromkeys(texts)] if by else []
        found = [one for one in asked if one is not None or None in names]
        if len(found) > MAX_RUNS:
            raise BadRequestError(f"{len(found)} values of `{by}` are given; at most {MAX_RUNS} stand side by side")
        return found or [*names[:1]]

    def entries(self) -> Iterator[Entry]:
        """Yield the arrays of the panels that are shown, at the step that is."""
        steps = sorted({step for row in self._rows for step in row.steps})
        step = steps[self._looking.step(steps, self._asked_step(), "")] if steps else None
        shown = self._looking.shown([panel.kind for panel in self._arranged.panels])
        panels = (panel for row in self._rows for panel in row.panels if panel.kind in shown)
        for path in (panel.path if step is None else panel.paths.get(step, panel.path) for panel in panels):
            if path is not None:
                with suppress(StoreError):  # it is gone by now
                    yield locate(self._store, path)

    def _asked_step(self) -> Value | None:
        slider = self._arranged.slider
        return None if slider is None else self._value(slider, given(self._request, slider) or "")

    def look(self) -> Look:
        """Return how the page looks at them."""
        try:
            cut = Cut.parse(given(self._request, ".cut") or "")
        except ValueError as error:
            raise BadRequestError(f"`.cut`: {error}") from None
        labels = self._looking.labels(()) if given(self._request, ".labels") is not None else None
        over = self._looking.over({}) if given(self._request, ".over") is not None else None
        title = f"{self._arranged.title}: {', '.join(str(row.run) for row in self._rows if row.run is not None)}"
        return Look(cut, self._looking.at(), self._looking.zoom(), labels, over, title.removesuffix(": "))
