"""Folds: what many artifacts have in one field, said in one line.

Values are folded as they come: a range while they go by even steps, as iterations do in the order of their paths, else
a set that never grows beyond `MAX_VALUES`. What is said of them has no character that acts on a screen.
"""

from __future__ import annotations

import datetime
import re
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zarrange.identifiers import Value

__all__ = ["FEW", "Fold", "Values", "written"]

FEW = 5
"""So many values are listed as they are."""
FIRST = 3
"""Of more values, so many are listed."""
MAX_VALUES = 10_000
"""So many values of a field are told apart in each line; of more, it is only said that there are more."""
MAX_WRITTEN = 80
STEPPED = frozenset({"int", "date", "datetime"})
"""The types of fields whose values may go by steps."""
ORDERED = STEPPED | {"float"}

_is_plain = re.compile(r"[^\s,;·()'\"\\…]+").fullmatch


def written(value: Value | tuple[int, ...]) -> str:
    """Return a value, or a shape, for people: text as it is if it cannot be mistaken, else as Python quotes it."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, tuple):
        return "x".join(map(str, value)) or "()"
    if not isinstance(value, str):
        return repr(value)
    short = value if len(value) <= MAX_WRITTEN else f"{value[: MAX_WRITTEN - 1]}…"
    return short if _is_plain(short) and short.isprintable() else repr(short)


@frozen
class Values:
    """The values that some artifacts have in a field, or as their shape or data type.

    `count` is how many there are, at least, if `is_more`; `some` are all if they are few, else the first ones. Ordered
    values have a `first` and a `last`, and a `step` where all neighbors are as far from each other: in days for dates,
    in seconds for times. `absent` counts the artifacts without the field, `unclear` those whose readings differ in it.
    """

    field: str
    count: int
    some: tuple[Any, ...] = ()
    first: Any = None
    last: Any = None
    step: int | None = None
    is_more: bool = False
    absent: int = 0
    unclear: int = 0

    def __str__(self) -> str:
        names, rest = self.parts()
        return ", ".join(names) + rest

    def parts(self, most: int = FEW) -> tuple[list[str], str]:
        """Return the values that are listed, at most so many of them, and what stands behind them."""
        notes = [f"{self.absent:,} without"] if self.absent else []
        if not self.count:
            return (["unclear"], f" ({notes[0]})" if notes else "") if self.unclear else (["none"], "")
        notes += [f"{self.unclear:,} unclear"] if self.unclear else []
        listed, rest = [written(one) for one in self.some[:most]], ""
        if self.first is not None and self.last is not None and self.count > FIRST:
            listed, rest = [f"{written(self.first)} … {written(self.last)}"], self._stepped()
        elif len(listed) < self.count:
            rest = ", …"
        if len(listed) < self.count:
            notes.insert(0, f"more than {self.count:,}" if self.is_more else f"{self.count:,}")
        return listed, f"{rest} ({'; '.join(notes)})" if notes else rest

    def _stepped(self) -> str:
        if self.step is None:
            return ""
        if isinstance(self.first, datetime.datetime):
            return f", step {datetime.timedelta(seconds=self.step)}"
        if isinstance(self.first, datetime.date):
            return f", step {self.step} day{'s' * (self.step != 1)}"
        return f", step {self.step}"


@define
class Fold:
    """The values of a field as they come; `type` is the field's."""

    type: str
    absent: int = 0
    unclear: int = 0
    is_more: bool = False
    _previous: Any = None
    _first: Any = None
    _last: Any = None
    _step: Any = None
    _values: set[Any] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._values = None if self.type in STEPPED else set()

    def take(self, readings: Sequence[Any]) -> None:
        """Take in what an artifact has: one value in each of its readings, `None` where it is absent."""
        value = readings[0]
        if any(other != value for other in readings[1:]):
            self.unclear += 1
        elif value is None:
            self.absent += 1
        else:
            self.add(value)

    def add(self, value: Any) -> None:
        """Take in a value; most often it is the one before, again."""
        if value == self._previous:
            return
        self._previous = value
        if self._values is None:
            if self._goes_on(value):
                return
            self._values = set(islice(self._stepwise(), MAX_VALUES))
            self.is_more = self._is_longer(MAX_VALUES)
        self._add_to(self._values, value)

    def _goes_on(self, value: Any) -> bool:
        """Whether a value is in the range, or its next one."""
        if self._first is None:
            self._first = self._last = value
        elif value > self._last:
            if self._step is not None and value - self._last != self._step:
                return False
            self._step, self._last = value - self._last, value
        elif value < self._last:
            return bool(self._step is not None and value >= self._first and not (value - self._first) % self._step)
        return True

    def _add_to(self, values: set[Any], value: Any) -> None:
        if value not in values:
            if len(values) < MAX_VALUES:
                values.add(value)
            else:
                self.is_more = True
        if self.type in ORDERED:
            self._first = value if self._first is None else min(self._first, value)
            self._last = value if self._last is None else max(self._last, value)

    def _stepwise(self) -> Iterator[Any]:
        if self._first is None:
            return
        value = self._first
        while value < self._last:
            yield value
            value += self._step
        yield self._last

    def _is_longer(self, length: int) -> bool:
        return self._step is not None and (self._last - self._first) // self._step >= length

    def made(self, name: str) -> Values:
        """Return what was folded, as the values of the field `name`."""
        if self._values is None:
            step = self._step
            count = 0 if self._first is None else 1 if step is None else (self._last - self._first) // step + 1
            first = tuple(islice(self._stepwise(), FEW + 1))
        else:
            ordered = sorted(self._values)
            step, count, first = self._even_step(ordered), len(ordered), tuple(ordered[: FEW + 1])
        some = first if count <= FEW else first[:FIRST]
        ends = self._first, self._last, self._plain(step)
        return Values(name, count, some, *ends, self.is_more, self.absent, self.unclear)

    def _even_step(self, ordered: list[Any]) -> Any:
        if self.type not in STEPPED or self.is_more:
            return None
        steps = {later - earlier for earlier, later in pairwise(ordered)}
        return steps.pop() if len(steps) == 1 else None

    def _plain(self, step: Any) -> int | None:
        if not isinstance(step, datetime.timedelta):
            return None if step is None else int(step)
        if self.type == "date":
            return step.days
        return None if step.microseconds else int(step.total_seconds())
