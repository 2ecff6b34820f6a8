"""Collisions: artifacts with paths of their own that another layout would put into one place, or into each other.

What the kinds of the old layout would be with the templates of the new one is proved free of clashes as a layout is.
A clash that is found is pulled back to two old keys; it counts as one that happens only if both are really mapped to
it and had nothing to do with each other before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

from zarrange.errors import FieldError
from zarrange.language.cases import TooManyCases, cases
from zarrange.language.changes import Obstacle
from zarrange.language.declarations import make_field
from zarrange.language.proof import prove
from zarrange.language.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zarrange.identifiers import Key
    from zarrange.language.changes import KindChange, ObstacleRule, Translation
    from zarrange.language.fields import Field
    from zarrange.language.inclusion import Refusal
    from zarrange.language.kinds import Kind
    from zarrange.language.proof import Clash
    from zarrange.language.variants import Variant

__all__ = ["collisions"]

_Refusals: TypeAlias = "Callable[[Field, Field], Refusal | None]"


def collisions(
    ways: Mapping[str, Translation], changes: Iterable[KindChange], refusals: _Refusals
) -> tuple[Obstacle, ...]:
    """Return which artifacts, of kinds that can be mapped, would clash in the new layout and did not before."""
    mapped = {one.old: one for one in changes if one.old is not None and one.paths is not None}
    if all(one.paths == "same" for one in mapped.values()):
        return ()
    taken = {name for name in ways for name in ways[name].old.fields}
    images = {name: _Image.of(ways[name], refusals, taken) for name in mapped}
    proof = prove({name: image.kind for name, image in images.items() if image.kind.variants})
    found = [
        _collision(clash, images)
        for clash in proof.clashes
        if any(mapped[name].paths != "same" for name in clash.kinds)
    ]
    if not proof.is_complete:
        message = "whether two artifacts may come to one place was too much to find out"
        found.append(Obstacle("shared-path", "unknown", message, tuple(mapped)))
    return tuple(found)


@frozen
class _Image:
    """An old kind with the template of the new one: `origins` has the old field of each field that it has."""

    way: Translation
    kind: Kind
    origins: Mapping[str, str]

    @classmethod
    def of(cls, way: Translation, refusals: _Refusals, taken: Iterable[str]) -> _Image:
        """Return the image of a kind; its fields are the old ones where the new ones take all their values."""
        fields: dict[str, Field] = {}
        origins: dict[str, str] = {}
        names = {new: old for old, new in way.renamed.items()}
        for name, target in way.new.fields.items():
            source = way.old.fields[names[name]] if name in names else None
            is_old = source is not None and _can_stand_for(source, target, way.new) and refusals(source, target) is None
            fields[name] = source if is_old and source is not None else _copy(target, taken)
            if source is not None:
                origins[fields[name].name] = source.name
        variants = [one for variant in _used(way) for one in _pictured(variant, way, fields)]
        kind = evolve(way.new, name=way.old.name, variants=tuple(variants), examples=(), renamed_from=None)
        return cls(way, kind, origins)

    def origin(self, key: Key, path: str) -> Key | None:
        """Return the old key that is mapped to this path, if it is the one of which this key is the image."""
        values = {self.origins[name]: value for name, value in key.values.items() if name in self.origins}
        values |= {name: one.fixed for name, one in self.way.dropped.items() if one.fixed is not None}
        try:
            known = self.way.old.key(values)
            return known if self.way.new.render(self.way.key(values).values).path == path else None
        except FieldError:
            return None


def _used(way: Translation) -> Sequence[Variant]:
    """Return the variants of the new kind that render a key of the old one."""
    try:
        used = {id(case.new) for case in cases(way)}
    except TooManyCases:
        return way.new.variants
    return [one for one in way.new.variants if id(one) in used]


def _can_stand_for(source: Field, target: Field, kind: Kind) -> bool:
    """Whether values of one field are written alike in the places of another."""
    slots = [one for variant in kind.variants for one in variant.pieces if isinstance(one, Slot)]
    filters = [some[0][0] for some in (one.filters for one in slots if one.field is target) if some]
    is_text = {source.type, target.type} <= {"str", "path"}
    return (is_text or source.type == target.type) and all(source.type in one.takes for one in filters)


def _copy(field: Field, taken: Iterable[str]) -> Field:
    """Return a field by another name, which no old field has."""
    name = f"new_{field.name}"
    while name in taken:
        name = f"new_{name}"
    made, _ = make_field(name, field.spec)
    return made or field


def _pictured(variant: Variant, way: Translation, fields: Mapping[str, Field]) -> Iterable[Variant]:
    """Yield a variant with other fields, if the fixed values leave it."""
    fixed = {name: one.fixed for name, one in way.added.items()}
    if any((value is None) == (name in variant.given) for name, value in fixed.items()):
        return
    settled = {name: value for name, value in fixed.items() if value is not None}
    if any(variant.equal.get(name, value) != value for name, value in settled.items()):
        return
    if any(value in variant.unequal.get(name, ()) for name, value in settled.items()):
        return
    equal = {**variant.equal, **settled}
    yield evolve(
        variant,
        pieces=tuple(
            evolve(one, field=fields[one.field.name]) if isinstance(one, Slot) else one for one in variant.pieces
        ),
        given={fields[name].name: fields[name] for name in variant.given},
        absent=frozenset(fields[name].name for name in variant.absent if name in fields),
        equal={fields[name].name: value for name, value in equal.items()},
        unequal={fields[name].name: some for name, some in variant.unequal.items() if name not in settled},
    )


def _collision(clash: Clash, images: Mapping[str, _Image]) -> Obstacle:
    is_nested = clash.rule == "nested-kinds"
    rule: ObstacleRule = "nested-path" if is_nested else "shared-path"
    origins = [images[key.kind].origin(key, path) for key, path in clash.readings]
    keys = tuple(one for one in origins if one is not None)
    if len(keys) == 2 and keys[0] != keys[1] and not _clash_before(keys, images, is_nested=is_nested):  # noqa: PLR2004
        (_, outer), (_, path) = clash.readings
        message = (
            f"two artifacts come to lie at {path!r}" if not is_nested else f"{path!r} comes to lie inside {outer!r}"
        )
        return Obstacle(rule, "some", message, clash.kinds, examples=keys)
    kinds = " and ".join(f"`{name}`" for name in clash.kinds)
    what = "one inside another" if is_nested else "at one path"
    return Obstacle(rule, "unknown", f"artifacts of {kinds} may come to lie {what}", clash.kinds)


def _clash_before(keys: Sequence[Key], images: Mapping[str, _Image], *, is_nested: bool) -> bool:
    outer, inner = (images[key.kind].way.old.render(key.values).path for key in keys)
    return inner.startswith(f"{outer}/") if is_nested else outer == inner
