"""Record: what a self-describing store says of itself, in `.zarrange/` at its root.

`store.json` names the layout's files, the layout first, then what it extends; they lie in `layout/` as they were
written. `store.json` is written last: a store has a whole record or none. A file's name begins with a digest of its
text: what was cut or changed is never taken for the layout, and two who record at once do not mix. Filters are
programs, and not recorded.
"""

from __future__ import annotations

import posixpath
import re
from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.converter import from_json, to_json, version_of
from zarrange.errors import (
    AlreadyExistsError,
    DamagedError,
    LayoutError,
    NotFoundError,
    StoreError,
    StructureError,
    UnreadableError,
)
from zarrange.language.layout import Layout
from zarrange.stores.backend import WORKING_FOLDER, Requests
from zarrange.stores.transactions import Text

if TYPE_CHECKING:
    from zarrange.stores.backend import Backend

__all__ = ["RECORD", "agreed_layout", "is_recorded", "read_record", "recorded", "write_record"]

RECORD = f"{WORKING_FOLDER}/store.json"
LAYOUT = f"{WORKING_FOLDER}/layout"
VERSION = 1
DIGITS = 16
"""So much of its digest tells a text from others; against accidents, for who may write here may write anything."""
_is_plain = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,200}").fullmatch
_is_name = re.compile(rf"[0-9a-f]{{{DIGITS}}}-[A-Za-z0-9_][A-Za-z0-9_.+=@-]{{0,200}}").fullmatch


@frozen
class Record:
    """What `store.json` has: the version of its format, and the names of the layout's files."""

    zarrange: int
    layout: tuple[str, ...]


def agreed_layout(backend: Backend, layout: Layout | None) -> Layout:
    """Return the layout of a store: the given one, which must agree with what is recorded, else the recorded one.

    Raises `StoreError` where they disagree, where there is neither, and for a record that cannot be read.
    """
    record = _read_record(backend)
    if record is None:
        if layout is None:
            raise StoreError(
                f"{backend.root!r} does not say which layout it has: give one (--layout LAYOUT), "
                "or record it by `zarrange init ROOT --layout LAYOUT`"
            )
        return layout
    texts = tuple(_read_text(backend, name) for name in record.layout)
    if layout is not None and texts == layout.texts:
        return layout
    filters = () if layout is None else layout.filters
    try:
        files = [name[DIGITS + 1 :] for name in record.layout]
        recorded = Layout.from_texts([*zip(files, texts, strict=True)], filters=filters)
    except LayoutError as error:
        raise _refused(backend, error) from error
    if layout is not None and not layout.agrees_with(recorded):
        raise StoreError(
            f"{backend.root!r} is recorded to have the layout `{recorded.name}`, and `{layout.name}` would disagree "
            "about where artifacts are; the recorded one is used where none is given "
            f"(to record another one, remove {RECORD} first)"
        )
    return layout or recorded


def _refused(backend: Backend, error: LayoutError) -> StoreError:
    if all(one.rule == "unknown-filter" for one in error.diagnostics):
        message = "has filters that are not built in; they are not recorded, so give the layout with them"
        return StoreError(f"the layout that is recorded in {backend.root!r} {message}: {error.diagnostics[0]}")
    return StoreError(f"the layout that is recorded in {backend.root!r} is not accepted: {error.diagnostics[0]}")


def write_record(backend: Backend, layout: Layout) -> None:
    """Record a layout. Does nothing where an equal one is recorded; raises `AlreadyExistsError` for another one."""
    if _is_recorded(backend, layout):
        return
    *texts, record = recorded(layout)
    for text in texts:
        backend.write(text.path, text.content.encode(), replace=True)
    try:
        backend.write(record.path, record.content.encode())
    except AlreadyExistsError:
        if not _is_recorded(backend, layout):  # by somebody else, just now
            raise


def recorded(layout: Layout) -> tuple[Text, ...]:
    """Return the files that record a layout, `store.json` last: relative to a store's root, with what is in them."""
    names = tuple(map(_file_name, layout.files, layout.texts))
    texts = (Text(f"{LAYOUT}/{name}", text) for name, text in zip(names, layout.texts, strict=True))
    return (*texts, Text(RECORD, f"{to_json(Record(VERSION, names))}\n"))


def is_recorded(backend: Backend, layout: Layout) -> bool:
    """Return whether a layout is recorded, as it is written."""
    return all(_read(backend, text.path) == text.content.encode() for text in recorded(layout))


def _is_recorded(backend: Backend, layout: Layout) -> bool:
    """Return whether a layout is recorded. Raises `AlreadyExistsError` where another one is."""
    record = _read_record(backend)
    if record is None:
        return False
    if tuple(_read_text(backend, name) for name in record.layout) == layout.texts:
        return True
    raise AlreadyExistsError(
        f"{backend.root!r} has a record of its layout already, with another text; it was left as it is "
        f"(to record it anew, remove {RECORD} first)"
    )


def _file_name(file: str, text: str) -> str:
    """Return a plain name for a file of a layout, with the digest of its text."""
    name = posixpath.basename(file)
    return f"{_digest(text)}-{name if _is_plain(name) else 'layout.yaml'}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGITS]


def read_record(backend: Backend) -> bytes | None:
    """Return what a store says of itself as it is written, `None` where it says nothing. Raises `StoreError`."""
    return _read(backend, RECORD)


def _read_record(backend: Backend) -> Record | None:
    content = read_record(backend)
    if content is None:
        return None
    version = version_of(content)
    if version is not None and version != VERSION:
        raise StoreError(f"{RECORD} in {backend.root!r} has the version {version}; this zarrange knows {VERSION}")
    try:
        record = from_json(content, Record)
    except StructureError as error:
        raise StoreError(f"{RECORD} in {backend.root!r} is damaged: {error.problems[0]}") from error
    if not record.layout or not all(_is_name(name) for name in record.layout):
        raise StoreError(f"{RECORD} in {backend.root!r} is damaged: it does not name the layout's files")
    return record


def _read_text(backend: Backend, name: str) -> str:
    path = f"{LAYOUT}/{name}"
    content = _read(backend, path)
    if content is None:
        raise StoreError(f"{path} in {backend.root!r} is missing, which {RECORD} names")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} in {backend.root!r} is damaged: {error}") from error
    if _digest(text) != name[:DIGITS]:
        raise StoreError(f"{path} in {backend.root!r} is damaged: it is not as it was recorded")
    return text


def _read(backend: Backend, path: str) -> bytes | None:
    """Return the content of a file of a record, `None` where there is none. Raises `StoreError`."""
    folder = posixpath.dirname(path)
    while folder:
        try:
            sort = backend.stat(folder, Requests(), may_be_file=False)
        except UnreadableError as error:
            raise type(error)(f"{folder} in {backend.root!r} {error}") from error
        if sort not in {"folder", None}:
            what = "a symlink" if sort == "symlink" else "not a folder"
            raise StoreError(f"{folder} in {backend.root!r} is {what}; a store keeps the record of its layout there")
        folder = posixpath.dirname(folder)
    try:
        return backend.read(path)
    except NotFoundError:
        return None
    except DamagedError as error:
        raise DamagedError(f"{posixpath.dirname(path)} in {backend.root!r}: {error}") from error
