"""Scores: numbers of the arrays' attributes over the slider, as a plot and as a table; each leads to its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.errors import BadRequestError, ZarrangeError
from zarrange.language.arrangement import arrangement
from zarrange.report.characters import printable
from zarrange.stores.amounts import counted
from zarrange.view.runs import run_names
from zarrange.view.scores import Line, Scores, scores
from zarrange.web.frame import is_sendable, link, streamed, text_of, word, words
from zarrange.web.pages.plot import Plot, Point, Size, plot
from zarrange.web.requests import choice, given, refuse_unknown, runs_of, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.identifiers import Value
    from zarrange.stores.store import Store
    from zarrange.view import scores as scored

__all__ = ["answer"]

FIRST_RUNS = 6
"""So many runs are drawn where none is chosen."""
MAX_RUNS = 200
"""A form has no more runs to choose from; the table of runs has all."""
MAX_LINES = 24
MAX_ROWS = 500
MAX_OPTIONS = 500
WIDE = Size()
NARROW = Size(width=400, height=320, left=58, bottom=44, right=12)


@frozen
class Asked:
    """What is asked for: runs (none: the first ones), a kind and a score (`None`: what there is), fields' values."""

    runs: tuple[Value | None, ...]
    kind: str | None
    name: str | None
    values: Mapping[str, frozenset[Value]]
    is_log: bool


@frozen
class Option:
    """Something to choose in a form."""

    text: str
    label: str
    is_chosen: bool


@frozen
class Selector:
    """A choice in a form: `name` of the parameter, and what there is to choose."""

    name: str
    label: str
    options: tuple[Option, ...]


@frozen
class Named:
    """A line, with what tells it from the others, and its points that have a place of the slider."""

    label: str
    points: tuple[Point, ...]


@frozen
class Shown:
    """All that is shown: the form, the plot in two sizes, the table, and what there is to say of it."""

    runs: tuple[Option, ...] = ()
    runs_said: str = ""
    selectors: tuple[Selector, ...] = ()
    name: str | None = None
    common: str = ""
    lines: tuple[Named, ...] = ()
    loose: tuple[tuple[str, Point], ...] = ()
    """Points without a place of the slider."""
    plots: tuple[Plot, ...] = ()
    rows: tuple[tuple[Any, tuple[Point | None, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    trouble: str = ""


def answer(store: Store, request: Request) -> Response:
    """Answer with a plot of `.score`, of a `.kind`, with `.log` on a logarithmic scale; fields choose lines."""
    layout = store.layout
    arranged = arrangement(layout)
    own = (".kind", ".score", ".log")
    refuse_unknown(request, (*own, *arranged.choices, *([arranged.by] if arranged.by else [])))
    kind = given(request, ".kind") or None
    if kind is not None and kind not in {panel.kind for panel in arranged.panels}:
        known = ", ".join(panel.kind for panel in arranged.panels)
        raise BadRequestError(f"`.kind` does not take {kind!r}; it takes one of {known}")
    values = {name: _values(store, request, name) for name in arranged.choices}
    asked = Asked(
        runs=runs_of(request, layout) if arranged.by else (),
        kind=kind,
        name=given(request, ".score") or None,
        values={name: found for name, found in values.items() if found},
        is_log=choice(request, ".log", ("0", "1"), "0") == "1",
    )
    return streamed(store, request, "scores.html", {"asked": asked, "show": _Making(store, asked).show})


def _values(store: Store, request: Request, name: str) -> frozenset[Value]:
    """Return the values of a field that are asked for; a form sends an empty one for all."""
    return frozenset(value_of(store.layout, name, text) for text in request.query_params.getlist(name) if text)


@frozen
class _Making:
    """What is shown, in the making."""

    store: Store
    asked: Asked

    def show(self) -> Shown:
        """Read the scores, and return what is shown."""
        try:
            names = run_names(self.store) if arrangement(self.store.layout).by else ()
            runs = self.asked.runs or names[:FIRST_RUNS]
            return self._shown(names, runs, scores(self.store, runs=runs, name=self.asked.name))
        except ZarrangeError as error:
            return Shown(trouble=str(error))

    def _shown(self, names: Sequence[Value | None], runs: Sequence[Value | None], found: Scores) -> Shown:
        lines = [line for line in found.lines if self._is_asked(line)]
        drawn = [line for line in lines if any(point.step is not None for point in line.points)]
        labels, common = told_apart(self.store, drawn[:MAX_LINES])
        named = [self._named(found, line, label) for line, label in zip(drawn, labels, strict=False)]
        curves = [line.points for line in named]
        plots = [plot(curves, size, is_log=self.asked.is_log) for size in (WIDE, NARROW)]
        rows = table(named)
        return Shown(
            runs=tuple(self._run_options(names, runs)),
            runs_said=self._runs_said(names, runs),
            selectors=tuple(self._selectors(found)),
            name=found.name,
            common=common,
            lines=tuple(named),
            loose=tuple(self._loose(found, lines)),
            plots=tuple(one for one in plots if one is not None),
            rows=rows[:MAX_ROWS],
            notes=tuple(self._notes(found, len(drawn), plots[0], rows)),
        )

    def _is_asked(self, line: Line) -> bool:
        if self.asked.kind not in {None, line.kind}:
            return False
        fields = self.store.layout.kind(line.kind).fields  # a kind that lacks a field does not care for it
        return all(line.choices.get(name) in wanted for name, wanted in self.asked.values.items() if name in fields)

    def _named(self, found: Scores, line: Line, label: str) -> Named:
        placed = [point for point in line.points if point.step is not None]
        return Named(label, tuple(self._point(found, line, point, label) for point in placed))

    def _loose(self, found: Scores, lines: Sequence[Line]) -> Iterator[tuple[str, Point]]:
        """Yield the points without a place of the slider, each with what it is of."""
        loose = [(line, point) for line in lines for point in line.points if point.step is None][:MAX_ROWS]
        labels, common = told_apart(self.store, [line for line, _ in loose])
        for (line, point), label in zip(loose, labels, strict=True):
            yield label or common, self._point(found, line, point, label)

    def _point(self, found: Scores, line: Line, point: scored.Point, label: str) -> Point:
        layout = self.store.layout
        arranged = arrangement(layout)
        values = {**({arranged.by: line.run} if arranged.by else {}), **line.choices}
        place = ""
        if arranged.slider and point.step is not None:
            values[arranged.slider] = point.step
            place = f" at {word(arranged.slider)} {text_of(layout, arranged.slider, point.step)}"
        said = f"{label}{': ' * bool(label)}{printable(found.name or '')} {point.value:.6g}{place}"
        return Point(point.step, point.value, link(layout, "/compare", values), said)

    # --- the form ----------------------------------------------------------------------------------------------------

    def _run_options(self, names: Sequence[Value | None], runs: Sequence[Value | None]) -> Iterator[Option]:
        by = arrangement(self.store.layout).by
        for name in dict.fromkeys([*runs, *names][:MAX_RUNS] if by else ()):
            text = text_of(self.store.layout, by, name) if by else ""
            if name is not None and is_sendable(text):
                yield Option(text, printable(text), name in runs)

    def _runs_said(self, names: Sequence[Value | None], runs: Sequence[Value | None]) -> str:
        by = arrangement(self.store.layout).by
        if by is None or self.asked.runs or len(runs) == len(names):
            return ""
        return f"None is chosen: the first {len(runs)} of {len(names):,} {words(by)} are shown."

    def _selectors(self, found: Scores) -> Iterator[Selector]:
        names = dict.fromkeys([*found.names, *([found.name] if found.name else [])])
        yield Selector(".score", "Score", tuple(Option(one, printable(one), one == found.name) for one in names))
        kinds = dict.fromkeys(line.kind for line in found.lines)
        if len(kinds) > 1:
            options = (Option(one, word(one), one == self.asked.kind) for one in kinds)
            yield Selector(".kind", "Kind", (_all(), *options))
        for name in arrangement(self.store.layout).choices:
            values = {line.choices[name] for line in found.lines if name in line.choices}
            if len(values) > 1 or name in self.asked.values:
                yield self._selector(name, {*values, *self.asked.values.get(name, ())})

    def _selector(self, name: str, values: set[Any]) -> Selector:
        chosen = self.asked.values.get(name, frozenset())
        texts = ((text_of(self.store.layout, name, value), value in chosen) for value in sorted(values))
        options = [Option(text, printable(text), is_chosen) for text, is_chosen in texts if is_sendable(text)]
        return Selector(name, word(name).capitalize(), (_all(), *options[:MAX_OPTIONS]))

    # --- what there is to say ----------------------------------------------------------------------------------------

    def _notes(self, found: Scores, lines: int, one: Plot | None, rows: Sequence[Any]) -> Iterator[str]:
        if lines > MAX_LINES:
            yield f"{MAX_LINES} of {lines:,} lines are shown; choose above to see others."
        if one is not None and one.skipped:
            yield f"{counted(one.skipped, 'point')} of 0 or less cannot be on a logarithmic scale."
        if len(rows) > MAX_ROWS:
            yield f"The table has the first {MAX_ROWS} of {len(rows):,} rows."
        if found.ambiguous:
            yield f"{counted(found.ambiguous, 'array')} may be something else, too: their paths have several readings."
        if found.cut_at is not None:
            yield f"Only the first {found.cut_at:,} arrays were looked at."
        if found.unreadable:
            first = found.unreadable[0]
            more = f" (and {len(found.unreadable) - 1:,} more)" if len(found.unreadable) > 1 else ""
            yield f"Not everything could be read: {first.path or '.'!r}: {first.reason}{more}"


def _all() -> Option:
    return Option("", "all", is_chosen=False)


def told_apart(store: Store, lines: Sequence[Line]) -> tuple[list[str], str]:
    """Return what each of some lines is called among the others, and what is the same of all."""
    arranged = arrangement(store.layout)
    told: list[dict[str, Value | None]] = [
        {**({arranged.by: line.run} if arranged.by else {}), "": line.kind, **line.choices} for line in lines
    ]
    names = [*([arranged.by] if arranged.by else []), "", *arranged.choices]
    differing = [name for name in names if len({one.get(name) for one in told}) > 1]
    labels = [" · ".join(_said(store, name, one[name]) for name in differing if name in one) for one in told]
    common = told[0] if told else {}
    parts = [
        _said(store, name, common[name], is_alone=True) for name in names if name not in differing and name in common
    ]
    return labels, ", ".join(parts)


def _said(store: Store, name: str, value: Value | None, *, is_alone: bool = False) -> str:
    """Return a value as a part of a line's name: a text speaks for itself among others, a number does not."""
    if not name:
        return word(str(value))
    text = printable(text_of(store.layout, name, value))
    return f"{word(name)} {text}" if is_alone or not isinstance(value, str) else text


def table(lines: Sequence[Named]) -> tuple[tuple[Any, tuple[Point | None, ...]], ...]:
    """Return the points of lines as rows, one for each place of the slider."""
    found = [{point.step: point for point in line.points} for line in lines]
    steps = sorted({step for line in found for step in line})
    return tuple((step, tuple(line.get(step) for line in found)) for step in steps)
