"""Copies: the metadata of what is below it that a group may keep (consolidated metadata), kept true.

zarr reads the copy alone: it does not see what the copy misses, and reads what is gone as zeros. A copy is in the
group's `zarr.json`, or in `.zmetadata` for format 2. What is written is that one file, as a whole and in its own
format; no symlink is followed, neither to read nor to write.
"""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from zarrange.errors import BusyError, DamagedError, NotFoundError, StoreError, UnreadableError, ZarrangeError
from zarrange.stores.backend import WORKING_FOLDER, Requests
from zarrange.stores.metadata import METADATA, NODE_METADATA, parse_node, parse_object
from zarrange.stores.paths import above, joined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Transaction

__all__ = [
    "FORMATS",
    "CopyFile",
    "CopyName",
    "groups_above",
    "groups_above_all",
    "read_copy",
    "refresh",
    "strip",
    "without_copy",
]

CopyName = Literal["zarr.json", ".zmetadata"]
FORMATS: Mapping[CopyName, Literal[2, 3]] = {"zarr.json": 3, ".zmetadata": 2}
"""The files that a copy may be in, each with the format of the nodes that it lists."""
_NEW = "consolidated_metadata"
_PARTS = {"zarr.json": _NEW, ".zmetadata": "metadata"}
"""What of each file is the copy."""
ROUNDS = 3
"""How often a copy is built while others are at work, before they have to wait for it."""
_is_indented = re.compile(rb"\s*\{\r?\n([ \t]+)").match
_quiet = Lock()
"""What warnings are shown is one setting of the whole process."""


@frozen
class CopyFile:
    """The file `name` of a group that has a copy: its `content`, and as `data` the JSON in it."""

    name: CopyName
    content: bytes
    data: dict[str, Any]

    @property
    def listed(self) -> dict[str, dict[str, Any]]:
        """What the copy lists, by the path below the group: nodes; in `.zmetadata` their files. A part of `data`."""
        listed: dict[str, dict[str, Any]] = (self.data if self.name == ".zmetadata" else self.data[_NEW])["metadata"]
        return listed


def read_copy(backend: Backend, group: str, name: CopyName) -> CopyFile | None:
    """Return the copy that a group has in one of its files, `None` for none. Raises `UnreadableError`."""
    try:
        content = backend.read(joined(group, name))
    except NotFoundError:
        return None
    data = parse_object(name, content)
    copy = data if name == ".zmetadata" else data.get(_NEW)
    if not copy and name == "zarr.json":
        return None
    listed = copy.get("metadata") if isinstance(copy, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(one, dict) for one in listed.values()):
        raise DamagedError(f"its {name} is damaged: its copy of the metadata below it is no such copy")
    return CopyFile(name, content, data)


def without_copy(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a node without those of what is below it."""
    return {name: value for name, value in data.items() if name != _NEW}


def groups_above(backend: Backend, path: str) -> tuple[str, ...]:
    """Return the groups above a path that keep a copy, the outermost first; the root may be one.

    All of them have to be updated when something appears at the path, changes or goes. Raises `UnreadableError`.
    """
    return groups_above_all(backend, [path])


def groups_above_all(backend: Backend, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the groups above any of some paths that keep a copy, each asked once. Raises `UnreadableError`."""
    groups = sorted({way for path in paths for way in above(path)})
    if backend.in_flight == 1 or not groups:
        return tuple(group for group in groups if _keeps_copy(backend, group))
    with ThreadPoolExecutor(min(backend.in_flight, len(groups)), thread_name_prefix="zarrange-copies") as threads:
        kept = threads.map(partial(_keeps_copy, backend), groups)
        return tuple(group for group, is_kept in zip(groups, kept, strict=True) if is_kept)


def strip(backend: Backend, group: str, paths: Collection[str], *, is_over: bool = False) -> None:
    """Take the nodes at or below some paths, which are relative to the root, out of the copy that a group keeps.

    Where the group has no copy, or none of them in it, nothing is written. With `is_over` what is there again stays.
    Raises `UnreadableError`; `BusyError` where others write all the time.
    """
    for name in [name for name in FORMATS if _copy(backend, group, name) is not None]:
        with _alone(backend) as confirm:
            _strip(backend, group, name, _absent(backend, paths) if is_over else frozenset(paths), confirm)


def _strip(backend: Backend, group: str, name: CopyName, gone: Collection[str], confirm: Callable[[], object]) -> None:
    copy = _copy(backend, group, name)
    if copy is not None and _cut(copy.listed, group, gone):
        confirm()
        _write(backend, group, copy)


def _absent(backend: Backend, paths: Collection[str]) -> Collection[str]:
    """Return those paths at which no node is."""
    files = [joined(path, name) for path in paths for name in NODE_METADATA]
    found = zip(files, backend.versions_of(files), strict=True)
    return {*paths} - {file.rpartition("/")[0] for file, version in found if version is not None}


def refresh(backend: Backend, group: str, own: str = "") -> None:
    """Bring the copy that a group keeps up to date with what is below it.

    Where it has none, or one that is true, nothing is written. Others may change what is below at the same time, if
    they bring the copy up to date when something is there (by this), and take out of it what goes (by `strip`) both
    before and after: the last one's is true. `own` is the transaction that this is a part of. Raises `UnreadableError`,
    also for what is below it; `StoreError` where others write all the time.
    """
    for name in [name for name in FORMATS if _copy(backend, group, name) is not None]:
        try:
            is_done = any(_is_refreshed(backend, group, name, own) for _ in range(ROUNDS))
            is_done = is_done or _is_refreshed_alone(backend, group, name, own)
        except BusyError as error:
            raise StoreError(f"the copy of metadata in {_shown(backend, group)} may not be true: {error}") from error
        if not is_done:
            message = "it took so long that others may have changed something"
            raise StoreError(f"the copy of metadata in {_shown(backend, group)} may not be true: {message}")


def _is_refreshed(backend: Backend, group: str, name: CopyName, own: str) -> bool:
    """Build a copy and put it, unless somebody has changed anything meanwhile that it should tell; return whether."""
    path = joined(group, name)
    version = backend.versions_of([path])
    built = _built(backend, group, name)
    with _alone(backend) as confirm:
        if backend.versions_of([path]) != version:
            return False
        copy = _copy(backend, group, name)
        if copy is not None and built is not None and _is_outdated(backend, group, copy, built):
            return False
        return _is_put(backend, group, copy, built, confirm, own)


def _is_refreshed_alone(backend: Backend, group: str, name: CopyName, own: str) -> bool:
    """Do so where nobody is faster, but everybody waits."""
    with _alone(backend) as confirm:
        built = _built(backend, group, name)
        return _is_put(backend, group, _copy(backend, group, name), built, confirm, own)


@contextmanager
def _alone(backend: Backend) -> Iterator[Callable[[], object]]:
    """Where nobody else writes a copy; it gives what raises `BusyError` when that is over.

    Who may not write at the root, and so cannot have the lock, goes on without it.
    """
    with ExitStack() as stack:
        confirm = None
        with suppress(PermissionError):
            confirm = stack.enter_context(backend.alone())
        yield confirm or (lambda: None)


def _is_outdated(backend: Backend, group: str, copy: CopyFile, built: Any) -> bool:
    """Whether something is not there that is new in what was built, or something is that is not in it any more.

    If it goes later, whoever takes it away cuts it out of the copy afterwards.
    """
    listed = CopyFile(copy.name, b"", {**copy.data, _PARTS[copy.name]: built}).listed
    new = _makers(group, copy.name, listed.keys() - copy.listed.keys())
    old = _makers(group, copy.name, copy.listed.keys() - listed.keys())
    return None in backend.versions_of(new) or any(one is not None for one in backend.versions_of(old))


def _makers(group: str, name: CopyName, keys: Iterable[str]) -> list[str]:
    """Return the files that make the nodes which a copy lists."""
    if name == ".zmetadata":  # which lists files, also some that need not be there
        return [joined(group, key) for key in keys if key.rpartition("/")[2] in NODE_METADATA]
    return [joined(group, f"{key}/{name}") for key in keys]


def _is_put(  # noqa: PLR0913, PLR0917 - what, where, by whom
    backend: Backend, group: str, copy: CopyFile | None, built: Any, confirm: Callable[[], object], own: str
) -> bool:
    """Write a copy, unless it is there, or the group is about to go; return whether nobody else may write by now."""
    if copy is None or built is None:
        return True
    with _naming(backend, group):
        if _dumped(copy.data[_PARTS[copy.name]]) == _dumped(built):
            return True
    if any(one.id != own and _takes(one, joined(group, copy.name)) for one in backend.transactions()):
        return True  # whoever puts it back brings it up to date
    copy.data[_PARTS[copy.name]] = built
    try:
        confirm()
    except BusyError:
        return False
    _write(backend, group, copy)
    return True


def _takes(transaction: Transaction, path: str) -> bool:
    """Whether a transaction is about to take a file away, which must not come to be again."""
    if transaction.phase in {"placed", "purging"}:
        return False
    return any(way in transaction.intent.places for way in (path, *above(path)))


# --- reading and writing ---------------------------------------------------------------------------------------------


def _keeps_copy(backend: Backend, group: str) -> bool:
    with _naming(backend, group, UnreadableError):
        old = backend.stat(joined(group, ".zmetadata"), Requests(), may_be_file=True)
    return old in ("file", "symlink") or _copy(backend, group, "zarr.json") is not None


def _copy(backend: Backend, group: str, name: CopyName) -> CopyFile | None:
    with _naming(backend, group):
        return read_copy(backend, group, name)


@contextmanager
def _naming(backend: Backend, folder: str, errors: type[UnreadableError] = DamagedError) -> Iterator[None]:
    """Say where it is what cannot be read. What is not damaged, `read` has named already."""
    try:
        yield
    except errors as error:
        raise type(error)(f"{_shown(backend, folder)}: {error}") from None


def _shown(backend: Backend, folder: str) -> str:
    return repr(joined(backend.root, folder) if folder else backend.root)


def _cut(listed: dict[str, dict[str, Any]], folder: str, gone: Collection[str]) -> bool:
    """Take what is gone out of what a group at `folder` lists; return whether something was listed.

    The files of the group itself, which `.zmetadata` lists too, go with the group. zarr writes one list of all that is
    below a group, but it also reads a list of its own that a group in the list may have.
    """
    cut = [key for key in listed if key not in METADATA and _is_gone(joined(folder, key), gone)]
    for key in cut:
        del listed[key]
    inner = [(key, data[_NEW].get("metadata")) for key, data in listed.items() if isinstance(data.get(_NEW), dict)]
    more = [_cut(below, joined(folder, key), gone) for key, below in inner if isinstance(below, dict)]
    return bool(cut) or any(more)


def _is_gone(path: str, gone: Collection[str]) -> bool:
    return any(one in gone for one in (path, *above(path)))


def _write(backend: Backend, group: str, copy: CopyFile) -> None:
    indented = _is_indented(copy.content)
    with _naming(backend, group):
        content = _dumped(copy.data, indented[1].decode() if indented else None)
    backend.write(joined(group, copy.name), content.encode(), replace=True)


def _dumped(data: Any, indent: str | None = None) -> str:
    try:
        return json.dumps(data, indent=indent)
    except RecursionError:
        raise DamagedError("its copy of the metadata below it is damaged: it is nested too deeply") from None


# --- building a copy -------------------------------------------------------------------------------------------------


def _built(backend: Backend, group: str, name: CopyName) -> Any:
    """Return what zarr would write as the copy of a group, `None` where there is no group. Nothing is written."""
    import zarr

    held: dict[str, Any] = {}
    with _quiet, warnings.catch_warnings():
        # That format 3 does not know this yet was said to whoever consolidated the group first.
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        try:
            zarr.consolidate_metadata(_view(backend, group, held), zarr_format=FORMATS[name])
        except ZarrangeError:
            raise
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever zarr stumbles over
            message = f"{_shown(backend, group)}: zarr cannot read the metadata of all that is below it: {error}"
            raise UnreadableError(message) from error
    return json.loads(held[name].to_bytes())[_PARTS[name]]


def _view(backend: Backend, group: str, held: dict[str, Any]) -> Any:
    """What zarr takes as the store of a group's metadata; what it writes is held back.

    It has no symlinks. Nor has it copies: zarr would believe those of groups two levels down, and could take what they
    miss for absent, and what is gone for there.
    """
    from zarr.storage import MemoryStore

    class View(MemoryStore):
        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:  # noqa: ARG002 - of chunks
            content = await asyncio.to_thread(_own_metadata, backend, joined(group, key))
            return None if content is None else prototype.buffer.from_bytes(content)

        async def list_dir(self, prefix: str) -> AsyncIterator[str]:
            for name in await asyncio.to_thread(_folders, backend, joined(group, prefix).rstrip("/")):
                yield name

    return View(held)


def _own_metadata(backend: Backend, path: str) -> bytes | None:
    """Return a metadata file without the copy in it, `None` for none.

    It is checked: zarr would pass over some damaged nodes as if they were none.
    """
    try:
        content = backend.read(path)
    except NotFoundError:
        return None
    folder, _, name = path.rpartition("/")
    with _naming(backend, folder):
        if name in NODE_METADATA:
            parse_node(name, content)
        return json.dumps(without_copy(parse_object(name, content))).encode() if _NEW.encode() in content else content


def _folders(backend: Backend, path: str) -> list[str]:
    with _naming(backend, path, UnreadableError):
        items = backend.items(path, Requests())
    return [name for name, sort in items if sort == "folder" and (path or name != WORKING_FOLDER)]
