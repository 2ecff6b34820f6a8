"""Upkeep: what others have left of their transactions, brought to an end before something new is begun."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import BusyError, LeftoverError, NotFoundError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Transaction

__all__ = [
    "end_interrupted",
    "hidden",
    "purge",
    "recover",
    "refuse_busy",
    "refuse_interrupted",
    "refuse_kept",
    "settle",
    "undo",
]


def settle(backend: Backend) -> None:
    """Recover what was interrupted, and purge what has been in the trash for long enough.

    What cannot be purged stays, and is told by `zarrange doctor`. Raises `StoreError` for what cannot be recovered.
    """
    for _ in purge(backend):
        pass


def end_interrupted(backend: Backend) -> Iterator[tuple[Transaction, Exception | None]]:
    """Bring every interrupted transaction to its end; yield each, as it was, with what was in the way."""
    for transaction in backend.transactions():
        if transaction.is_interrupted:
            try:
                _unless_over(backend, backend.recover, transaction)
            except BusyError:  # somebody else is at it
                continue
            except (StoreError, OSError) as error:
                yield transaction, error
            else:
                yield transaction, None


def undo(backend: Backend, name: str | None) -> Transaction:
    """Put back what a removal took, the last one that can be, or the one of that id; return it.

    Raises `NotFoundError` where there is none, and what `Backend.undo` raises.
    """
    settle(backend)
    kept = [one for one in backend.transactions() if one.phase == "placed" and not one.is_live]
    chosen = [one for one in kept if name in (None, one.id)]
    if not chosen:
        what = "nothing to undo" if name is None else f"no removal {name!r} that could be undone"
        raise NotFoundError(errno.ENOENT, f"there is {what}", backend.root)
    backend.undo(chosen[-1].id)
    return chosen[-1]


def recover(backend: Backend) -> None:
    """Bring every interrupted transaction to its end. Raises `StoreError`, but for what cannot be deleted."""
    _recover(backend, [one for one in _found(backend) if one.is_interrupted])


def purge(backend: Backend, *, is_now: bool = False) -> Iterator[tuple[Transaction, Exception | None]]:
    """Purge what is in the trash and may go, or with `is_now` all of it; yield each with what was in the way.

    Those with an `EmptyFoldersError` are over. Raises `StoreError` for what cannot be recovered.
    """
    found = _found(backend)
    _recover(backend, [one for one in found if one.is_interrupted and one.phase != "purging"])
    for transaction in found:
        if _may_go(transaction, is_now=is_now):
            try:
                _unless_over(backend, backend.purge, transaction)
            except (StoreError, OSError) as error:
                yield transaction, error
            else:
                yield transaction, None


def _found(backend: Backend) -> list[Transaction]:
    """What there is to be brought to an end, or may be; where there is nothing, what is left of others goes."""
    found = backend.transactions()
    if not found:
        backend.tidy()
    return found


def _recover(backend: Backend, interrupted: Iterable[Transaction]) -> None:
    for transaction in interrupted:
        # Somebody else is at it; what cannot be deleted is in nobody's way.
        with suppress(BusyError, LeftoverError):
            _unless_over(backend, backend.recover, transaction)


def _unless_over(backend: Backend, do: Callable[[str], None], transaction: Transaction) -> None:
    """Do something with a transaction, unless somebody else has just brought it to its end."""
    try:
        do(transaction.id)
    except NotFoundError:
        if any(one.id == transaction.id for one in backend.transactions()):
            raise


def _may_go(transaction: Transaction, *, is_now: bool) -> bool:
    if transaction.phase == "purging":
        return not transaction.is_live
    is_kept = transaction.phase == "placed" and not transaction.is_interrupted
    return is_kept and (is_now or transaction.is_expired(time.time()))


def refuse_busy(backend: Backend, path: str) -> None:
    """Raise `BusyError` where a path is at, below or above what a transaction changes or keeps."""
    for transaction in _in_place(backend):
        if transaction.intent.is_exclusive or transaction.intent.concerns(path):
            raise transaction.busy()


def refuse_interrupted(backend: Backend) -> None:
    """Raise `BusyError` where what is there is not what it will be: by a migration, or what was interrupted."""
    for transaction in _in_place(backend):
        if transaction.is_interrupted or transaction.intent.is_exclusive:
            raise transaction.busy()


def refuse_kept(backend: Backend) -> None:
    """Raise `BusyError` where something is under way, or was removed and may not be purged yet."""
    for transaction in _in_place(backend):
        if not transaction.is_expired(time.time()):
            raise transaction.busy()


def hidden(backend: Backend, path: str) -> bool:
    """Return whether a path is at or below something that was removed, whose chunks are not purged yet."""
    return any(transaction.intent.hides(path) for transaction in _in_place(backend))


def _in_place(backend: Backend) -> list[Transaction]:
    """The transactions but for those of which all is aside: in folders, what is being deleted is."""
    return [one for one in backend.transactions() if not (backend.has_folders and one.phase == "purging")]
