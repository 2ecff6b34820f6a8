"""Variants → a plain Python function that validates values and renders paths.

The function is put together from Python's syntax nodes, never from source text: what comes out of a layout is only
ever a constant, or an object that is handed in under a made-up name. Common values are checked in line; whatever is
not common is left to `Slot.text`, which is complete and gives the reason of a refusal.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any
from unicodedata import is_normalized

from attrs import fields as attributes

from zarrange.errors import FieldError
from zarrange.language.charsets import MAX_SEGMENT_BYTES, segment_fault
from zarrange.language.fields import IntField, Misfit
from zarrange.language.nodes import assign, both, call, compare, constant, define, is_none, is_type, joined, load
from zarrange.language.templates import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zarrange.identifiers import Identifier
    from zarrange.language.fields import Field
    from zarrange.language.slots import Slot
    from zarrange.language.variants import Variant

__all__ = ["compile_renderer", "path_fault"]

COMMON_INT = 10**18
"""Beyond it, a whole number takes the complete way."""


def compile_renderer(
    kind: str, identifier: type[Identifier], fields: Mapping[str, Field], variants: Sequence[Variant]
) -> Callable[..., Any]:
    """Return the function that takes a kind's values by name and returns its identifier, relative to a root.

    It raises `FieldError`; for a name that is no field of the kind, `TypeError`, as any function does.
    """
    return _Compiler(kind, identifier, fields, variants).compile()


def path_fault(path: str) -> str | None:
    """Return what is wrong with a rendered path as a whole, or `None`.

    Slots and texts were checked one by one; what is left is the length of their segments, and that characters
    which meet at a seam do not combine.
    """
    if len(path) <= MAX_SEGMENT_BYTES and path.isascii():
        return None
    if not is_normalized("NFC", path):
        return "where two values meet, characters combine: the path is not in Unicode normal form NFC"
    return next(
        (f"of the segment '{one[:20]}…', {why}" for one in path.split("/") if (why := segment_fault(one))), None
    )


class _Compiler:
    def __init__(
        self, kind: str, identifier: type[Identifier], fields: Mapping[str, Field], variants: Sequence[Variant]
    ) -> None:
        self.kind = kind
        self.identifier = identifier
        self.fields = fields
        self.variants = variants
        self.known: dict[str, object] = {}

    def compile(self) -> Callable[..., Any]:
        body: list[ast.stmt] = [self._accepted(name) for name in self.fields if self._is_compared(name)]
        for variant in self.variants:
            tests = self._tests(variant)
            body += [ast.If(both(tests), self._leaf(variant), [])] if tests else self._leaf(variant)
        refusal = call(self._hand_in(self._refusal), *(load(name) for name in self.fields))
        body.append(ast.Raise(refusal))
        return define("render", list(self.fields), body, self.known)

    def _hand_in(self, value: object) -> str:
        """Make an object known to the function; the name cannot be a field's, which has no leading underscore."""
        name = f"_{len(self.known)}"
        self.known[name] = value
        return name

    def _is_compared(self, name: str) -> bool:
        return any(name in variant.equal or name in variant.unequal for variant in self.variants)

    def _accepted(self, name: str) -> ast.stmt:
        """Bring a value that conditions compare into its plain form first."""
        accepted = call(self._hand_in(self._accepter(self.fields[name])), load(name))
        return ast.If(is_none(name, wanted=False), [assign(name, accepted)], [])

    def _tests(self, variant: Variant) -> list[ast.expr]:
        """What tells this variant from the others."""
        tests: list[ast.expr] = []
        for name in self.fields:
            if name not in variant.given:
                tests.append(is_none(name))
            elif name in variant.equal:
                tests.append(compare(load(name), ast.Eq(), constant(variant.equal[name])))
            elif name in variant.unequal:
                values = ast.Tuple([constant(one) for one in variant.unequal[name]], ast.Load())
                tests.append(compare(load(name), ast.NotIn(), values))
            elif any(name in other.absent for other in self.variants):
                tests.append(is_none(name, wanted=False))
        return tests

    def _leaf(self, variant: Variant) -> list[ast.stmt]:
        """Check each value, put the paths together, check them, and return the identifier."""
        statements: list[ast.stmt] = []
        texts: dict[Any, str] = {}
        for piece in variant.pieces:
            if not isinstance(piece, Text) and piece.form not in texts:
                texts[piece.form] = f"_text_{len(texts)}"
                statements += self._slot(piece, texts[piece.form])
        halves = [half for half in variant.halves() if half]
        paths = [f"_path_{at}" for at in range(len(halves))]
        for path, half in zip(paths, halves, strict=True):
            parts = [constant(one.text) if isinstance(one, Text) else load(texts[one.form]) for one in half]
            statements.append(assign(path, joined(parts)))
        statements.append(self._check_length(variant, texts, paths))
        return statements + self._construct(paths)

    def _slot(self, slot: Slot, target: str) -> list[ast.stmt]:
        """`target` = the text of a slot."""
        value = slot.field.name
        complete = assign(target, call(self._hand_in(self._encoder(slot)), load(value)))
        if slot.is_common is not None:
            tests = [is_type(value, "_str"), call(self._hand_in(slot.is_common), load(value))]
            return [ast.If(both(tests), [assign(target, load(value))], [complete])]
        if slot.width is not None and isinstance(slot.field, IntField):
            low = 0 if slot.field.min is None else max(slot.field.min, -COMMON_INT)
            high = COMMON_INT if slot.field.max is None else min(slot.field.max, COMMON_INT)
            bounds = ast.Compare(constant(low), [ast.LtE(), ast.LtE()], [load(value), constant(high)])
            spec = joined([constant("d" if slot.width == 1 else f"0{slot.width}d")])
            text = ast.JoinedStr([ast.FormattedValue(load(value), -1, spec)])
            return [ast.If(both([is_type(value, "_int"), bounds]), [assign(target, text)], [complete])]
        return [complete]

    def _check_length(self, variant: Variant, texts: Mapping[Any, str], paths: list[str]) -> ast.stmt:
        """A short path of ASCII characters has no long segment, and nothing in it combines."""
        whole = joined([part for path in paths for part in (load(path), constant("/"))][:-1])
        length = call("_len", load(paths[0]))
        for path in paths[1:]:
            length = ast.BinOp(length, ast.Add(), call("_len", load(path)))
        tests = [compare(length, ast.Lt(), constant(MAX_SEGMENT_BYTES))]
        if not all(one.text.isascii() if isinstance(one, Text) else one.is_ascii for one in variant.pieces):
            tests += [ast.Call(ast.Attribute(load(path), "isascii", ast.Load()), [], []) for path in paths]
        checker = self._path_checker([field for field, _ in texts])
        check = call(self._hand_in(checker), whole, *map(load, texts.values()))
        return ast.If(ast.UnaryOp(ast.Not(), both(tests)), [ast.Expr(check)], [])

    def _construct(self, paths: list[str]) -> list[ast.stmt]:
        """Return the identifier, whose validators could only find again what was just made sure."""
        new = call(self._hand_in(object.__new__), load(self._hand_in(self.identifier)))
        statements: list[ast.stmt] = [assign("_made", new)]
        for attribute, path in zip(attributes(self.identifier), paths, strict=True):
            slot = getattr(self.identifier, attribute.name)
            statements.append(ast.Expr(call(self._hand_in(slot.__set__), load("_made"), load(path))))
        return [*statements, ast.Return(load("_made"))]

    # --- what the function calls when a value is not a common one -----------------------------------------------------

    def _encoder(self, slot: Slot) -> Callable[[object], str]:
        return self._guarded(slot.field.name, slot.text)

    def _accepter(self, field: Field) -> Callable[[object], Any]:
        return self._guarded(field.name, field.accept)

    def _guarded(self, name: str, convert: Callable[[object], Any]) -> Callable[[object], Any]:
        """Turn a field's refusal into an error that names the kind and the field."""

        def converted(value: object) -> Any:
            if value is None:
                raise self._missing([name])
            try:
                return convert(value)
            except Misfit as misfit:
                raise FieldError(self.kind, name, value, str(misfit)) from None

        return converted

    def _path_checker(self, fields: Sequence[str]) -> Callable[..., None]:
        def check(path: str, *texts: str) -> None:
            if fault := path_fault(path):
                # Whichever text is the longest is the likeliest to make a segment too long.
                text, name = max(zip(texts, fields, strict=True), key=lambda one: len(one[0].encode()))
                shown = path if len(path) <= 120 else f"{path[:117]}…"  # noqa: PLR2004 - a message stays readable
                raise FieldError(self.kind, name, text, f"makes {shown!r}, which is no proper path: {fault}")

        return check

    def _missing(self, names: list[str]) -> FieldError:
        others = f", and so {'are' if names[2:] else 'is'} {', '.join(f'`{one}`' for one in names[1:])}"
        return FieldError(self.kind, names[0], None, f"is missing{others if names[1:] else ''}")

    def _refusal(self, *values: object) -> FieldError:
        """Say why no variant applies: against the one that fits best, what is missing, or too much."""
        given = {name: value for name, value in zip(self.fields, values, strict=True) if value is not None}

        def distance(variant: Variant) -> tuple[int, int, int]:
            wrong = sum(name in given and given[name] != value for name, value in variant.equal.items())
            wrong += sum(given.get(name) in ruled_out for name, ruled_out in variant.unequal.items())
            return wrong, len(given.keys() - variant.given.keys()), len(variant.given.keys() - given.keys())

        closest = min(self.variants, key=distance)
        if missing := [name for name in self.fields if name in closest.given and name not in given]:
            return self._missing(missing)
        extra = next(name for name in given if name not in closest.given)
        others = ", ".join(f"`{name}`" for name in given if name != extra)
        return FieldError(self.kind, extra, given[extra], f"has no place beside {others}; leave it out")
