"""Samples: a few values of fields, the more readable ones first.

What is proved of layouts needs none of them; what is shown to people, and what a difference is tried out with, does.
All are really accepted by each of the fields. `texts` gives those of a language, the shortest first.
"""

from __future__ import annotations

import datetime
from collections import deque
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from zarrange.language.automaton import PREFERRED, Budget, Undecided, printable_of
from zarrange.language.fields import BoolField, DateField, FloatField, IntField, Misfit, StrField
from zarrange.language.fields.field import MAX_STATES
from zarrange.language.patterns import MAX_CODE, Language, PatternError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.fields import Field

__all__ = ["fits", "letters", "samples", "texts"]

MAX_SAMPLES = 10
SEARCH_STEPS = 2_000
"""How many steps the search for texts that fit patterns may take."""

_WORDS = ("a", "b", "a b", "a/b", "r1", "A", "é", "0", "1000", "a.b", "a_b", "ab", "c", "a/b/c", "x", "x:y", "a%20b")
_NUMBERS = (1000, 1, 0, 7, 123_456_789, -1)
_DAY = datetime.datetime(2026, 1, 31)
_DAYS = (
    _DAY,
    datetime.datetime(2026, 1, 31, 12, 30, 15),
    datetime.datetime(2025, 12, 1),
    datetime.datetime(2025, 12, 1, 0, 0, 0, 250_000),
)


def fits(field: Field, value: object) -> bool:
    """Return whether a field accepts a value."""
    with suppress(Misfit):
        field.accept(value)
        return True
    return False


def samples(*fields: Field) -> list[Value]:
    """Return some values of the first field that the others accept as well; none only where none were found."""
    first, *others = fields
    found: dict[Any, Value] = {}
    for value in _candidates(first, others):
        if fits(first, value) and all(fits(one, value) for one in others):
            found.setdefault((type(value), value), value)
            if len(found) >= MAX_SAMPLES:
                break
    return [*found.values()]


def _candidates(field: Field, others: Sequence[Field]) -> Iterator[Any]:
    chosen = [one.choices for one in (field, *others) if one.choices is not None]
    if chosen:
        yield from chosen[0]
    elif isinstance(field, BoolField):
        yield from (True, False)
    elif isinstance(field, StrField):
        yield from _WORDS
        with suppress(Undecided, PatternError):
            patterned = [one for one in (field, *others) if isinstance(one, StrField)]
            include, exclude = ([*chain(*(getattr(one.texts, part) for one in patterned))] for part in _PARTS)
            language = Language(include, exclude, MAX_STATES)
            yield from islice(texts(language, Budget(SEARCH_STEPS)), 2 * MAX_SAMPLES)
    elif isinstance(field, IntField | FloatField):
        to_number = int if isinstance(field, IntField) else float
        limits = [one for one in (field, *others) if isinstance(one, IntField | FloatField)]
        yield from map(to_number, _NUMBERS)
        yield from (0.5, 0.25) if to_number is float else ()
        yield from (to_number(limit + step) for limit in _limits(limits) for step in (0, 1, -1))
    elif isinstance(field, DateField):
        has_time = field.type == "datetime"
        yield from _DAYS if has_time else (day.date() for day in _DAYS)
        days = [one for one in (field, *others) if isinstance(one, DateField) and one.type == field.type]
        yield from _around(_limits(days), datetime.timedelta(seconds=1) if has_time else datetime.timedelta(days=1))


_PARTS = ("include", "exclude")


def _limits(fields: Iterable[Any]) -> Iterator[Any]:
    return (limit for one in fields for limit in (one.min, one.max) if limit is not None)


def _around(limits: Iterable[Any], step: datetime.timedelta) -> Iterator[Any]:
    for limit in limits:
        yield limit
        with suppress(OverflowError):
            yield limit + step
        with suppress(OverflowError):
            yield limit - step


# --- languages -------------------------------------------------------------------------------------------------------


def letters(language: Language) -> list[str]:
    """Return a character for each class of characters that a language tells apart, the most readable ones first."""
    classes = sorted(language.classes())
    cuts = sorted({0, *(cut for ranges in classes for low, high in ranges for cut in (low, high + 1))} - {MAX_CODE + 1})
    ends = [*cuts[1:], MAX_CODE + 1]
    alike: dict[tuple[bool, ...], list[range]] = {}
    for low, end in zip(cuts, ends, strict=True):
        signature = tuple(any(first <= low <= last for first, last in ranges) for ranges in classes)
        alike.setdefault(signature, []).append(range(low, end))
    found = [_readable(ranges) for ranges in alike.values()]
    return sorted(found, key=lambda one: (PREFERRED.find(one) % (len(PREFERRED) + 1), one))


def _readable(ranges: list[range]) -> str:
    preferred = (one for one in PREFERRED if any(ord(one) in codes for codes in ranges))
    return next(preferred, None) or printable_of(ranges) or chr(ranges[0][0])


def texts(language: Language, budget: Budget) -> Iterator[str]:
    """Yield texts of a language, the shortest first: some for each state that accepts.

    None are yielded only where there are none. Raises `Undecided`.
    """
    alphabet = letters(language)
    queue = deque([(language.start, "")])
    seen = {language.start.nodes}
    if language.start.accepts:
        yield ""
    while queue:
        state, text = queue.popleft()
        for letter in alphabet:
            # A step costs as much as the state has nodes.
            budget.spend(1 + len(state.nodes) // 8)
            behind = language.step(state, letter)
            if behind is None:
                continue
            if behind.accepts:
                yield text + letter
            if behind.nodes not in seen:
                seen.add(behind.nodes)
                queue.append((behind, text + letter))
