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

    `fault` decides, and says what is wrong. `include` and `exclude` describe the set as regular expressions that leave
    no text of it out; unless the charset `is_regular`, they have others too, but none in ASCII.
    """

    name: str
    fits: str
    include: str
    exclude: tuple[str, ...]
    fault: Callable[[str], str | None]
    is_regular: bool = True


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


_HIDDEN = (
    r"\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064"
    r"\u2066-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0001\U000e0020-\U000e007f"
    r"\U000f0000-\U0010ffff"
)
"""Characters that cannot be printed in any version of Unicode. All that can't in this one would be 700 ranges."""


def _in_any_case(name: str) -> str:
    return "".join(f"[{one.upper()}{one}]" if one.isalpha() else re.escape(one) for one in name)


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
        rf"[^/\\{_HIDDEN} ](?:[^/\\{_HIDDEN}]*[^/\\{_HIDDEN} ])?",
        tuple(map(_in_any_case, sorted(RESERVED))),
        _unicode_fault,
        is_regular=False,  # neither what can be printed nor what is in normal form has an automaton of a useful size
    ),
    "text": Charset("text", "any text", r"[^\ud800-\udfff]+", (), _text_fault),
}


def segment_fault(segment: str) -> str | None:
    """Return what is wrong with a segment of a finished path, or `None`: the last line, whatever put it together."""
    fault = _unicode_fault(segment)
    if fault is None and len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"it has {len(segment.encode())} bytes, more than the {MAX_SEGMENT_BYTES} of a file name"
    return fault
