"""What a layout says of how it is looked at, held against its fields and kinds.

What a file says itself must fit, or is reported. What it inherits gives way: a layout that takes a field or a kind
away, or says something else of it, need not know that the view of the one that it extends has a use for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from zarrange.diagnostics import Label, similar
from zarrange.language import faults
from zarrange.language.fields import DateField, IntField

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zarrange.diagnostics import Diagnostic
    from zarrange.language.document import Located, ViewSpec
    from zarrange.language.fields import Field
    from zarrange.language.source import KeyPath

__all__ = ["is_slidable", "sound_view"]


def is_slidable(field: Field) -> bool:
    """Whether the values of a field follow each other, so that a slider can go through them."""
    return isinstance(field, IntField | DateField)


def sound_view(
    view: ViewSpec,
    located: Located,
    fields: Mapping[str, Field | None],
    sorts: Mapping[str, str],
    report: Callable[[Diagnostic], None],
) -> ViewSpec:
    """Return what holds of a view. `fields` and `sorts` (of kinds) have the names of what is broken, too."""
    check = _Check(view, located, fields, sorts, report)
    by, slider = check.by(), check.slider()
    if by is not None and by == slider:
        by, slider = check.not_both(by)
    return evolve(view, by=by, slider=slider, panels=check.panels(), overlays=check.overlays())


class _Check:
    def __init__(
        self,
        view: ViewSpec,
        located: Located,
        fields: Mapping[str, Field | None],
        sorts: Mapping[str, str],
        report: Callable[[Diagnostic], None],
    ) -> None:
        self.view = view
        self.located = located
        self.known = fields
        self.sorts = sorts
        self.report = report

    def by(self) -> str | None:
        name = self.view.by
        return name if name is None or self._is_field(("view", "by"), name) else None

    def slider(self) -> str | None:
        name, path = self.view.slider, ("view", "slider")
        if name is None or not self._is_field(path, name):
            return None
        field = self.known[name]
        if field is None or is_slidable(field):
            return name
        message = f"`{name}` is a field of type `{field.type}`, which cannot be slid through"
        self._fault(faults.wrong_type, path, message, self._slidable())
        return None

    def not_both(self, name: str) -> tuple[str | None, str | None]:
        """Return what is left of a field that is to tell runs and to be slid through: the file's own word."""
        by, slider = ("view", "by"), ("view", "slider")
        if self.located.is_inherited(by) and not self.located.is_inherited(slider):
            return None, name
        message = f"`{name}` tells runs from each other, and cannot be slid through as well"
        self._fault(faults.contradictory_view, slider, message, "leave one of them out")
        return name, None

    def panels(self) -> tuple[str, ...]:
        kept: dict[str, int] = {}
        for at, name in enumerate(self.view.panels):
            if name in kept:
                label = Label(self.located.span(_panel(kept[name])), "the first time")
                message = f"`{name}` stands twice"
                self._fault(faults.contradictory_view, _panel(at), message, "take one of them out", label)
            elif self._is_array(_panel(at), name):
                kept[name] = at
        return tuple(kept)

    def overlays(self) -> dict[str, str]:
        """Return the overlays without those that close a circle; of what is inherited, the file's own are kept."""
        kept: dict[str, str] = {}
        overlays = {name: over for name, over in self.view.overlays.items() if self._is_overlay(name, over)}
        for name in sorted(overlays, key=lambda name: self.located.is_inherited(_overlay(name))):
            chain = [name, overlays[name]]
            while chain[-1] != name and chain[-1] in kept:
                chain.append(kept[chain[-1]])
            if chain[-1] == name:
                circle = " → ".join(f"`{one}`" for one in chain)
                message = f"the array is drawn over itself: {circle}"
                advice = "leave it out" if overlays[name] == name else "leave one of them out"
                self._fault(faults.contradictory_view, _overlay(name), message, advice)
            else:
                kept[name] = overlays[name]
        return {name: over for name, over in overlays.items() if name in kept}

    def _is_overlay(self, name: str, over: str) -> bool:
        path = _overlay(name)
        return all([self._is_array(path, name, is_key=True), self._is_array(path, over)])

    def _is_array(self, path: KeyPath, name: str, *, is_key: bool = False) -> bool:
        sort = self.sorts.get(name)
        if sort == "array":
            return True
        arrays = [one for one, sort in self.sorts.items() if sort == "array"]
        if sort is None:
            message = f"`{name}` is not a kind"
            self._fault(faults.unknown_kind, path, message, similar(name, arrays, "array"), is_key=is_key)
        else:
            message = f"`{name}` is a {sort}, and only arrays are drawn"
            self._fault(faults.wrong_type, path, message, similar(name, arrays, "array"), is_key=is_key)
        return False

    def _is_field(self, path: KeyPath, name: str) -> bool:
        if name in self.known:
            return True
        self._fault(faults.unknown_field, path, f"`{name}` is not a declared field", similar(name, self.known, "field"))
        return False

    def _slidable(self) -> str:
        names = ", ".join(f"`{name}`" for name, one in self.known.items() if one is not None and is_slidable(one))
        return f"use an `int`, `date` or `datetime` field: {names}" if names else "leave it out"

    def _fault(
        self, fault: faults.Fault, path: KeyPath, message: str, advice: str, *labels: Label, is_key: bool = False
    ) -> None:
        if not self.located.is_inherited(path):
            at = self.located.key_span if is_key else self.located.span
            self.report(fault(message, at(path), advice, labels))


def _panel(at: int) -> KeyPath:
    return ("view", "panels", at)


def _overlay(name: str) -> KeyPath:
    return ("view", "overlays", name)
