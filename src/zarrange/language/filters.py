"""Filters of templates: value → text and back.

A filter is a pair of directions. `pad`, `quote` and `date` are built in; others are given to `Layout.load(…,
filters=[…])` as a `Filter`. What a filter writes must be one path segment, or part of one, that reads back to the
same value; for a filter that is not built in this is checked each time that a path is rendered.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from attrs import field, frozen, validators

from zarrange.diagnostics import shown
from zarrange.language import dates
from zarrange.language.charsets import DEVICES, METADATA, is_portable
from zarrange.language.patterns import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["BUILT_IN", "Filter"]

MAX_WIDTH = 64


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


@frozen
class Filter:
    """A reversible filter of a template.

    `encode(value, *arguments)` gives the text, `decode(text, *arguments)` the value that it was made of; both raise
    `ValueError` for what they do not take. `takes` names the field types that it applies to. `pattern` is a
    regular expression that every text of it matches (given the arguments, where it is a function).
    """

    name: str = field(validator=validators.matches_re(r"[a-z][a-z0-9_]*"))
    encode: Callable[..., str] = field(validator=validators.is_callable())
    decode: Callable[..., Any] = field(validator=validators.is_callable())
    takes: frozenset[str] = field(default=("str",), converter=_names)
    pattern: str | Callable[..., str] = "[^/]+"
    lossless: bool = False
    """Both directions are exact: every value comes back, `decode` refuses any text but the one that `encode` gives, and
    `pattern` names every character. Nothing is checked again then: a promise for the built-in filters to make."""

    def arguments_fault(self, arguments: tuple[Any, ...]) -> str | None:
        """Return why the filter does not take these arguments, or `None`."""
        try:
            inspect.signature(self.encode).bind(None, *arguments)
            Language([self.texts(arguments)])
        except TypeError:
            names = list(inspect.signature(self.encode).parameters)[1:]
            return f"`{self.name}` takes {_counted(names)}, not {len(arguments)}"
        except ValueError as error:
            return str(error)
        return None

    def texts(self, arguments: tuple[Any, ...]) -> str:
        """Return the regular expression that every text of this filter matches."""
        return self.pattern if isinstance(self.pattern, str) else self.pattern(*arguments)


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


_RESERVED = re.compile(rf"[.-]|{DEVICES}(?=\.|\Z)|{METADATA}\Z")
_UNSAFE = re.compile(rb"[^A-Za-z0-9._+=@-]")
_PERCENT = {bytes([byte]): b"%%%02X" % byte for byte in range(256)}


def _quote(text: str) -> str:
    if is_portable(text):
        return text
    quoted = _UNSAFE.sub(lambda match: _PERCENT[match[0]], text.encode()).decode()
    # A first character that would make the segment special is quoted too, and so is a dot at the end.
    if _RESERVED.match(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted


_QUOTED = "(?:[A-Za-z0-9._+=@-]|%[0-9A-F][0-9A-F])+"
_is_quoted = re.compile(_QUOTED).fullmatch


def _unquote(text: str) -> str:
    if not _is_quoted(text):
        raise ValueError(f"{text!r} is not percent-encoded text")
    value = unquote_to_bytes(text).decode()
    if _quote(value) != text:
        raise ValueError(f"{text!r} is not how {value!r} is quoted")
    return value


BUILT_IN = (
    Filter("pad", _pad, _unpad, frozenset({"int"}), _padded, lossless=True),
    Filter("quote", _quote, _unquote, frozenset({"str", "path"}), _QUOTED, lossless=True),
    Filter("date", dates.encode, dates.decode, frozenset({"date", "datetime"}), dates.pattern),
)
