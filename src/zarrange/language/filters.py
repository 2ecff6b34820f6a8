"""Filters of templates: value → text and back.

A filter is a pair of directions. `pad`, `quote` and `date` are built in; others are given to `Layout.load(…,
filters=[…])` as a `Filter`. What a filter writes must be one path segment, or part of one, that reads back to the
same value; for a filter that is not built in this is checked each time that a path is rendered.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from attrs import field, frozen, validators

from zarrange.diagnostics import shown
from zarrange.language import dates
from zarrange.language.patterns import Language
from zarrange.language.quoting import QUOTED, quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["BUILT_IN", "Filter"]

MAX_WIDTH = 64


TYPES = frozenset({"str", "int", "path", "date", "datetime", "bool", "float"})
"""The field types that a filter may apply to."""


def _names(names: str | Iterable[str]) -> frozenset[str]:
    return frozenset([names] if isinstance(names, str) else names)


@frozen
class Filter:
    """A reversible filter of a template.

    `encode(value, *arguments)` gives the text, `decode(text, *arguments)` the value that it was made of; both raise
    `ValueError` for what they do not take. `takes` names the field types that it applies to. `pattern` is a
    regular expression that every text of it matches (given the arguments, where it is a function): a value for which
    `encode` gives another text is refused.
    """

    name: str = field(validator=validators.matches_re(r"[a-z][a-z0-9_]*"))
    encode: Callable[..., str] = field(validator=validators.is_callable())
    decode: Callable[..., Any] = field(validator=validators.is_callable())
    takes: frozenset[str] = field(default=("str",), converter=_names)
    pattern: str | Callable[..., str] = "[^/]+"
    is_exact: bool = field(default=False, init=False)
    """Every value comes back, `decode` refuses any text but the one that `encode` gives, and `pattern` names every
    character: nothing is checked again. Only built-in filters promise that."""
    is_built_in: bool = field(default=False, init=False)

    @takes.validator
    def _check_takes(self, _: object, names: frozenset[str]) -> None:
        if unknown := sorted(map(str, names - TYPES)):
            raise ValueError(f"`takes` names the field types {', '.join(sorted(TYPES))}, not {', '.join(unknown)}")

    def arguments_fault(self, arguments: tuple[Any, ...]) -> str | None:
        """Return why the filter does not take these arguments, or `None`."""
        try:
            if (signature := _signature(self.encode)) is not None:
                signature.bind(None, *arguments)
            Language([self.texts(arguments)])
        except TypeError:
            signature = _signature(self.encode)
            names = list(signature.parameters)[1:] if signature is not None else []
            return f"`{self.name}` takes {_counted(names)}, not {len(arguments)}"
        except ValueError as error:
            return str(error)
        return None

    def texts(self, arguments: tuple[Any, ...]) -> str:
        """Return the regular expression that every text of this filter matches."""
        return self.pattern if isinstance(self.pattern, str) else self.pattern(*arguments)

    def writes(self, text: str, arguments: tuple[Any, ...]) -> bool:
        """Return whether `pattern` has it that `encode` may give this text."""
        return _language(self.texts(arguments)).fullmatch(text)


@lru_cache(64)
def _language(pattern: str) -> Language:
    return Language([pattern])


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """The parameters of a function; some that are written in C do not tell them."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def _counted(names: list[str]) -> str:
    return f"{len(names)} argument{'s' * (len(names) != 1)}" + (f" ({', '.join(names)})" if names else "")


def _pad(value: int, width: int) -> str:
    return f"{value:0{width}d}"


def _unpad(text: str, width: int) -> int:
    value = int(text)
    if _pad(value, width) != text:
        raise ValueError(f"{text!r} is not {value} padded to {width} digits")
    return value


def _padded(width: int) -> str:
    if type(width) is not int or not 1 <= width <= MAX_WIDTH:
        raise ValueError(f"`pad` takes a width from 1 to {MAX_WIDTH}, not {shown(width)}")
    return "-?[0-9]+"


def _built_in(made: Filter, *, is_exact: bool) -> Filter:
    object.__setattr__(made, "is_exact", is_exact)
    object.__setattr__(made, "is_built_in", True)
    return made


BUILT_IN = (
    _built_in(Filter("pad", _pad, _unpad, frozenset({"int"}), _padded), is_exact=True),
    _built_in(Filter("quote", quote, unquote, frozenset({"str", "path"}), QUOTED), is_exact=True),
    _built_in(
        Filter("date", dates.encode, dates.decode, frozenset({"date", "datetime"}), dates.pattern), is_exact=False
    ),
)
