"""Who does the work of a command: `--workers N` threads, or the workers of Dask, `--dask local | tcp://HOST:PORT`.

Dask is imported here only, and only if it is asked for.
"""

from __future__ import annotations

import argparse
import re
import sys
from contextlib import ExitStack, contextmanager

from zarrange.cli.options import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor
    from typing import Any

__all__ = ["add_executor", "executor"]

LOCAL = "local"
MAX_WORKERS = 1000
CONNECT_TIMEOUT = 10.0
"""How many seconds a scheduler has to answer."""
_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[[^]/]+\]|[^]/:[]+):[0-9]{1,5}")


def add_executor(command: argparse.ArgumentParser) -> None:
    """Let a command take `--workers` and `--dask`."""
    about = "how many threads work; with --dask local, how many processes"
    command.add_argument("--workers", type=_count, metavar="N", help=about)
    about = "let Dask do the work: processes of this machine (local), or a cluster's workers; needs zarrange[dask]"
    command.add_argument("--dask", type=_place, metavar="local|tcp://HOST:PORT", help=about)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers from 1 to {MAX_WORKERS}")
    return int(text)


def _place(text: str) -> str:
    if text != LOCAL and not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither `local` nor an address such as tcp://127.0.0.1:8786")
    return text


@contextmanager
def executor(options: argparse.Namespace) -> Iterator[Executor | None]:
    """Give the executor that was asked for, and end it afterwards; `None` leaves the choice to the operation.

    Leaves with what is wrong where Dask is not there, or its scheduler does not answer.
    """
    if options.dask is not None:
        with _dask(options.dask, options.workers) as found:
            yield found
    elif options.workers is not None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(options.workers, thread_name_prefix="zarrange") as threads:
            yield threads
    else:
        yield None


@contextmanager
def _dask(place: str, workers: int | None) -> Iterator[Executor]:
    if place != LOCAL and workers is not None:
        sys.exit(usage(f"--workers does not go with --dask {place}: its cluster has its own workers"))
    try:
        import distributed
    except ModuleNotFoundError as error:
        sys.exit(usage(f"--dask needs {error.name}: pip install 'zarrange[dask]'"))
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        client = stack.enter_context(_local(distributed, workers) if place == LOCAL else _connected(distributed, place))
        # The same call is not the same result: what is there changes.
        yield client.get_executor(pure=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from logging to the screen: what goes wrong arrives as an exception."""
    import logging

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _local(distributed: Any, workers: int | None) -> Iterator[Any]:
    """Start workers on this machine, one thread each, that nobody else can reach."""
    import logging

    import dask

    with ExitStack() as stack:
        # A worker that died is an error; its work is not tried again on three more.
        quiet = {"distributed.scheduler.allowed-failures": 0, "distributed.logging.distributed": "critical"}
        stack.enter_context(dask.config.set(quiet))
        with _uninterrupted():
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    # It is served in any case: at least not from a fixed port, which another cluster may have.
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
            )
        yield stack.enter_context(distributed.Client(cluster, set_as_default=False))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C, and for good in the processes begun meanwhile: a terminal sends it to the workers too."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    """Connect to a scheduler. It is asked first who it is: where something else listens, a client waits forever."""
    import asyncio

    try:
        identity = asyncio.run(_identity(distributed, address))
        if identity["type"] != "Scheduler":
            sys.exit(usage(f"at {address} is no scheduler of Dask, but a {identity['type'].lower()}"))
        client = distributed.Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
    except Exception as error:  # noqa: BLE001 - whatever answers there may say anything
        sys.exit(usage(f"no scheduler of Dask answers at {address}: {_reason(error)}"))
    with client:
        if not identity["workers"]:
            print(f"zarrange: the cluster at {address} has no workers yet; waiting for them", file=sys.stderr)
        yield client


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError | TypeError):
        return "what is there speaks otherwise"
    return str(error) or f"it said nothing in {CONNECT_TIMEOUT:g} seconds"


async def _identity(distributed: Any, address: str) -> Any:
    import asyncio

    arguments = distributed.Security().get_connection_args("client")
    scheduler = distributed.rpc(address, timeout=CONNECT_TIMEOUT, connection_args=arguments)
    try:
        return await asyncio.wait_for(scheduler.identity(), CONNECT_TIMEOUT)
    finally:
        await scheduler.close_rpc()
