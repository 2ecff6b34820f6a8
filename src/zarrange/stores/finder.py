"""Finder: what exists in a store, asked for in several ways. Nothing here changes anything."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from zarrange.errors import FieldError
from zarrange.language.selection import ORDERED, ordered_fields, select
from zarrange.stores.catalog import Search
from zarrange.stores.overview import MAX_GROUPS, overview
from zarrange.stores.spreading import spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Executor

    from zarrange.diagnostics import Diagnostic
    from zarrange.identifiers import Value
    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout
    from zarrange.language.selection import Wanted
    from zarrange.stores.backend import Backend
    from zarrange.stores.catalog import Entry
    from zarrange.stores.overview import Overview
    from zarrange.stores.spreading import Progress

__all__ = ["Finder", "Kinds"]

Kinds: TypeAlias = "str | Iterable[str] | None"
"""One kind, several, or all that have the fields that are filtered by."""

MAX_IN_NOTEBOOK = 10_000
"""A cell that shows a store looks at so many artifacts; `tree` looks at all."""
BATCH = 64
"""How many artifacts are measured in one task of an executor."""


class Finder:
    """What exists of a layout below a root."""

    root: str
    layout: Layout
    _backend: Backend

    def is_there(self) -> bool:
        """Return whether the root exists: a folder; in an object store, the beginning of some key."""
        return self._backend.is_there()

    def find(self, kind: Kinds = None, /, **filters: object) -> Search:
        """Return what exists of a kind (or several; by default all that have the fields of `filters`), lazily.

        A filter is a value of its field, a list or set of values, a `range`, a `slice(start, stop)` (for dates also
        the pair `(start, stop)`; the start is in, the stop is not), or a predicate; `None` is a field that is absent. A
        predicate may be asked more than once about a value, and on an object store by several threads.
        Iterating gives `Entry` objects in the order of their paths, and raises `IncompleteError` at the end if
        something could not be read; `results()` gives what could not be read in its place, and does not raise. Raises
        `UnknownKindError`, and `FieldError` for a filter that does not fit.
        """
        return Search(self._backend, self.layout, select(self.layout, kind, filters))

    def latest(self, kind: str, /, *, by: str | None = None, **filters: object) -> Entry | None:
        """Return the artifact with the greatest value of the field `by`, or `None` if there is none at all.

        `by` is the kind's only field of numbers or days that is not filtered by one value, unless it is given. Of
        several artifacts with that value, it is the first by its path. Raises what `find` raises.
        """
        selection = select(self.layout, kind, filters)
        name = _ordered_field(self.layout.kind(kind), by, selection.wanted)
        search = Search(self._backend, self.layout, selection, latest=name)
        level = search.level(name)
        found = search.firsts(None if level is None else level - 1)
        dated = ((entry, entry.key.values[name]) for entry in found if name in entry.key.values)
        return max(dated, key=lambda pair: pair[1], default=(None, None))[0]

    def values(self, field: str, kind: Kinds = None, /, **filters: object) -> tuple[Value, ...]:
        """Return the different values that a field has in what exists, in order: `store.values("run")`.

        Where a folder's name has the field, no more is looked at below it than tells that something is there.
        """
        if not isinstance(field, str):
            raise TypeError(f"a field is given by its name, not as {type(field).__name__}")
        search = self.find(kind, **{field: _is_given, **filters})
        found = {key.values.get(field) for entry in search.firsts(search.level(field)) for key in entry.keys}
        return tuple(sorted(value for value in found if value is not None))

    def count(self, kind: Kinds = None, /, **filters: object) -> int:
        """Return how many artifacts there are. Takes and raises what `find` does."""
        return sum(1 for _ in self.find(kind, **filters))

    def size(
        self,
        kind: Kinds = None,
        /,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **filters: object,
    ) -> int:
        """Return the bytes that artifacts take, chunks and metadata. Takes and raises what `find` does.

        What lies in a container or a group that is counted is counted once. `executor` measures batches of artifacts,
        in other processes too: for an object store in processes that are spawned, not forked, with its credentials in
        their environment, for none are sent there. `progress` is told how many artifacts are measured, and 0, for
        how many there are is not known before all are found.
        """
        paths = _outermost(entry.path for entry in self.find(kind, **filters))
        measure = partial(_measure, self._backend)
        batch = 1 if executor is None else BATCH
        workers = self._backend.in_flight
        return sum(spread(measure, paths, executor=executor, batch=batch, workers=workers, progress=progress))

    def table(self, kind: Kinds = None, /, **filters: object) -> Any:
        """Return what exists as a `pyarrow.Table`, one row an artifact. Takes and raises what `find` does.

        The columns are `kind`, the fields of the kinds, and `path`, `container`, `dataset`, `node`, `zarr_format`,
        `shape`, `dtype`, `nbytes`, `is_ambiguous`; they do not depend on what is found. Needs `zarrange[table]`.
        """
        from zarrange.stores.table import table

        search = self.find(kind, **filters)
        return table(search, search.kinds, self.layout)

    def frame(self, kind: Kinds = None, /, **filters: object) -> Any:
        """Return what exists as a `pandas.DataFrame`, with the columns of `table`. Needs `zarrange[table]`."""
        from zarrange.stores.table import frame

        search = self.find(kind, **filters)
        return frame(search, search.kinds, self.layout)

    def tree(self, kind: Kinds = None, /, *, sizes: bool = False, **filters: object) -> Overview:
        """Return an overview of what exists, by run and kind: counts, values, shapes, data types and sizes.

        `sizes` measures the bytes stored too, which looks at every chunk. What could not be read is told in it.
        """
        return self.overview_of(self.find(kind, **filters), sizes=sizes)

    def overview_of(self, search: Search, *, sizes: bool = False, most: int | None = MAX_GROUPS) -> Overview:
        """Return an overview of what a search finds; `most` is how many runs are given one by one, `None` for all."""
        size = partial(_measure_entry, self._backend) if sizes else None
        return overview(search.results(), self.layout, root=self.root, size=size, most=most)

    def _repr_html_(self) -> str:
        """Return the tree, for a notebook; of a store with very many artifacts only the first ones."""
        found = self.find().results()
        return overview(found, self.layout, root=self.root, limit=MAX_IN_NOTEBOOK)._repr_html_()

    def examine(self, *, root: str | None = None) -> tuple[Diagnostic, ...]:
        """Return what is wrong with the store, as `zarrange doctor` lists it. Nothing is changed.

        The paths of the findings begin with `root`, if it is given, in the stead of the store's own.
        """
        from zarrange.stores.doctor import examine

        return examine(self._backend, self.layout, root=root)


def _ordered_field(kind: Kind, by: str | None, wanted: Mapping[str, Wanted]) -> str:
    """Return the field of a kind that a latest artifact is told by: the given one, or the only one."""
    if by is not None:
        if not isinstance(by, str):
            raise TypeError(f"`by` is the name of a field, not {type(by).__name__}")
        kind.refuse_unknown({by: None})
        if kind.fields[by].type not in ORDERED:
            raise FieldError(kind.name, by, None, "has no order that a latest artifact could be told by")
        return by
    names = ordered_fields(kind, wanted)
    if not names:
        raise ValueError(f"`{kind.name}` has no field of numbers or days left open, by which one could be the latest")
    if len(names) > 1:
        known = ", ".join(f"`{name}`" for name in names)
        raise ValueError(f"by which field is the latest `{kind.name}` meant? say `by`; it has {known}")
    return names[0]


def _is_given(_: Value) -> bool:
    return True


def _outermost(paths: Iterable[str]) -> Iterator[str]:
    """Leave out what lies in an earlier one; paths come in order."""
    above = "\0"
    for path in paths:
        if not path.startswith(above):
            above = f"{path}/"
            yield path


def _measure_entry(backend: Backend, entry: Entry) -> int:
    return backend.size(entry.path)


def _measure(backend: Backend, paths: list[str]) -> int:
    return sum(backend.size(path) for path in paths)
