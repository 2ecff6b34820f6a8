"""Sheet: one picture of what a comparison has, for reports: a row for each place of the slider, a column for each kind.

What has no slider is repeated in every row. Each picture says its range below it, for that is its own unless one is
given. What is not there, or cannot be shown, is said in its place; nothing of that raises.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen
from PIL import Image, ImageDraw, ImageFont

from zarrange.errors import StoreError
from zarrange.view.pictures import enlarged, image, value_range
from zarrange.view.placing import axes_of, locate
from zarrange.view.slices import Cut, read_slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from zarrange.identifiers import Value
    from zarrange.stores.store import Store
    from zarrange.view.comparison import Comparison, ShownPanel
    from zarrange.view.slices import Slice

    Range: TypeAlias = tuple[float, float]
    Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

__all__ = ["MAX_SHEET", "Cell", "Grid", "Look", "cells", "drawn", "evenly", "sheet"]

SIZE = 240
MAX_SHEET = 100_000_000
"""A sheet has at most so many pixels, the pictures in it as many as fit."""
MARGIN, GAP = 20, 12
TITLE, TEXT, SMALL = 20, 14, 12
LINE = SMALL + 2
ROW = LINE + GAP
MAX_TEXT = 500
PAPER, INK, FAINT, HOLE = "#ffffff", "#1a1a1a", "#5c5c5c", "#eeeeee"
OPACITY = 0.55
"""How much of what labels are drawn over they hide."""


@frozen
class Look:
    """How the arrays of a sheet are looked at, of which kinds; of a cut, each array takes the axes that it has."""

    kinds: frozenset[str] | None = None
    cut: Cut = field(factory=Cut)
    range: Range | None = None
    labels: bool | None = None
    size: int = SIZE


@frozen
class Cell:
    """A picture with what is said below it, or only what is said in its place."""

    picture: Image.Image | None
    text: str


@frozen
class Grid:
    """All that is drawn on a sheet: rows are told by `sides`, which are values of `slider`; there may be none."""

    title: str
    slider: str
    sides: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


LOOK = Look()


def evenly(steps: Sequence[Value], count: int) -> tuple[Value, ...]:
    """Return so many of some steps, spread evenly, with the first and the last one."""
    if count >= len(steps):
        return tuple(steps)
    if count == 1:
        return (steps[-1],)
    return tuple(steps[round(at * (len(steps) - 1) / (count - 1))] for at in range(count))


def sheet(store: Store, found: Comparison, steps: Sequence[Value], *, title: str, look: Look = LOOK) -> Image.Image:
    """Return the sheet of a comparison, at some of its steps; without any, one row of what has no slider.

    Raises `ValueError` for one that is too large, or has no column.
    """
    panels = [one for one in found.panels if look.kinds is None or one.kind in look.kinds]
    rows: Sequence[Value | None] = steps or [None]
    if not panels:
        raise ValueError("a sheet of no kinds has no column")
    if len(rows) * len(panels) * look.size**2 > MAX_SHEET:
        what = f"{len(rows)} rows of {len(panels)} pictures of {look.size} pixels a side"
        raise ValueError(f"a sheet of {what} is too large: take fewer steps or kinds, or smaller pictures")
    sides = tuple(map(str, steps))
    heads = tuple(one.kind for one in panels)
    return drawn(Grid(title, found.slider or "", sides, heads, cells(store, found, rows, look)))


# --- what is in it ---------------------------------------------------------------------------------------------------


def cells(
    store: Store, found: Comparison, rows: Iterable[Value | None], look: Look = LOOK
) -> tuple[tuple[Cell, ...], ...]:
    """Return what is at each place of a sheet, row by row."""
    panels = [one for one in found.panels if look.kinds is None or one.kind in look.kinds]
    below = {one.kind: one for one in found.panels}
    looking = _Looking(store, look)
    return tuple(tuple(looking.cell(panel, below.get(panel.over or ""), row) for panel in panels) for row in rows)


@define
class _Looking:
    """Reads pictures; those without a slider only once."""

    _store: Store
    _look: Look
    _fixed: dict[tuple[str, str | None], Cell] = field(factory=dict)

    def cell(self, panel: ShownPanel, below: ShownPanel | None, step: Value | None) -> Cell:
        path = _path(panel, step)
        if path is None:
            return Cell(None, "none" if panel.paths else panel.note or "none")
        under = None if below is None else _path(below, step)
        if panel.path is None:
            return self._made(path, under, is_over=panel.over is not None)
        key = (path, under)
        if key not in self._fixed:
            self._fixed[key] = self._made(path, under, is_over=panel.over is not None)
        return self._fixed[key]

    def _made(self, path: str, under: str | None, *, is_over: bool) -> Cell:
        try:
            one = self._read(path, self._look.cut)
        except StoreError as error:
            return Cell(None, getattr(error, "strerror", None) or str(error))
        # What the layout has drawn over something is labels, also where they are so few that a byte is enough.
        if is_over and one.values.dtype.kind in "biu":
            one = evolve(one, is_labels=True)
        is_labels = one.is_labels if self._look.labels is None else self._look.labels
        picture = self._drawn(one, is_labels=is_labels)
        ground = self._ground(one, under) if is_labels and under is not None else None
        shown = picture if ground is None else _over(picture, ground)
        return Cell(enlarged(shown, self._look.size), self._said(one, is_labels=is_labels))

    def _ground(self, one: Slice, under: str) -> Image.Image | None:
        """What labels are drawn over, if that can be read and has the same plane."""
        try:
            other = self._read(under, one.cut)
        except StoreError:
            return None
        return self._drawn(other, is_labels=False) if other.values.shape == one.values.shape else None

    def _read(self, path: str, cut: Cut) -> Slice:
        entry = locate(self._store, path)
        return read_slice(self._store, entry, cut.fitting(axes_of(self._store, entry)))

    def _drawn(self, one: Slice, *, is_labels: bool) -> Image.Image:
        return image(one, labels=is_labels, range=self._look.range, size=self._look.size)

    def _said(self, one: Slice, *, is_labels: bool) -> str:
        """The range of a picture, and where it was cut."""
        span = None if is_labels else self._look.range or value_range(one.values)
        said = "labels" if is_labels else "no numbers" if span is None else f"{span[0]:.4g} to {span[1]:.4g}"
        return "; ".join(part for part in (said, str(one.cut), one.note) if part)


def _over(labels: Image.Image, ground: Image.Image) -> Image.Image:
    top = labels.convert("RGBA")
    top.putalpha(top.getchannel("A").point([round(alpha * OPACITY) for alpha in range(256)]))
    return Image.alpha_composite(ground.convert("RGBA"), top)


def _path(panel: ShownPanel, step: Value | None) -> str | None:
    return panel.path if panel.path is not None or step is None else panel.paths.get(step)


# --- how it is drawn -------------------------------------------------------------------------------------------------


def drawn(grid: Grid) -> Image.Image:
    """Return a sheet as one picture."""
    sides = max((_width(one, TEXT) for one in [grid.slider, *grid.sides] if grid.sides), default=0)
    side = min(sides, SIZE)
    left = MARGIN + side + (GAP if side else 0)
    widths = [
        max(SIZE // 2, min(_width(head, TEXT), SIZE), *(_size(row[at])[0] for row in grid.rows))
        for at, head in enumerate(grid.heads)
    ]
    heights = [max(_size(cell)[1] for cell in row) for row in grid.rows]
    top = MARGIN + TITLE + GAP + TEXT + GAP
    title = 2 * MARGIN + min(_width(grid.title, TITLE), 3 * SIZE)
    width = max(left + sum(widths) + GAP * (len(widths) - 1) + MARGIN, title)
    pen = _Pen(Image.new("RGB", (width, top + sum(heights) + ROW * len(heights) - GAP + MARGIN), PAPER))
    pen.write(grid.title, (MARGIN, MARGIN), TITLE, width - 2 * MARGIN)
    columns = [(left + sum(widths[:at]) + GAP * at, room) for at, room in enumerate(widths)]
    head = top - TEXT - GAP
    if grid.sides:
        pen.write(grid.slider, (MARGIN, head), TEXT, side, FAINT)
    for (x, room), text in zip(columns, grid.heads, strict=True):
        pen.write(text, (x, head), TEXT, room)
    for at, row in enumerate(grid.rows):
        y = top + sum(heights[:at]) + ROW * at
        if grid.sides:
            pen.write(grid.sides[at], (MARGIN, y), TEXT, side)
        for (x, room), cell in zip(columns, row, strict=True):
            pen.cell(cell, (x, y), room, heights[at])
    return pen.paper


def _size(cell: Cell) -> tuple[int, int]:
    return (0, SMALL * 4) if cell.picture is None else cell.picture.size


@frozen
class _Pen:
    """Draws on a paper."""

    paper: Image.Image

    def cell(self, cell: Cell, place: tuple[int, int], width: int, height: int) -> None:
        """Draw what is at a place of the sheet: a picture with its text below, or a text alone."""
        x, y = place
        if cell.picture is None:
            self._box(place, width, height)
            for at, line in enumerate(_lines(cell.text, width - GAP, (height - GAP) // LINE)):
                self.write(line, (x + GAP // 2, y + GAP // 2 + at * LINE), SMALL, width - GAP, FAINT)
            return
        shown = cell.picture.convert("RGBA")
        self._box(place, *shown.size)
        self.paper.paste(shown, place, shown)
        self.write(cell.text, (x, y + shown.height + 2), SMALL, width, FAINT)

    def write(self, text: str, place: tuple[int, int], size: int, room: int, ink: str = INK) -> None:
        """Write one line, as much of it as there is room for."""
        ImageDraw.Draw(self.paper).text(place, _fitted(_plain(text), size, room), ink, _font(size))

    def _box(self, place: tuple[int, int], width: int, height: int) -> None:
        x, y = place
        ImageDraw.Draw(self.paper).rectangle((x, y, x + width - 1, y + height - 1), fill=HOLE)


def _plain(text: str) -> str:
    """Names are anybody's: what cannot be printed is written as an escape, and no line is broken."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:MAX_TEXT])


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _width(text: str, size: int) -> int:
    return int(_font(size).getlength(_plain(text))) + 1


def _fitted(text: str, size: int, room: int) -> str:
    if _width(text, size) <= room:
        return text
    length = bisect_right(range(len(text)), room, key=lambda length: _width(f"{text[:length]}…", size))
    return f"{text[: max(0, length - 1)]}…"


def _lines(text: str, room: int, most: int) -> list[str]:
    """A text in as many lines as there is room for, broken between words."""
    lines: list[str] = [""]
    for word in _plain(" ".join(text.split())).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _width(longer, SMALL) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > most > 0:
        lines[most - 1] = " ".join(lines[most - 1 :])
    return lines[: max(most, 1)]
