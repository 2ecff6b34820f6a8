"""Arrangement: how the arrays of a layout are laid out to be looked at, for any layout.

One field tells runs from each other, one is slid through, the others are chosen, and each kind of array is a panel,
which may be drawn over another one. What the layout's `view:` does not say is told by its fields and templates: no name
means anything here. An arrangement names only what the layout has, and knows of no store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.language.fields import IntField, StrField
from zarrange.language.viewing import is_slidable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zarrange.language.fields import Field
    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout

__all__ = ["Arrangement", "Panel", "arrangement"]


@frozen
class Panel:
    """The place of an array kind: `choices` are its fields that are neither told by the run nor by the slider.

    `over` is the kind that it is drawn over, `None` where it stands alone.
    """

    kind: str
    choices: tuple[str, ...]
    has_slider: bool
    over: str | None


@frozen
class Arrangement:
    """What a layout's pages are headed by, the fields by what they are for, and a panel for each array kind."""

    title: str
    by: str | None
    slider: str | None
    choices: tuple[str, ...]
    panels: tuple[Panel, ...]


def arrangement(layout: Layout) -> Arrangement:
    """Return how the arrays of a layout are laid out: fields as declared, panels too where the view has no order."""
    view = layout.view
    arrays = {name: kind for name, kind in layout.kinds.items() if kind.sort == "array"}
    kinds = [arrays[name] for name in dict.fromkeys((*view.panels, *arrays))]
    by, slider = _roles(layout.fields, kinds, view.by, view.slider)

    def choices(used: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in layout.fields if name in used and name not in {by, slider})

    panels = tuple(
        Panel(kind.name, choices(kind.fields), slider in kind.fields, view.overlays.get(kind.name)) for kind in kinds
    )
    used = {name for kind in kinds for name in kind.fields}
    return Arrangement((view.title or "").strip() or layout.name, by, slider, choices(used), panels)


def _roles(
    fields: Mapping[str, Field], kinds: Sequence[Kind], by: str | None, slider: str | None
) -> tuple[str | None, str | None]:
    """Return the field that tells runs and the one that is slid through, what is given as it is."""
    found = by or _shared(kinds, but=slider)
    slides = slider or _slidable(fields, kinds, but=found)
    if by is None and slides is None and found is not None and is_slidable(fields[found]):
        return _shared(kinds, but=found), found  # a lone number is rather slid through
    return found, slides


def _shared(kinds: Sequence[Kind], *, but: str | None) -> str | None:
    """Return the first field of the paths that all kinds have: a name, where there is one."""
    first = kinds[0].fields if kinds else {}
    shared = [name for name in first if name != but and all(name in kind.fields for kind in kinds)]
    return min(shared, key=lambda name: not isinstance(first[name], StrField), default=None)


def _slidable(fields: Mapping[str, Field], kinds: Sequence[Kind], *, but: str | None) -> str | None:
    """Return the field to slide through that most kinds have, the first of them: a number, where there is one."""
    counts = {name: sum(name in kind.fields for kind in kinds) for name in fields if name != but}
    found = [name for name, count in counts.items() if count and is_slidable(fields[name])]
    return max(found, key=lambda name: (isinstance(fields[name], IntField), counts[name]), default=None)
