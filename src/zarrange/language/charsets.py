"""Which characters a value may have, so that a path means the same on every file system and object store.

`portable` is safe everywhere, also on Windows and in a shell; `unicode` admits every printable character that cannot
be taken for a separator, in one normal form; `text` admits any text and must be quoted by the template. Nothing is
ever cleaned: a value is in its charset or it is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import is_normalized

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CHARSETS",
    "DEVICES",
    "MAX_SEGMENT_BYTES",
    "METADATA",
    "RESERVED",
    "Charset",
    "is_plain",
    "is_plain_path",
    "is_portable",
    "segment_fault",
]

MAX_SEGMENT_BYTES = 255
"""What every common file system takes as one name."""

DEVICES = r"(?:[Cc][Oo][Nn]|[Pp][Rr][Nn]|[Aa][Uu][Xx]|[Nn][Uu][Ll]|[Cc][Oo][Mm][0-9]|[Ll][Pp][Tt][0-9])"
"""Windows opens these devices under any extension, in any folder."""

METADATA = r"[Zz][Aa][Rr][Rr]\.[Jj][Ss][Oo][Nn]"
"""The portable one of the names that zarr itself uses: a folder of that name would hide the group that it is in."""

RESERVED = frozenset({".", "..", "zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"})
"""No segment may be one of these, whatever its charset."""
_PORTABLE = r"[A-Za-z0-9_+=@][A-Za-z0-9._+=@-]*"
# One look at the first character settles for most names that no reserved name begins here.
_HEAD = (
    r"[BbD-KMOQ-Yd-kmoq-y0-9_+=@]|[Aa](?![Uu][Xx](?:\.|\Z))|[Cc](?![Oo](?:[Nn]|[Mm][0-9])(?:\.|\Z))|"
    r"[Ll](?![Pp][Tt][0-9](?:\.|\Z))|[Nn](?![Uu][Ll](?:\.|\Z))|[Pp](?![Rr][Nn](?:\.|\Z))|"
    r"[Zz](?![Aa][Rr][Rr]\.[Jj][Ss][Oo][Nn]\Z)"
)
is_portable = re.compile(rf"(?:{_HEAD})[A-Za-z0-9._+=@-]*+(?<!\.)").fullmatch
"""Answers whether a text is one portable path segment. Linear: no two repeats can take the same character."""

_PLAIN = rf"(?![ .]|{METADATA}(?:/|\Z))[ -.0-\[\]-~]++(?<! )"
is_plain = re.compile(_PLAIN).fullmatch
"""A quick yes for most `unicode` segments: ASCII, and no dot at the front."""
is_plain_path = re.compile(f"{_PLAIN}(?:/{_PLAIN})*+").fullmatch
"""The same for a text of several segments."""


@frozen
class Charset:
    """A set of texts that a `str` field, or one segment of a `path` field, may take.

    `include` and `exclude` describe it as regular expressions, closely enough that no text of the charset is left
    out; `fault` decides, and says what is wrong.
    """

    name: str
    fits: str
    include: str
    exclude: tuple[str, ...]
    fault: Callable[[str], str | None]


def _portable_fault(text: str) -> str | None:
    if is_portable(text):
        return None
    if not text:
        return "it is empty"
    if stranger := re.search(r"[^A-Za-z0-9._+=@-]", text):
        return f"{stranger[0]!r} is not portable"
    if text[0] in ".-":
        return f"it starts with {text[0]!r}"
    if text.endswith("."):
        return "it ends with a dot"
    return "it is a file of zarr's own" if text.lower() in RESERVED else "it is a device name on Windows"


def _unicode_fault(text: str) -> str | None:
    if is_plain(text):
        return None
    if text.lower() in RESERVED:
        return "it is a reserved name"
    if not text:
        return "it is empty"
    if separator := re.search(r"[/\\]", text):
        return f"{separator[0]!r} separates folders"
    if not text.isprintable():
        hidden = next(one for one in text if not one.isprintable())
        return f"{hidden!r} (U+{ord(hidden):04X}) is a control, format, separator or unassigned character"
    if text[0] == " " or text[-1] == " ":
        return "it starts or ends with a space"
    return None if is_normalized("NFC", text) else "it is not in Unicode normal form NFC"


def _text_fault(text: str) -> str | None:
    if not text:
        return "it is empty"
    lone = re.search("[\ud800-\udfff]", text)
    return f"{lone[0]!r} is half of a surrogate pair" if lone else None


CHARSETS = {
    "portable": Charset(
        "portable",
        "one path segment of A-Z a-z 0-9 . _ + = @ - that does not start with a dot or a dash, does not end with a "
        "dot and is no name that Windows or zarr keep for themselves",
        _PORTABLE,
        (r".*\.", rf"{DEVICES}(?:\..*)?", METADATA),
        _portable_fault,
    ),
    "unicode": Charset(
        "unicode",
        "one path segment of printable characters other than / and \\, in Unicode normal form NFC",
        r"[^/\\\x00-\x1f\x7f-\x9f ](?:[^/\\\x00-\x1f\x7f-\x9f]*[^/\\\x00-\x1f\x7f-\x9f ])?",
        (r"\.\.?", METADATA, r"\.[Zz](?:[Aa][Rr][Rr][Aa][Yy]|[Aa][Tt][Tt][Rr][Ss]|[Gg][Rr][Oo][Uu][Pp])"),
        _unicode_fault,
    ),
    "text": Charset("text", "any text", r"(?:.|\n)+", (), _text_fault),
}


def segment_fault(segment: str) -> str | None:
    """Return what is wrong with a segment of a finished path, or `None`: the last line, whatever put it together."""
    fault = _unicode_fault(segment)
    if fault is None and len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"it has {len(segment.encode())} bytes, more than the {MAX_SEGMENT_BYTES} of a file name"
    return fault
