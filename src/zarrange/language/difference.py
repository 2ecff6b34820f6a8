"""Difference: what a store would have to change to get from one layout to another, without looking at any store.

Kind by kind: what it becomes, whether any path changes, and whether every key has one of its own in the new layout.
`Difference.key` maps the keys by the same rules; a migration stands on it. What is wrong with a path as a whole (a name
of too many bytes, characters that combine where values meet) is left to it: nothing here is said of that.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from attrs import field, frozen

from zarrange.diagnostics import similar
from zarrange.errors import FieldError, UnknownKindError
from zarrange.language.automaton import Budget
from zarrange.language.changes import FieldChange, KindChange, Obstacle, PathPair, Paths, Translation
from zarrange.language.collisions import collisions
from zarrange.language.comparison import Comparison, field_changes
from zarrange.language.fields import Misfit
from zarrange.language.inclusion import ALL_STEPS, refusal
from zarrange.language.renaming import successors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zarrange.identifiers import Key, Value
    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout

__all__ = ["Difference", "FieldChange", "KindChange", "Obstacle", "PathPair", "Paths", "difference", "read_fixed"]


@frozen(slots=False)
class Difference:
    """What becomes of the kinds of `old` in `new`, in the order of `old`, those that are new last.

    `fixed` are values of fields that only one of the layouts has: artifacts have no other ones. `clashes` are artifacts
    that would come to share a path, or to lie inside of each other.
    """

    old: Layout
    new: Layout
    fixed: Mapping[str, Value | None]
    kinds: tuple[KindChange, ...]
    clashes: tuple[Obstacle, ...] = ()
    _ways: Mapping[str, Translation] = field(factory=dict, repr=False, eq=False, alias="ways")

    @property
    def problems(self) -> tuple[Obstacle, ...]:
        """Everything that keeps keys from being mapped: kind by kind, and what two of them do to each other."""
        return (*(one for change in self.kinds for one in change.problems), *self.clashes)

    @property
    def is_lossless(self) -> bool:
        """Whether every key that has the fixed values has a key of its own, and a path of its own."""
        return not self.problems

    @property
    def is_same(self) -> bool:
        """Whether every artifact has its place and its values in the new layout as they are: there is nothing to do."""
        return self.is_lossless and all(one.paths == "same" for one in self.kinds if one.old is not None)

    def key(self, old_key: Key) -> Key:
        """Return what a key of the old layout is in the new one.

        Raises `UnknownKindError` for a kind that the old layout does not have or that becomes none, and `FieldError`
        for what does not fit: the old kind's own fields, a value that is dropped, or the new kind's fields.
        """
        way = self._ways.get(old_key.kind)
        if way is None:
            kind = self.old.kind(old_key.kind)
            change = next(one for one in self.kinds if one.old == kind.name)
            raise UnknownKindError(change.problems[0].message)
        return way.key(old_key.values)

    def __reduce__(self) -> tuple[Callable[..., Difference], tuple[Layout, Layout, dict[str, Value | None]]]:
        return difference, (self.old, self.new, dict(self.fixed))


def difference(old: Layout, new: Layout, fixed: Mapping[str, object] | None = None) -> Difference:
    """Return the difference of two layouts.

    `fixed` has a value for fields that only one of the layouts has, or that only some kinds of it have: artifacts with
    other values of a dropped field are not mapped, and all get the value of a new one; `None` is no value. Raises
    `FieldError` for a value that its field does not take, or that nothing asks for.
    """
    ways = _ways(old, new, fixed or {})
    accepted = _accepted(old, new, fixed or {}, ways)
    refusals = lru_cache(None)(partial(refusal, budget=Budget(ALL_STEPS)))
    changes = []
    for name, kind in old.kinds.items():
        if name not in ways:
            changes.append(_dropped(kind, new))
        elif ways[name].new.sort != kind.sort:
            changes.append(_of_other_sort(ways.pop(name), new))
        else:
            changes.append(Comparison(ways[name], refusals).run())
    reached = {change.new for change in changes}
    changes += [KindChange(None, name) for name in new.kinds if name not in reached]
    clashes = collisions(ways, changes, refusals)
    return Difference(old, new, accepted, tuple(changes), clashes, ways)


def read_fixed(old: Layout, new: Layout, written: Mapping[str, str]) -> dict[str, Value]:
    """Return the fixed values that a person wrote as text. Raises `FieldError`."""
    found: dict[str, Value] = {}
    for name, text in written.items():
        fields = [one.fields[name] for one in (new, old) if name in one.fields]
        if not fields:
            raise _unasked(old, new, name, text)
        for one in fields:
            try:
                found[name] = one.from_text(text)
                break
            except Misfit as misfit:
                reason = str(misfit)
        else:
            raise FieldError("fixed value", name, text, reason)
    return found


def _ways(old: Layout, new: Layout, fixed: Mapping[str, object]) -> dict[str, Translation]:
    names = successors(
        *({name: one.renamed_from for name, one in side.kinds.items()} for side in (old, new)), may_merge=True
    )
    found = {}
    for name, becomes in names.items():
        one, other = old.kinds[name], new.kinds[becomes]
        changes = field_changes(one.fields, other.fields, fixed)
        found[name] = Translation(one, other, changes)
    return found


def _accepted(
    old: Layout, new: Layout, fixed: Mapping[str, object], ways: Mapping[str, Translation]
) -> dict[str, Value | None]:
    """Return the fixed values in their plain forms. Raises `FieldError` for one that nothing asks for."""
    found = {one.old or one.new: one.fixed for way in ways.values() for one in way.fields if one.is_fixed}
    for name, value in fixed.items():
        if name not in found:
            raise _unasked(old, new, name, value)
    return {name: found[name] for name in fixed}


def _unasked(old: Layout, new: Layout, name: str, value: object) -> FieldError:
    """Return the refusal of a fixed value that no kind has a use for."""
    if name in old.fields or name in new.fields:
        return FieldError("fixed value", name, value, "is neither dropped nor new in any kind, so it stays what it is")
    known = {**old.fields, **new.fields}
    return FieldError("fixed value", name, value, f"is in neither layout; {similar(name, known, 'field')}")


def _dropped(kind: Kind, new: Layout) -> KindChange:
    message = f"`{new.name}` has no kind `{kind.name}`"
    advice = f"declare the kind that it becomes with `renamed_from: {kind.name}`"
    return KindChange(kind.name, None, problems=(Obstacle("dropped-kind", "all", message, (kind.name,), help=advice),))


def _of_other_sort(way: Translation, new: Layout) -> KindChange:
    was, is_ = (f"{'an' if sort == 'array' else 'a'} {sort}" for sort in (way.old.sort, way.new.sort))
    message = f"`{way.old.name}` is {was}, and `{way.new.name}` of `{new.name}` is {is_}"
    problem = Obstacle("changed-sort", "all", message, (way.old.name,), help="give the new kind a name of its own")
    return KindChange(way.old.name, way.new.name, problems=(problem,))
