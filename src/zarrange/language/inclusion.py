"""Inclusion: whether one field takes every value that another one takes, and if not, which one it refuses.

Numbers and days are compared by their limits, texts by their languages: what is left of the one without the other
is searched for its shortest text. A value that is given was really accepted by the one and refused by the other; that
there is none is only said where it is proved. What neither holds for is not known.
"""

from __future__ import annotations

import datetime
import math
import sys
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from attrs import frozen

from zarrange.language.automaton import Budget, Undecided
from zarrange.language.fields import (
    FIELD_TYPES,
    MAX_STATES,
    BoolField,
    DateField,
    FieldSpec,
    FloatField,
    IntField,
    Misfit,
    StrField,
)
from zarrange.language.fields.scalars import MAX_INT_DIGITS
from zarrange.language.patterns import Language, PatternError, Words
from zarrange.language.samples import fits, samples, texts
from zarrange.language.texts import is_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.fields import Field
    from zarrange.language.patterns import Part

__all__ = ["ALL_STEPS", "Extent", "Refusal", "refusal"]

ALL_STEPS = 2_000_000
"""How many steps the comparisons of all fields of two layouts may take together."""
STEPS = 100_000
"""How many steps the search for one text may take."""
TRIES = 100
"""How many texts are tried, where the language has more than the field takes."""
EXACT_FLOATS = 2**53
"""Up to here every whole number is a float."""
_CHARSETS = ("portable", "unicode", "text")
"""Each takes what the ones before it take."""

Extent: TypeAlias = Literal["all", "some", "unknown"]
"""Of how many things something holds: of all, of some of which there is an example, or perhaps of some."""


@frozen
class Refusal:
    """Values of one field that another one refuses: `value` is one, and `reason` why; of `unknown` there is none."""

    extent: Extent
    value: Value | None = None
    reason: str = ""


def refusal(source: Field, target: Field, budget: Budget | None = None) -> Refusal | None:
    """Return which values of `source` the field `target` refuses, or `None` where it takes them all."""
    if source.choices is not None:
        return _of_values(source.choices, target)
    if not _is_compatible(source, target):
        refused = _refused(samples(source), target)
        return Refusal("all", *refused) if refused else Refusal("unknown")
    if isinstance(source, BoolField):
        return _of_values((True, False), target)
    if isinstance(source, StrField) and isinstance(target, StrField):
        return _of_texts(source, target, budget or Budget(ALL_STEPS))
    return _of_ordered(source, target)


def _is_compatible(source: Field, target: Field) -> bool:
    """Whether the types have values in common: a value is never converted, but a whole number is a number."""
    if isinstance(source, StrField):
        return isinstance(target, StrField)
    return source.type == target.type or (source.type, target.type) == ("int", "float")


def _refused(values: Iterable[Value], target: Field) -> tuple[Value, str] | None:
    """Return the first value that a field refuses, and why."""
    for value in values:
        try:
            target.accept(value)
        except Misfit as misfit:
            return value, str(misfit)
    return None


def _of_values(values: tuple[Value, ...], target: Field) -> Refusal | None:
    refused = [one for one in ((_refused([value], target)) for value in values) if one is not None]
    return Refusal("all" if len(refused) == len(values) else "some", *refused[0]) if refused else None


# --- numbers and days ------------------------------------------------------------------------------------------------


def _of_ordered(source: Any, target: Any) -> Refusal | None:
    if target.choices is not None:
        return _of_counted(source, target)
    low, high = _interval(source)
    least, most = _interval(target)
    if source.type != target.type and not -EXACT_FLOATS <= low <= high <= EXACT_FLOATS:
        near = [EXACT_FLOATS + 1, -EXACT_FLOATS - 1, low, high, low + 1, high - 1]
        refused = _refused((one for one in near if low <= one <= high), target)
        return Refusal("some", *refused) if refused else Refusal("unknown")
    if least <= low and high <= most:
        return None
    # The value next to the limit of the one is within those of the other, or they have none in common.
    outside = _next(source, least, up=False) if low < least else _next(source, most, up=True)
    is_disjoint = high < least or most < low
    likely = samples(source) if isinstance(source, FloatField) else []  # the next float is no number to read
    refused = _refused([*likely, min(max(outside, low), high)], target)
    return Refusal("all" if is_disjoint else "some", *refused) if refused else Refusal("unknown")


def _of_counted(source: Any, target: Any) -> Refusal | None:
    """Compare with choices: of more values than there are choices, one is none of them."""
    values = [*samples(source), *islice(_ascending(source), len(target.choices) + 1)]
    refused = _refused(values, target)
    if refused is None:
        return None
    low, high = _interval(source)
    return Refusal("some" if any(low <= one <= high for one in target.choices) else "all", *refused)


def _ascending(source: Any) -> Iterator[Any]:
    value, high = _interval(source)
    yield value
    while value < high:
        value = _next(source, value, up=True)
        yield value


def _interval(field: Any) -> tuple[Any, Any]:
    """Return the least and the greatest value of a field without choices."""
    least, most = _widest(field)
    return (least if field.min is None else field.min), (most if field.max is None else field.max)


def _widest(field: Field) -> tuple[Any, Any]:
    if isinstance(field, IntField):
        return 1 - 10**MAX_INT_DIGITS, 10**MAX_INT_DIGITS - 1
    if isinstance(field, FloatField):
        return -sys.float_info.max, sys.float_info.max
    days = datetime.datetime if field.type == "datetime" else datetime.date
    return days.min, days.max


def _next(field: Field, value: Any, *, up: bool) -> Any:
    """Return the value behind another one, or before it."""
    sign = 1 if up else -1
    if isinstance(field, IntField):
        return math.floor(value) + 1 if up else math.ceil(value) - 1
    if isinstance(field, FloatField):
        behind = math.nextafter(value, math.inf * sign)
        return behind or 0.0  # the negative zero is none
    assert isinstance(field, DateField)  # noqa: S101 - nothing else has an order
    step = datetime.timedelta(microseconds=1) if field.type == "datetime" else datetime.timedelta(days=1)
    return value + sign * step


# --- texts -----------------------------------------------------------------------------------------------------------


class _Demand(NamedTuple):
    """Something that a field asks of texts: to match one pattern, or not to match one.

    If it is not exact, the field asks for more than the pattern says.
    """

    pattern: str | Part
    is_wanted: bool
    is_exact: bool = True


def _of_texts(source: StrField, target: StrField, budget: Budget) -> Refusal | None:
    # A text that somebody might have written says more than the shortest one.
    likely = [*samples(source), *(["a" * (target.max_length + 1)] if target.max_length is not None else [])]
    if (refused := _refused((text for text in likely if fits(source, text)), target)) is not None:
        return Refusal("all" if _is_disjoint(source, target, budget) else "some", *refused)
    is_known = True
    for demand in _demands(source, target):
        wanted, unwanted = ((), (demand.pattern,)) if demand.is_wanted else ((demand.pattern,), ())
        try:
            found = [*islice(_texts(source, wanted, unwanted, budget), TRIES)]
        except (Undecided, PatternError):
            is_known = False
            continue
        values = (text for text in found if fits(source, text))
        if (refused := _refused(values, target)) is not None:
            return Refusal("all" if _is_disjoint(source, target, budget) else "some", *refused)
        is_known = is_known and demand.is_exact and not found
    return None if is_known else Refusal("unknown")


def _texts(
    source: StrField, wanted: Sequence[str | Part], unwanted: Sequence[str | Part], budget: Budget
) -> Iterator[str]:
    """Yield texts of a field, and perhaps a few others, that match all of the one and none of the other."""
    known = source.texts
    language = Language((*known.include, *wanted), (*known.exclude, *unwanted), MAX_STATES)
    return texts(language, budget.part(STEPS))


def _is_disjoint(source: StrField, target: StrField, budget: Budget) -> bool:
    """Return whether two fields are known to have no value in common."""
    if target.choices is not None:
        return not any(fits(source, one) for one in target.choices)
    with suppress(Undecided, PatternError):
        return next(_texts(source, target.texts.include, target.texts.exclude, budget), None) is None
    return False


def _demands(source: StrField, target: StrField) -> Iterator[_Demand]:
    """Yield what `target` asks of a text, except for what every text of `source` is known to meet."""
    if not _has_narrower_charset(source, target):
        bare = FIELD_TYPES[target.type](target.name, FieldSpec(target.type, charset=target.spec.charset)).texts
        is_exact = bare.is_regular or source.charset.name == "portable" or is_ascii(source.spec.pattern or ".")
        yield from (_Demand(one, is_wanted=True, is_exact=is_exact) for one in bare.include)
        yield from (_Demand(one, is_wanted=False, is_exact=is_exact) for one in bare.exclude)
    if target.spec.pattern not in {None, source.spec.pattern}:
        yield _Demand(str(target.spec.pattern), is_wanted=True)
    yield from (_Demand(one, is_wanted=False) for one in target.spec.exclude if one not in source.spec.exclude)
    most = target.max_length
    if most is not None and (source.max_length is None or source.max_length > most):
        yield _Demand(rf"[\s\S]{{1,{most}}}", is_wanted=True)
    if target.choices is not None:
        yield _Demand(Words(tuple(map(str, target.choices))), is_wanted=True)


def _has_narrower_charset(source: StrField, target: StrField) -> bool:
    """Whether the charset of `source`, and whether it may have slashes, leaves nothing to ask for that of `target`."""
    is_narrower = _CHARSETS.index(source.charset.name) <= _CHARSETS.index(target.charset.name)
    return is_narrower and (source.type == "str" or target.type == "path" or target.charset.name == "text")
