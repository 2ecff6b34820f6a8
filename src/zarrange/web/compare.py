"""Compare: the page where all arrays of a run, or of several, are looked at beside each other, at the same place.

The state of the page is its address; what does not fit there is a `BadRequestError`, what is not there (any more) is
said on the page, which shows what is nearest. The script of the page draws; without it, the page has the first pictures
and a form. The page begins before it is known what the runs have, for that may be very much.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from attrs import frozen
from starlette.routing import Route

from zarrange.errors import BadRequestError, ZarrangeError
from zarrange.language.arrangement import arrangement
from zarrange.view.comparison import comparison
from zarrange.view.runs import run_names
from zarrange.view.slices import MAX_PIXELS
from zarrange.web.alignment import Placing, Shape, across, along, shape_of
from zarrange.web.answers import in_thread, said
from zarrange.web.frame import failure, link, place_of, streamed, text_of, word
from zarrange.web.looking import OPACITY, OWN, Looking, start_of
from zarrange.web.requests import given, refuse_unknown, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from zarrange.identifiers import Value
    from zarrange.language.arrangement import Arrangement
    from zarrange.language.layout import Layout
    from zarrange.stores.store import Store
    from zarrange.view.axes import Axis
    from zarrange.view.comparison import Comparison, ShownPanel

__all__ = ["routes"]

MAX_RUNS = 4
PART = 2048
"""Pixels a side that are shown at first of a plane that is too large."""
MAX_LISTED = 400
"""Of more runs than these, one is typed in, not chosen from a list."""


def routes(store: Store) -> list[Route]:
    """Return the page of a store."""
    return [Route("/compare", partial(_answer, store), methods=["GET"])]


async def _answer(store: Store, request: Request) -> Response:
    try:
        return await in_thread(_page, store, request)
    except (ZarrangeError, ValueError) as error:
        return await in_thread(failure, store, request, error)


def _page(store: Store, request: Request) -> Response:
    refuse_unknown(request, (*OWN, *store.layout.fields))
    asked = _Asked(store, request)
    context = {"names": [asked.name(run) for run in asked.runs], "shown": asked.shown}
    return streamed(store, request, "compare.html", context)


@frozen
class _Row:
    """What is shown of one run."""

    run: Value | None
    name: str | None
    found: Comparison
    shapes: Mapping[str, Shape]


class _Asked:
    """What is asked for: `runs`, and what is `chosen` of other fields. Raises `BadRequestError` for what cannot be."""

    def __init__(self, store: Store, request: Request) -> None:
        self.store = store
        self.layout: Layout = store.layout
        self.request = request
        self.arranged: Arrangement = arrangement(store.layout)
        self.notices: list[str] = []
        self.names = run_names(store)
        self.chosen = self._chosen()
        self.runs = tuple(self._runs())
        self.looking = Looking(request, [panel.kind for panel in self.arranged.panels], self.notices)
        self.looking.check()

    def shown(self) -> Mapping[str, Any]:
        """Return what the template needs, or the `trouble` that kept it from being found."""
        try:
            return {"trouble": "", **_Comparing(self).context()}
        except (ZarrangeError, ValueError) as error:
            return {"trouble": said(error)}

    def name(self, run: Value | None) -> str | None:
        """Return a run as it is written in an address; `None` where nothing tells runs."""
        return None if self.arranged.by is None else text_of(self.layout, self.arranged.by, run)

    def _chosen(self) -> dict[str, Value | None]:
        names = [name for name in self.request.query_params if name in self.layout.fields]
        return {name: self._value(name, given(self.request, name) or "") for name in names if name != self.arranged.by}

    def _value(self, name: str, text: str) -> Value | None:
        return value_of(self.layout, name, text) if text else None

    def _runs(self) -> Iterator[Value | None]:
        """The runs that are asked for, at least one; a form sends an empty one for no further one."""
        by = self.arranged.by
        texts = self.request.query_params.getlist(by) if by else []
        asked = [self._value(by, text) for place, text in enumerate(texts) if text or not place] if by else []
        found = [one for one in dict.fromkeys(asked) if one is not None or None in self.names]
        if len(found) > MAX_RUNS:
            raise BadRequestError(f"{len(found)} values of `{by}` are given; at most {MAX_RUNS} stand side by side")
        for one in found:
            if one not in self.names:
                self.notices.append(f"There is no {word(by or '')} {text_of(self.layout, by or '', one)!r}.")
        yield from found or self.names[:1]


class _Comparing:
    """One answer in the making."""

    def __init__(self, asked: _Asked) -> None:
        self.asked = asked
        self.store = asked.store
        self.layout = asked.layout
        self.arranged = asked.arranged
        self.notices = asked.notices
        self.chosen = asked.chosen
        self.rows = tuple(self._rows(asked.runs))
        self.steps = tuple(sorted({step for row in self.rows for step in row.found.steps}))
        self.shared = self._shared_axes()
        self.state = self._state(asked.looking)

    # --- what there is ---

    def _rows(self, runs: Iterable[Value | None]) -> Iterator[_Row]:
        chosen: dict[str, Value | None] = dict(self.chosen)
        for run in runs:
            found = comparison(self.store, run, chosen)
            # The first run's choices are those of all, so that they can be compared.
            chosen = {**{one.field: one.chosen for one in found.choices if one.values}, **chosen}
            self.notices += [f"{one.path}: {one.reason}" for one in found.unreadable]
            shapes = {panel.kind: shape_of(self.store, self._candidates(panel)) for panel in found.panels}
            yield _Row(run, self.asked.name(run), found, shapes)

    def _candidates(self, panel: ShownPanel) -> Iterator[str]:
        """The arrays that may tell a panel's shape: the one that is shown first, the last one, the first one."""
        if panel.path:
            yield panel.path
        asked = self.chosen.get(self.arranged.slider or "")
        steps = [step for step in (asked, *[*panel.paths][-1:], *[*panel.paths][:1]) if step in panel.paths]
        yield from dict.fromkeys(panel.paths[step] for step in steps if step is not None)

    def _shared_axes(self) -> dict[str, Axis]:
        """The axes that have a slider, each as the first panel has it that goes along it."""
        found: dict[str, Axis] = {}
        for one in (one for row in self.rows for shape in row.shapes.values() for one in shape.others):
            known = found.get(one.name)
            if known is None or known.size == 1:
                found[one.name] = one
        return found

    @property
    def plane(self) -> tuple[Axis, Axis] | None:
        """The plane that all panels share: that of the first one."""
        return next((shape.plane for row in self.rows for shape in row.shapes.values() if shape.plane), None)

    # --- how it is looked at ---

    def _state(self, looking: Looking) -> dict[str, Any]:
        """Return how all is looked at, as plain data."""
        slider = self.arranged.slider or ""
        asked = self.chosen.get(slider)
        return {
            "step": looking.step(self.steps, self._last if asked is None else asked, word(slider)),
            "cut": looking.cut(self.shared),
            "range": looking.range(),
            "zoom": looking.zoom(),
            "at": looking.at(),
            "show": looking.shown(self.there),
            "labels": looking.labels(self.labels),
            "over": looking.over(self.over),
            "opacity": looking.opacity(),
        }

    @property
    def _last(self) -> Value | None:
        """The last place of the slider at which there is something of what is chosen."""
        there = {step for row in self.rows for panel in row.found.panels for step in panel.paths}
        return next((step for step in reversed(self.steps) if step in there), None)

    @property
    def there(self) -> tuple[str, ...]:
        """The kinds of which there is anything; all where there is nothing at all."""
        found = {panel.kind for row in self.rows for panel in row.found.panels if panel.path or panel.paths}
        return tuple(one.kind for one in self.arranged.panels if one.kind in found or not found)

    @property
    def labels(self) -> tuple[str, ...]:
        """The kinds that are drawn as labels."""
        typed = {kind for row in self.rows for kind, shape in row.shapes.items() if shape.is_labels}
        return tuple(one.kind for one in self.arranged.panels if one.over or one.kind in typed)

    @property
    def over(self) -> dict[str, str]:
        """The kinds that are drawn over others."""
        return {panel.kind: panel.over for panel in self.arranged.panels if panel.over}

    # --- what the page is given ---

    def context(self) -> dict[str, Any]:
        """Return what the template needs."""
        data = self._data()
        names = self.asked.names
        return {
            "data": data,
            "rows": [self._drawn(row, one) for row, one in zip(self.rows, data["rows"], strict=True)],
            "choices": [*self._choices()],
            "run_names": [self.asked.name(one) for one in names] if len(names) <= MAX_LISTED else None,
            "notices": [*dict.fromkeys(self.notices)],
            "state": self.state,
            "steps": data["slider"]["texts"] if data["slider"] else (),
            "absent": [word(one.kind) for one in self.arranged.panels if one.kind not in self.there],
            "most_runs": MAX_RUNS,
            "kinds": [panel.kind for panel in self.arranged.panels],
        }

    def _data(self) -> dict[str, Any]:
        """Return what the script needs, as plain data."""
        slider = self.arranged.slider
        texts = [text_of(self.layout, slider, step) for step in self.steps] if slider else []
        return {
            "by": self.arranged.by,
            "slider": {"name": slider, "word": word(slider), "texts": texts} if texts and slider else None,
            "fields": self._fields(),
            "choosable": [*dict.fromkeys(name for name, _ in self._fields())],
            "axes": [
                {"name": name, "size": axis.size, "start": start_of(axis), "role": axis.role}
                for name, axis in self.shared.items()
                if axis.size > 1
            ],
            "extent": self._extent(),
            "show": self.there,
            "labels": self.labels,
            "over": self.over,
            "opacity": OPACITY,
            "state": self.state,
            "maxPixels": MAX_PIXELS,
            "rows": [{"run": row.name, "panels": [*self._panels(row)]} for row in self.rows],
        }

    def _fields(self) -> list[tuple[str, str]]:
        """The runs and the choices, as the address has them."""
        by = self.arranged.by
        runs = [(by, row.name or "") for row in self.rows] if by else []
        return runs + [(name, text) for name, _, text in self._choices()]

    def _choices(self) -> Iterator[tuple[str, list[str], str]]:
        """Each field that can be chosen, the texts that there are for it, and which one is chosen."""
        for name in self.arranged.choices:
            found = [one for row in self.rows for one in row.found.choices if one.field == name and one.values]
            if found:
                values = [*dict.fromkeys(value for one in found for value in one.values)]
                chosen = found[0].chosen
                values += [] if chosen in values else [chosen]
                yield name, [text_of(self.layout, name, one) for one in values], text_of(self.layout, name, chosen)

    def _placed(self, shape: Shape) -> tuple[Placing, ...]:
        return across(shape.plane, self.plane) if shape.plane and self.plane else ()

    def _extent(self) -> tuple[float, float, float, float] | None:
        """What all panels show together, in pixels of the plane that they share: y0, x0, y1, x1."""
        placed = [pair for row in self.rows for shape in row.shapes.values() if (pair := self._placed(shape))]
        if not placed:
            return None
        low = [min(-one[axis].shift / one[axis].factor for one in placed) for axis in (0, 1)]
        high = [max((one[axis].size - one[axis].shift) / one[axis].factor for one in placed) for axis in (0, 1)]
        return low[0], low[1], high[0], high[1]

    def _panels(self, row: _Row) -> Iterator[dict[str, Any]]:
        for panel in row.found.panels:
            shape = row.shapes[panel.kind]
            placed = self._placed(shape)
            has_slider = bool(panel.paths) and bool(self.steps)
            yield {
                "kind": panel.kind,
                "word": word(panel.kind),
                "paths": [panel.paths.get(step) for step in self.steps] if has_slider else None,
                "path": panel.path,
                "note": panel.note,
                "axes": [
                    {"name": one.name, "role": one.role, **_plain(along(one, self.shared[one.name]))}
                    for one in shape.others
                ],
                "plane": dict(zip("yx", map(_plain, placed), strict=True)) if placed else None,
            }

    # --- without a script ---

    def _drawn(self, row: _Row, data: Mapping[str, Any]) -> dict[str, Any]:
        panels = [
            {**panel, "layers": self._layers(row, one), "address": place_of("/array", path) if path else None}
            for one, panel in zip(row.found.panels, data["panels"], strict=True)
            for path in [self._path(one)]
        ]
        by = self.arranged.by
        return {"name": row.name, "address": link(self.layout, "/run", {by: row.run} if by else {}), "panels": panels}

    def _path(self, panel: ShownPanel) -> str | None:
        return panel.paths.get(self.steps[self.state["step"]]) if panel.paths and self.steps else panel.path

    def _layers(self, row: _Row, panel: ShownPanel) -> list[dict[str, Any]]:
        """The pictures of a panel, the lowest first; none where there is no array at the place that is shown."""
        base = self.state["over"].get(panel.kind) if panel.kind in self.state["labels"] else None
        below = [one for one in row.found.panels if base is not None and one.kind == base != panel.kind]
        made = [self._picture(row, one) for one in (*below, panel)]
        return [one for one in made if one] if made[-1] else []

    def _picture(self, row: _Row, panel: ShownPanel) -> dict[str, Any] | None:
        path, shape = self._path(panel), row.shapes[panel.kind]
        cut = {one.name: along(one, self.shared[one.name]).index(self.state["cut"][one.name]) for one in shape.others}
        if path is None or None in cut.values():
            return None
        is_labels = panel.kind in self.state["labels"]
        index = ",".join(f"{name}:{place}" for name, place in cut.items())
        asked = {"cut": f"{index}{_region(shape)}", "labels": int(is_labels)}
        if not is_labels and not isinstance(self.state["range"], str):
            asked["range"] = ",".join(map(repr, self.state["range"]))
        return {"address": f"{place_of('/image', path)}?{urlencode(asked)}", "is_labels": is_labels}


def _plain(placing: Placing) -> dict[str, float]:
    return {"factor": placing.factor, "shift": placing.shift, "size": placing.size}


def _region(shape: Shape) -> str:
    """The middle of a plane that is too large for one picture, as a cut has it; empty for all others."""
    sizes = [axis.size for axis in shape.plane or ()]
    if math.prod(sizes) <= MAX_PIXELS:
        return ""
    starts = [max(0, (size - PART) // 2) for size in sizes]
    spans = [f"{start}:{min(size, start + PART)}" for start, size in zip(starts, sizes, strict=True)]
    return f"@{','.join(spans)}"
