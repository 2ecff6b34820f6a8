"""Selection: which artifacts of a layout are asked for, by kind and by the values of fields.

A filter is a value, a list or set of values, a `range`, a `slice(start, stop)` of anything ordered (for dates also the
pair `(start, stop)`; the start is in, the stop is not, `None` leaves an end open), or a predicate of the value. `None`
is the value of a field that is absent. Values must fit their fields, as in rendering: a typing error is not an empty
answer.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from zarrange.diagnostics import shown, similar
from zarrange.errors import FieldError, UnknownKindError
from zarrange.language.fields import FieldSpec, Misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.fields import Field
    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout

__all__ = ["ORDERED", "Between", "Selection", "Wanted", "ordered_fields", "read_filters", "select"]

ORDERED = frozenset({"int", "float", "date", "datetime"})
"""The types of fields that a slice has a meaning for."""
DAYS = frozenset({"date", "datetime"})


@frozen
class Wanted:
    """Which values of one field are wanted: some (`values`, where they can be counted), or those that pass `admits`.

    `None` among them stands for an artifact without the field. `text` says it for people.
    """

    admits: Callable[[Value | None], object]
    text: str
    values: tuple[Value | None, ...] | None = None
    is_predicate: bool = False


@frozen
class Selection:
    """Kinds, and what is wanted of their fields."""

    kinds: Mapping[str, Kind]
    wanted: Mapping[str, Wanted] = field(factory=dict)

    def admits(self, key: Key) -> bool:
        """Return whether a key is among what is asked for."""
        values = key.values
        return key.kind in self.kinds and all(one.admits(values.get(name)) for name, one in self.wanted.items())


def select(layout: Layout, kinds: str | Iterable[str] | None, filters: Mapping[str, object]) -> Selection:
    """Return the selection of some kinds: one, several, or (`None`) all that have the fields of `filters`.

    Raises `UnknownKindError`, and `FieldError` for a field that a kind does not have and a value that does not fit.
    """
    if kinds is not None:
        kinds = _names(kinds)
    label = _asked(kinds)
    for name in filters:
        if name not in layout.fields:
            raise FieldError(label, name, filters[name], f"is not in the layout; {_instead(layout, name)}")
    if kinds is None:
        chosen = {name: kind for name, kind in layout.kinds.items() if filters.keys() <= kind.fields.keys()}
        if not chosen:
            name, *others = filters
            reason = f"stands in no kind together with {', '.join(f'`{one}`' for one in others)}"
            raise FieldError(label, name, filters[name], reason if others else "stands in no kind's path")
    else:
        chosen = {name: layout.kind(name) for name in kinds}
        for kind in chosen.values():
            kind.refuse_unknown(filters)
    wanted = {name: _wanted(label, layout.fields[name], one) for name, one in filters.items()}
    for name, one in wanted.items():
        if one.values == (None,):
            chosen = {other: kind for other, kind in chosen.items() if name in kind.optional}
        if not chosen:
            raise FieldError(label, name, None, "is never absent; to have any value of it, leave the filter out")
    return Selection(chosen, wanted)


def ordered_fields(kind: Kind, wanted: Mapping[str, Wanted]) -> list[str]:
    """Return the fields of a kind that are numbers or days, and of which not just one value is wanted."""
    bound = {name for name, one in wanted.items() if one.values is not None and len(one.values) == 1}
    return [name for name, one in kind.fields.items() if one.type in ORDERED and name not in bound]


def _names(kinds: str | Iterable[str]) -> list[str]:
    if isinstance(kinds, str):
        return [kinds]
    names = [*kinds] if isinstance(kinds, Iterable) else [kinds]
    if not names:
        raise UnknownKindError("no kind is asked for; to have all of them, leave the kinds out")
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"a kind is given by its name, several by a list of names, not as {shown(kinds)}")
    return names


def _instead(layout: Layout, name: str) -> str:
    """What to write in the place of a field that the layout does not have."""
    if name in {"kind", "kinds"}:
        return "kinds are given first, without a name"
    return similar(name, layout.fields, "field")


def _asked(kinds: Sequence[str] | None) -> str:
    """What a refusal says the filter was given for."""
    return ", ".join(kinds or ()) or "filter"


def _wanted(label: str, one: Field, given: Any) -> Wanted:
    try:
        return _read(one, given)
    except Misfit as misfit:
        raise FieldError(label, one.name, given, str(misfit)) from None


def _read(one: Field, given: Any) -> Wanted:
    if isinstance(given, range):
        return _range(one, given)
    if isinstance(given, slice | tuple):
        given = _span(one, given)
    if isinstance(given, Between):
        return Wanted(given, str(given))
    if isinstance(given, list | set | frozenset):
        return _any_of([None if value is None else one.accept(value) for value in given])
    if isinstance(given, Iterable) and not isinstance(given, str):
        raise one.misfit(given, "several values are given as a list or a set")
    if callable(given):
        return Wanted(lambda value: value is not None and given(value), "where a predicate holds", is_predicate=True)
    return _any_of([None if given is None else one.accept(given)])


def _span(one: Field, given: slice | tuple[Any, ...]) -> Between:
    if isinstance(given, slice):
        if given.step is not None:
            raise one.misfit(given, "a slice has no step here")
        return _between(one, given, given.start, given.stop)
    if one.type not in DAYS or len(given) != 2:  # noqa: PLR2004 - a pair
        raise one.misfit(given, "a tuple is the start and the stop of days; several values are a list")
    return _between(one, given, *given)


def _any_of(values: list[Value | None]) -> Wanted:
    # 1, 1.0 and True are equal to Python; an accepted value is of its field's type, so that they do not meet here.
    found = dict.fromkeys(values)
    written = ["absent" if value is None else shown(value) for value in found]
    return Wanted(found.__contains__, f"= {' or '.join(written) or 'nothing'}", tuple(found))


def _range(one: Field, given: range) -> Wanted:
    if one.type != "int":
        raise one.misfit(given, "a range is of whole numbers")
    return Wanted(lambda value: value is not None and value in given, f"in {shown(given)}")


@frozen
class Between:
    """From `first` to `last`, which is in only if `is_closed`; `None` leaves an end open."""

    first: Any
    last: Any
    is_closed: bool = False

    def __call__(self, value: Value | None) -> bool:
        if value is None or (self.first is not None and value < self.first):
            return False
        return self.last is None or bool(value < self.last) or (self.is_closed and value == self.last)

    def __str__(self) -> str:
        ends = [] if self.first is None else [f"from {self.first}"]
        if self.last is not None:
            ends.append(f"{'to' if self.is_closed else 'up to, but without,'} {self.last}")
        return " ".join(ends) or "any"


def _between(one: Field, given: object, start: Any, stop: Any) -> Between:
    if one.type not in ORDERED:
        raise one.misfit(given, "its values have no order that a slice could go by")
    first, last = (None if end is None else _end(one, end) for end in (start, stop))
    return Between(first, last)


def _end(one: Field, end: Any) -> Any:
    """Return an end of a slice, which need not be within the field's limits; a day begins a time."""
    if one.type == "datetime" and type(end) is datetime.date:
        end = datetime.datetime(end.year, end.month, end.day)
    return _unlimited(one).accept(end)


def _unlimited(one: Field) -> Field:
    return type(one)(one.name, FieldSpec(type=one.type))


def read_filters(layout: Layout, kinds: Iterable[str], texts: Mapping[str, list[str]]) -> dict[str, object]:
    """Return the filters that a person wrote as texts, by field: `1000`, or `1000..5000` where values are ordered.

    Both ends of `1000..5000` are in, and each may be left out. Several texts are alternatives. Raises `FieldError`.
    """
    label = _asked([*kinds])
    found: dict[str, object] = {}
    for name, written in texts.items():
        one = layout.fields.get(name)
        if one is None:
            raise FieldError(label, name, written, f"is not in the layout; {_instead(layout, name)}")
        try:
            found[name] = _from_texts(one, written)
        except Misfit as misfit:
            raise FieldError(label, name, written, str(misfit)) from None
    return found


def _from_texts(one: Field, written: list[str]) -> object:
    spans = [text for text in written if ".." in text and one.type in ORDERED]
    if not spans:
        return [_from_text(one, text) for text in written]
    if len(written) > 1:
        raise Misfit("takes one range, or several values, each given as a filter of its own")
    first, last = written[0].split("..", 1)
    if one.type == "datetime" and (day := _day(last)) is not None:
        # The whole of the last day is meant.
        begin, end = _end_from_text(one, first), day + datetime.timedelta(days=1)
        if begin is not None and begin >= end:
            raise _backwards(written[0])
        return Between(begin, end)
    ends = _end_from_text(one, first), _end_from_text(one, last)
    if None not in ends and ends[0] > ends[1]:
        raise _backwards(written[0])
    return Between(*ends, is_closed=True)


def _from_text(one: Field, text: str) -> Value:
    try:
        return one.from_text(text)
    except Misfit as misfit:
        if one.type not in ORDERED:
            raise
        raise Misfit(f"{misfit}, or a range such as FROM..TO, FROM.. or ..TO") from None


def _backwards(text: str) -> Misfit:
    return Misfit(f"does not take {text!r}: the range ends before it begins")


def _end_from_text(one: Field, text: str) -> Any:
    day = _day(text) if one.type == "datetime" else None
    return (day or _unlimited(one).from_text(text)) if text else None


def _day(text: str) -> datetime.datetime | None:
    """Return the beginning of a day, where a text is one."""
    with suppress(ValueError):
        return datetime.datetime.strptime(text, "%Y-%m-%d")
    return None
