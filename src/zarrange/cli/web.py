"""The command that shows a store in a browser: `serve`. Nothing is changed."""

from __future__ import annotations

import sys

from zarrange.cli.options import CLEAN, color, command, open_store, reason, root, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from zarrange.web.serving import Listener

__all__ = ["add_commands"]

PORT = 8000
MOST = 65_535


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    serve = command(commands, "serve", _serve, "show a store in a browser, until Ctrl-C; nothing can be changed there")
    root(serve)
    about = "the address to listen on; only this machine can reach 127.0.0.1, the default"
    serve.add_argument("--host", default="127.0.0.1", metavar="HOST", help=about)
    about = f"the port to listen on, {PORT} unless given; 0 for any that is free"
    serve.add_argument("--port", default=str(PORT), metavar="PORT", help=about)
    serve.add_argument("--open", action="store_true", help="open it in the browser of this machine")
    color(serve)


def _serve(options: argparse.Namespace) -> int:
    port = options.port
    if not (port.isascii() and port.isdigit() and len(port) <= len(str(MOST)) and int(port) <= MOST):
        return usage(f"{port!r} is no port: a port is a number from 0 to {MOST}")
    store = open_store(options)
    try:
        from zarrange.web.serving import listening, serve

        listener = listening(options.host, int(port))
    except (OSError, ModuleNotFoundError) as error:
        return usage(_needed(error) if isinstance(error, ModuleNotFoundError) else reason(error))
    _tell(listener, options)
    serve(store, listener)
    return CLEAN


def _needed(error: ModuleNotFoundError) -> str:
    if (error.name or "").partition(".")[0] in {"PIL", "anyio", "starlette", "uvicorn"}:
        return f"`serve` needs {error.name}: pip install 'zarrange[web]'"
    return str(error)


def _tell(listener: Listener, options: argparse.Namespace) -> None:
    from zarrange.report import printable

    print(f"{printable(options.root)} is shown at {listener.url}/ until Ctrl-C", flush=True)
    if not listener.is_loopback:
        print(
            "zarrange: whoever can reach this machine by the network sees it too, without a password", file=sys.stderr
        )
    if listener.is_everywhere:
        print("zarrange: requests are answered whatever host they name", file=sys.stderr)
    if options.open:
        import threading
        import webbrowser

        # The socket listens already, so a browser waits for its answer. One of a terminal must not be waited for.
        threading.Thread(target=webbrowser.open, args=(f"{listener.url}/",), daemon=True).start()
