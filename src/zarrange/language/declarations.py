"""What a layout file says of a field → the field, or everything that is wrong with what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import fields as attributes, frozen

from zarrange.diagnostics import shown, similar
from zarrange.language import faults
from zarrange.language.charsets import MAX_SEGMENT_BYTES
from zarrange.language.fields import FIELD_TYPES, Field, FieldSpec, Misfit, StrField
from zarrange.language.patterns import Language, PatternError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.faults import Fault

__all__ = ["SpecFault", "make_field"]


@frozen
class SpecFault:
    """What is wrong with a `FieldSpec`: at which of its keys (or list items), and where inside a text."""

    path: tuple[str | int, ...]
    fault: Fault
    message: str
    help: str | None = None
    inside: tuple[int, int] | None = None


def make_field(name: str, spec: FieldSpec) -> tuple[Field | None, list[SpecFault]]:
    """Return the field that a layout declares, or `None` and what is wrong with it."""
    found = list(_faults(spec))
    if found:
        return None, found
    try:
        made = FIELD_TYPES[spec.type](name, spec)
    except PatternError as error:  # each pattern is fine, but all of them together are not
        return None, [SpecFault(("pattern",), faults.invalid_pattern, str(error), error.instead)]
    if spec.choices is not None:
        choices = []
        for at, choice in enumerate(spec.choices):
            try:
                accepted = made.from_yaml(choice)
                if accepted in choices:
                    message = f"the choice {shown(choice)} stands twice"
                    found.append(SpecFault(("choices", at), faults.invalid_choice, message, "take one of them out"))
                choices.append(accepted)
            except Misfit as misfit:
                found.append(SpecFault(("choices", at), faults.invalid_choice, f"the field `{name}` {misfit}"))
        made.choices = tuple(choices)
    if found:
        return None, found
    if spec.choices is not None and isinstance(made, StrField) and made.is_verbatim is not None:
        made.is_verbatim = frozenset(made.choices or ()).__contains__
        made.is_common = None
    return made, []


def _faults(spec: FieldSpec) -> Iterator[SpecFault]:
    if spec.type not in FIELD_TYPES:
        message = f"`{spec.type}` is not a field type"
        yield SpecFault(("type",), faults.wrong_type, message, similar(spec.type, FIELD_TYPES, "field type"))
        return
    known = FIELD_TYPES[spec.type].settings | {"type", "doc", "choices", "renamed_from"}
    for attribute in attributes(FieldSpec):
        if getattr(spec, attribute.name) != attribute.default and attribute.name not in known:
            message = f"`{attribute.name}` means nothing for a field of type `{spec.type}`"
            yield SpecFault(
                (attribute.name,),
                faults.unknown_key,
                message,
                f"known: {', '.join(f'`{one}`' for one in sorted(known))}",
            )
    for path, pattern in (("pattern",), spec.pattern), *((("exclude", i), one) for i, one in enumerate(spec.exclude)):
        if pattern is not None:
            try:
                Language([pattern])
            except PatternError as error:
                inside = (error.offset, error.offset + error.length)
                yield SpecFault(path, faults.invalid_pattern, str(error), error.instead, inside)
    yield from _limit_faults(spec)
    if spec.max_length is not None and not 1 <= spec.max_length <= MAX_SEGMENT_BYTES:
        yield SpecFault(
            ("max_length",),
            faults.wrong_type,
            f"`max_length` is {shown(spec.max_length)}, which no path segment can have",
            f"use a number from 1 to {MAX_SEGMENT_BYTES}",
        )
    if spec.choices is not None and not spec.choices:
        yield SpecFault(
            ("choices",), faults.invalid_choice, "`choices` is empty, so that no value fits", "leave it out"
        )
    if spec.type == "path" and spec.charset == "text":
        help_ = "use `type: str`, and `quote` it in the template"
        yield SpecFault(("charset",), faults.wrong_type, "a `path` has segments, and `text` has none", help_)


_LIMITS = {
    "int": "a whole number",
    "float": "a number",
    "date": "a day such as 2026-01-31",
    "datetime": "a time such as 2026-01-31T12:00:00",
}


def _limit_faults(spec: FieldSpec) -> Iterator[SpecFault]:
    if "min" not in FIELD_TYPES[spec.type].settings:
        return
    limits: list[Any] = []
    for name in ("min", "max"):
        limit = getattr(spec, name)
        if limit is None:
            continue
        words = _LIMITS[spec.type]
        try:
            limits.append(FIELD_TYPES[spec.type]("", FieldSpec(spec.type)).from_yaml(limit))
        except Misfit:
            yield SpecFault(
                (name,),
                faults.wrong_type,
                f"`{name}` is {shown(limit)}, which is not {words.partition(' such')[0]}",
                f"use {words}",
            )
    if len(limits) == 2 and limits[0] > limits[1]:  # noqa: PLR2004 - both of them
        yield SpecFault(
            ("min",), faults.wrong_type, f"`min` is {shown(spec.min)}, above `max`, which is {shown(spec.max)}"
        )
