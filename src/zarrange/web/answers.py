"""Answers: what every part of the server answers with, and where it does what takes long.

JSON is of plain data (`zarrange.converter.unstructure` makes it from ours). An error of zarrange has a status, and says
what it says anywhere: `{"error": "…"}`. What blocks runs in threads; reading of arrays has threads of its own, so that
pages are answered however many pictures are waited for.
"""

from __future__ import annotations

import json
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.responses import Response

from zarrange.errors import BusyError, NotFoundError, NotInStoreError, StoreError, ZarrangeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

__all__ = [
    "Pool",
    "error_answer",
    "in_pool",
    "in_thread",
    "in_turn",
    "json_answer",
    "limiter",
    "refusal",
    "said",
    "status_of",
    "telling_errors",
]

P = ParamSpec("P")
T = TypeVar("T")

Pool = Literal["pages", "pictures", "files"]
THREADS: dict[Pool, int] = {"pages": 8, "pictures": 4, "files": 16}
"""How much is done at once. Pictures decode in C, without holding up other threads, but each takes memory; who asks for
files waits for a disk or a server."""
_limiters: dict[Pool, RunVar[CapacityLimiter]] = {name: RunVar(f"zarrange-{name}") for name in THREADS}


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks in one of the threads for pages, and return what it returns."""
    return await in_pool("pages", function, *args, **kwargs)


async def in_pool(pool: Pool, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks in one of the threads of a pool. Who does not wait any more leaves it to its end."""
    called = partial(function, *args, **kwargs)
    return await to_thread.run_sync(called, limiter=limiter(pool), abandon_on_cancel=True)


def limiter(pool: Pool) -> CapacityLimiter:
    """Return what counts a pool's threads; each event loop has its own."""
    try:
        return _limiters[pool].get()
    except LookupError:
        made = CapacityLimiter(THREADS[pool])
        _limiters[pool].set(made)
        return made


async def in_turn(
    request: Request, pool: Pool, function: Callable[P, Response], /, *args: P.args, **kwargs: P.kwargs
) -> Response:
    """Run what makes an answer in a thread of a pool, unless nobody waits for it any more when its turn comes.

    A slider leaves many pictures behind that were asked for and not looked at.
    """
    async with limiter(pool):
        if await request.is_disconnected():
            return Response(status_code=GONE)
        called = partial(function, *args, **kwargs)
        return await to_thread.run_sync(called, limiter=CapacityLimiter(1), abandon_on_cancel=True)


GONE = 499
"""Never seen by anybody."""


def json_answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer plain data as JSON. Raises `ValueError` for numbers that JSON does not have."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(text, status, headers, "application/json")


def refusal(status: int, message: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """Answer that something is not done, and why."""
    if message is None:
        return Response(None, status, headers)
    return json_answer({"error": message}, status, headers)


def status_of(error: Exception) -> int:
    """Return the status of HTTP that an error of ours has; 500 for what is none of ours."""
    if isinstance(error, NotFoundError | NotInStoreError):
        return 404
    if isinstance(error, BusyError):
        return 409
    if isinstance(error, ValueError):  # of fields, of parameters, of cuts
        return 400
    if isinstance(error, StoreError):  # unreadable, no picture, gone while it was read
        return 422
    return 501 if isinstance(error, ModuleNotFoundError) else 500


def error_answer(error: Exception) -> Response:
    """Answer an error of ours with its status and what it says. Others are raised again: they are faults."""
    status = status_of(error)
    if status == 500:  # noqa: PLR2004 - HTTP's
        raise error
    return refusal(status, said(error))


def said(error: Exception) -> str:
    """Return what an error says; of the system's, without the number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename!r}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def telling_errors(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Let an endpoint answer errors of ours as JSON."""

    @wraps(endpoint)
    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ZarrangeError, ValueError, ModuleNotFoundError) as error:
            return error_answer(error)

    return answering
