"""Journals: what a doctor has to know of a store's transactions, also where their journals are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from zarrange.errors import StoreError, UnreadableError
from zarrange.stores.backend import JOURNALS, MARK, WORKING_FOLDER, Requests
from zarrange.stores.paths import joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Transaction

__all__ = ["Journals", "read_journals"]


@frozen
class Journals:
    """The `transactions` of a store, and where the journal of each is, by its id; those that are damaged have one too.

    `problem` is the place where nothing could be read, and why.
    """

    transactions: tuple[Transaction, ...] = ()
    places: Mapping[str, str] = field(factory=dict)
    problem: tuple[str, str] | None = None

    def tell_of(self, name: str) -> bool:
        """Whether a name is one that a transaction gives to what it has taken aside: its id, or one that has it."""
        mark, _, rest = name.partition(MARK)
        return (name if mark or not rest else rest.partition("-")[0]) in self.places


def read_journals(backend: Backend) -> Journals:
    """Return the journals of a store. Raises for nothing that is in it."""
    try:
        transactions = tuple(backend.transactions())
    except StoreError as error:
        return _unread(backend, error)
    return Journals(transactions, _places(backend) if transactions else {})


def _unread(backend: Backend, error: StoreError) -> Journals:
    requests = Requests()
    try:
        for path in (WORKING_FOLDER, JOURNALS):
            if backend.stat(path, requests, may_be_file=True) == "symlink":
                return Journals(problem=(path, backend.symlink(path)))
        return Journals(places=_places(backend), problem=(JOURNALS, str(error)))
    except UnreadableError:
        return Journals(problem=(JOURNALS, str(error)))


def _places(backend: Backend) -> dict[str, str]:
    names = (name for name, _ in backend.items(JOURNALS, Requests()))
    return {name.partition(".")[0]: joined(JOURNALS, name) for name in names}
