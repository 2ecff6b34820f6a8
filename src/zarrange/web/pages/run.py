"""Run: what one run has at each place of the slider, of each kind, with what is missing."""

from __future__ import annotations

import errno
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.errors import AmbiguousPathError, NotFoundError, ZarrangeError
from zarrange.language.arrangement import arrangement
from zarrange.view.listings import Gathering
from zarrange.view.matrix import Cell, Matrix, matrix
from zarrange.view.runs import RunSummary, run_names, run_summary
from zarrange.web.frame import is_sendable, link, streamed, text_of, word
from zarrange.web.requests import number, refuse_unknown, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.identifiers import Key, Value
    from zarrange.stores.store import Store

__all__ = ["answer"]

MAX_ROWS = 100
MAX_OTHERS = 500
"""A list to choose another run from has no more; the table of runs has all."""
MIN_EQUAL = 3
"""So many places must be equally far apart before one is missed between them."""


def answer(store: Store, request: Request) -> Response:
    """Answer with the matrix of a run, from the row `.start` on. Raises `NotFoundError` for a run that is not there."""
    by = arrangement(store.layout).by
    refuse_unknown(request, (".start", *([by] if by else [])))
    one = run_of(request, store.layout)
    showing = _Showing(store, one, number(request, ".start", 0), Gathering(store))
    context = {
        "run": one,
        "run_text": text_of(store.layout, by, one) if by else "",
        "showing": showing,
        "scores_page": link(store.layout, "/scores", {by: one} if by else {}),
        "others": _others(store, one),
    }
    return streamed(store, request, "run.html", context)


def _others(store: Store, one: Value | None) -> tuple[tuple[str, Value], ...]:
    """Return the other runs, each with its text. Raises `NotFoundError` where the one is not among all."""
    by = arrangement(store.layout).by
    if by is None:
        return ()
    try:
        names = run_names(store)
    except ZarrangeError:
        return ()  # not known is not absent
    if one not in names:
        raise NotFoundError(errno.ENOENT, f"there is no {word(by)} of this name", text_of(store.layout, by, one))
    others = [(text_of(store.layout, by, name), name) for name in names if name is not None and name != one]
    return tuple(pair for pair in others if is_sendable(pair[0])) if len(others) <= MAX_OTHERS else ()


@frozen
class _Outcome:
    """What was asked for, or why there is none."""

    found: Matrix | RunSummary | None
    trouble: str = ""


@frozen
class _Showing:
    """One run; a template calls these as it comes to them."""

    store: Store
    run: Value | None
    start: int
    gathering: Gathering

    def matrix(self) -> _Outcome:
        """Return the rows of this page."""
        try:
            return _Outcome(matrix(self.store, self.run, start=self.start, most=MAX_ROWS, gathering=self.gathering))
        except ZarrangeError as error:
            return _Outcome(None, str(error))

    def summary(self) -> _Outcome:
        """Return how much there is of everything, also of what is no array."""
        try:
            return _Outcome(run_summary(self.store, self.run, gathering=self.gathering))
        except ZarrangeError as error:
            return _Outcome(None, str(error))

    def compare(self, step: Value | None = None, cell: Cell | None = None) -> str:
        """Return where the run is compared: at a place of the slider, and where the first array of a cell is shown."""
        arranged = arrangement(self.store.layout)
        values: dict[str, Value | None] = {} if arranged.by is None else {arranged.by: self.run}
        if cell is not None and cell.path is not None:
            values |= self._values(cell.kind, cell.path)
        if arranged.slider is not None and step is not None:
            values[arranged.slider] = step
        return link(self.store.layout, "/compare", values)

    def skipped(self, found: Matrix) -> dict[Value, str]:
        """Return what to say before rows: that places of the slider are missing that all others would let expect."""
        what = "nothing that could be read" if found.unreadable else "nothing"
        return {step: f"{what} {where}" for step, where in gaps([row.value for row in found.rows]).items()}

    def unreadable(self, found: Matrix) -> frozenset[tuple[str, Value]]:
        """Return the cells, each by its kind and its place of the slider, in which something cannot be read."""
        slider = found.slider or ""
        keys = [key for one in found.unreadable for key in self._readings(one.path)]
        return frozenset((key.kind, key.values[slider]) for key in keys if slider in key.values)

    def page(self, start: int) -> str:
        """Return where the rows from another one on are."""
        by = arrangement(self.store.layout).by
        own = {".start": start} if start else {}
        return link(self.store.layout, "/run", {} if by is None else {by: self.run}, own)

    def pages(self, found: Matrix) -> tuple[str | None, str | None]:
        """Return where the rows before these and after these are."""
        before = self.page(max(0, self.start - MAX_ROWS)) if self.start else None
        after = self.page(self.start + MAX_ROWS) if self.start + MAX_ROWS < found.total else None
        return before, after

    def _values(self, kind: str, path: str) -> dict[str, Value]:
        return next((dict(key.values) for key in self._readings(path) if key.kind == kind), {})

    def _readings(self, path: str) -> tuple[Key, ...]:
        try:
            return self.store.layout.matches(path)
        except AmbiguousPathError:
            return ()


def gaps(steps: Sequence[Value]) -> dict[Value, str]:
    """Return where places of a slider are missing: where most are equally far apart, and two are several times so."""
    numbers = [step for step in steps if isinstance(step, int)]
    distances = [after - before for before, after in pairwise(numbers)]
    distance, count = Counter(distances).most_common(1)[0] if distances else (0, 0)
    if count < MIN_EQUAL or 2 * count <= len(distances):
        return {}
    return {
        after: _missing(before + distance, after - distance, distance)
        for before, after in pairwise(numbers)
        if after - before > distance and (after - before) % distance == 0
    }


def _missing(first: int, last: int, distance: int) -> str:
    if first == last:
        return f"at {first}"
    return f"at {first} to {last}, {(last - first) // distance + 1} places"
