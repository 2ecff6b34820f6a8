"""App: the pages, the pictures and the data of one store, as an application of ASGI. Running it is another matter.

It only reads. Whatever it reads goes by descriptors, so that no symlink, not even one that is swapped in meanwhile,
leads out of the root.
"""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from zarrange.web import api, compare, data, images, neuroglancer, pages
from zarrange.web.answers import refusal
from zarrange.web.frame import error_page, wants_page
from zarrange.web.security import LOOPBACK_HOSTS, Guard

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.stores.store import Store

__all__ = ["create_app"]


def create_app(store: Store, *, hosts: Collection[str] = LOOPBACK_HOSTS) -> Starlette:
    """Return the application that shows a store, to requests whose `Host` is one of `hosts`, with any port."""
    shown = _sheltered(store)
    parts = (api, compare, data, images, neuroglancer, pages)
    app = Starlette(
        routes=[route for part in parts for route in part.routes(shown)],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={HTTPException: partial(_refused, shown)},
    )
    app.router.redirect_slashes = False  # an address that is not quite one is none
    return app


def _sheltered(store: Store) -> Store:
    """Return the store as it is shown: whatever it reads is below its root, whoever writes there."""
    shown = copy(store)
    shown._backend = store._backend.sheltered()  # noqa: SLF001 - the same store, read in another way
    return shown


async def _refused(store: Store, request: Request, error: Exception) -> Response:
    """Answer what no route does, as a page to a browser, else as JSON."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = "there is no such page" if status == 404 else str(error)  # noqa: PLR2004 - HTTP's
    return error_page(store, status, message) if wants_page(request) else refusal(status, message)
