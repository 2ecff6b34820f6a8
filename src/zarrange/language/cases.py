"""Cases: in which ways the values of a kind are rendered by its own template and by that of another kind.

A case is a variant of each, with the values that conditions of either settle. Together, the cases of a `Translation`
have every key of the old kind whose dropped fields have the values that they are fixed to.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from zarrange.language.fields import BoolField
from zarrange.language.samples import fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.changes import FieldChange, Translation
    from zarrange.language.fields import Field
    from zarrange.language.variants import Variant

__all__ = ["MAX_CASES", "Case", "TooManyCases", "cases"]

MAX_CASES = 256
"""In how many ways the conditions of a variant may turn out."""
_OTHER: Final = object()
"""Stands for all values of a field that no condition names."""


class TooManyCases(Exception):  # noqa: N818 - told as something that is not known
    """There are more cases than anybody would wait for."""


@frozen
class Case:
    """Values that variant `old` renders, and variant `new` as well; `new` is `None` where the other kind has no place.

    Of new fields, some are `known`, and others have none of the values that are `ruled_out`.
    """

    old: Variant
    new: Variant | None
    known: Mapping[str, Value]
    ruled_out: Mapping[str, frozenset[Value]]


def cases(way: Translation) -> list[Case]:
    """Return all cases that the fixed values leave. Raises `TooManyCases`."""
    return [case for variant in way.old.variants for case in _cases(way, variant)]


def _cases(way: Translation, variant: Variant) -> Iterator[Case]:
    if not all(_leaves(variant, change) for change in way.dropped.values()):
        return
    fixed = {name: one.fixed for name, one in way.added.items() if one.fixed is not None}
    names = {old: new for old, new in way.renamed.items() if old in variant.given}
    others = [one for one in way.new.variants if one.given.keys() == fixed.keys() | {*names.values()}]
    settled = {old: _settled(others, new) for old, new in names.items()}
    options = {new: _options(variant, way.old.fields[old], settled[old]) for old, new in names.items()}
    if prod(map(len, options.values())) > MAX_CASES:
        raise TooManyCases
    unsettled = {new: frozenset([*variant.unequal.get(old, ()), *settled[old]]) for old, new in names.items()}
    for chosen in product(*options.values()):
        known = {name: one for name, one in zip(options, chosen, strict=True) if one is not _OTHER} | fixed
        other = next((one for one in others if _applies(one, known)), None)
        yield Case(variant, other, known, {name: some for name, some in unsettled.items() if name not in known})


def _leaves(variant: Variant, change: FieldChange) -> bool:
    """Whether artifacts of a variant can be without a field that is dropped."""
    name = change.old or ""
    if change.fixed is None:
        return name not in variant.given
    is_ruled_out = change.fixed in variant.unequal.get(name, ())
    return name in variant.given and not is_ruled_out and variant.equal.get(name, change.fixed) == change.fixed


def _settled(variants: Sequence[Variant], name: str) -> list[Value]:
    """Return the values of a field that conditions name."""
    equal = [one.equal[name] for one in variants if name in one.equal]
    return [*dict.fromkeys([*equal, *(value for one in variants for value in one.unequal.get(name, ()))])]


def _options(variant: Variant, field: Field, settled: Sequence[Value]) -> list[Any]:
    """Return the values of a field that conditions tell apart, and whether it has others."""
    if field.name in variant.equal:
        return [variant.equal[field.name]]
    unequal = variant.unequal.get(field.name, ())
    possible = (True, False) if isinstance(field, BoolField) and field.choices is None else field.choices
    has_others = possible is None or any(one not in (*settled, *unequal) for one in possible)
    found: list[Any] = [one for one in settled if one not in unequal and fits(field, one)]
    return [*found, _OTHER] if has_others else found


def _applies(variant: Variant, known: Mapping[str, Value]) -> bool:
    """Whether a variant is the one for values of which these are known, and the others are none that variants name."""
    is_equal = all(name in known and known[name] == value for name, value in variant.equal.items())
    return is_equal and not any(known[name] in some for name, some in variant.unequal.items() if name in known)
