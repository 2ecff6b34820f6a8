"""Hypothesis strategies for layouts: values that fit a field, and all values of a kind.

What they draw is made of a field's own declaration (type, charset, pattern, choices, bounds) and never of the code that
renders it. Texts are short enough that even percent-encoded they are one file name.
"""

from __future__ import annotations

import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from hypothesis import strategies as st

from zarrange.language.fields import (
    BoolField,
    DateField,
    DatetimeField,
    Field,
    FloatField,
    IntField,
    Misfit,
    PathField,
    StrField,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from zarrange.identifiers import Value
    from zarrange.language.kinds import Kind
    from zarrange.language.variants import Variant

MAX_CHARACTERS = 16
"""A character is at most four bytes, and a byte three characters when it is quoted."""
MAX_MAGNITUDE = 10**30

PORTABLE = string.ascii_letters + string.digits + "._+=@-"
NAMES = ("r1", "ds_crop3", "threshold_127", "inputs", "raw", "output", "prediction", "all", "0", "1000", "-1", "a.zarr")
UNICODE_NAMES = (*NAMES, "a b [x]", "ecs&pm", "W(id=0, bias=0.1, context=(32, 32, 32))", "é", "%2F", "{{ run }}")
TEXT_NAMES = (
    *UNICODE_NAMES,
    "a/b",
    "..",
    ".",
    "/etc",
    "a\\b",
    "\0",
    "\n",
    "CON",
    "nul.txt",
    "e\N{COMBINING ACUTE ACCENT}",
)

_CHARACTERS = {
    "portable": st.sampled_from(PORTABLE),
    "unicode": st.just(" ") | st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\"),
    "text": st.characters(codec="utf-8"),
}
_NAMES = {"portable": NAMES, "unicode": UNICODE_NAMES, "text": TEXT_NAMES}


@lru_cache(256)  # a property test asks again for each of its examples
def values_of(kind: Kind) -> SearchStrategy[dict[str, Value]]:
    """Values that a kind takes: one of its variants, and a fitting value for each field that it has."""
    return st.one_of(*map(_values_of_variant, kind.variants))


def fitting(field: Field) -> SearchStrategy[Any]:
    """Values that fit a field."""
    if field.choices is not None:
        return st.sampled_from(field.choices)
    return _BY_TYPE[type(field)](field).filter(lambda value: fits(field, value))


def fits(field: Field, value: object) -> bool:
    """Whether a field takes a value."""
    try:
        field.accept(value)
    except Misfit:
        return False
    return True


def _values_of_variant(variant: Variant) -> SearchStrategy[dict[str, Value]]:
    def drawn(name: str, field: Field) -> SearchStrategy[Value]:
        if name in variant.equal:
            return st.just(variant.equal[name])
        ruled_out = variant.unequal.get(name, ())
        return fitting(field).filter(lambda value: value not in ruled_out)

    return st.fixed_dictionaries({name: drawn(name, field) for name, field in variant.given.items()})


def _texts(field: StrField) -> SearchStrategy[str]:
    charset = field.charset.name
    if field.spec.pattern is not None:
        alphabet = (
            _CHARACTERS[charset] if charset != "portable" else st.characters(include_characters=PORTABLE, codec="ascii")
        )
        return st.from_regex(field.spec.pattern, fullmatch=True, alphabet=alphabet).filter(_is_short)
    most = min(field.max_length or MAX_CHARACTERS, MAX_CHARACTERS)
    texts = st.text(_CHARACTERS[charset], min_size=1, max_size=most)
    if charset == "unicode":
        texts = texts.map(lambda text: normalize("NFC", text))
    return texts | st.sampled_from(_NAMES[charset])


def _is_short(text: str) -> bool:
    return len(text) <= 3 * MAX_CHARACTERS


def _paths(field: PathField) -> SearchStrategy[str]:
    return st.lists(_texts(field), min_size=1, max_size=3).map("/".join)


def _ints(field: IntField) -> SearchStrategy[int]:
    return st.integers(
        -MAX_MAGNITUDE if field.min is None else field.min, MAX_MAGNITUDE if field.max is None else field.max
    )


def _floats(field: FloatField) -> SearchStrategy[float]:
    return st.floats(field.min, field.max, allow_nan=False, allow_infinity=False)


def _bounded(strategy: Any) -> Any:
    def dates(field: DateField) -> SearchStrategy[Any]:
        bounds = {"min_value": field.min, "max_value": field.max}
        return strategy(**{name: bound for name, bound in bounds.items() if bound is not None})

    return dates


_BY_TYPE: dict[type[Field], Any] = {
    StrField: _texts,
    PathField: _paths,
    IntField: _ints,
    FloatField: _floats,
    BoolField: lambda _: st.booleans(),
    DateField: _bounded(st.dates),
    DatetimeField: _bounded(st.datetimes),
}
