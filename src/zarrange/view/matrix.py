"""Matrix: what a run has at each place of the slider, of each kind, so that what is missing is seen.

Only the rows that are shown are looked at, besides one cheap search for the slider's values, and never any chunks.
What could not be read is told beside the rest; what may be something else counts as what it is likeliest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, frozen

from zarrange.identifiers import Value
from zarrange.language.arrangement import arrangement
from zarrange.stores.entries import Unreadable
from zarrange.view.listings import Gathering, of_run, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["Cell", "Matrix", "Row", "matrix"]


@frozen
class Cell:
    """How many arrays of a kind there are, and the `path` of the first one; `ambiguous` ones may be something else.

    A gap has none, where other rows that are shown have some.
    """

    kind: str
    count: int = 0
    path: str | None = None
    ambiguous: int = 0
    is_gap: bool = False


@frozen
class Row:
    """What there is at one value of the slider, of each kind that has a slider."""

    value: Value
    cells: tuple[Cell, ...]


@frozen
class Matrix:
    """What a run has: a part of the rows, from the one at `start` on, of `total` ones.

    `columns` are the kinds with the slider, `fullest` how many arrays the fullest cell that is shown has of each.
    `fixed` has a cell for each kind without slider, and for what has no value of it. `gaps` counts those shown.
    """

    run: Value | None
    slider: str | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    start: int
    total: int
    fixed: tuple[Cell, ...]
    fullest: tuple[int, ...]
    gaps: int
    unreadable: tuple[Unreadable, ...]


def matrix(
    store: Store, run: Value | None, *, start: int = 0, most: int = 100, gathering: Gathering | None = None
) -> Matrix:
    """Return what a run has, at most so many rows. Raises `FieldError` for a value that no run can have.

    What was found before, and what is found now, is in the `gathering`.
    """
    arranged = arrangement(store.layout)
    gathering = gathering or Gathering(store)
    columns = tuple(panel.kind for panel in arranged.panels if panel.has_slider)
    steps = steps_of(gathering, run)
    shown = steps[start : start + most]
    walked = gathering.walked(arranged.panels, run)
    counted = {kind: _counted(gathering, kind, run, shown, walked.get(kind)) for kind in columns}
    fullest = tuple(max((one.count for one in counted[kind].values()), default=0) for kind in columns)
    rows = tuple(Row(step, tuple(_cell(counted[kind], kind, step) for kind in columns)) for step in shown)
    return Matrix(
        run=run,
        slider=arranged.slider,
        columns=columns,
        rows=rows,
        start=start,
        total=len(steps),
        fixed=tuple(_fixed(gathering, run, walked)),
        fullest=fullest,
        gaps=sum(cell.is_gap for row in rows for cell in row.cells),
        unreadable=gathering.unreadable,
    )


@define
class _Count:
    """A cell in the making."""

    count: int = 0
    path: str | None = None
    ambiguous: int = 0

    def add(self, entry: Entry) -> None:
        self.count += 1
        self.path = self.path or entry.path
        self.ambiguous += entry.is_ambiguous


def _counted(
    gathering: Gathering, kind: str, run: Value | None, shown: Sequence[Value], walked: Sequence[Entry] | None
) -> dict[Value | None, _Count]:
    """Return what there is of a kind at each of the steps, which may have been found already."""
    found: dict[Value | None, _Count] = {step: _Count() for step in shown}
    layout = gathering.store.layout
    slider = arrangement(layout).slider
    filters = of_run(layout, kind, run)
    if slider is None or filters is None or not shown:
        return found
    for entry in gathering.entries([kind], {**filters, slider: [*shown]}) if walked is None else walked:
        step = _value(entry, kind, slider)
        if step in found:
            found[step].add(entry)
    return found


def _value(entry: Entry, kind: str, name: str) -> Value | None:
    return next(key.values.get(name) for key in entry.keys if key.kind == kind)


def _cell(counted: Mapping[Value | None, _Count], kind: str, step: Value) -> Cell:
    one = counted[step]
    is_gap = not one.count and any(other.count for other in counted.values())
    return Cell(kind, one.count, one.path, one.ambiguous, is_gap)


def _fixed(gathering: Gathering, run: Value | None, walked: Mapping[str, Sequence[Entry]]) -> Iterator[Cell]:
    """Yield a cell for each kind that has no value of the slider; one that may have it only if there are some."""
    layout = gathering.store.layout
    arranged = arrangement(layout)
    for panel in arranged.panels:
        filters = of_run(layout, panel.kind, run)
        if not panel.has_slider:
            entries = walked.get(panel.kind)
            if entries is None:
                entries = [] if filters is None else [*gathering.entries([panel.kind], filters)]
            yield _whole(panel.kind, entries)
        elif arranged.slider in layout.kind(panel.kind).optional and filters is not None:
            cell = _whole(panel.kind, gathering.entries([panel.kind], {**filters, arranged.slider: None}))
            if cell.count:
                yield cell


def _whole(kind: str, entries: Iterable[Entry]) -> Cell:
    one = _Count()
    for entry in entries:
        one.add(entry)
    return Cell(kind, one.count, one.path, one.ambiguous)
