"""Requests: what query parameters say. Fields of the layout go by their names; our own names begin with a dot.

Values are read strictly, as the command line reads them. Whatever does not fit is a `BadRequestError`, which says what
would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarrange.diagnostics import shown, similar
from zarrange.errors import BadRequestError
from zarrange.language.arrangement import arrangement
from zarrange.language.fields import Misfit

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from zarrange.identifiers import Value
    from zarrange.language.fields import Field
    from zarrange.language.layout import Layout

__all__ = ["choice", "chosen", "given", "number", "refuse_unknown", "run_of", "runs_of", "value_of"]


def given(request: Request, name: str) -> str | None:
    """Return the text of a parameter that is given once, `None` where it is not given."""
    found = request.query_params.getlist(name)
    if len(found) > 1:
        raise BadRequestError(f"`{name}` is given {len(found)} times; it is given once")
    return found[0] if found else None


def number(request: Request, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
    """Return a parameter that is a whole number."""
    text = given(request, name)
    if text is None:
        return default
    is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) <= MAX_DIGITS
    found = int(text) if is_number else None
    if found is None or found < least or (most is not None and found > most):
        top = f" to {most}" if most is not None else " on"
        raise BadRequestError(f"`{name}` does not take {shown(text)}; it takes a whole number, from {least}{top}")
    return found


MAX_DIGITS = 18


def choice(request: Request, name: str, choices: Collection[str], default: str) -> str:
    """Return a parameter that is one of some words."""
    text = given(request, name)
    if text is None:
        return default
    if text not in choices:
        raise BadRequestError(f"`{name}` does not take {shown(text)}; it takes one of {', '.join(choices)}")
    return text


def refuse_unknown(request: Request, known: Collection[str]) -> None:
    """Refuse parameters that mean nothing here: a typing error is not a default."""
    for name in request.query_params:
        if name not in known:
            raise BadRequestError(f"{shown(name)} is no parameter of this; {similar(name, known, 'parameter')}")


def value_of(layout: Layout, name: str, text: str) -> Value:
    """Return the value of a field that a text is written for."""
    field = _field(layout, name)
    try:
        return field.from_text(text)
    except Misfit as misfit:
        raise BadRequestError(f"field `{name}` {misfit}") from None


def _field(layout: Layout, name: str) -> Field:
    if name not in layout.fields:
        raise BadRequestError(f"{shown(name)} is no field of the layout; {similar(name, layout.fields, 'field')}")
    return layout.fields[name]


def runs_of(request: Request, layout: Layout) -> tuple[Value | None, ...]:
    """Return the runs that are asked for, in order; `None` where the layout has nothing to tell runs by.

    An empty text asks for what belongs to no run, where there may be such.
    """
    by = arrangement(layout).by
    if by is None:
        return (None,)
    texts = request.query_params.getlist(by)
    may_be_absent = any(by not in kind.fields or by in kind.optional for kind in layout.kinds.values())
    return tuple(dict.fromkeys(value_of(layout, by, one) if one or not may_be_absent else None for one in texts))


def run_of(request: Request, layout: Layout) -> Value | None:
    """Return the one run that is asked for."""
    found = runs_of(request, layout)
    if len(found) != 1:
        by = arrangement(layout).by
        raise BadRequestError(f"{len(found)} values of `{by}` are given; one is needed, as in ?{by}=NAME")
    return found[0]


def chosen(request: Request, layout: Layout) -> dict[str, Value | None]:
    """Return the values of fields that are asked for, but for what tells the runs. Ours (`.start`) are left out.

    An empty text, which no value has, asks for artifacts without the field.
    """
    by = arrangement(layout).by
    names = [name for name in request.query_params if name != by and not name.startswith(".")]
    texts = {name: given(request, name) for name in names}
    for name in names:
        _field(layout, name)
    return {name: value_of(layout, name, text) if text else None for name, text in texts.items()}
