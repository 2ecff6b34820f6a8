"""Looking: what the address of the Compare page says of how its arrays are looked at.

What cannot be read is a `BadRequestError`. What does not fit the arrays that are there becomes what is
nearest, and a notice that says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from zarrange.diagnostics import shown
from zarrange.errors import BadRequestError
from zarrange.view.slices import Cut
from zarrange.web.requests import given

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from zarrange.view.axes import Axis

__all__ = ["OPACITY", "OWN", "RANGES", "Looking", "start_of"]

OWN = (".cut", ".range", ".zoom", ".at", ".show", ".labels", ".over", ".opacity")
OPACITY = 0.5
RANGES = ("kind", "own", "shared")
"""One range of intensities for all pictures of a kind, for each picture, or for all."""


def start_of(axis: Axis) -> int:
    """Return where an axis is cut unless it is said."""
    return 0 if axis.role == "channel" else axis.size // 2


@frozen
class Looking:
    """How arrays of some `kinds` are looked at; `notices` grow with what is not there."""

    request: Request
    kinds: Sequence[str]
    notices: list[str] = field(factory=list)

    def check(self) -> None:
        """Refuse what cannot be read, before anything is looked for."""
        alone = evolve(self, notices=[])
        for read in (alone.range, alone.zoom, alone.at, alone.opacity):
            read()
        alone.cut({})
        alone.shown(())
        alone.labels(())
        alone.over({})

    def step(self, steps: Sequence[Any], asked: Any, name: str) -> int:
        """Return which of all steps is shown: the one that is asked for, the nearest, or the last one."""
        if not steps or asked is None or asked in steps:
            return steps.index(asked) if asked in steps else len(steps) - 1
        nearest = min(steps, key=lambda step: abs(step - asked))
        self.notices.append(f"There is nothing at {name} {asked}; {nearest}, which is nearest, is shown.")
        return steps.index(nearest)

    def cut(self, axes: Mapping[str, Axis]) -> dict[str, int]:
        """Return where each axis is cut."""
        try:
            asked = dict(Cut.parse(given(self.request, ".cut") or "").index)
        except ValueError as error:
            raise BadRequestError(f"`.cut`: {error}") from None
        found: dict[str, int] = {}
        for name, axis in axes.items():
            wanted = asked.pop(name, start_of(axis))
            found[name] = min(max(wanted, 0), axis.size - 1)
            if found[name] != wanted:
                self.notices.append(f"{name} goes from 0 to {axis.size - 1}: {found[name]} is shown, not {wanted}.")
        self.notices.extend(f"No array here has an axis {name!r} to be cut on." for name in asked)
        return found

    def range(self) -> str | tuple[float, float]:
        """Return which range intensities are drawn in: a word, or from what to what."""
        text = given(self.request, ".range") or RANGES[0]
        if text in RANGES:
            return text
        low, high = self._numbers(".range", 2, f", or one of {', '.join(RANGES)}") or (0.0, 1.0)
        return low, high

    def zoom(self) -> float:
        """Return how much larger all is drawn than it would fit."""
        (found,) = self._numbers(".zoom", 1) or (1.0,)
        return max(1.0, found)

    def at(self) -> tuple[float, float] | None:
        """Return the pixel that is in the middle."""
        y, x = self._numbers(".at", 2) or (None, None)
        return None if y is None or x is None else (y, x)

    def opacity(self) -> float:
        """Return how much labels hide of what they are drawn over."""
        (found,) = self._numbers(".opacity", 1) or (OPACITY,)
        return min(1.0, max(0.0, found))

    def shown(self, default: Sequence[str]) -> Sequence[str]:
        """Return the kinds that are shown."""
        return self._kinds(".show", default)

    def labels(self, default: Sequence[str]) -> Sequence[str]:
        """Return the kinds that are drawn as labels."""
        return self._kinds(".labels", default)

    def over(self, default: Mapping[str, str]) -> Mapping[str, str]:
        """Return the kinds that are drawn over others."""
        text = given(self.request, ".over")
        if text is None:
            return default
        pairs = [one.partition(":") for one in text.split(",") if one]
        return {self._kind(".over", kind): self._kind(".over", base) for kind, _, base in pairs}

    def _kinds(self, name: str, default: Sequence[str]) -> Sequence[str]:
        text = given(self.request, name)
        return default if text is None else [self._kind(name, one) for one in text.split(",") if one]

    def _kind(self, name: str, kind: str) -> str:
        if kind not in self.kinds:
            raise BadRequestError(f"`{name}` does not take {shown(kind)}; it takes {', '.join(self.kinds)}")
        return kind

    def _numbers(self, name: str, count: int, others: str = "") -> tuple[float, ...] | None:
        text = given(self.request, name)
        if not text:
            return None
        try:
            found = tuple(map(float, text.split(",")))
        except ValueError:
            found = ()
        if len(found) != count or not all(map(math.isfinite, found)):
            what = "a number" if count == 1 else f"{count} numbers with a comma between them"
            raise BadRequestError(f"`{name}` does not take {shown(text)}; it takes {what}{others}")
        return found
