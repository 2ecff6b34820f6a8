"""Plot: where the lines, marks and ticks of a line plot are. Drawing them is a template's matter.

Values are finite numbers of any size; places of the slider are whole numbers, days or times.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SHAPES", "Curve", "Drawn", "Mark", "Plot", "Point", "Size", "Tick", "plot"]

COLORS = 8
DASHES = ("", "7 4", "2 4", "10 4 2 4")
SHAPES = ("M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z", "M-3.6,-3.6h7.2v7.2h-7.2z", "M0,-4.8L4.6,3.4H-4.6z",
          "M0,-5L5,0L0,5L-5,0z", "M0,4.8L4.6,-3.4H-4.6z")  # fmt: skip
"""Marks around (0, 0). Color, dash and shape all differ, and there are 40 colors with shapes."""
STEPS = (1, 2, 2.5, 5, 10)
MAX_MARKS = 1_000
"""A plot has no more marks; its lines go through all points all the same."""
TINY = 1e-300
DAY = 86_400
LAST = datetime.date.max.toordinal() * DAY - DAY


@frozen
class Point:
    """A value at a place of the slider, `None` for no place; `address` is where it leads to, `said` what it is."""

    step: Any
    value: float
    address: str = ""
    said: str = ""


@frozen
class Size:
    """How large a plot is, and the room for the ticks' labels."""

    width: int = 1120
    height: int = 420
    left: int = 70
    bottom: int = 48
    right: int = 20
    top: int = 14


@frozen
class Tick:
    """Where a line of the grid is, and what stands beside it."""

    at: float
    label: str


@frozen
class Mark:
    """A point that is drawn."""

    x: float
    y: float
    point: Point


@frozen
class Drawn:
    """One line: the number of its color, its dashes, the form of its marks, and its path."""

    color: int
    dash: str
    shape: str
    path: str
    marks: tuple[Mark, ...]


Curve: TypeAlias = Sequence[Point]


@frozen
class Plot:
    """A plot, ready to be drawn. `skipped` points cannot be on it: a logarithm has no place for them."""

    size: Size
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]
    lines: tuple[Drawn, ...]
    skipped: int


def plot(curves: Sequence[Curve], size: Size, *, is_log: bool = False) -> Plot | None:
    """Return where everything is; `None` where there is no point to draw."""
    kept = [[one for one in curve if not is_log or one.value > 0] for curve in curves]
    points = [one for curve in kept for one in curve]
    if not points:
        return None
    is_time = isinstance(points[0].step, datetime.date)
    across = _Linear.around([_number(one.step) for one in points], 0.02, DAY if is_time else 1)
    scale = _Log if is_log else _Linear
    up = scale.around([_height(one.value, is_log=is_log) for one in points], 0.06)
    room = size.width - size.left - size.right, size.height - size.top - size.bottom

    def placed(one: Point) -> Mark:
        x, y = across.share(_number(one.step)), up.share(_height(one.value, is_log=is_log))
        return Mark(round(size.left + x * room[0], 1), round(size.top + (1 - y) * room[1], 1), one)

    every = math.ceil(len(points) / MAX_MARKS)
    lines = tuple(_drawn(at, [placed(one) for one in curve], every) for at, curve in enumerate(kept))
    ticks = _time_ticks(across, room[0]) if is_time else _whole_ticks(across, room[0])
    return Plot(
        size=size,
        xs=tuple(Tick(round(size.left + across.share(at) * room[0], 1), label) for at, label in ticks),
        ys=tuple(Tick(round(size.top + (1 - up.share(at)) * room[1], 1), _said(at)) for at in up.ticks(room[1] // 36)),
        lines=lines,
        skipped=sum(map(len, curves)) - len(points),
    )


def _height(value: float, *, is_log: bool) -> float:
    """A value as it is drawn: those next to the least float, by which nothing can be divided, are all one."""
    if is_log:
        return max(value, TINY)
    return value if abs(value) >= TINY else 0.0


def _drawn(at: int, marks: list[Mark], every: int) -> Drawn:
    path = "M" + "L".join(f"{one.x},{one.y}" for one in marks) if marks else ""
    dash = DASHES[at // COLORS % len(DASHES)]
    return Drawn(at % COLORS, dash, SHAPES[at % len(SHAPES)], path, tuple(marks[::every]))


def _number(step: Any) -> float:
    """A place of the slider as a number: of days, in seconds."""
    if isinstance(step, datetime.datetime):
        return (step - datetime.datetime.min).total_seconds()
    return step.toordinal() * float(DAY) - DAY if isinstance(step, datetime.date) else float(step)


@frozen
class _Linear:
    """A scale; `unit` is a power of ten that brings its ends near to one, so that none is too large to reckon with."""

    low: float
    high: float
    unit: float

    @classmethod
    def around(cls, values: Sequence[float], margin: float, alone: float | None = None) -> _Linear:
        """Return the scale of some values, with a margin as a part of it; `alone` is the one around a single value."""
        low, high = min(values), max(values)
        unit = _power(max(abs(low), abs(high)))
        low, high = low / unit, high / unit
        if low < high:
            room = (high - low) * margin
        else:
            room = (abs(high) or 1) / 2 if alone is None else max(alone / unit, abs(high) * 1e-9)
        return cls(low - room, high + room, unit)

    def share(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        return (value / self.unit - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> Iterator[float]:
        """Yield round numbers, about so many."""
        step = nice((self.high - self.low) / max(most, 1))
        at = math.ceil(self.low / step - 1e-9)
        while at * step <= self.high + step * 1e-9:
            tick = float(f"{at * step * self.unit:.12g}")
            if math.isfinite(tick):
                yield tick
            at += 1


@frozen
class _Log:
    """A scale of logarithms; `line` is the scale of these."""

    line: _Linear

    @classmethod
    def around(cls, values: Sequence[float], margin: float) -> _Log:
        """Return the scale of some values, which are greater than 0."""
        return cls(_Linear.around([math.log10(value) for value in values], margin))

    def share(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        return self.line.share(math.log10(value))

    def ticks(self, most: int) -> Iterator[float]:
        """Yield powers of ten; where there are few, some numbers between them, too."""
        low, high = self.line.low * self.line.unit, self.line.high * self.line.unit
        every = max(1, math.ceil((high - low) / max(most, 1)))
        between = (1, 2, 5) if high - low <= most / 3 else (1,)
        found = [
            factor * 10.0**power
            for power in range(max(-307, math.floor(low)), min(307, math.ceil(high)) + 1)
            for factor in between
            if power % every == 0
        ]
        fitting = [one for one in found if low <= math.log10(one) <= high]
        if high - low >= 1 and len(fitting) > 1:
            yield from fitting
        else:
            yield from (one for one in _Linear.around([10.0**low, 10.0 ** min(high, 308)], 0).ticks(most) if one > 0)


def nice(step: float) -> float:
    """Return a round number that is not less."""
    power = _power(step)
    return next(one * power for one in STEPS if one * power >= step * (1 - 1e-9))


def _power(value: float) -> float:
    """The power of ten at or below a number."""
    return float(f"1e{math.floor(math.log10(value))}") if value >= 1e-300 else 1.0  # noqa: PLR2004 - about the least


def _whole_ticks(scale: _Linear, room: int) -> list[tuple[float, str]]:
    ticks = [one for one in scale.ticks(max(2, room // 110)) if one == round(one)]
    if not ticks:
        ticks = [(scale.low + scale.high) / 2 * scale.unit]
    return [(one, _said(one)) for one in ticks]


def _time_ticks(scale: _Linear, room: int) -> list[tuple[float, str]]:
    low, high = scale.low * scale.unit, scale.high * scale.unit
    wanted = (high - low) / max(2, room // 130)
    steps = (1, 10, 60, 600, 3600, 6 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 365 * DAY)
    step = next((one for one in steps if one >= wanted), nice(wanted / DAY) * DAY)
    at = max(0, math.ceil(low / step)) * step
    found = []
    while at <= min(high, LAST):
        moment = datetime.datetime.min + datetime.timedelta(seconds=at)
        found.append((at, f"{moment:%Y-%m-%d}" if step >= DAY else f"{moment:%m-%d %H:%M:%S}"))
        at += step
    return found


def _said(number: float) -> str:
    if number == round(number) and abs(number) < 1e15:  # noqa: PLR2004 - what a float holds exactly
        return f"{number:,.0f}" if abs(number) < 1e7 else f"{number:g}"  # noqa: PLR2004 - what is still read
    return f"{number:.6g}"
