"""Security: what is refused before anything is looked at, and the headers that every answer has.

The pages are for who sits at this machine. A web page from elsewhere must not read them through that person's browser:
not by a name of its own that leads here (DNS rebinding: an unknown `Host` is refused), not as a request of its own
(`Origin`, `Sec-Fetch-Site`), not as a picture or a frame. Only `/data` is for other servers of this machine, such as
Neuroglancer's: a page from elsewhere that guesses a path gets nothing.
A link that is followed from elsewhere is fine: it shows a page to the person, and nothing to where it came from.
"""

from __future__ import annotations

import re
from asyncio import CancelledError
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from zarrange.web.answers import refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ANY_HOST", "DATA", "LOOPBACK_HOSTS", "POLICY", "Guard"]

ANY_HOST = "*"
"""Stands among hosts for every name, where nobody can know by which names this machine is called."""
LOOPBACK_HOSTS: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The names of this machine to itself; each with any port."""
DATA = "/data/"
"""What the paths begin with that other servers of this machine may read."""
METHODS = "GET, HEAD"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_EXPOSED = "Accept-Ranges, Content-Length, Content-Range, ETag"


class Guard:
    """Let through to an application what may be asked, and give its answers the headers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = LOOPBACK_HOSTS) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answered(scope, receive, _Answer(scope, send))
        else:
            await self._app(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        refused = self._refused(scope["method"], Headers(scope=scope), is_data=answer.is_data)
        if refused is None and _has_controls(scope["path"]):
            refused = refusal(404, "there is no such page")  # a route would take a path without the newline at its end
        try:
            await (refused or self._app)(scope, receive, answer)
        except CancelledError:  # the server ends: who waits is told so, if nothing was answered yet
            if not answer.has_begun:
                await refusal(503, "the server has ended")(scope, receive, answer)
        except Exception:
            if not answer.has_begun:
                failed = "something went wrong here; what it was stands on the screen of the server"
                await refusal(500, failed)(scope, receive, answer)
            raise

    def _refused(self, method: str, headers: Headers, *, is_data: bool) -> ASGIApp | None:
        """What is answered to who may not ask, `None` to who may."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or (name := _host(hosts[0])) is None:
            return refusal(400, "the request does not say, by one Host header, which host it is for")
        if ANY_HOST not in self._hosts and name not in self._hosts:
            return refusal(421, f"this server is not {hosts[0]!r}; it is {', '.join(sorted(self._hosts))}")
        if method not in METHODS.split(", "):
            message = f"nothing can be changed here: {METHODS} are answered, not {method}"
            return refusal(405, message, {"Allow": METHODS})
        is_welcome = self._is_near(headers) if is_data else _is_from_here(headers, hosts[0])
        if not is_welcome:
            return refusal(403, "a page of another origin may not ask for this")
        return None

    def _is_near(self, headers: Headers) -> bool:
        """Whether a request comes from any server of this machine, from a person, or from a program."""
        names = [_host(origin.partition("://")[2]) for origin in headers.getlist("origin")]
        if names:
            return all(name in LOOPBACK_HOSTS | self._hosts for name in names)
        return headers.get("sec-fetch-site") != "cross-site"


class _Answer:
    """Sends an answer with the headers that every one has, and to HEAD without its content."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.is_data = scope["path"].startswith(DATA)
        self.has_begun = False
        self._origin = Headers(scope=scope).get("origin")
        self._is_head = scope["method"] == "HEAD"
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            is_refused = message["status"] == 403  # noqa: PLR2004 - HTTP's
            shared_with = self._origin if self.is_data and not is_refused else None
            _complete(MutableHeaders(scope=message), is_data=self.is_data, shared_with=shared_with)
        elif self._is_head:
            message = {**message, "body": b""}
        await self._send(message)


_has_controls = re.compile(r"[\x00-\x1f\x7f]").search


_read_host = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch


def _host(written: str) -> str | None:
    """The name in a `Host` header, without the port; `None` for what is none."""
    found = _read_host(written)
    return None if found is None else found[1].lower()


def _is_from_here(headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of ours, from a person, or from a program that is no browser."""
    if any(origin.partition("://")[2].lower() != host.lower() for origin in headers.getlist("origin")):
        return False
    site = headers.get("sec-fetch-site", "none")
    if site in {"same-origin", "none"}:
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _complete(headers: MutableHeaders, *, is_data: bool, shared_with: str | None) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if is_data else "same-origin"
    headers.setdefault("Cache-Control", "no-cache")
    if is_data:
        headers.add_vary_header("Origin")
    if shared_with is not None:
        headers["Access-Control-Allow-Origin"] = shared_with
        headers["Access-Control-Expose-Headers"] = _EXPOSED
