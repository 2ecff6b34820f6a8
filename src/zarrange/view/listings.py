"""Listings: which values a field has in a store, asked for as cheaply as can be, and what could not be read.

What could not be read is told beside what was found and never raised, so that a page shows the rest. Entries that may
be several things are taken for the likeliest one.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.errors import IncompleteError, StoreError, UnreadableError
from zarrange.language.arrangement import arrangement
from zarrange.language.guide import Guide
from zarrange.language.selection import select
from zarrange.stores.backend import WORKING_FOLDER, Requests
from zarrange.stores.entries import Entry, Unreadable
from zarrange.stores.metadata import ARRAY_METADATA, METADATA, NODE_METADATA
from zarrange.stores.paths import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.arrangement import Panel
    from zarrange.language.guide import Place
    from zarrange.language.layout import Layout
    from zarrange.stores.backend import ItemSort
    from zarrange.stores.store import Store

__all__ = ["Gathering", "Listed", "likeliest", "modified", "names_of", "of_run", "steps_of", "values_of"]


@frozen
class Listed:
    """Values in order, and what could not be read on the way to them."""

    values: tuple[Value, ...]
    unreadable: tuple[Unreadable, ...] = ()


@define
class Gathering:
    """Searches of which each gives what it can: `unreadable` has what none of them could read.

    A run that has to be walked through as a whole is walked through once, as long as it is asked about here.
    """

    store: Store
    _unreadable: dict[str, Unreadable] = field(factory=dict)
    _walked: dict[tuple[Value | None, tuple[str, ...]], dict[str, list[Entry]]] = field(factory=dict)

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """What could not be read so far, each place once."""
        return tuple(self._unreadable.values())

    def entries(self, kinds: Sequence[str], filters: Mapping[str, Any]) -> Iterator[Entry]:
        """Yield what exists of some kinds, but what is likelier something else."""
        for result in self.store.find(kinds, **filters).results():
            if isinstance(result, Unreadable):
                self.note(result)
                continue
            kind = likeliest(self.store.layout, result)
            if kind in kinds and any(key.kind == kind for key in result.keys):
                yield result

    def walked(self, panels: Sequence[Panel], run: Value | None) -> Mapping[str, Sequence[Entry]]:
        """Return all that a run has of the kinds that have to be walked through as a whole, which is done once.

        Such a kind has no slider, and a field of several segments in its paths: those of others may be anywhere among
        them. Kinds that could be walked through in parts come with it. Other kinds are left out.
        """
        asked = run, tuple(panel.kind for panel in panels)
        if asked not in self._walked:
            self._walked[asked] = self._walk_through(panels, run)
        return self._walked[asked]

    def _walk_through(self, panels: Sequence[Panel], run: Value | None) -> dict[str, list[Entry]]:
        layout = self.store.layout
        groups: dict[tuple[str, ...], tuple[dict[str, Any], list[Panel]]] = {}
        for panel in panels:
            filters = of_run(layout, panel.kind, run)
            if filters is not None and _is_free(layout, panel.kind, filters):
                groups.setdefault((*filters,), (filters, []))[1].append(panel)
        found: dict[str, list[Entry]] = {}
        for filters, free in groups.values():
            if not all(panel.has_slider for panel in free):
                self._walk([panel.kind for panel in free], filters, found)
        return found

    def _walk(self, kinds: Sequence[str], filters: Mapping[str, Any], found: dict[str, list[Entry]]) -> None:
        found.update((kind, []) for kind in kinds)
        for entry in self.entries(kinds, filters):
            found[likeliest(self.store.layout, entry)].append(entry)

    def values(self, name: str, kinds: Sequence[str], filters: Mapping[str, Any]) -> tuple[Value, ...]:
        """Return the values of a field, as `values_of` does."""
        found = values_of(self.store, name, kinds, filters)
        self.note(*found.unreadable)
        return found.values

    def note(self, *unreadable: Unreadable) -> None:
        """Take note of what could not be read."""
        self._unreadable.update((one.path, one) for one in unreadable)


def _is_free(layout: Layout, kind: str, filters: Mapping[str, Any]) -> bool:
    return any(way.is_free for way in Guide(select(layout, kind, filters)).ways)


def likeliest(layout: Layout, entry: Entry) -> str:
    """Return the kind that reads an entry's path in the fewest ways; of several, the one that is declared first.

    A kind whose paths are nearly free reads whatever there is, and in many ways.
    """
    if len(entry.readings) == 1:
        return entry.readings[0].kind
    counts = Counter(key.kind for key in entry.readings)
    order = [*layout.kinds]
    return min(counts, key=lambda name: (counts[name], order.index(name)))


def of_run(layout: Layout, kind: str, run: Value | None) -> dict[str, Any] | None:
    """Return the filter for what a run has of a kind, `None` where it can have nothing.

    A kind that does not know of runs belongs to all of them. Raises `ValueError` for a run where there are none.
    """
    by = arrangement(layout).by
    if by is None and run is not None:
        raise ValueError(f"the layout `{layout.name}` has no field that tells runs from each other")
    known = layout.kind(kind)
    if by is None or by not in known.fields:
        return {}
    return {by: run} if run is not None or by in known.optional else None


def steps_of(gathering: Gathering, run: Value | None) -> tuple[Value, ...]:
    """Return the values of the slider that a run has in any kind, in order; none where there is no slider."""
    layout = gathering.store.layout
    arranged = arrangement(layout)
    by_filter: dict[tuple[str, ...], tuple[list[str], dict[str, Any]]] = {}
    for panel in arranged.panels:
        filters = of_run(layout, panel.kind, run) if panel.has_slider else None
        if filters is not None:
            by_filter.setdefault((*filters,), ([], filters))[0].append(panel.kind)
    if arranged.slider is None:
        return ()
    return _sorted(
        {step for kinds, filters in by_filter.values() for step in gathering.values(arranged.slider, kinds, filters)}
    )


def values_of(store: Store, name: str, kinds: Sequence[str], filters: Mapping[str, Any]) -> Listed:
    """Return the values that a field has in what exists of some kinds, as `Store.values` does, and does not raise.

    Kinds that have the field at one level of their paths are looked through together, up to that level only.
    """
    search = store.find(kinds, **{name: _is_given, **filters})
    level = search.level(name)
    if level is None and len(kinds) > 1:
        parts = [values_of(store, name, [kind], filters) for kind in kinds]
        return _united(parts)
    found: set[Value | None] = set()
    with suppress(IncompleteError):
        for entry in search.firsts(level):
            found.update(key.values.get(name) for key in entry.keys)
    return Listed(_sorted(found), search.unreadable)


def names_of(store: Store, name: str, kinds: Sequence[str]) -> Listed:
    """Return the values that names in one folder give a field: one listing, whatever is below them.

    A folder may have nothing in it. Only where something was removed that can still be put back, it is looked whether
    anything is left. Where no one folder has the names, this is `values_of`. Raises `UnreadableError` for the folder.
    """
    selection = select(store.layout, kinds, {name: _is_given})
    guide = Guide(selection)
    level = guide.level(name)
    folder = None if level is None else _folder(guide.start, level)
    if folder is None:
        if len(kinds) == 1:
            return values_of(store, name, kinds, {})
        return _united([names_of(store, name, [kind]) for kind in kinds])
    path, place = folder
    paths, unreadable = _listed(store, name, path, place)
    doubtful = _doubtful(store, paths)
    left = values_of(store, name, kinds, {name: doubtful}) if doubtful else Listed(())
    sure = {value for value in paths if value not in doubtful}
    return Listed(_sorted({*sure, *left.values}), (*unreadable, *left.unreadable))


def modified(store: Store, entries: Sequence[Entry]) -> float | None:
    """Return when the metadata of the newest of some artifacts were written, in seconds since the epoch.

    Chunks are not looked at. `None` where there are none, or nobody can tell.
    """
    backend = store._backend  # noqa: SLF001 - there is no other way to times

    def ask(path: str) -> float | None:
        try:
            return backend.modified(path)
        except StoreError:
            return None

    paths = [path for entry in entries for path in _dated(entry)]
    if backend.in_flight == 1 or not paths:
        times = [ask(path) for path in paths]
    else:
        with ThreadPoolExecutor(min(backend.in_flight, len(paths))) as threads:
            times = [*threads.map(ask, paths)]
    return max((time for time in times if time is not None), default=None)


def _dated(entry: Entry) -> list[str]:
    """The files of an artifact whose times are asked for."""
    if entry.metadata is None:
        return [entry.path] if entry.node == "file" else []
    return [joined(entry.path, name) for name in ARRAY_METADATA[entry.metadata.zarr_format]]


def _listed(store: Store, name: str, path: str, place: Place) -> tuple[dict[Value, str], list[Unreadable]]:
    """Return the values that a folder's names have, each with its path, and what is no folder there."""
    backend = store._backend  # noqa: SLF001 - there is no other way to the names in a folder
    items = dict(backend.items(path, Requests()))
    if any(one in NODE_METADATA for one in items) and backend.look(path, Requests()).sort == "array":
        return {}, []
    chosen = {one: sort for one, sort in items.items() if one not in METADATA and _leads_on(place, one, sort)}
    chosen = {one: sort for one, sort in chosen.items() if joined(path, one) != WORKING_FOLDER}
    unreadable = [
        Unreadable(joined(path, one), backend.symlink(joined(path, one)) if sort == "symlink" else "it is no folder")
        for one, sort in chosen.items()
        if sort in {"symlink", "other"}
    ]
    values = place.values([one for one, sort in chosen.items() if sort in {"folder", "file"}], name)
    return {value: joined(path, one) for one, value in values.items()}, unreadable


def _leads_on(place: Place, name: str, sort: ItemSort) -> bool:
    behind = place.step(name)
    if behind is None:
        return False
    return behind.has_files if sort == "file" else behind.has_nodes or behind.leads_on


def _folder(place: Place, level: int) -> tuple[str, Place] | None:
    """Return the folder in which names of a level are, where all names above it are known."""
    path = ""
    for _ in range(level):
        if place.must_list or len(place.names) != 1:
            return None
        (name,) = place.names
        behind = place.step(name)
        if behind is None:
            return None
        path, place = joined(path, name), behind
    return path, place


def _doubtful(store: Store, paths: Mapping[Value, str]) -> list[Value]:
    """Return the values below which something was removed, so that there may be nothing any more."""
    try:
        removals = [one.intent for one in store._backend.transactions() if not one.intent.is_exclusive]  # noqa: SLF001
    except UnreadableError:
        raise
    except StoreError:
        return []
    touched = frozenset[str]().union(*(one.ways for one in removals))
    return [value for value, path in paths.items() if path in touched]


def _united(parts: Sequence[Listed]) -> Listed:
    unreadable = {one.path: one for part in parts for one in part.unreadable}
    return Listed(_sorted({value for part in parts for value in part.values}), tuple(unreadable.values()))


def _sorted(values: set[Any]) -> tuple[Value, ...]:
    return tuple(sorted(value for value in values if value is not None))


def _is_given(_: Value) -> bool:
    return True
