"""Changes: what becomes of the kinds and keys of a layout in another one, as frozen data.

A `Translation` turns keys of one kind into keys of another by names and fixed values; values are never converted.
What it refuses, and how much of that is known beforehand, is told by obstacles. Nothing here decides or draws.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from zarrange.errors import FieldError
from zarrange.language.inclusion import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zarrange.identifiers import Key, Value
    from zarrange.language.kinds import Kind

__all__ = ["Extent", "FieldChange", "KindChange", "Obstacle", "ObstacleRule", "PathPair", "Paths", "Translation"]

ObstacleRule: TypeAlias = Literal[
    "dropped-kind",
    "changed-sort",
    "dropped-field",
    "new-field",
    "refused-value",
    "refused-combination",
    "shared-path",
    "nested-path",
]

Paths: TypeAlias = Literal["same", "changed", "unknown"]
"""Whether paths differ: none does, some do (there is an example), or the templates differ and no example was found."""


@frozen
class FieldChange:
    """What a field of a kind becomes: `old` is `None` for one that is new, `new` for one that is dropped.

    Of those, `is_fixed` says that all artifacts have the value `fixed`; `None` is that they have none.
    """

    old: str | None
    new: str | None
    is_fixed: bool = False
    fixed: Value | None = None


@frozen
class Obstacle:
    """Why keys of some old `kinds` have no key of their own in the new layout.

    `extent` says which of them: `all`, `some` (`examples` are such keys), or perhaps some: `unknown`, which is found
    out key by key.
    """

    rule: ObstacleRule
    extent: Extent
    message: str
    kinds: tuple[str, ...]
    field: str | None = None
    examples: tuple[Key, ...] = ()
    help: str | None = None


@frozen
class PathPair:
    """An artifact by both layouts: its keys and its paths, really rendered."""

    old: Key
    old_path: str
    new: Key
    new_path: str


@frozen
class KindChange:
    """What becomes of one kind: `old` is `None` for one that is new, `new` for one that is dropped.

    `paths` is `None` where none can be compared: one of the kinds is not there, or no key of it can be mapped. `fields`
    are told where both kinds are there, and of one sort.
    """

    old: str | None
    new: str | None
    fields: tuple[FieldChange, ...] = ()
    paths: Paths | None = None
    example: PathPair | None = None
    problems: tuple[Obstacle, ...] = ()


@frozen(eq=False, slots=False)
class Translation:
    """How keys of the kind `old` become keys of the kind `new`."""

    old: Kind
    new: Kind
    fields: tuple[FieldChange, ...] = field(repr=False)

    @cached_property
    def renamed(self) -> Mapping[str, str]:
        """The new name of each field that is kept."""
        return {one.old: one.new for one in self.fields if one.old is not None and one.new is not None}

    @cached_property
    def dropped(self) -> Mapping[str, FieldChange]:
        """The fields that the new kind does not have."""
        return {one.old: one for one in self.fields if one.old is not None and one.new is None}

    @cached_property
    def added(self) -> Mapping[str, FieldChange]:
        """The fields that the old kind does not have."""
        return {one.new: one for one in self.fields if one.new is not None and one.old is None}

    def key(self, values: Mapping[str, object]) -> Key:
        """Return the new key of an old one's values. Raises `FieldError`."""
        known = self.old.key(values).values
        for name, change in self.dropped.items():
            if known.get(name) != change.fixed:
                raise FieldError(self.old.name, name, known.get(name), self._why_not(change))
        kept = {new: known[old] for old, new in self.renamed.items() if old in known}
        return self.new.key({**kept, **{name: one.fixed for name, one in self.added.items()}})

    def _why_not(self, change: FieldChange) -> str:
        if not change.is_fixed:
            return f"has no place in `{self.new.name}`; it may only be left out"
        return f"has no place in `{self.new.name}`; the only value that is left out is {change.fixed!r}"
