"""YAML text → plain data, and where each piece of it stands.

Layout files may come from strangers: one pass over the parser's events, with limits and an early exit, accepts a
small and predictable YAML. Scalars follow the core schema of YAML 1.2 (`on`, `12:30` and `2026-01-31` are text, `017`
is 17); anchors, aliases, tags, merge keys, second documents and duplicate keys are refused, each with its position.
What the data should look like is not known here.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import yaml
from attrs import define, field, frozen

from zarrange.diagnostics import Label, Span
from zarrange.errors import LayoutError
from zarrange.language import faults
from zarrange.language.findings import Findings, TooManyFindings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.language.faults import Fault

__all__ = ["KeyPath", "Source", "parse"]

KeyPath: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MAX_NODES = 10_000
MAX_DIGITS = 64
"""No integer of a layout needs more, and Python itself refuses to print very long ones."""

_INTEGERS = {
    10: re.compile(r"[-+]?[0-9]+"),
    8: re.compile(r"0o[0-7]+"),
    16: re.compile(r"0x[0-9a-fA-F]+"),
}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
}
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ufffd\U00010000-\U0010ffff]")
"""What YAML forbids, and the line breaks that only some of its versions know (NEL, LS, PS)."""
_CURES = (
    (r"\{[{%][^}]*\"", "inside double quotes write 'x', not \"x\""),
    (r"any token: *\t", "indent with spaces, not with tabs"),
    (r"unknown escape", "write it in single quotes, in which a backslash is one"),
    (r":['\"{\[]", "put a space after the colon"),
    (r"cannot start any token", "quote it"),
    (r"unexpected end of stream", "close the quote"),
    (r"mapping values are not allowed", "quote a text that has a colon in it"),
)
"""What usually cures a text that is not YAML, by the parser's words and the line."""
_TRAILING = re.compile(r"(?:\s+#[^\n]*)*\s*\Z")
_UNQUOTED = re.compile(r"\{\{[^{]|\{%")
_FOLD = re.compile(r"[ \t]*\n\s*")
_ESCAPE = re.compile(r"\\(?:\n[ \t]*|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Stop(Exception):  # noqa: N818 - control flow: what follows in the file makes no sense any more
    """Ends the pass; what was found is in the diagnostics."""


class _Extent(NamedTuple):
    """From the first character of a node to behind its last one, as offsets, and how a scalar is written."""

    start: int
    end: int
    style: str = ""


@frozen
class Source:
    """A YAML document: its `data`, and a span for each key path in it."""

    file: str
    text: str = field(repr=False)
    data: Any
    _values: dict[KeyPath, _Extent] = field(repr=False)
    _keys: dict[KeyPath, _Extent] = field(repr=False)
    _known_places: dict[KeyPath, list[int]] = field(factory=dict, init=False, repr=False, eq=False)

    def span(self, path: KeyPath) -> Span:
        """Return where the value at `path` stands, or the closest piece around it that exists."""
        return self._nearest(path, self._values)

    def key_span(self, path: KeyPath) -> Span:
        """Return where the key that leads to `path` stands, or the closest piece around it that exists."""
        return self._nearest(path, {**self._values, **self._keys})

    def inside(self, path: KeyPath, start: int, end: int) -> Span:
        """Return where the characters `start` to `end` of the text at `path` stand in the file."""
        extent = self._values.get(path)
        if extent is None:
            return self.span(path)
        if path not in self._known_places:
            self._known_places[path] = _places(self.text, extent)
        places = self._known_places[path]
        if not 0 <= start < len(places):
            return self.span(path)
        last = places[min(max(end, start + 1), len(places)) - 1]
        return span_of(self.file, self.text, places[start], last + 1)

    def _nearest(self, path: KeyPath, extents: dict[KeyPath, _Extent]) -> Span:
        while path and path not in extents:
            path = path[:-1]
        extent = extents.get(path, _Extent(0, 0))
        return span_of(self.file, self.text, extent.start, extent.end)


def parse(content: bytes | str, file: str) -> Source:
    """Read one YAML document. `file` is what positions call it. Raises `LayoutError` with all that is wrong."""
    text = _decode(content, file)
    reader = _Reader(file, text)
    with suppress(_Stop, TooManyFindings):
        try:
            reader.read()
        except yaml.MarkedYAMLError as error:
            reader.syntax_error(error)
        except yaml.YAMLError as error:
            reader.report(faults.invalid_yaml, _first_line(str(error)), 0, 0)
    if reader.diagnostics:
        raise LayoutError(reader.diagnostics)
    return Source(file, text, reader.data, reader.values, reader.keys)


def span_of(file: str, text: str, start: int, end: int) -> Span:
    """Return the span of the characters `start` to `end` of `text`."""
    line_start = text.rfind("\n", 0, start) + 1
    end = max(end, start)
    last_start = text.rfind("\n", 0, max(end, 1)) + 1 if "\n" in text[start:end] else line_start
    line_end = text.find("\n", start)
    return Span(
        file,
        text.count("\n", 0, start) + 1,
        start - line_start + 1,
        text.count("\n", 0, last_start) + 1,
        end - last_start + 1,
        # Interned: thousands of findings in one long line share its text.
        sys.intern(text[line_start : line_end if line_end >= 0 else len(text)]),
    )


def _decode(content: bytes | str, file: str) -> str:
    def stop(message: str, text: str, offset: int, advice: str) -> NoReturn:
        raise LayoutError([faults.invalid_yaml(message, span_of(file, text, offset, offset), advice)])

    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    if len(content) > MAX_BYTES:
        stop(f"the file has {len(content)} bytes, more than {MAX_BYTES}", "", 0, "split it with `extends`")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        stop("the file is UTF-16", "", 0, "save it as UTF-8")
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = _with_plain_breaks(content.decode())
    except UnicodeDecodeError as error:
        before = _with_plain_breaks(content[: error.start].decode())
        stop(f"the byte 0x{content[error.start]:02x} is not UTF-8", before, len(before), "save the file as UTF-8")
    if bad := _CONTROL.search(text):
        stop(f"{bad[0]!r} (U+{ord(bad[0]):04X}) cannot stand in a layout", text, bad.start(), "remove it, or escape it")
    return text


def _with_plain_breaks(text: str) -> str:
    """One kind of line break, so that the parser's lines and ours are the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


@define
class _Open:
    """A mapping or list whose end was not seen yet."""

    items: Any
    path: KeyPath
    start: int
    is_flow: bool = False
    key: str | None = None
    keyed: bool = False


class _Reader:
    """One pass over the events of a YAML text."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.data: Any = None
        self.values: dict[KeyPath, _Extent] = {}
        self.keys: dict[KeyPath, _Extent] = {}
        self.diagnostics = Findings()
        self._open: list[_Open] = []
        self._nodes = 0
        self._documents = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def read(self) -> None:
        for event in self._events():
            start, end = self._offset(event.start_mark), self._offset(event.end_mark)
            if isinstance(event, yaml.DocumentStartEvent):
                self._document(start)
            elif isinstance(event, yaml.AliasEvent):
                self.report(faults.invalid_yaml, f"`*{event.anchor}` is an alias", start, end, "write the value out")
                self._place(None, _Extent(start, end))
            elif isinstance(event, yaml.ScalarEvent):
                self._check_node(event, start, end)
                self._scalar(event, start, end)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._check_node(event, start, end)
                self._enter(event, start, end)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._leave(end)
        if not self._documents:
            self.report(faults.invalid_yaml, "the file is empty", 0, 0, "begin with `zarrange: 1`")

    def report(
        self, fault: Fault, message: str, start: int, end: int, advice: str | None = None, *labels: Label
    ) -> None:
        self.diagnostics.report(fault(message, span_of(self.file, self.text, start, end), advice, labels))

    def syntax_error(self, error: yaml.MarkedYAMLError) -> None:
        """Report what the parser could not read; a template that is not quoted is the usual cause."""
        mark = error.problem_mark or error.context_mark
        offset = self._offset(mark) if mark else 0
        line = self.text.rfind("\n", 0, offset) + 1
        template = _UNQUOTED.search(self.text, line)
        before = self.text[line : template.start()] if template else ""
        value = max(before.rfind(": "), before.rfind("- ")) + 2
        if template and value > 1 and "\n" not in before and not re.search("['\"#,]", before[value:]):
            self._unquoted(line + value + len(before[value:]) - len(before[value:].lstrip()))
        else:
            problem = error.problem or error.context or "not YAML"
            written = self.text[max(line, offset - 100) : offset + 100].split("\n", 1)[0]
            advice = next((text for pattern, text in _CURES if re.search(pattern, f"{problem}: {written}")), None)
            self.report(faults.invalid_yaml, problem, offset, offset + 1, advice)

    def _events(self) -> Iterator[yaml.Event]:
        yield from yaml.parse(self.text, Loader=_LOADER)

    def _offset(self, mark: Any) -> int:
        line = min(mark.line, len(self._lines) - 1)
        offset: int = self._lines[line] + mark.column
        return min(offset, len(self.text))

    def _document(self, start: int) -> None:
        self._documents += 1
        if self._documents > 1:
            self.report(
                faults.invalid_yaml, "a second document begins here", start, start + 3, "keep one layout a file"
            )
            raise _Stop

    def _check_node(self, event: Any, start: int, end: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.report(faults.invalid_yaml, f"the file has more than {MAX_NODES} nodes", start, end)
            raise _Stop
        if event.anchor is not None:
            self.report(faults.invalid_yaml, f"`&{event.anchor}` is an anchor", start, end, "write each value out")
        if event.tag is not None:
            self.report(faults.invalid_yaml, f"`{event.tag}` is a tag", start, end, "leave it out; quotes make text")

    def _enter(self, event: yaml.CollectionStartEvent, start: int, end: int) -> None:
        if event.flow_style and _UNQUOTED.match(self.text, start):
            self._unquoted(start)
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            self.report(faults.invalid_yaml, f"the file is nested deeper than {MAX_DEPTH} levels", start, end)
            raise _Stop
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.items, dict) and not parent.keyed:
            self.report(faults.invalid_yaml, "a mapping's key is not text", start, end, "quote it")
            raise _Stop
        items: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(items, self._path(), start, bool(event.flow_style)))

    def _leave(self, end: int) -> None:
        closed = self._open.pop()
        if not closed.is_flow:
            # The parser lets a block collection end where the next token starts, behind blank lines and comments.
            end = closed.start + len(_TRAILING.sub("", self.text[closed.start : end]))
        self._place(closed.items, _Extent(closed.start, end))

    def _scalar(self, event: yaml.ScalarEvent, start: int, end: int) -> None:
        style = event.style or ""
        extent = _Extent(start, max(end, start), style)
        parent = self._open[-1] if self._open else None
        plain = event.implicit[0] and event.tag is None and style == ""
        value = self._resolve(event.value, extent) if plain else event.value
        if parent is not None and isinstance(parent.items, dict) and not parent.keyed:
            self._key(parent, value, event.value, extent)
        else:
            self._place(value, extent)

    def _key(self, parent: _Open, value: object, written: str, extent: _Extent) -> None:
        if written == "<<":
            self.report(faults.invalid_yaml, "`<<` is a merge key", *extent[:2], "write the keys out, or use `extends`")
        elif not isinstance(value, str):
            self.report(faults.wrong_type, f"the key `{written}` is not text", *extent[:2], "quote it")
        path = (*parent.path, written)
        if written in parent.items:
            first = span_of(self.file, self.text, *self.keys[path][:2])
            message = f"the key `{written}` stands in line {first.line} already"
            self.report(faults.duplicate_key, message, *extent[:2], None, Label(first, "the first one"))
        self.keys[path] = extent
        parent.key, parent.keyed = written, True

    def _path(self) -> KeyPath:
        if not self._open:
            return ()
        parent = self._open[-1]
        return (*parent.path, parent.key or "" if isinstance(parent.items, dict) else len(parent.items))

    def _place(self, value: object, extent: _Extent) -> None:
        path = self._path()
        self.values[path] = extent
        if not self._open:
            self.data = value
            return
        parent = self._open[-1]
        if isinstance(parent.items, dict):
            if not parent.keyed:
                raise _Stop  # an alias as a key, reported already
            parent.items[parent.key] = value
            parent.keyed = False
        else:
            parent.items.append(value)

    def _resolve(self, written: str, extent: _Extent) -> object:
        """Give a plain scalar its type, by the core schema."""
        if written in _CONSTANTS:
            return _CONSTANTS[written]
        base = next((base for base, pattern in _INTEGERS.items() if pattern.fullmatch(written)), None)
        if base is None:
            return float(written) if _FLOAT.fullmatch(written) else written
        if len(written) > MAX_DIGITS:
            self.report(faults.invalid_yaml, f"the integer has more than {MAX_DIGITS} digits", *extent[:2])
            return 0
        return int(written, base)

    def _unquoted(self, start: int) -> None:
        line_end = self.text.find("\n", start)
        written = self.text[start : line_end if line_end >= 0 else len(self.text)].split(" #")[0].rstrip()
        if any(one.is_flow for one in self._open):
            written = _up_to_the_end(written)
        advice = f"quote the template: '{written}'" if '"' in written else f'quote the template: "{written}"'
        message = "a template that is not quoted is not text to YAML"
        self.report(faults.unquoted_template, message, start, start + len(written), advice)


def _up_to_the_end(written: str) -> str:
    """Return what stands before the comma or bracket that ends a value inside of `{…}` or `[…]`."""
    depth = 0
    for at, character in enumerate(written):
        depth += (character in "{[(") - (character in "}])")
        if depth < 0 or (depth == 0 and character == ","):
            return written[:at].rstrip()
    return written


def _places(text: str, extent: _Extent) -> list[int]:
    """Return, for each character of a scalar's value, the offset in the file at which it stands.

    Line breaks that YAML folds stand where the first of them does.
    """
    start, end, style = extent
    places: list[int] = []
    if style in {"|", ">"}:
        return _block_places(text, text.index("\n", start) + 1, end, is_folded=style == ">")
    if style:
        start, end = start + 1, end - 1
    at = start
    while at < end:
        length = 1
        if style == "'" and text.startswith("''", at):
            next_one = at + 2
        elif style == '"' and (escape := _ESCAPE.match(text, at)):
            next_one = escape.end()
            length = 0 if text[at + 1] == "\n" else 1
        elif text[at] in " \t\n" and (fold := _FOLD.match(text, at)):
            next_one = fold.end()
            length = max(1, fold[0].count("\n") - 1)
        else:
            next_one = at + 1
        places += [at] * length
        at = next_one
    return places


def _block_places(text: str, start: int, end: int, *, is_folded: bool) -> list[int]:
    """The places of a block scalar's characters: each line without its indentation."""
    lines = text[start:end].split("\n")
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
    header = text[text.rfind("\n", 0, start - 1) + 1 : start]
    if said := re.search(r"[|>][+-]?([1-9])", header):  # more than the lines of its parent have
        indent = len(header) - len(header.lstrip(" -")) + int(said[1])
    places: list[int] = []
    at = start
    for number, line in enumerate(lines):
        places += range(at + min(indent, len(line)), at + len(line))
        # Of several folded breaks the first gives no character.
        if not (is_folded and line.strip() and lines[number + 1 : number + 2] == [""]):
            places.append(at + len(line))
        at += len(line) + 1
    return places


def _first_line(message: str) -> str:
    return message.strip().split("\n", 1)[0]
