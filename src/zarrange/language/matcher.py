"""Variants → reading paths back: a path's text into every key that renders to it.

Most variants have one slot a segment: for those a plain Python function is put together, as in `renderer`, for each
number of segments. The others (several slots in one segment, slots of several segments) are split, see `splitting`.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from zarrange.errors import AmbiguousPathError
from zarrange.identifiers import Key
from zarrange.language.charsets import MAX_SEGMENT_BYTES
from zarrange.language.fields import IntField
from zarrange.language.nodes import assign, both, call, compare, constant, define, load, method
from zarrange.language.renderer import path_fault
from zarrange.language.slots import Slot
from zarrange.language.splitting import Splitting, is_by_segments, readings_by_characters
from zarrange.language.templates import Text
from zarrange.language.variants import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.variants import Segment

__all__ = ["Matcher", "segment_reader"]

MAX_COMMON_DIGITS = 17

Candidate: TypeAlias = "tuple[str, Variant]"
"""A kind's name, with one of its variants."""


class Matcher:
    """Reads paths by the variants of all kinds of a layout."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        by_count: dict[int, list[Candidate]] = {}
        self._candidates = list(candidates)
        self._others: list[Splitting] = []
        for kind, variant in self._candidates:
            if is_simple(variant):
                by_count.setdefault(len(variant.segments()), []).append((kind, variant))
            else:
                self._others.append(Splitting(kind, variant))
        self._by_count = {count: _compile(count, some) for count, some in by_count.items()}

    def match(self, path: str) -> Key | None:
        """Return the key whose path this is, or `None`. Raises `AmbiguousPathError` where there are several."""
        found = self._simple_readings(path)
        if self._others:
            found += islice(self._split_readings(path), 2)
        return self.only(path, found)

    @staticmethod
    def only(path: str, found: Sequence[Key]) -> Key | None:
        """Return the only reading of a path, or `None`. Raises `AmbiguousPathError` where there are several."""
        if not found:
            return None
        if len(found) > 1:
            raise AmbiguousPathError(path, found)
        return found[0]

    def matches(self, path: str) -> tuple[Key, ...]:
        """Return every key whose path this is, in order."""
        found = self._simple_readings(path)
        if self._others:
            found += self._split_readings(path)
        return tuple(sorted(found)) if len(found) > 1 else tuple(found)

    def readings_by_characters(self, path: str) -> tuple[Key, ...]:
        """Return what `matches` does, without all that makes it fast: the version that tests hold it against."""
        return tuple(sorted(readings_by_characters(self._candidates, path)))

    def _split_readings(self, path: str) -> Iterator[Key]:
        if path_fault(path):
            return
        segments = tuple(path.split("/"))
        for splitting in self._others:
            yield from splitting.readings(path, segments)

    def _simple_readings(self, path: str) -> list[Key]:
        if (len(path) > MAX_SEGMENT_BYTES or not path.isascii()) and path_fault(path):
            return []
        parts = path.split("/")
        read = self._by_count.get(len(parts))
        return read(parts=parts) if read is not None else []


def is_simple(variant: Variant) -> bool:
    """Whether every segment has at most one slot, and every slot one segment: splitting is certain."""
    has_multiple = any(isinstance(piece, Slot) and piece.is_multiple for piece in variant.pieces)
    return is_by_segments(variant) and not has_multiple


# --- the fast way ----------------------------------------------------------------------------------------------------


def _compile(count: int, candidates: Sequence[Candidate]) -> Callable[..., list[Key]]:
    """Return a function that takes the segments of a path and returns the keys that it reads as."""
    known, hand_in = _handing_in()
    new, set_kind, set_values, proxy = map(
        hand_in,
        (Key.__new__, Key.kind.__set__, Key.values.__set__, MappingProxyType),  # type: ignore[attr-defined]  # slots
    )
    key = hand_in(Key)
    names: list[ast.expr] = [ast.Name(f"_segment_{at}", ast.Store()) for at in range(count)]
    body: list[ast.stmt] = [
        ast.Assign([ast.Tuple(names, ast.Store())], load("parts")),
        assign("_found", ast.List([], ast.Load())),
    ]
    for kind, variant in candidates:
        reader = _Reader(variant, hand_in)
        body.append(
            ast.If(
                both(reader.tests()),
                [
                    assign("_made", call(new, load(key))),
                    ast.Expr(call(set_kind, load("_made"), constant(kind))),
                    ast.Expr(call(set_values, load("_made"), call(proxy, reader.values()))),
                    ast.Expr(method("append", load("_found"), load("_made"))),
                ],
                [],
            )
        )
    body.append(ast.Return(load("_found")))
    return define("read", ["parts"], body, known)


def _handing_in() -> tuple[dict[str, object], Callable[[object], str]]:
    """Return the objects that a function sees, and what adds one to them and says its name."""
    known: dict[str, object] = {}

    def hand_in(value: object) -> str:
        name = f"_{len(known)}"
        known[name] = value
        return name

    return known, hand_in


class _Reader:
    """The tests and the values of one variant."""

    def __init__(self, variant: Variant, hand_in: Callable[[object], str]) -> None:
        self.variant = variant
        self.hand_in = hand_in
        self.found: dict[str, str] = {}

    def tests(self) -> list[ast.expr]:
        """What must hold, the cheap tests first; each value is kept in a variable on the way."""
        literal: list[ast.expr] = []
        slots: list[ast.expr] = []
        for at, segment in enumerate(self.variant.segments()):
            name = f"_segment_{at}"
            if any(isinstance(piece, Slot) for piece in segment):
                slots += self._slot_tests(name, segment)
            else:
                text = "".join(piece.text for piece in segment if isinstance(piece, Text))
                literal.append(compare(load(name), ast.Eq(), constant(text)))
        return [*literal, *slots, *self._conditions()]

    def values(self) -> ast.expr:
        """The mapping of the key's values."""
        names = list(self.variant.given)
        found = [load(self.found[one]) if one in self.found else constant(self.variant.equal[one]) for one in names]
        return ast.Dict([constant(one) for one in names], found)

    def _conditions(self) -> Iterator[ast.expr]:
        for name, value in self.variant.equal.items():
            if name in self.found:
                yield compare(load(self.found[name]), ast.Eq(), constant(value))
        for name, ruled_out in self.variant.unequal.items():
            literals = ast.Tuple([constant(one) for one in ruled_out], ast.Load())
            yield compare(load(self.found[name]), ast.NotIn(), literals)

    def _slot_tests(self, segment: str, pieces: Segment) -> Iterator[ast.expr]:
        (at,) = [i for i, piece in enumerate(pieces) if isinstance(piece, Slot)]
        before = "".join(piece.text for piece in pieces[:at] if isinstance(piece, Text))
        behind = "".join(piece.text for piece in pieces[at + 1 :] if isinstance(piece, Text))
        slot: Any = pieces[at]
        text = load(segment)
        if before:
            yield method("startswith", text, constant(before))
        if behind:
            yield method("endswith", text, constant(behind))
        if before and behind:
            yield compare(call("_len", text), ast.Gt(), constant(len(before) + len(behind)))
        if before or behind:
            end = constant(-len(behind)) if behind else None
            cut = ast.Subscript(text, ast.Slice(constant(len(before)), end), ast.Load())
            inner = f"{segment}_inner"
            yield ast.NamedExpr(ast.Name(inner, ast.Store()), cut)  # empty is false, and no slot is empty
            text = load(inner)
        yield from self._value_tests(slot, text)

    def _value_tests(self, slot: Slot, text: ast.expr) -> Iterator[ast.expr]:
        name = slot.field.name
        again = name in self.found
        variable = f"_value_{len(self.found)}" + ("_again" if again else "")
        value = ast.NamedExpr(ast.Name(variable, ast.Store()), self._value(slot, text))
        yield compare(value, ast.IsNot(), constant(None))
        if slot.width is not None and isinstance(slot.field, IntField):
            if slot.field.min is not None:
                yield compare(constant(slot.field.min), ast.LtE(), load(variable))
            if slot.field.max is not None:
                yield compare(load(variable), ast.LtE(), constant(slot.field.max))
        if again:
            yield compare(load(variable), ast.Eq(), load(self.found[name]))
        else:
            self.found[name] = variable

    def _value(self, slot: Slot, text: ast.expr) -> ast.expr:
        """The value of a slot's text: by a quick test where that decides, else by the complete way."""
        complete = call(self.hand_in(slot.value), text)
        if slot.is_verbatim is not None:
            is_verbatim = call(self.hand_in(slot.is_verbatim), text)
            return ast.IfExp(is_verbatim, text, complete if slot.filters else constant(None))
        if slot.width is not None and slot.width < MAX_COMMON_DIGITS:
            digits = "0|[1-9][0-9]{0,17}"
            if slot.width > 1:
                digits = rf"[0-9]{{{slot.width}}}|[1-9][0-9]{{{slot.width},{MAX_COMMON_DIGITS}}}"
            is_common = call(self.hand_in(re.compile(digits).fullmatch), text)
            return ast.IfExp(is_common, call("_int", text), complete)
        return complete


@lru_cache(1024)
def segment_reader(segment: Segment) -> Callable[[str], Value | None]:
    """Return the function that reads the value of the one slot of a path segment, or `None`."""
    known, hand_in = _handing_in()
    reader = _Reader(Variant(segment), hand_in)
    body: list[ast.stmt] = [ast.If(both(reader.tests()), [ast.Return(load(*reader.found.values()))], [])]
    return define("read", [], body, known, positional=["_segment_0"])
