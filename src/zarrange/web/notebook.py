"""Notebook: Neuroglancer for who has a store in Python and no server of pages: `Store.neuroglancer`.

The data come from a server of their own, `/data` and nothing else, on a free port of this machine. It runs in a daemon
thread, and ends with the last viewer that it gives data to. A store keeps its newest viewers alive as long as it lives.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

from attrs import field, frozen
from starlette.applications import Starlette
from starlette.middleware import Middleware

from zarrange.identifiers import Key
from zarrange.language.arrangement import arrangement
from zarrange.stores.entries import Entry
from zarrange.view.listings import likeliest
from zarrange.view.neuroglancer import MAX_LAYERS, close, viewer_of
from zarrange.view.placing import locate
from zarrange.web import data
from zarrange.web.security import Guard
from zarrange.web.serving import listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarrange.stores.places import Artifact
    from zarrange.stores.store import Store

__all__ = ["MAX_VIEWERS", "open_viewer"]

logger = logging.getLogger(__name__)

MAX_VIEWERS = 8
"""So many viewers of a store live at once; a further one ends the oldest."""


class _Server:
    """`/data` of a store, until nobody holds it any more."""

    def __init__(self, store: Store) -> None:
        import uvicorn

        app = Starlette(routes=data.routes(store), middleware=[Middleware(Guard)])
        config = uvicorn.Config(
            app,
            access_log=False,
            lifespan="off",
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            ws="none",
        )
        listener = listening()
        server = uvicorn.Server(config)
        self.url = f"{listener.url}/data"
        name = f"zarrange-data-{listener.port}"
        threading.Thread(target=_serve, args=(server, listener.socket), name=name, daemon=True).start()
        # It is not waited for: garbage may be collected in any thread, that of the server too.
        finalize(self, setattr, server, "should_exit", True)  # noqa: FBT003


def _serve(server: Any, socket: Any) -> None:
    with socket:
        server.run([socket])


@frozen
class _Live:
    """What a store keeps alive: the copy of it that is shown, its server, and its viewers, the oldest first."""

    shown: Store
    server: _Server
    viewers: deque[Any] = field(factory=deque)


_live: WeakKeyDictionary[Store, _Live] = WeakKeyDictionary()
_lock = threading.Lock()


def open_viewer(store: Store, shown: Sequence[Artifact | Entry | str], filters: Mapping[str, object]) -> Any:
    """Return a `neuroglancer.Viewer` of arrays of a store. Takes and raises what `Store.neuroglancer` does."""
    entries = [*_entries(store, shown, filters)]
    if len(entries) > MAX_LAYERS:
        raise ValueError(f"{len(entries)} arrays are more than the {MAX_LAYERS} that a viewer shows: choose among them")
    if not entries:
        logger.warning("there is no such array in %r: the viewer is empty", store.root)
    live = _live_of(store)
    viewer = viewer_of(live.shown, entries, live.server.url)
    viewer.data_server = live.server  # it lives as long as the viewer
    with _lock:
        live.viewers.append(viewer)
        while len(live.viewers) > MAX_VIEWERS:
            close(live.viewers.popleft())
    return viewer


def _live_of(store: Store) -> _Live:
    with _lock:
        found = _live.get(store)
        if found is None:
            shown = copy(store)  # or else its server would keep the store itself alive
            shown._backend = store._backend.sheltered()  # noqa: SLF001 - as the pages read it
            found = _live[store] = _Live(shown, _Server(shown))
        return found


def _entries(store: Store, shown: Sequence[Artifact | Entry | str], filters: Mapping[str, object]) -> Iterator[Entry]:
    kinds = [one for one in shown if isinstance(one, str)]
    for kind in map(store.layout.kind, kinds):
        if kind.sort != "array":
            raise ValueError(f"`{kind.name}` is a kind of {kind.sort}; arrays are shown")
    for one in shown:
        if not isinstance(one, str):
            yield one if isinstance(one, Entry) else locate(store, _path(store, one))
    if kinds or not shown:
        order = [panel.kind for panel in arrangement(store.layout).panels]
        found = [entry for entry in store.find(kinds or None, **filters) if entry.node == "array"]
        yield from sorted(found, key=lambda entry: order.index(likeliest(store.layout, entry)))
    elif filters:
        raise TypeError(f"what is shown is given; {', '.join(filters)} would choose among kinds")


def _path(store: Store, artifact: Artifact) -> str:
    identifier = store.identifier(artifact.kind, **artifact.values) if isinstance(artifact, Key) else artifact
    return store._relative(identifier).path  # noqa: SLF001 - it says what does not belong to the store
