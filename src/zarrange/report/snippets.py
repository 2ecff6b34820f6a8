"""Snippets: the source lines of a diagnostic, with carets below what it is about and dashes below its labels.

A part for each file, the finding's own first; in it the lines in their order, each drawn once. Of a line as long as a
file, what is near a mark is drawn.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.report.characters import plain, printable, width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zarrange.diagnostics import Diagnostic, Span
    from zarrange.report.ink import Ink

__all__ = ["snippets"]

MAX_COLUMNS = 240
"""Lines up to this length are drawn whole."""


@frozen
class _Mark:
    """A place that is marked: in carets of the finding's color, or in dashes with a text behind them."""

    span: Span
    style: str
    text: str = ""

    @property
    def is_label(self) -> bool:
        return self.style == "label"

    @property
    def start(self) -> int:
        return self.span.column - 1

    @property
    def end(self) -> int:
        """Behind the last marked character; of several lines, the first is marked."""
        ends_here = self.span.end_line == self.span.line
        return max(self.start, self.span.end_column - 1 if ends_here else len(self.span.text.rstrip()))


@frozen
class _Window:
    """The piece of a line that is drawn, from `low` to `high`."""

    line: str
    low: int
    high: int

    def __str__(self) -> str:
        return f"{'…' * (self.low > 0)}{plain(self.line[self.low : self.high])}{'…' * (self.high < len(self.line))}"

    def column(self, offset: int) -> int:
        """Return the columns that stand before a character of the line."""
        return (self.low > 0) + width(plain(self.line[self.low : min(max(offset, self.low), self.high)]))


@frozen
class _Stroke:
    """A mark as it is drawn: from which column on, and how many columns wide."""

    mark: _Mark
    at: int
    length: int

    def overlaps(self, other: _Stroke) -> bool:
        return self.at < other.at + other.length and other.at < self.at + self.length

    @property
    def sign(self) -> str:
        return ("-" if self.mark.is_label else "^") * self.length

    @property
    def text(self) -> str:
        return printable(self.mark.text)


def snippets(diagnostic: Diagnostic, ink: Ink) -> Iterator[str]:
    """Yield the screen lines that show where a diagnostic and its labels are."""
    about = _Mark(diagnostic.span, diagnostic.severity.value)
    labels = [_Mark(label.span, "label", label.text) for label in diagnostic.labels]
    margin = max(len(str(mark.span.line)) for mark in (about, *labels))
    yield from _Part(ink, margin).draw("-->", about, [about, *(one for one in labels if _same_file(one, about))])
    elsewhere: dict[str, list[_Mark]] = {}
    for label in labels:
        if not _same_file(label, about):
            elsewhere.setdefault(label.span.file, []).append(label)
    for marks in elsewhere.values():
        yield from _Part(ink, margin).draw(":::", min(marks, key=_place), marks)


def _same_file(one: _Mark, other: _Mark) -> bool:
    return one.span.file == other.span.file


def _place(mark: _Mark) -> tuple[int, int]:
    return mark.span.line, mark.span.column


@frozen
class _Part:
    """Draws the lines of one file."""

    ink: Ink
    margin: int

    def draw(self, arrow: str, first: _Mark, marks: Sequence[_Mark]) -> Iterator[str]:
        """Yield the place of the `first` mark, then each line with all its marks."""
        yield from self._head(arrow, first)
        with_line = sorted((mark for mark in marks if mark.span.text), key=_place)
        if with_line:
            yield self._bar()
        before = None
        for number, same_line in groupby(with_line, key=lambda mark: mark.span.line):
            if before is not None and number != before + 1:
                yield self.ink("frame", "...")
            before = number
            for group in _groups(list(same_line)):
                yield from self._line(number, group)
        for mark in marks:
            # The line is not known, where a file could not be read.
            if mark.is_label and not mark.span.text and mark is not first:
                yield from self._head(":::", mark)

    def _head(self, arrow: str, mark: _Mark) -> Iterator[str]:
        if arrow == ":::":
            yield self._bar()
        text = f": {printable(mark.text)}" if mark.text and not mark.span.text else ""
        yield f"{' ' * self.margin}{self.ink('frame', arrow)} {printable(str(mark.span))}{self.ink('label', text)}"

    def _bar(self) -> str:
        return f"{' ' * self.margin} {self.ink('frame', '|')}"

    def _line(self, number: int, marks: Sequence[_Mark]) -> Iterator[str]:
        window = _window(marks)
        yield f"{self.ink('frame', f'{number:>{self.margin}} |')} {window}"
        strokes = [_stroke(mark, window) for mark in marks]
        for layer in _layers(strokes):
            for row in _rows(layer):
                yield f"{self._bar()} {self._row(row)}"

    def _row(self, pieces: Sequence[tuple[int, str, str]]) -> str:
        drawn, end = "", 0
        for at, text, style in pieces:
            drawn += " " * (at - end) + self.ink(style, text)
            end = at + width(text)
        return drawn


def _groups(marks: Sequence[_Mark]) -> Iterator[list[_Mark]]:
    """Yield the marks of a line that are drawn below one picture of it: all, unless the line is very long."""
    group: list[_Mark] = []
    for mark in marks:
        is_far = len(mark.span.text) > MAX_COLUMNS and group and mark.end - group[0].start > MAX_COLUMNS
        if is_far:
            yield group
            group = []
        group.append(mark)
    yield group


def _window(marks: Sequence[_Mark]) -> _Window:
    line = marks[0].span.text
    if len(line) <= MAX_COLUMNS:
        return _Window(line, 0, len(line))
    start = marks[0].start
    end = min(max(mark.end for mark in marks), start + MAX_COLUMNS)
    room = (MAX_COLUMNS - (end - start)) // 2
    return _Window(line, max(start - room, 0), min(end + room, len(line)))


def _stroke(mark: _Mark, window: _Window) -> _Stroke:
    at = window.column(mark.start)
    return _Stroke(mark, at, max(1, window.column(mark.end) - at))


def _layers(strokes: Sequence[_Stroke]) -> list[list[_Stroke]]:
    """Return the strokes that stand below each other because they overlap: what the finding is about comes first."""
    layers: list[list[_Stroke]] = []
    for stroke in sorted(strokes, key=lambda one: one.mark.is_label):
        free = (layer for layer in layers if not any(stroke.overlaps(other) for other in layer))
        layer = next(free, None)
        if layer is None:
            layers.append(layer := [])
        layer.append(stroke)
    return [sorted(layer, key=lambda one: one.at) for layer in layers]


def _rows(layer: Sequence[_Stroke]) -> Iterator[list[tuple[int, str, str]]]:
    """Yield the rows of strokes that share one: column, text and style of each piece.

    The last one's text stands behind it, the others' hang below.
    """
    signs = [(one.at, one.sign, one.mark.style) for one in layer]
    if layer[-1].text:
        signs.append((layer[-1].at + layer[-1].length + 1, layer[-1].text, layer[-1].mark.style))
    yield signs
    hanging = [one for one in layer[:-1] if one.text]
    bars = [(one.at, "|", one.mark.style) for one in hanging]
    if bars:
        yield bars
    for at in reversed(range(len(hanging))):
        yield [*bars[:at], (hanging[at].at, hanging[at].text, hanging[at].mark.style)]
