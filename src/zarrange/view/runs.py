"""Runs: what a store has of each value of the field that tells runs from each other.

Their names cost one listing. What one run has is asked for run by run, without looking at chunks; its size looks at all
of them. What could not be read is counted, not raised.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.identifiers import Value
from zarrange.language.arrangement import arrangement
from zarrange.view.listings import Gathering, likeliest, modified, names_of, of_run

if TYPE_CHECKING:
    from zarrange.language.layout import Layout
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["RunSummary", "run_names", "run_size", "run_summary"]

MAX_DATED = 32
"""Of so many artifacts of a run it is asked when they were written."""


def run_names(store: Store) -> tuple[Value | None, ...]:
    """Return the runs of a store, in order; `None` is what belongs to no run, and all there is without such a field.

    A folder of a run counts, whether or not there is anything in it: `run_summary` tells.
    """
    by = arrangement(store.layout).by
    if by is None:
        return (None,)
    kinds = store.layout.kinds.values()
    names = names_of(store, by, [kind.name for kind in kinds if by in kind.fields]).values
    apart = [kind.name for kind in kinds if by in kind.optional]
    is_apart = bool(apart) and next(iter(store.find(apart, **{by: None}).results()), None) is not None
    return (None, *names) if is_apart else names


@frozen
class RunSummary:
    """What a run has: how many arrays and files of each kind (`kinds`, those with any), and in all.

    `first` and `last` are values of the slider, `modified` is when the newest of the last ones was written, in seconds
    since the epoch. `ambiguous` artifacts may be something else, too; `unreadable` places could not be looked at.
    """

    run: Value | None
    kinds: tuple[tuple[str, int], ...]
    count: int
    first: Value | None
    last: Value | None
    modified: float | None
    ambiguous: int
    unreadable: int


def run_summary(store: Store, run: Value | None, *, gathering: Gathering | None = None) -> RunSummary:
    """Return what a run has. Raises `FieldError` for a value that no run can have.

    What was found before, and what is found now, is in the `gathering`.
    """
    gathering = gathering or Gathering(store)
    arranged = arrangement(store.layout)
    folding = _Folding(arranged.slider)
    kinds, filters = _kinds_of(store.layout, run, {"array", "file"})
    walked = gathering.walked(arranged.panels, run)
    others = [kind for kind in kinds if kind not in walked]
    found = (entries for kind, entries in walked.items() if kind in kinds)
    for entry in chain(*found, gathering.entries(others, filters) if others else ()):
        folding.add(entry, likeliest(store.layout, entry))
    counts = tuple((name, folding.counts[name]) for name in store.layout.kinds if name in folding.counts)
    return RunSummary(
        run=run,
        kinds=counts,
        count=sum(count for _, count in counts),
        first=folding.first,
        last=folding.last,
        modified=modified(store, folding.newest),
        ambiguous=folding.ambiguous,
        unreadable=len(gathering.unreadable),
    )


def run_size(store: Store, run: Value | None) -> int:
    """Return the bytes that a run takes, which looks at every chunk.

    Raises `IncompleteError` where not everything could be read, and what `run_summary` raises.
    """
    kinds, filters = _kinds_of(store.layout, run, {"container", "group", "array", "file"})
    return store.size(kinds, **filters) if kinds else 0


def _kinds_of(layout: Layout, run: Value | None, sorts: set[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the kinds that a run can have something of, and the filter for it; not those that all runs share."""
    by = arrangement(layout).by
    chosen: list[str] = []
    filters: dict[str, Any] = {}
    for kind in layout.kinds.values():
        found = of_run(layout, kind.name, run) if kind.sort in sorts else None
        if found is not None and (found or by is None):
            chosen.append(kind.name)
            filters = found
    return chosen, filters


@define
class _Folding:
    """A summary in the making; `newest` are some of the artifacts with the last value of the slider."""

    slider: str | None
    counts: Counter[str] = field(factory=Counter)
    first: Any = None
    last: Any = None
    newest: list[Entry] = field(factory=list)
    ambiguous: int = 0

    def add(self, entry: Entry, kind: str) -> None:
        self.counts[kind] += 1
        self.ambiguous += entry.is_ambiguous
        key = next(key for key in entry.readings if key.kind == kind)
        self._date(entry, None if self.slider is None else key.values.get(self.slider))

    def _date(self, entry: Entry, value: Any) -> None:
        if value is not None:
            self.first = value if self.first is None else min(self.first, value)
            if self.last is None or value > self.last:
                self.last, self.newest = value, []
        if value == self.last and len(self.newest) < MAX_DATED:
            self.newest.append(entry)
