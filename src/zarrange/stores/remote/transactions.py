"""Transactions in an object store: what cannot be renamed there is copied, and what cannot be locked has a lease.

A removal deletes metadata and keeps them, with copies of plain files, until it is purged; chunks stay where they are. A
migration copies everything to its stage, hides the sources, looks whether they have changed since, deletes them, and
copies the stage to the targets. What one process has left, another one ends: by the tombstone, and by what is aside.
This needs conditional puts, which S3, Google and Azure have; a server that passes over the conditions is not noticed,
and two changes could then begin at once. What somebody writes past zarrange, after that last look, is lost.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from zarrange.errors import AlreadyExistsError, BusyError, DamagedError, LeftoverError, NotInStoreError, StoreError
from zarrange.stores.remote.leases import LOCK, register, seize
from zarrange.stores.remote.objects import IN_FLIGHT
from zarrange.stores.remote.purging import purge as purge_rests
from zarrange.stores.remote.steps import Steps
from zarrange.stores.remote.tombstones import fetch_all, listed, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.stores.backend import Backend
    from zarrange.stores.remote.leases import Lease
    from zarrange.stores.remote.objects import Objects
    from zarrange.stores.transactions import Check, Intent, Transaction

    Progress = Callable[[int, int], None]

__all__ = ["purge", "recover", "transact", "transactions", "undo"]


def transactions(objects: Objects) -> tuple[list[Transaction], bool]:
    """Return what is under way, was interrupted, or is in the trash; the oldest first; and whether the lock is there.

    Where there is nothing, this is one request. Raises `StoreError`.
    """
    paths = listed(objects)
    with _pool() as pool:
        return fetch_all(objects, paths, pool), LOCK in paths


def transact(  # noqa: PLR0913 - what is to be done, where, and whom to ask
    backend: Backend,
    objects: Objects,
    intent: Intent,
    *,
    grace: float,
    check: Check,
    progress: Progress,
) -> Transaction:
    """Do what an intent says. `check` is called when nobody else may come in between, and before anything is touched.

    Raises what it raises, `BusyError`, `NotFoundError`, `NotInStoreError`, `AlreadyExistsError`: with them, the store
    is as it was. Raises `LeftoverError` where something is removed, but not wholly deleted.
    """
    for place in intent.places:
        objects.check_name(place)
    with _pool() as pool:
        lease = register(objects, intent, grace, pool)
        with lease.kept():
            steps = Steps(backend, objects, lease, pool, progress)
            _prepare_or_withdraw(steps, check)
            try:
                _forward(steps)
            except (AlreadyExistsError, LeftoverError):
                raise
            except NotInStoreError as error:
                raise LeftoverError(str(error)) from None
            except StoreError as error:
                if lease.is_lost:
                    raise
                message = f"{intent.about} was interrupted; `zarrange doctor --recover` ends it: {error}"
                raise (StoreError if isinstance(error, BusyError) else type(error))(message) from error
            _tell(steps)
            return lease.transaction


def recover(backend: Backend, objects: Objects, name: str) -> None:
    """Bring an interrupted transaction to its end: back, or forward. Raises `BusyError` for one that is under way.

    Raises `LeftoverError` for what is out of sight, but not deleted.
    """
    with _seized(backend, objects, name) as steps:
        try:
            _recover(steps)
        except NotInStoreError as error:
            raise LeftoverError(str(error)) from None
        _tell(steps)


def undo(backend: Backend, objects: Objects, name: str) -> None:
    """Put back what a removal took. Raises `AlreadyExistsError` where something is by now, `StoreError`."""
    with _seized(backend, objects, name) as steps:
        about, step = steps.intent.about, steps.lease.tombstone.step
        if steps.intent.is_exclusive:
            raise StoreError(f"{about} cannot be undone; a migration back to the other layout can be made")
        if step == "purging":
            raise StoreError(f"{about} cannot be undone any more: it is being purged")
        if step in ("clearing", "placed"):
            _load(steps)
            steps.check_can_go_back()
            steps.lease.advance("undoing")
        _back(steps)
        _tell(steps)


def purge(backend: Backend, objects: Objects, name: str, progress: Progress) -> None:
    """Delete what a removal took, for good.

    Raises `NotInStoreError` where something new is, and `LeftoverError` for what cannot be deleted: both keep their
    entry. Raises `EmptyFoldersError` when it is over.
    """
    with _seized(backend, objects, name, progress) as steps:
        if steps.lease.tombstone.step != "placed":
            _recover(steps)
        if steps.lease.tombstone.step == "placed":
            _load(steps)
            purge_rests(steps)


def _tell(steps: Steps) -> None:
    """Raise for what is done, but could not be done as well as it should be."""
    if steps.problems:
        raise StoreError("; ".join(steps.problems))


def nothing(_: int, __: int) -> None:
    """Tell nobody how far something is."""


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="zarrange-tx") as pool:
        yield pool


@contextmanager
def _seized(backend: Backend, objects: Objects, name: str, progress: Progress = nothing) -> Iterator[Steps]:
    with _pool() as pool:
        lease: Lease = seize(objects, name)
        with lease.kept():
            yield Steps(backend, objects, lease, pool, progress)


# --- forward and back ------------------------------------------------------------------------------------------------


def _prepare_or_withdraw(steps: Steps, check: Check) -> None:
    try:
        check()
        _prepare(steps)
    except BaseException:
        if not steps.lease.is_lost:
            with suppress(StoreError):  # else it is recovered
                steps.lease.renew()  # an error may hide that the next step was written down: this takes it back
                _back(steps)
        raise


def _prepare(steps: Steps) -> None:
    """Do what can be taken back without a loss, whatever somebody else does."""
    steps.take_stock()
    if steps.intent.is_exclusive:
        steps.check_free()
    steps.copy_aside()
    steps.check_unchanged(is_hidden=False)
    if steps.intent.is_exclusive:
        steps.lease.advance("hiding")
        _hide(steps)
        steps.check_unchanged(is_hidden=True)
    steps.lease.advance("clearing")


def _hide(steps: Steps) -> None:
    steps.strip()
    steps.hide()
    steps.strip()  # who has looked just before may have listed it again


def _recover(steps: Steps) -> None:
    step = steps.lease.tombstone.step
    if step == "placed":
        return
    if step in ("registered", "hiding", "undoing"):
        _back(steps)
        return
    if step != "purging":
        _load(steps)
    else:
        steps.load()  # it may have been deleted, as the last but one
    if step == "clearing":
        steps.check_ours()
    _forward(steps)


def _back(steps: Steps) -> None:
    """Put everything back, and end the transaction."""
    step = steps.lease.tombstone.step
    if step != "registered":
        _load(steps)
        if step == "hiding":
            steps.put_metadata("source", is_lenient=True)
        else:
            steps.place("source")
        steps.refresh()
    steps.lease.advance("registered")
    steps.end()


def _forward(steps: Steps) -> None:
    (_migrate if steps.intent.is_exclusive else _remove)(steps)


def _remove(steps: Steps) -> None:
    lease = steps.lease
    if lease.tombstone.step == "clearing":
        _hide(steps)
        steps.clear()
        if lease.tombstone.grace > 0:
            lease.advance("placed", keep_until=now() + lease.tombstone.grace)
            return
    try:
        purge_rests(steps)
    except StoreError:
        if lease.tombstone.step == "clearing":
            lease.advance("placed", keep_until=now())
        raise


def _migrate(steps: Steps) -> None:
    lease = steps.lease
    if lease.tombstone.step == "clearing":
        steps.clear()
        lease.advance("placing")
    if lease.tombstone.step == "placing":
        try:
            steps.place("target")
        except AlreadyExistsError:
            steps.withdraw()
            lease.advance("undoing")
            _back(steps)
            raise
        lease.advance("recording")
    if lease.tombstone.step == "recording":
        steps.write_texts()
        steps.refresh()
        lease.advance("purging")
    steps.end()


def _load(steps: Steps) -> None:
    if steps.inventory.kept or steps.inventory.copied:
        return
    if not steps.load():
        where = steps.objects.url(steps.home)
        raise DamagedError(f"the inventory in {where!r} is missing, without which nothing can be put back or deleted")
