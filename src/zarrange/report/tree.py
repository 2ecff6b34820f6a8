"""Tree: the overview of a store as a screen for people, and as JSON.

Columns are aligned over the whole screen. With a `width`, no line of the tree is longer: what does not fit goes on in
the next one, of a long list the first values are shown, and names are cut. Numbers and days never are.
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import TYPE_CHECKING

from attrs import asdict, frozen

from zarrange.report.characters import printable, width as columns
from zarrange.report.ink import Ink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.stores.overview import Group, Line, Overview
    from zarrange.stores.overview.folds import Values

__all__ = ["overview_as_json", "overview_as_text"]

LONGEST_NAME = 32
"""The names of runs that are longer do not move the columns of all others."""
NARROWEST = 40
"""A screen is never taken for narrower than this."""
UNLIMITED = sys.maxsize
QUOTES = frozenset("'\"")
GAP = "  "
INDENT = "   "
BETWEEN = "; "


def overview_as_json(overview: Overview) -> str:
    """Return an overview as a JSON object; dates are written `{"date": …}`, as in keys.

    Only ASCII characters are used, so that a name that is not text can be told from others.
    """
    data = asdict(overview)
    data = {"complete": overview.is_complete, "count": overview.total.count, "nbytes": overview.total.nbytes, **data}
    return json.dumps(data, indent=2, default=_day_as_data)


def _day_as_data(value: datetime.date) -> dict[str, str]:
    return {"datetime" if isinstance(value, datetime.datetime) else "date": value.isoformat()}


def overview_as_text(overview: Overview, *, color: bool = False, width: int | None = None) -> str:
    """Return the tree of a store: its runs, their kinds, and what these have; what could not be read stands last.

    `width` is how many columns there are, `None` for as many as it takes.
    """
    screen = _Screen(Ink(color), UNLIMITED if width is None else max(width, NARROWEST))
    return "\n".join(screen.lines(overview))


@frozen
class _Row:
    """A name behind its branches, its numbers, what it is about; below, past other branches, what there is to say."""

    branches: str
    below: str
    name: str
    style: str
    numbers: tuple[str, ...] = ()
    about: str = ""
    fields: tuple[Values, ...] = ()
    doubt: str = ""

    @property
    def length(self) -> int:
        """The columns of the branches and the name."""
        return columns(self.branches) + columns(self.name)


def _rows(overview: Overview) -> Iterator[_Row]:
    if overview.by is None:
        yield from (row for group in overview.groups for row in _lines(group, ""))
        return
    for group, name, like in overview.named():
        is_last = group is overview.groups[-1] and not overview.omitted
        yield from _group(group, name, like, is_last=is_last)
    if overview.omitted:
        yield _Row(*_branches(""), f"… and {overview.further}", "label")
        yield from _group(overview.total, f"all {overview.counted}", is_last=True)


def _group(group: Group, name: str, like: str | None = None, *, is_last: bool) -> Iterator[_Row]:
    branches, below = _branches("", is_last=is_last)
    about = "" if like is None else f"like {like}"
    yield _Row(branches, below, name, "strong", _numbers(group), about)
    if like is None:
        yield from _lines(group, below)


def _lines(group: Group, before: str) -> Iterator[_Row]:
    for at, line in enumerate(group.lines, 1):
        branches, below = _branches(before, is_last=at == len(group.lines))
        yield _Row(branches, below, line.kind, "info", _numbers(line), line.about, line.fields, line.doubt)


def _numbers(one: Group | Line) -> tuple[str, str, str]:
    size, stored = one.sizes
    return f"{one.count:,}", size, stored and f"{stored} stored"


def _branches(before: str, *, is_last: bool = False) -> tuple[str, str]:
    return (f"{before}└─ ", f"{before}   ") if is_last else (f"{before}├─ ", f"{before}│  ")


@frozen
class _Columns:
    """How wide the names are, measured from the edge of the screen, and each column of numbers."""

    names: int
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, rows: Sequence[_Row]) -> _Columns:
        """Return the columns that rows need."""
        names = max((row.length for row in rows if row.length <= LONGEST_NAME), default=0)
        wide = zip(*(row.numbers for row in rows if row.numbers), strict=True)
        return cls(names, tuple(max(map(len, texts)) for texts in wide))

    def aligned(self, row: _Row) -> str:
        """Return the numbers of a row, each in its column."""
        return GAP.join(text.rjust(wide) for text, wide in zip(row.numbers, self.numbers, strict=False) if wide)


@frozen
class _Screen:
    """Draws a tree in some ink, as wide as `width` allows."""

    ink: Ink
    width: int

    def lines(self, overview: Overview) -> Iterator[str]:
        rows = [*_rows(overview)]
        root, layout = printable(overview.root or ""), f"layout {printable(overview.layout)}"
        yield f"{self.ink('strong', root)}{GAP if root else ''}{layout}"
        shared = _Columns.of(rows)
        for row in rows:
            yield from self._row(row, shared)
        yield ""
        yield overview.summary
        yield from self._unreadable(overview)

    def _row(self, row: _Row, shared: _Columns) -> Iterator[str]:
        edge = row.below + INDENT
        room = self.width - columns(edge)
        name = _cut(row.name, self.width - columns(row.branches))
        line = row.branches + self.ink(row.style, name) + " " * (shared.names - row.length)
        length = max(row.length, shared.names)
        moved = []
        for text in filter(None, (shared.aligned(row), row.about)):
            length += len(GAP) + columns(text)
            if length <= self.width:
                line += GAP + text
            else:
                moved.append(text.strip())
        yield line.rstrip()
        pieces = [("", _cut(GAP.join(moved), room))] if moved else []
        pieces += [(values.field, _fitted(values, room - len(values.field) - 1)) for values in row.fields]
        for together in _packed(pieces, room):
            yield edge + BETWEEN.join(f"{self.ink('label', name)} {text}".lstrip() for name, text in together)
        if row.doubt:
            yield edge + self.ink("warning", _cut(row.doubt, room))

    def _unreadable(self, overview: Overview) -> Iterator[str]:
        if overview.is_complete:
            return
        yield f"{self.ink('error', 'incomplete')}: {overview.warning}"
        for one in overview.unreadable:
            yield f"{GAP}{printable(one.path or '.')}: {printable(one.reason)}"
        if more := overview.unreadable_count - len(overview.unreadable):
            yield f"{GAP}… and {more:,} more"


def _packed(pieces: Iterable[tuple[str, str]], room: int) -> Iterator[list[tuple[str, str]]]:
    """Yield the pieces that stand together in a line: as many as fit, at least one."""
    together: list[tuple[str, str]] = []
    length = 0
    for name, text in pieces:
        needed = columns(f"{name} {text}".lstrip())
        if together and length + len(BETWEEN) + needed > room:
            yield together
            together, length = [], 0
        length += len(BETWEEN) * bool(together) + needed
        together.append((name, text))
    if together:
        yield together


def _fitted(values: Values, room: int) -> str:
    """Return values in so many columns: as many of them as fit, at least one, which may be cut."""
    names, rest, text = [""], "", ""
    for most in range(max(len(values.some), 1), 0, -1):
        names, rest = values.parts(most)
        text = ", ".join(names) + rest
        if columns(text) <= room:
            return text
    if values.first is not None:
        return text
    return _cut(names[0], room - columns(rest)) + rest


def _cut(text: str, room: int) -> str:
    """Return the beginning of a text that is as wide as there is room; the end of a quoted one stays."""
    if columns(text) <= room:
        return text
    end = f"…{text[-1]}" if text[:1] in QUOTES else "…"
    while text and columns(text) + columns(end) > room:
        text = text[:-1]
    return text + end
