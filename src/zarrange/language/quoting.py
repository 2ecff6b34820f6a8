"""Percent-encoding of any text into one portable path segment, and of any regular language into that of such segments.

`quote` and `unquote` are the two directions; each text has exactly one quoted form, and `unquote` refuses any other.
What has to be quoted are all characters but the portable ones, and a portable one that would make the segment special:
a dot or dash at its front, a dot at its end, the first letter of a device or of zarr's own file.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote_to_bytes

from attrs import frozen

from zarrange.language.charsets import CHARSETS, DEVICES, METADATA, is_portable
from zarrange.language.patterns import MAX_CODE, Builder, Node, Part, merged
from zarrange.language.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ALL_QUOTED", "QUOTED", "Quoted", "quote", "quoted", "unquote"]

QUOTED = "(?:[A-Za-z0-9._+=@-]|%[0-9A-F][0-9A-F])+"
"""What every quoted text matches."""

_RESERVED = re.compile(rf"[.-]|{DEVICES}(?=\.|\Z)|{METADATA}\Z")
_UNSAFE = re.compile(rb"[^A-Za-z0-9._+=@-]")
_PERCENT = {bytes([byte]): b"%%%02X" % byte for byte in range(256)}
_is_quoted = re.compile(QUOTED).fullmatch


def quote(text: str) -> str:
    """Return the quoted form of a text. Raises `ValueError` for half of a surrogate pair."""
    if is_portable(text):
        return text
    quoted = _UNSAFE.sub(lambda match: _PERCENT[match[0]], text.encode()).decode()
    # A first character that would make the segment special is quoted too, and so is a dot at the end.
    if _RESERVED.match(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    return f"{quoted[:-1]}%2E" if quoted.endswith(".") else quoted


def unquote(text: str) -> str:
    """Return the text that `text` is the quoted form of. Raises `ValueError`."""
    if not _is_quoted(text):
        raise ValueError(f"{text!r} is not percent-encoded text")
    value = unquote_to_bytes(text).decode()
    if quote(value) != text:
        raise ValueError(f"{text!r} is not how {value!r} is quoted")
    return value


# --- the language of all quoted texts --------------------------------------------------------------------------------

_REST = "%[89AB][0-9A-F]"
_UNIT = (
    "(?:[A-Za-z0-9._+=@-]|%[01][0-9A-F]|%2[0-9ACF]|%3[ABCEF]|%5[B-E]|%60|%7[B-F]"
    f"|%(?:C[2-9A-F]|D[0-9A-F]){_REST}|(?:%E0%[AB][0-9A-F]|%E[1-9A-CEF]{_REST}|%ED%[89][0-9A-F]){_REST}"
    f"|(?:%F0%[9AB][0-9A-F]|%F[123]{_REST}|%F4%8[0-9A-F]){_REST}{_REST})"
)
"""One character where nothing is special; the well-formed sequences are those of the Unicode standard, table 3-7."""
_DEVICE = "(?:%[46]3[Oo][Nn]|%[57]0[Rr][Nn]|%[46]1[Uu][Xx]|%[46]E[Uu][Ll]|%[46]3[Oo][Mm][0-9]|%[46]C[Pp][Tt][0-9])"
_CANONICAL = (
    rf"(?:{_UNIT}|%2[DE]){_UNIT}*(?:%2E)?|{_DEVICE}(?:\.{_UNIT}*)?(?:%2E)?|%[57]A[Aa][Rr][Rr]\.[Jj][Ss][Oo][Nn]"
)
_NOT_CANONICAL = rf"[.-].*|.*\.|{METADATA}|{DEVICES}(?:\..*|%2E)?"

ALL_QUOTED = Texts((_CANONICAL,), (_NOT_CANONICAL,))
"""The quoted forms of all texts, and nothing else."""


def quoted(texts: Texts) -> Texts:
    """Return the quoted forms of some texts: those of all texts, less what is no quoted form of these."""
    include = [Quoted(one) for one in texts.include if one != CHARSETS["text"].include]
    exclude = [Quoted(one) for one in texts.exclude]
    # Texts beyond ASCII have quoted forms in ASCII.
    return Texts((_CANONICAL, *include), (_NOT_CANONICAL, *exclude), texts.is_regular)


# --- the language of a language's quoted texts -----------------------------------------------------------------------

Ranges: TypeAlias = "list[tuple[int, int]]"
Bytes: TypeAlias = "tuple[tuple[int, int], ...]"

_SAFE = [(43, 43), (45, 46), (48, 57), (61, 61), (64, 90), (95, 95), (97, 122)]
_ENCODED = [
    *[(0, 42), (44, 44), (47, 47), (58, 60), (62, 63), (91, 94), (96, 96), (123, 0xD7FF), (0xE000, MAX_CODE)],
    *[(ord(one), ord(one)) for one in "-.ACLNPZaclnpz"],
]
"""What may stand percent-encoded: any character that is not portable, and a portable one that is special."""
_ASCII = [(0, 0x7F)]
_BEYOND_ASCII = [(0x80, 0xD7FF), (0xE000, MAX_CODE)]


@frozen
class Quoted:
    """The automaton of `part`, percent-encoded: of its texts that are canonical, it takes exactly the right ones."""

    part: str | Part

    def add_to(self, builder: Builder) -> tuple[int, int]:
        plain = Builder(builder.limit)
        start, end = plain.add(self.part)
        first = len(builder.nodes)
        for _ in plain.nodes:
            builder.node()
        for at, node in enumerate(plain.nodes, first):
            builder.nodes[at].free = [first + one for one in node.free]
            if node.target >= 0:
                _encode(builder, builder.nodes[at], list(zip(node.lows, node.highs, strict=True)), first + node.target)
        return first + start, first + end


def _encode(builder: Builder, node: Node, ranges: Ranges, target: int) -> None:
    """Let one go from `node` to `target` by the characters of `ranges`, as they are or percent-encoded."""
    if safe := _common(ranges, _SAFE):
        node.lows, node.highs, node.target = [low for low, _ in safe], [high for _, high in safe], target
    encoded = _common(ranges, _ENCODED)
    ends: dict[Bytes, int] = {(): target}
    if _common(encoded, _BEYOND_ASCII) == _BEYOND_ASCII:
        # Canonical texts are well-formed: that a character goes on as long as bytes follow it needs no more than this.
        more = ends[((0x80, 0xBF),)] = builder.node()
        behind = builder.node()
        _percent(builder, builder.nodes[more], [(0x80, 0xBF)], behind)
        builder.nodes[behind].free += [more, target]
        starts = [*((one,) for one in _common(encoded, _ASCII)), ((0xC2, 0xF4), (0x80, 0xBF))]
    else:
        starts = [one for low, high in encoded for one in _utf8(low, high)]
    _sequences(builder, node, starts, ends)


def _sequences(builder: Builder, node: Node, sequences: Iterable[Bytes], ends: dict[Bytes, int]) -> None:
    """Let one go from `node` by sequences of bytes; `ends` has where one goes on by the rest of each."""
    by_rest: dict[Bytes, Ranges] = {}
    for first, *rest in sequences:
        by_rest.setdefault(tuple(rest), []).append(first)
    for behind, starts in by_rest.items():
        if behind not in ends:
            ends[behind] = builder.node()
            _sequences(builder, builder.nodes[ends[behind]], [behind], ends)
        begin = builder.node()
        node.free.append(begin)
        _percent(builder, builder.nodes[begin], starts, ends[behind])


def _percent(builder: Builder, node: Node, ranges: Ranges, target: int) -> None:
    """Let one go from `node` to `target` by a percent sign and the two digits of a byte in `ranges`."""
    by_second: dict[tuple[int, int], set[int]] = {}
    for low, high in ranges:
        for first in range(low >> 4, (high >> 4) + 1):
            second = (low & 15 if first == low >> 4 else 0, high & 15 if first == high >> 4 else 15)
            by_second.setdefault(second, set()).add(first)
    digits = builder.node()
    _go(node, [ord("%")], digits)
    for (low, high), firsts in by_second.items():
        begin, behind = builder.node(), builder.node()
        builder.nodes[digits].free.append(begin)
        _go(builder.nodes[begin], [ord(_HEX[one]) for one in sorted(firsts)], behind)
        _go(builder.nodes[behind], [ord(one) for one in _HEX[low : high + 1]], target)


_HEX = "0123456789ABCDEF"


def _go(node: Node, codes: list[int], target: int) -> None:
    node.lows, node.highs = merged([(one, one) for one in codes])
    node.target = target


def _common(some: Ranges, others: Ranges) -> Ranges:
    """The code points that are in both."""
    found = [(max(a, c), min(b, d)) for a, b in some for c, d in others]
    return sorted((low, high) for low, high in found if low <= high)


@lru_cache(1024)
def _utf8(low: int, high: int) -> list[Bytes]:
    """The sequences of bytes that encode the characters from `low` to `high`: for each byte a range."""
    return list(_sequences_of(low, high))


def _sequences_of(low: int, high: int) -> Iterator[Bytes]:
    for limit in (0x7F, 0x7FF, 0xFFFF):
        if low <= limit < high:
            yield from _sequences_of(low, limit)
            yield from _sequences_of(limit + 1, high)
            return
    for bits in (6, 12, 18):
        rest = (1 << bits) - 1
        if high > 0x7F and low | rest != high | rest:  # noqa: PLR2004 - ASCII
            if low & rest:
                yield from _sequences_of(low, low | rest)
                yield from _sequences_of((low | rest) + 1, high)
                return
            if high & rest != rest:
                yield from _sequences_of(low, (high & ~rest) - 1)
                yield from _sequences_of(high & ~rest, high)
                return
    yield tuple(zip(chr(low).encode(), chr(high).encode(), strict=True))
