"""Catalog: what exists in a store, of what is asked for.

Results come one by one, in memory that grows with the widest folder only, and in the order of their paths: a folder
sorts as if its name ended with `/`, as keys of object stores do. Matched, ambiguous and unreadable are never folded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from zarrange.errors import IncompleteError
from zarrange.language.guide import Guide
from zarrange.stores.entries import Entry, Result, Unreadable
from zarrange.stores.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.layout import Layout
    from zarrange.language.selection import Selection
    from zarrange.stores.backend import Backend, Requests

__all__ = ["Entry", "Explanation", "Result", "Search", "Unreadable"]


@frozen
class Explanation:
    """How a search goes: the `strategy`, why (`reason`), and for each way of a kind its segments, each with how."""

    strategy: Literal["levels", "flat"]
    reason: str
    ways: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


class Search:
    """What exists of a selection. Iterating it scans the store, each time anew.

    `requests` counts what the scan that was begun last has asked of the backend so far; `unreadable` has what it could
    not read.
    """

    def __init__(self, backend: Backend, layout: Layout, selection: Selection, latest: str | None = None) -> None:
        self._backend = backend
        self.layout = layout.compiled()
        self._selection = selection
        self._latest = latest
        self._guide = Guide(selection)
        self._scan = self._new_scan()

    def __repr__(self) -> str:
        filters = ", ".join(f"{name} {one.text}" for name, one in self._selection.wanted.items())
        return f"<Search for {', '.join(self.kinds)}{f' with {filters}' if filters else ''}>"

    def __iter__(self) -> Iterator[Entry]:
        """Yield the artifacts. Raises `IncompleteError` at the end if something could not be read."""
        scan = self._new_scan()
        yield from (result for result in scan.results() if isinstance(result, Entry))
        _raise_incomplete(scan)

    def results(self) -> Iterator[Result]:
        """Yield the artifacts, and what could not be read among them; raises for neither."""
        yield from self._new_scan().results()

    def firsts(self, level: int | None) -> Iterator[Entry]:
        """Yield the first artifact below each folder at a level of the paths; with `None`, every artifact.

        Level 0 are the folders in the root, -1 is the root itself. Raises `IncompleteError` at the end if something
        could not be read.
        """
        scan = self._new_scan()
        yield from scan.firsts(level)
        _raise_incomplete(scan)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are asked for."""
        return tuple(self._selection.kinds)

    @property
    def requests(self) -> Requests:
        """How often the backend was asked."""
        return self._scan.requests

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What could not be read."""
        return tuple(self._scan.unreadable)

    def level(self, name: str) -> int | None:
        """Return the segment below which all paths have one value of a field; `None` where there is none."""
        return self._guide.level(name)

    def explain(self) -> Explanation:
        """Return how the search goes. On an object store, a first page of keys is asked for."""
        flat, reason = Scan(self._backend, self.layout, self._selection, self._guide, self._latest).strategy()
        ways = [(way.kind, tuple(way.described(self._selection.wanted))) for way in self._guide.ways]
        return Explanation("levels" if flat is None else "flat", reason, tuple(dict.fromkeys(ways)))

    def _new_scan(self) -> Scan:
        self._scan = Scan(self._backend, self.layout, self._selection, self._guide, self._latest)
        return self._scan


def _raise_incomplete(scan: Scan) -> None:
    if scan.unreadable:
        raise IncompleteError([(one.path, one.reason) for one in scan.unreadable])
