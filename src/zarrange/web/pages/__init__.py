"""Pages: the table of runs, one run, its scores, and one array, as HTML that the server makes.

They work without any script; scripts fill in what is slow. What is wrong is a page, too, for who asks for pages.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from zarrange.errors import ZarrangeError
from zarrange.web.answers import in_thread
from zarrange.web.frame import failure
from zarrange.web.pages import array, run, runs, scores

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from zarrange.stores.store import Store

    Answering: TypeAlias = Callable[[Store, Request], Response]

__all__ = ["routes"]


def routes(store: Store) -> list[BaseRoute]:
    """Return the pages of a store, with what they look like, and their scripts."""
    return [
        Route("/", partial(_answer, store, runs.answer), methods=["GET"]),
        Route("/run", partial(_answer, store, run.answer), methods=["GET"]),
        Route("/scores", partial(_answer, store, scores.answer), methods=["GET"]),
        Mount("/static", StaticFiles(packages=[("zarrange.web", "static")])),
        Route("/array/{path:path}", partial(_answer, store, array.answer), methods=["GET"]),
    ]


async def _answer(store: Store, answering: Answering, request: Request) -> Response:
    try:
        return await in_thread(answering, store, request)
    except (ZarrangeError, ValueError, ModuleNotFoundError) as error:
        return await in_thread(failure, store, request, error)
