"""Leases: who may change what, for how long. The lock under which transactions begin, and the lease of each of them.

Both are objects that are put on conditions: where a store ignores these, two may begin at the same time. A lease is
renewed by a thread, and looked at before each batch of what cannot be taken back: whoever was too slow, so that another
one has taken over, stops there.
"""

from __future__ import annotations

import errno
import os
import random
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from zarrange.errors import BusyError, NotFoundError, StoreError
from zarrange.stores.backend import JOURNALS
from zarrange.stores.remote.connection import Taken
from zarrange.stores.remote.copying import delete_one
from zarrange.stores.remote.tombstones import (
    VERSION,
    Step,
    Tombstone,
    Version,
    dumped,
    fetch,
    fetch_all,
    is_name,
    listed,
    now,
    parsed,
    path_of,
    put,
    read,
    transaction_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from zarrange.stores.remote.objects import Objects
    from zarrange.stores.transactions import Intent, Transaction

__all__ = ["LOCK", "Lease", "locked", "register", "seize", "tidy"]

LOCK = f"{JOURNALS}/lock"
LEASE = 60.0
"""Seconds after which a transaction is dead whose process has not renewed its lease; it does so in a third of them."""
PATIENCE = 20.0
"""Seconds for which a transaction waits for the lock."""
MOMENT = 0.02


# --- the lock --------------------------------------------------------------------------------------------------------


@frozen
class _Lock:
    """The object that is the lock: who has it, until when."""

    zarrange: int
    owner: str
    holder: str
    until: float


class Held:
    """The lock, while it is held."""

    def __init__(self, objects: Objects, patience: float | None = None) -> None:
        patience = PATIENCE if patience is None else patience
        self._objects = objects
        self._holder = secrets.token_hex(8)
        self._safe_until = 0.0
        self._shown = shown = objects.url(LOCK)
        end = time.monotonic() + patience
        pause = MOMENT
        try:
            while not self._is_taken(shown):
                if time.monotonic() > end:
                    raise BusyError(f"another process has had the lock {shown!r} for more than {patience:.0f} seconds")
                time.sleep(pause * (1 + random.random()))  # noqa: S311 - so that not all come back at once
                pause = min(2 * pause, 10 * MOMENT)
        except BaseException:
            self.release()  # the lock may be ours without that we were told
            raise

    def _is_taken(self, shown: str) -> bool:
        """Try to take the lock, also from whoever has had it for too long."""
        version = None
        if (found := read(self._objects, LOCK)) is not None:
            if parsed(found[0], _Lock, shown).until > now():
                return False
            version = found[1]
        self._safe_until = time.monotonic() + LEASE / 2
        lock = _Lock(VERSION, _owner(), self._holder, now() + LEASE)
        try:
            put(self._objects, LOCK, dumped(lock, shown), version)
        except Taken:
            return False
        return True

    def confirm(self) -> None:
        """Raise `BusyError` where another process has taken the lock since."""
        found = read(self._objects, LOCK)
        if found is None or parsed(found[0], _Lock, self._shown).holder != self._holder:
            raise BusyError(f"it took so long that another process may have begun: the lock {self._shown!r} has ended")

    def release(self) -> None:
        """Delete the lock, unless another process may have it by now."""
        with suppress(StoreError):
            if time.monotonic() < self._safe_until:
                self.confirm()
                delete_one(self._objects, LOCK)


@contextmanager
def locked(objects: Objects) -> Iterator[Held]:
    """A context in which nobody else has the lock. Raises `BusyError`."""
    held = Held(objects)
    try:
        yield held
    finally:
        held.release()


def tidy(objects: Objects) -> None:
    """Delete the lock of a process that has died, by taking it over first: so it is nobody else's by then.

    What cannot be told, or not be deleted, stays.
    """
    with suppress(StoreError):
        found = read(objects, LOCK)
        if found is not None and parsed(found[0], _Lock, objects.url(LOCK)).until <= now():
            Held(objects, patience=0).release()


# --- the lease of a transaction --------------------------------------------------------------------------------------


def register(objects: Objects, intent: Intent, grace: float, pool: Executor) -> Lease:
    """Write the tombstone of a transaction. Raises `BusyError` where another one is in its way."""
    name = secrets.token_hex(8)
    started = now()
    tombstone = Tombstone(
        VERSION, intent, "registered", started, grace, started + grace, _owner(), secrets.token_hex(8), started + LEASE
    )
    content = dumped(tombstone, objects.url(path_of(name)))
    with locked(objects) as lock:
        for other in fetch_all(objects, listed(objects), pool):
            if other.intent.meets(intent):
                raise other.busy()
        try:
            version = put(objects, path_of(name), content, None)
            lock.confirm()
        except BaseException:
            with suppress(StoreError):
                delete_one(objects, path_of(name))
            raise
    return Lease(objects, name, tombstone, version)


def seize(objects: Objects, name: str) -> Lease:
    """Take over a transaction at which nobody is. Raises `NotFoundError`, `BusyError`."""
    found = fetch(objects, name) if is_name(name) else None
    if found is None:
        raise NotFoundError(errno.ENOENT, "there is no such transaction", objects.url(path_of(name)))
    tombstone, version = found
    if tombstone.is_live:
        raise transaction_of(name, tombstone).busy()
    lease = Lease(objects, name, evolve(tombstone, owner=_owner(), holder=secrets.token_hex(8)), version)
    lease.renew()
    return lease


class Lease:
    """The tombstone of a transaction that is ours; `is_lost`: that was ours, for another process has taken over."""

    def __init__(self, objects: Objects, name: str, tombstone: Tombstone, version: Version) -> None:
        self.name = name
        self.tombstone = tombstone
        self.is_lost = False
        self._objects = objects
        self._version = version
        self._lock = RLock()
        self._is_over = False
        self._stop = Event()

    @property
    def transaction(self) -> Transaction:
        """The transaction, as it is when this process has let go of it."""
        return transaction_of(self.name, evolve(self.tombstone, lease=0))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A context in which the lease is renewed; then it is given back, unless the transaction is over."""
        thread = Thread(target=self._renew_all_the_time, name="zarrange-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            with suppress(StoreError):
                self._put(lease=0)

    def advance(self, step: Step, **changes: Any) -> None:
        """Write down how far the transaction has come. Raises `BusyError` where another process has taken over."""
        self._put(step=step, lease=now() + LEASE, **changes)

    def renew(self) -> None:
        """Hold the transaction for longer. Raises `BusyError` where another process has taken over."""
        self._put(lease=now() + LEASE)

    def confirm(self) -> None:
        """Raise `BusyError` where another process has taken over."""
        with self._lock:
            if self.tombstone.lease - now() < LEASE / 3:
                self.renew()
                return
            self._own_version()

    def end(self) -> None:
        """Delete the tombstone: the transaction is over."""
        with self._lock:
            self.confirm()
            delete_one(self._objects, path_of(self.name))
            self._is_over = True

    def _put(self, **changes: Any) -> None:
        with self._lock:
            if self._is_over:
                return
            tombstone = evolve(self.tombstone, **changes)
            path = path_of(self.name)
            content = dumped(tombstone, self._objects.url(path))
            try:
                self._version = put(self._objects, path, content, self._version)
            except Taken:
                # It may be our own: an error does not say that nothing was written.
                self._version = self._own_version()
                self._version = put(self._objects, path, content, self._version)
            self.tombstone = tombstone

    def _own_version(self) -> Version:
        found = None if self.is_lost else fetch(self._objects, self.name)
        if found is None or found[0].holder != self.tombstone.holder:
            self.is_lost = True
            raise self._lost()
        return found[1]

    def _lost(self) -> BusyError:
        about = self.tombstone.intent.about
        return BusyError(f"{about} took so long to answer that another process has taken over; this one has stopped")

    def _renew_all_the_time(self) -> None:
        while not self._stop.wait(LEASE / 3):
            with suppress(StoreError):
                self.renew()


def _owner() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
