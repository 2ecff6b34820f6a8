"""Comparison: which arrays of a run stand beside each other, for what is chosen, at every place of the slider.

Choices come from what exists: each from what fits to those before it, and of a run with many steps from some of these
only. Only names and metadata are looked at, no chunks. What is not there, not readable or may be something else is
said in a panel's note; nothing of that raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.diagnostics import shown
from zarrange.identifiers import Value
from zarrange.language.arrangement import arrangement
from zarrange.language.selection import select
from zarrange.stores.entries import Unreadable
from zarrange.view.listings import Gathering, of_run, steps_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from zarrange.identifiers import Key
    from zarrange.language.arrangement import Panel
    from zarrange.language.layout import Layout
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["MAX_STEPS", "Choice", "Comparison", "ShownPanel", "comparison"]

MAX_STEPS = 50
"""Of more steps, choices are looked for at so many only, evenly spread, with the first, the last and the chosen one."""


@frozen
class Choice:
    """The values of a field that there are, `None` for its absence, and which of them is chosen.

    What was asked for is `chosen` whether or not it is there; without any value, it is `None`.
    """

    field: str
    values: tuple[Value | None, ...]
    chosen: Value | None


@frozen
class ShownPanel:
    """The arrays of a kind: `paths` by the slider's value, or one `path` for a kind without slider.

    `over` is the kind that it is drawn over. `note` says what there is to say, such as that there is no such array.
    """

    kind: str
    over: str | None
    paths: Mapping[Value, str]
    path: str | None
    note: str


@frozen
class Comparison:
    """What stands beside each other: every value of the slider that the run has, choices, and a panel for each kind."""

    run: Value | None
    slider: str | None
    steps: tuple[Value, ...]
    choices: tuple[Choice, ...]
    panels: tuple[ShownPanel, ...]
    unreadable: tuple[Unreadable, ...]


def comparison(
    store: Store,
    run: Value | None,
    chosen: Mapping[str, Value | None] | None = None,
    kinds: Iterable[str] | None = None,
) -> Comparison:
    """Return which arrays of a run stand beside each other: those of some kinds, or of all.

    `chosen` has values of fields, `None` where one is to be absent; for what it leaves out, the first value is chosen.
    Raises `UnknownKindError`, `ValueError` for a kind that is of no arrays, and `FieldError` for a field that the
    layout does not have and a value that does not fit.
    """
    chosen = dict(chosen or {})
    arranged = arrangement(store.layout)
    _check(store.layout, chosen)
    panels = [*arranged.panels] if kinds is None else _panels(store.layout, {*kinds})
    making = _Making(store, run, chosen, arranged.slider)
    making.walk(panels)
    making.choose([name for name in arranged.choices if any(name in panel.choices for panel in panels)], panels)
    shown_panels = tuple(making.panel(panel) for panel in panels)
    return Comparison(
        run, arranged.slider, making.steps, tuple(making.choices), shown_panels, making.gathering.unreadable
    )


def _panels(layout: Layout, kinds: Collection[str]) -> list[Panel]:
    """Return the panels of some kinds. Raises `UnknownKindError`, and `ValueError` for a kind of something else."""
    panels = {panel.kind: panel for panel in arrangement(layout).panels}
    for name in kinds:
        if layout.kind(name).name not in panels:
            raise ValueError(f"`{name}` is no kind of arrays, which alone are compared; known: {', '.join(panels)}")
    return [panel for name, panel in panels.items() if name in kinds]


def _check(layout: Layout, chosen: Mapping[str, Value | None]) -> None:
    """Raise `FieldError` for a field that the layout does not have, and a value that does not fit."""
    for name, value in chosen.items():
        select(layout, None, {name: [] if value is None else [value]})


def _spread(steps: Sequence[Value], also: Value | None) -> list[Value]:
    """Return steps that stand for all: the first, the last, some between, and one that is asked for."""
    if len(steps) <= MAX_STEPS:
        return [*steps]
    last = len(steps) - 1
    found = {steps[round(at * last / (MAX_STEPS - 1))] for at in range(MAX_STEPS)}
    return [step for step in steps if step in found or step == also]


@define
class _Making:
    """A comparison in the making: what was `picked` so far for each field that is chosen."""

    store: Store
    run: Value | None
    chosen: Mapping[str, Value | None]
    slider: str | None
    gathering: Gathering = field(init=False)
    steps: tuple[Value, ...] = field(init=False)
    choices: list[Choice] = field(init=False, factory=list)
    _sample: list[Value] = field(init=False)
    _picked: dict[str, Value | None] = field(init=False, factory=dict)
    _walked: Mapping[str, Sequence[Entry]] = field(init=False, factory=dict)
    _entries: dict[str, Sequence[Entry]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.gathering = Gathering(self.store)
        self.steps = steps_of(self.gathering, self.run)
        self._sample = _spread(self.steps, self.chosen.get(self.slider) if self.slider else None)

    def walk(self, panels: Sequence[Panel]) -> None:
        """Look for what has to be looked for as a whole."""
        self._walked = self.gathering.walked(panels, self.run)
        self._entries = dict(self._walked)

    # --- choices -----------------------------------------------------------------------------------------------------

    def choose(self, names: Iterable[str], panels: Sequence[Panel]) -> None:
        """Pick a value of each field: what is asked for, else the first that there is."""
        for name in names:
            found = {value for panel in panels if name in panel.choices for value in self._values(panel, name)}
            values = _ordered(found)
            picked = values[0] if values else None
            if self._is_asked(name):
                picked = self.chosen[name]
            self._picked[name] = picked
            self.choices.append(Choice(name, values, picked))

    def _is_asked(self, name: str) -> bool:
        """Whether a value was asked for; the absence of a field that no kind can do without is none."""
        if self.chosen.get(name) is None:
            kinds = self.store.layout.kinds.values()
            return name in self.chosen and any(name in kind.optional for kind in kinds if kind.sort == "array")
        return True

    def _values(self, panel: Panel, name: str) -> set[Value | None]:
        """Return what a kind has of a field, where it is as was picked so far."""
        filters = self._filters(panel, self._sample)
        if filters is None:
            return set()
        if panel.kind in self._walked or self.store.find(panel.kind, **{name: lambda _: True}).level(name) is None:
            return {key.values.get(name) for key in self._keys(panel) if _fits(key, panel, self._picked)}
        found: set[Value | None] = {*self.gathering.values(name, [panel.kind], filters)}
        if name in self.store.layout.kind(panel.kind).optional:
            without = self.gathering.entries([panel.kind], {**filters, name: None})
            found.update(None for _ in islice(without, 1))
        return found

    def _keys(self, panel: Panel) -> Iterator[Key]:
        """Yield the keys of what a kind has, which no part of a path tells: it is looked for once."""
        if panel.kind not in self._entries:
            filters = self._bare(panel, self._sample)
            found = () if filters is None else self.gathering.entries([panel.kind], filters)
            self._entries[panel.kind] = [*found]
        return (key for entry in self._entries[panel.kind] for key in _of(entry, panel.kind))

    def _bare(self, panel: Panel, steps: Sequence[Value] | None) -> dict[str, Any] | None:
        """Return the filter for what the run has of a kind at some steps; `None` where it can have nothing."""
        filters = of_run(self.store.layout, panel.kind, self.run)
        if filters is None or self.slider is None or not panel.has_slider or steps is None:
            return filters
        is_optional = self.slider in self.store.layout.kind(panel.kind).optional
        return {**filters, self.slider: [*steps, *([None] if is_optional else [])]}

    def _filters(self, panel: Panel, steps: Sequence[Value] | None) -> dict[str, Any] | None:
        """Return the filter for what was picked so far, too; `None` where a kind cannot be without a field."""
        filters = self._bare(panel, steps)
        optional = self.store.layout.kind(panel.kind).optional
        picked = {name: self._picked[name] for name in panel.choices if name in self._picked}
        if filters is None or any(value is None and name not in optional for name, value in picked.items()):
            return None
        return {**filters, **picked}

    # --- panels ------------------------------------------------------------------------------------------------------

    def panel(self, panel: Panel) -> ShownPanel:
        """Return the arrays of a kind that are as was picked."""
        paths: dict[Value, str] = {}
        path, ambiguous = None, []
        for entry, key in self._found(panel):
            step = key.values.get(self.slider) if self.slider else None
            if step is None:
                path = entry.path
            else:
                paths[step] = entry.path
            ambiguous += [entry] if entry.is_ambiguous else []
        note = _doubt(ambiguous, len(paths) + (path is not None), panel.kind) if paths or path else self._nothing(panel)
        return ShownPanel(panel.kind, panel.over, paths, path, note)

    def _found(self, panel: Panel) -> Iterator[tuple[Entry, Key]]:
        filters = self._filters(panel, None)
        if filters is None:
            return
        walked = self._walked.get(panel.kind)
        for entry in self.gathering.entries([panel.kind], filters) if walked is None else walked:
            key = next((key for key in _of(entry, panel.kind) if _fits(key, panel, self._picked)), None)
            if key is not None:
                yield entry, key

    def _nothing(self, panel: Panel) -> str:
        """What to say of a kind that has no such array."""
        picked = {name: self._picked.get(name) for name in panel.choices}
        said = [f"{name} {shown(value)}" for name, value in picked.items() if value is not None]
        return f"no {panel.kind}{' with ' * bool(said)}{', '.join(said)}"


def _ordered(values: set[Value | None]) -> tuple[Value | None, ...]:
    given: list[Any] = [value for value in values if value is not None]
    return (*([None] if None in values else []), *sorted(given))


def _of(entry: Entry, kind: str) -> Iterator[Key]:
    return (key for key in entry.keys if key.kind == kind)


def _fits(key: Key, panel: Panel, picked: Mapping[str, Value | None]) -> bool:
    return all(key.values.get(name) == picked[name] for name in panel.choices if name in picked)


def _doubt(ambiguous: Sequence[Entry], count: int, kind: str) -> str:
    """What to say of arrays that may be something else."""
    if not ambiguous:
        return ""
    others = [name for name in dict.fromkeys(key.kind for key in ambiguous[0].readings) if name != kind]
    what = " or ".join(others) if others else f"{kind} with other values"
    return f"{'' if count == 1 else f'{len(ambiguous)} of {count} arrays: '}ambiguous, may be {what} as well"
