"""Serving: the application run by uvicorn, for who looks at a store, until they end it.

It listens on this machine only, unless it is told otherwise. Nobody is asked for a name or a password: whoever reaches
another address sees all that the layout finds in the store.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from zarrange.web.app import create_app
from zarrange.web.security import ANY_HOST, LOOPBACK_HOSTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.store import Store

__all__ = ["HOST", "Listener", "listening", "running", "serve"]

HOST = "127.0.0.1"
PATIENCE = 2
"""For how many seconds what is under way may still be answered, in the end."""
TICK = 0.01
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what a person may ask for


class Listener:
    """A socket that listens, and what is said of it."""

    def __init__(self, socket: socket.socket, host: str) -> None:
        self.socket = socket
        self.host = host
        self.port: int = socket.getsockname()[1]

    @property
    def is_everywhere(self) -> bool:
        """Whether it listens on all addresses of this machine."""
        return self.host in _EVERYWHERE

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.socket.getsockname()[0].partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """Where it is, for a browser on this machine; no slash at its end."""
        return f"http://{HOST if self.is_everywhere else _bracketed(self.host)}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """The names that it answers to."""
        return frozenset({ANY_HOST}) if self.is_everywhere else LOOPBACK_HOSTS | {_bracketed(self.host)}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def listening(host: str = HOST, port: int = 0) -> Listener:
    """Listen on an address and a port, 0 for any that is free. Raises `OSError`, with one line that says what."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise OSError(f"{host!r} is no address of a machine") from None
    family, _, _, _, address = found[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        raise OSError(_told(error, host, port)) from None
    return Listener(made, host)


def _told(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; --port 0 takes one that is free"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host!r} is no address of this machine"
    return f"port {port} of {host} cannot be listened on: {(error.strerror or str(error)).lower()}"


def _server(store: Store, listener: Listener) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(store, hosts=listener.hosts),
        access_log=False,
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
    )
    return uvicorn.Server(config)


def serve(store: Store, listener: Listener) -> None:
    """Answer until Ctrl-C, or a request to terminate, comes."""
    with closing(listener.socket):
        try:
            _server(store, listener).run([listener.socket])
        except KeyboardInterrupt:
            return


@contextmanager
def running(store: Store, host: str = HOST, port: int = 0) -> Iterator[str]:
    """Answer in a thread, for as long as the context; it gives the URL, without a slash at its end."""
    listener = listening(host, port)
    with closing(listener.socket):
        server = _server(store, listener)
        thread = threading.Thread(target=server.run, args=([listener.socket],), name="zarrange-serve", daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                thread.join(TICK)
            yield listener.url
        finally:
            server.should_exit = True
            thread.join()
