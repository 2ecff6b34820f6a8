"""Scores: the numbers that stand in the attributes of arrays, as lines over the slider.

`scores.dice` is the number `dice` in the attribute `scores`. Nothing is known of names: any number is a score, but for
what zarrange, OME-Zarr and voxels keep in attributes. What could not be read is told beside the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.errors import StoreError
from zarrange.identifiers import Value
from zarrange.language.arrangement import arrangement
from zarrange.stores.entries import Unreadable
from zarrange.stores.retention import Facts
from zarrange.stores.retention.scores import attribute, number
from zarrange.stores.seal import SEAL
from zarrange.view.listings import Gathering, likeliest, of_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.identifiers import Key
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["MAX_ARRAYS", "Line", "Point", "Scores", "scores"]

MAX_ARRAYS = 100_000
"""The attributes of so many arrays are read, unless told otherwise; that there are more is told."""
BATCH = 256
MAX_DEPTH = 3
"""So deep a number may stand: `scores.crop1.dice`."""
MAX_NAMES = 1_000
NOT_SCORES = frozenset(
    {
        SEAL,
        *("ome", "multiscales", "omero", "plate", "well", "labels", "image-label", "bioformats2raw.layout"),
        *("_ARRAY_DIMENSIONS", "dimension_names", "axis_names", "axes", "units", "types"),
        *("voxel_size", "resolution", "pixelResolution", "offset", "scale", "translation", "transform"),
    }
)
"""Attributes that say what an array is, not how good."""


@frozen
class Point:
    """A score: at which value of the slider, of which array. `step` is `None` for an array without one."""

    step: Value | None
    value: float
    path: str


@frozen
class Line:
    """The scores of the arrays of a kind that differ in nothing but the slider, in its order."""

    run: Value | None
    kind: str
    choices: Mapping[str, Value]
    points: tuple[Point, ...]


@frozen
class Scores:
    """Every name of a score that was seen, and the lines of one of them (`name`, `None` where there is none).

    `ambiguous` arrays may be something else, too. `cut_at` is how many arrays were looked at, where there are more.
    """

    slider: str | None
    names: tuple[str, ...]
    name: str | None
    lines: tuple[Line, ...]
    ambiguous: int
    unreadable: tuple[Unreadable, ...]
    cut_at: int | None


def scores(
    store: Store,
    *,
    kind: str | None = None,
    runs: Sequence[Value | None] = (),
    name: str | None = None,
    most: int = MAX_ARRAYS,
) -> Scores:
    """Return the scores of a kind of arrays, or of all, in some runs, or in all; at most so many arrays are looked at.

    Without a `name`, it is the one that most arrays have. Raises `UnknownKindError`; `ValueError` for a kind that is of
    no arrays; `FieldError` for what no run can be.
    """
    arranged = arrangement(store.layout)
    kinds = [panel.kind for panel in arranged.panels] if kind is None else [store.layout.kind(kind).name]
    if kind is not None and store.layout.kind(kind).sort != "array":
        raise ValueError(f"`{kind}` is no kind of arrays, which alone have scores")
    folding = _Folding(Gathering(store), arranged.by, arranged.slider, most)
    for filters, together in _searches(store, kinds, runs):
        folding.fold(together, filters)
    return folding.made(name)


def _searches(
    store: Store, kinds: Sequence[str], runs: Sequence[Value | None]
) -> list[tuple[dict[str, Any], list[str]]]:
    """Return filters for what some runs have, or for all that there is, each with the kinds that it is for."""
    found: dict[str | None, tuple[dict[str, Any], list[str]]] = {}
    for kind in kinds:
        filters = [of_run(store.layout, kind, run) for run in dict.fromkeys(runs)] if runs else [{}]
        given = [one for one in filters if one is not None]
        by = next(iter(given[0]), None) if given else None
        if given:
            together = {} if by is None else {by: [one[by] for one in given]}
            found.setdefault(by, (together, []))[1].append(kind)
    return [*found.values()]


@define
class _Folding:
    """Scores in the making: `_found` has, for each name, the points of each line."""

    gathering: Gathering
    by: str | None
    slider: str | None
    most: int
    _found: dict[str, dict[tuple[Any, ...], list[Point]]] = field(factory=dict)
    _keys: dict[tuple[Any, ...], Key] = field(factory=dict)
    _counts: dict[str, int] = field(factory=dict)
    _count: int = 0
    _ambiguous: int = 0
    _is_cut: bool = False

    def fold(self, kinds: Sequence[str], filters: Mapping[str, Any]) -> None:
        """Take in scores, some arrays at a time: those of format 2 are asked for in a file of each."""
        facts = Facts(self.gathering.store._backend)  # noqa: SLF001 - there is no other way to attributes
        for batch in _batches(self._limited(self.gathering.entries(kinds, filters))):
            for entry, attributes in zip(batch, facts.attributes(batch), strict=True):
                if isinstance(attributes, StoreError):
                    self.gathering.note(Unreadable(entry.path, str(attributes)))
                else:
                    self._add(entry, attributes)

    def _limited(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if self._count == self.most:
                self._is_cut = True
                return
            self._count += 1
            yield entry

    def _add(self, entry: Entry, attributes: Mapping[str, Any]) -> None:
        kind = likeliest(self.gathering.store.layout, entry)
        key = next(key for key in entry.keys if key.kind == kind)
        line = (kind, *((name, value) for name, value in key.values.items() if name != self.slider))
        step = None if self.slider is None else key.values.get(self.slider)
        found = dict(_numbers(attributes))
        self._ambiguous += bool(found) and entry.is_ambiguous
        for name, value in found.items():
            if name in self._found or len(self._found) < MAX_NAMES:
                self._found.setdefault(name, {}).setdefault(line, []).append(Point(step, value, entry.path))
                self._counts[name] = self._counts.get(name, 0) + 1
                self._keys.setdefault(line, key)

    def made(self, name: str | None) -> Scores:
        """Return the scores, with the lines of a name."""
        if name is None and self._counts:
            name = min(self._counts, key=lambda one: (-self._counts[one], one))
        lines = self._found.get(name, {}) if name is not None else {}
        return Scores(
            slider=self.slider,
            names=tuple(sorted(self._found)),
            name=name,
            lines=tuple(self._line(self._keys[line], points) for line, points in lines.items()),
            ambiguous=self._ambiguous,
            unreadable=self.gathering.unreadable,
            cut_at=self.most if self._is_cut else None,
        )

    def _line(self, key: Key, points: Iterable[Point]) -> Line:
        choices = {name: value for name, value in key.values.items() if name not in {self.by, self.slider}}
        run = None if self.by is None else key.values.get(self.by)
        return Line(run, key.kind, choices, tuple(sorted(points, key=_order)))


def _order(point: Point) -> Any:
    """What points are ordered by: those without a step come first."""
    return (False,) if point.step is None else (True, point.step)


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _numbers(attributes: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the scores among attributes, by the names that they can be asked for."""
    for name in _leaves({key: value for key, value in attributes.items() if key not in NOT_SCORES}, MAX_DEPTH):
        value = number(attribute(attributes, name))
        if value is not None and math.isfinite(value):
            yield name, value


def _leaves(attributes: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key, value in attributes.items():
        if not isinstance(value, Mapping):
            yield key
        elif depth > 1:
            yield from (f"{key}.{name}" for name in _leaves(value, depth - 1))
