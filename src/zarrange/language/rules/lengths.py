"""Rules about lengths: paths that no file system takes."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from zarrange.diagnostics import Diagnostic
from zarrange.language import dates
from zarrange.language.charsets import MAX_SEGMENT_BYTES
from zarrange.language.fields import IntField, StrField
from zarrange.language.filters import BUILT_IN
from zarrange.language.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.assembly import Assembly
    from zarrange.language.fields import Field
    from zarrange.language.variants import Segment

__all__ = ["long_path"]

MAX_CHARACTER_BYTES = 4
"""What a character takes in UTF-8."""
MAX_PATH_BYTES = 1_024
"""What object stores take as a key, and macOS as a path."""


def long_path(assembly: Assembly) -> Iterator[Diagnostic]:
    """The longest values that fit make a path that does not.

    ## What it does
    Adds up the bytes that each path can have at most: of fields with a `max_length`, of choices, dates and padded
    numbers. A field without any limit counts as one byte. A segment may have 255 bytes, a path 1,024 (relative to the
    root). A character takes up to 4 bytes, and percent-encoded up to 12.

    ## Why is this bad?
    The layout promises to take values of that length, and refuses them when they come: at the end of a training run.

    ## Example
    ```yaml
    fields:
      name: {type: str, charset: text, max_length: 100}
    files:
      log: {path: "{{ name | quote }}.txt"}
    ```

    ## Use instead
    ```yaml
    fields:
      name: {type: str, charset: text, max_length: 20}
    files:
      log: {path: "{{ name | quote }}.txt"}
    ```
    """
    told = set()
    for kind in assembly.kinds.values():
        longest, has_others = 0, False
        for variant in kind.variants:
            sizes = [(segment, _bytes(segment)) for segment in variant.segments()]
            too_long = {_too_long(segment, size) for segment, size in sizes if _is_too_long(segment, size)}
            told |= too_long
            longest = max(longest, sum(size + 1 for _, size in sizes) - 1)
            has_others = has_others or not too_long
        if has_others and longest > MAX_PATH_BYTES:
            message = f"a path of `{kind.name}` can have {longest} bytes, more than {MAX_PATH_BYTES}"
            told.add(Diagnostic("long-path", message, kind.span, "lower the `max_length` of its fields"))
    yield from told


def _is_too_long(segment: Segment, size: int) -> bool:
    return size > MAX_SEGMENT_BYTES and not any(isinstance(one, Slot) and one.is_multiple for one in segment)


def _too_long(segment: Segment, size: int) -> Diagnostic:
    slots = [one for one in segment if isinstance(one, Slot)]
    longest = max(slots, key=lambda one: _slot_bytes(one) or 0)
    message = f"the segment can have {size} bytes, more than the {MAX_SEGMENT_BYTES} of a file name"
    return Diagnostic("long-path", message, longest.span, f"{_cure(longest.field)} of `{longest.field.name}`")


def _cure(field: Field) -> str:
    if field.choices is not None:
        return "shorten the longest choice"
    return "lower the `max_length`" if isinstance(field, StrField) else "narrow the `min` and `max`"


def _bytes(segment: Segment) -> int:
    """How many bytes a segment can have at most, as far as it has a limit."""
    return sum((_slot_bytes(one) or 1) if isinstance(one, Slot) else len(one.text.encode()) for one in segment)


def _slot_bytes(slot: Slot) -> int | None:
    """How many bytes the text of a slot can have at most; `None` where there is no limit."""
    field, filters = slot.field, [one for one, _ in slot.filters]
    if field.choices is not None:
        return max((len(text.encode()) for text in slot.written(field.choices)), default=None)
    if not set(filters) <= set(BUILT_IN):
        return None
    if isinstance(field, StrField):
        return None if field.max_length is None else field.max_length * _character_bytes(field, is_quoted=bool(filters))
    if isinstance(field, IntField):
        width = slot.filters[0][1][0] if filters else 1
        limits = [limit for limit in (field.min, field.max) if limit is not None]
        return max((len(f"{limit:0{width}d}") for limit in limits), default=width)
    if filters:
        return len(dates.encode(datetime.datetime.min, *slot.filters[0][1]))  # as long as all others
    return _LONGEST[field.type]


_LONGEST = {"bool": len("False"), "date": len("2026-01-31"), "float": len("-1.7976931348623157e+308")}


def _character_bytes(field: StrField, *, is_quoted: bool) -> int:
    if field.charset.name == "portable":
        return 3 if is_quoted and field.type == "path" else 1
    return MAX_CHARACTER_BYTES * 3 if is_quoted else MAX_CHARACTER_BYTES
