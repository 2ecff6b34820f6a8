"""Overview: what a store has, by run and kind, small enough to be read. Frozen data; `zarrange.report` draws it.

Artifacts are taken as a search gives them, one by one, and folded at once: what is kept does not grow with their
number, but for values that differ, and those only up to a limit. What could not be read is counted and told: an
overview that is not of everything says so.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from zarrange.errors import StoreError
from zarrange.stores.amounts import counted, in_bytes
from zarrange.stores.entries import Unreadable
from zarrange.stores.overview.folds import Fold, Values, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.kinds import Kind, Sort
    from zarrange.language.layout import Layout
    from zarrange.stores.entries import Entry, Result

__all__ = ["MAX_GROUPS", "Group", "Line", "Overview", "overview"]

MAX_GROUPS = 50
"""So many runs are shown one by one, unless told otherwise."""
MAX_UNREADABLE = 10
"""So many of the things that could not be read are kept by name."""
MAX_DTYPES = 3


@frozen
class Line:
    """What there is of one kind: how many artifacts (`count`), and what they have in their fields and their metadata.

    `nbytes` are the bytes of all elements, uncompressed; of `unsized` arrays they are not known. `stored` are the bytes
    that arrays and files take, where they were measured. `ambiguous` artifacts may be of other kinds (`others`) too, or
    of this kind with other values.
    """

    kind: str
    sort: Sort
    count: int
    fields: tuple[Values, ...]
    shapes: Values
    dtypes: Values
    formats: tuple[int, ...] = ()
    nbytes: int = 0
    unsized: int = 0
    stored: int | None = None
    ambiguous: int = 0
    others: tuple[str, ...] = ()

    @property
    def sizes(self) -> tuple[str, str]:
        """`nbytes` and `stored` for people, empty where there is nothing to say."""
        return _sizes(self)

    @property
    def about(self) -> str:
        """The shape, the data type, and the formats of zarr where there are several."""
        array = " ".join(filter(None, [_all_of(self.shapes, 1), _all_of(self.dtypes, MAX_DTYPES)]))
        formats = f"zarr {' and '.join(map(str, self.formats))}" if len(self.formats) > 1 else ""
        return ", ".join(filter(None, [array, formats]))

    @property
    def doubt(self) -> str:
        """How many artifacts may be something else, and what."""
        if not self.ambiguous:
            return ""
        what = f"may be {' or '.join(self.others)} as well" if self.others else "several values fit"
        return f"{self.ambiguous:,} ambiguous: {what}"


def _all_of(values: Values, most: int) -> str:
    if values.count <= most:
        return "" if not values.count else str(values)
    return f"{'over ' * values.is_more}{values.count:,} {values.field}s"


@frozen
class Group:
    """The artifacts that have the same value in the field that an overview goes by: a run."""

    value: Value | None
    lines: tuple[Line, ...]

    @property
    def count(self) -> int:
        """How many artifacts there are."""
        return sum(line.count for line in self.lines)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements, uncompressed."""
        return sum(line.nbytes for line in self.lines)

    @property
    def unsized(self) -> int:
        """How many arrays there are whose bytes are not known."""
        return sum(line.unsized for line in self.lines)

    @property
    def stored(self) -> int | None:
        """The bytes that were measured; `None` where nothing was."""
        measured = [line.stored for line in self.lines if line.stored is not None]
        return sum(measured) if measured else None

    @property
    def sizes(self) -> tuple[str, str]:
        """`nbytes` and `stored` for people, empty where there is nothing to say."""
        return _sizes(self)


def _sizes(one: Line | Group) -> tuple[str, str]:
    size = f"{'> ' * bool(one.unsized)}{in_bytes(one.nbytes)}" if one.nbytes else "?" if one.unsized else ""
    return size, "" if one.stored is None else in_bytes(one.stored)


@frozen
class Overview:
    """What a store has, as far as it could be read.

    `by` is the field that the groups are of, with the values that it has: the first one that all kinds share; `None`
    where there is none, and one group has everything. There may be more values than `groups` (`omitted`); `total` is of
    everything. Of what could not be read, `unreadable` has the first ones, `unreadable_count` counts all. `cut_at` is
    how many artifacts were looked at, where there are more.
    """

    layout: str
    root: str | None
    by: Values | None
    groups: tuple[Group, ...]
    omitted: int
    total: Group
    unreadable: tuple[Unreadable, ...] = ()
    unreadable_count: int = 0
    cut_at: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether this is everything."""
        return not self.unreadable_count and self.cut_at is None

    @property
    def summary(self) -> str:
        """How much there is in all, in one line."""
        total = self.total
        if not total.count:
            return "nothing was found" if self.is_complete else "nothing could be found"
        parts = [*filter(None, [self.counted]), counted(total.count, "artifact")]
        if total.nbytes:
            parts.append(f"{in_bytes(total.nbytes)} uncompressed")
        if total.unsized:
            parts.append(f"{counted(total.unsized, 'array')} of unknown size")
        if total.stored is not None:
            parts.append(f"{in_bytes(total.stored)} stored")
        return ("" if self.is_complete else "at least ") + ", ".join(parts)

    @property
    def counted(self) -> str:
        """How many groups there are, those that are not given included: `20 runs`."""
        return counted(self.by.count, self.by.field, is_more=self.by.is_more) if self.by and self.by.count else ""

    @property
    def further(self) -> str:
        """How many groups are not given: `950 more runs`."""
        return counted(self.omitted, f"more {self.by.field}", is_more=self.by.is_more) if self.by else ""

    def named(self) -> Iterator[tuple[Group, str, str | None]]:
        """Yield each group, its name for people, and the name of an earlier one that has the same, if there is one.

        The same but for the bytes that were measured: compressed, no two are equal.
        """
        seen: dict[tuple[Line, ...], str] = {}
        for group in self.groups:
            name = f"(no {self.by.field if self.by else ''})" if group.value is None else written(group.value)
            lines = tuple(evolve(line, stored=None) for line in group.lines)
            yield group, name, seen.get(lines)
            seen.setdefault(lines, name)

    @property
    def warning(self) -> str:
        """What there is to say of what could not be read; the places come behind it."""
        cut = [] if self.cut_at is None else [f"only the first {self.cut_at:,} artifacts were looked at"]
        unread = [f"{counted(self.unreadable_count, 'place')} could not be read"] if self.unreadable_count else []
        return "; ".join([*cut, *unread])

    def _repr_html_(self) -> str:
        from zarrange.stores.overview.notebook import as_html

        return as_html(self)


def overview(  # noqa: PLR0913 - each may be left out, and says what it is by its name
    results: Iterable[Result],
    layout: Layout,
    *,
    root: str | None = None,
    size: Callable[[Entry], int] | None = None,
    most: int | None = MAX_GROUPS,
    limit: int | None = None,
) -> Overview:
    """Return the overview of what a search gives (`Search.results()`), what it could not read included.

    `size` measures an array or a file; a container is not measured, for what is in it is. `most` is how many groups are
    given one by one, those that come first; `None` gives all. `limit` is how many results are looked at.
    """
    folding = _Folding(layout, size, most)
    remaining = iter(results)
    for result in remaining if limit is None else islice(remaining, limit):
        folding.add(result)
    is_cut = limit is not None and next(remaining, None) is not None
    return evolve(folding.made(root), cut_at=limit if is_cut else None)


def _shared(kinds: Iterable[Kind]) -> str | None:
    """Return the first field that no kind is without, but for kinds that have no fields at all."""
    with_fields = [kind for kind in kinds if kind.fields]
    names: Sequence[str] = [*with_fields[0].fields] if with_fields else []
    return next((name for name in names if all(_needs(kind, name) for kind in with_fields)), None)


def _needs(kind: Kind, name: str) -> bool:
    return name in kind.fields and name not in kind.optional


class _Folding:
    """An overview in the making: the lines of each group, and of everything."""

    def __init__(self, layout: Layout, size: Callable[[Entry], int] | None, most: int | None) -> None:
        self._layout = layout
        self._size = size
        self._most = most
        self._by = _shared(layout.kinds.values())
        self._order = {name: at for at, name in enumerate(layout.kinds)}
        self._values = Fold(layout.fields[self._by].type if self._by else "str")
        self._groups: dict[Value | None, dict[str, _Artifacts]] = {}
        self._total: dict[str, _Artifacts] = {}
        self._unreadable: list[Unreadable] = []
        self._unreadable_count = 0

    def add(self, result: Result) -> None:
        if isinstance(result, Unreadable):
            self._add_unreadable(result)
            return
        keys = self._likeliest(result)
        stored = self._stored(result)
        value = keys[0].values.get(self._by) if self._by else None
        if value is not None:
            self._values.add(value)
        self._add(self._total, result, keys, stored)
        # A group that comes when there are enough is in the total only; what has no group is always shown.
        if value is None or value in self._groups or self._most is None or len(self._groups) < self._most:
            self._add(self._groups.setdefault(value, {}), result, keys, stored)

    def _add_unreadable(self, one: Unreadable) -> None:
        self._unreadable_count += 1
        if len(self._unreadable) < MAX_UNREADABLE:
            self._unreadable.append(one)

    def _likeliest(self, entry: Entry) -> Sequence[Key]:
        """Return the keys of one kind: of those asked for, the one that reads the path in the fewest ways.

        A kind whose paths are nearly free reads whatever there is, and in many ways.
        """
        if len(entry.keys) == 1:
            return entry.keys
        counts = Counter(key.kind for key in entry.keys)
        kind = min(counts, key=lambda name: (counts[name], self._order[name]))
        return [key for key in entry.keys if key.kind == kind]

    def _stored(self, entry: Entry) -> int | None:
        if self._size is None or entry.node not in {"array", "file"}:
            return None
        try:
            return self._size(entry)
        except StoreError as error:
            self._add_unreadable(Unreadable(entry.path, str(error)))
            return None

    def _add(self, lines: dict[str, _Artifacts], entry: Entry, keys: Sequence[Key], stored: int | None) -> None:
        name = keys[0].kind
        if name not in lines:
            kind = self._layout.kinds[name]
            lines[name] = _Artifacts(kind, {field: Fold(one.type) for field, one in kind.fields.items()})
        lines[name].add(entry, keys, stored)

    def made(self, root: str | None) -> Overview:
        by = self._values.made(self._by) if self._by else None
        values = [value for value in self._groups if value is not None]
        shown: list[Value | None] = [*([None] if None in self._groups else []), *sorted(values)]
        return Overview(
            layout=self._layout.name,
            root=root,
            by=by,
            groups=tuple(Group(value, self._made(self._groups[value], {self._by})) for value in shown),
            omitted=by.count - len(values) if by else 0,
            total=Group(None, self._made(self._total)),
            unreadable=tuple(self._unreadable),
            unreadable_count=self._unreadable_count,
        )

    def _made(self, lines: dict[str, _Artifacts], apart: Iterable[str | None] = ()) -> tuple[Line, ...]:
        return tuple(lines[name].made({*apart}) for name in sorted(lines, key=self._order.__getitem__))


@define
class _Artifacts:
    """A line in the making."""

    kind: Kind
    fields: dict[str, Fold]
    shapes: Fold = field(factory=lambda: Fold("shape"))
    dtypes: Fold = field(factory=lambda: Fold("dtype"))
    formats: set[int] = field(factory=set)
    others: set[str] = field(factory=set)
    count: int = 0
    nbytes: int = 0
    unsized: int = 0
    stored: int | None = None
    ambiguous: int = 0

    def add(self, entry: Entry, keys: Sequence[Key], stored: int | None) -> None:
        self.count += 1
        for name, fold in self.fields.items():
            fold.take([key.values.get(name) for key in keys])
        self._add_metadata(entry)
        if stored is not None:
            self.stored = (self.stored or 0) + stored
        if entry.is_ambiguous:
            self.ambiguous += 1
            self.others |= {key.kind for key in entry.readings} - {self.kind.name}

    def _add_metadata(self, entry: Entry) -> None:
        node = entry.metadata
        if node is None:
            return
        self.formats.add(node.zarr_format)
        if node.shape is None:
            return
        self.shapes.add(node.shape)
        self.dtypes.add(node.dtype)
        if node.nbytes is None:
            self.unsized += 1
        else:
            self.nbytes += node.nbytes

    def made(self, apart: set[str | None]) -> Line:
        fields = (fold.made(name) for name, fold in self.fields.items() if name not in apart)
        return Line(
            kind=self.kind.name,
            sort=self.kind.sort,
            count=self.count,
            fields=tuple(fields),
            shapes=self.shapes.made("shape"),
            dtypes=self.dtypes.made("dtype"),
            formats=tuple(sorted(self.formats)),
            nbytes=self.nbytes,
            unsized=self.unsized,
            stored=self.stored,
            ambiguous=self.ambiguous,
            others=tuple(sorted(self.others)),
        )
