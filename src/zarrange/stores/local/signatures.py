"""Signatures: what a folder or a file on a disk is at some moment, to tell copies and changes by.

Everything is reached by descriptors, a step at a time, and no symlink is followed. What is no folder and no file is
refused by its name. To tell a change costs one look at each file; a digest costs reading it.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

from zarrange.errors import AccessDeniedError, BusyError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.local.descent import open_folder, status
from zarrange.stores.local.streaming import BLOCK, changed, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "WORKERS",
    "Part",
    "Signature",
    "Tree",
    "Wanted",
    "batches",
    "check_part",
    "digested",
    "each",
    "everything",
    "is_unchanged",
    "listed",
    "open_part",
    "opened",
    "read_signature",
    "settled",
    "telling",
]

WORKERS = 8
"""How many files are read or copied at once: disks take several orders, and to sync is to wait."""
BATCH = 16
"""How many files a worker has open, written and not yet synced: their syncs then cost one."""
BATCH_BYTES = 64 * BLOCK
TICK = 20_000_000
"""Nanoseconds for which the clock of a file system may stand still: two changes may leave the same time."""
AHEAD = 2_000_000_000
"""A time that is further in the future is that of another clock, of which nothing is known."""
ATTEMPTS = 50
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SPECIAL = {
    stat.S_IFLNK: "a symlink, which is not followed",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
Wanted: TypeAlias = "Callable[[str], bool]"
"""Whether a file of a name counts; one that does not is as if it were not there."""


def everything(_: str) -> bool:
    """Say that a file counts."""
    return True


@frozen
class Part:
    """A folder or a file as it was: `path` is relative to the whole, which itself is `""`. `digest` may be missing."""

    path: str
    is_folder: bool
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    digest: str = ""

    @property
    def state(self) -> tuple[object, ...]:
        """What differs once it was changed. To be renamed changes what is whole, but not what is in it."""
        shared = (self.path, self.is_folder, self.size, self.mtime_ns, self.inode, self.device)
        return (*shared, self.ctime_ns) if self.path else shared

    @property
    def content(self) -> tuple[str, bool, int, str]:
        """What a copy has too."""
        return self.path, self.is_folder, self.size, self.digest


@frozen
class Signature:
    """What a folder with all that is in it, or a file, was at some moment; `parts` are in the order of their paths."""

    parts: tuple[Part, ...]

    @property
    def files(self) -> tuple[Part, ...]:
        """The files."""
        return tuple(part for part in self.parts if not part.is_folder)

    @property
    def bytes(self) -> int:
        """The bytes of all files."""
        return sum(part.size for part in self.parts)


def read_signature(
    folder_fd: int, name: str, *, with_digest: bool, workers: int = WORKERS, wanted: Wanted = everything
) -> Signature:
    """Return what is at a name in an open folder, read whole for its digests.

    Raises `NotFoundError`, `NotInStoreError`; `BusyError` where it is being changed.
    """
    with telling(name):
        parts = settled(folder_fd, name, wanted)
        return Signature(tuple(digested(folder_fd, name, parts, workers) if with_digest else parts))


def is_unchanged(signature: Signature, folder_fd: int, name: str, *, wanted: Wanted = everything) -> bool:
    """Return whether what was read or copied is still as it was, by what the file system says of each part."""
    try:
        with telling(name):
            found = listed(folder_fd, name, wanted)
    except (NotFoundError, NotInStoreError):
        return False
    return [part.state for part in found] == [part.state for part in signature.parts]


# --- what is there ---------------------------------------------------------------------------------------------------


def settled(folder: int, name: str, wanted: Wanted) -> list[Part]:
    """Return all parts, once no later change can leave the times that they have. Raises `BusyError`."""
    for _ in range(ATTEMPTS):
        began = time.time_ns()
        parts = listed(folder, name, wanted)
        if not any(began - TICK < part.ctime_ns < began + AHEAD for part in parts):
            return parts
        time.sleep(TICK / 1e9)
    raise BusyError(f"{name!r} is being changed all the time")


def listed(folder: int, name: str, wanted: Wanted) -> list[Part]:
    """Return all parts, in order. Raises `NotFoundError`, `NotInStoreError`."""
    found = status(folder, name)
    if found is None:
        raise NotFoundError(errno.ENOENT, "nothing is there", name)
    parts = [_part("", found, name)]
    if not parts[0].is_folder:
        return parts
    top = open_folder(folder, name, name)
    try:
        with closing(_Inside(top, name)) as inside:
            parts[0] = _part("", os.fstat(top), name)
            waiting = [""]
            while waiting:
                path = waiting.pop()
                new = _children(inside.folder(path), path, name, wanted)
                waiting += [part.path for part in new if part.is_folder]
                parts += new
    finally:
        os.close(top)
    return sorted(parts, key=lambda part: part.path)


def _children(folder: int, path: str, shown: str, wanted: Wanted) -> list[Part]:
    parts = []
    with os.scandir(folder) as entries:
        for entry in entries:
            way = f"{path}/{entry.name}" if path else entry.name
            part = _part(way, entry.stat(follow_symlinks=False), f"{shown}/{way}")
            if part.is_folder or wanted(entry.name):
                parts.append(part)
    return parts


def _part(path: str, found: os.stat_result, shown: str) -> Part:
    mode = stat.S_IFMT(found.st_mode)
    if mode not in (stat.S_IFDIR, stat.S_IFREG):
        raise NotInStoreError(f"{shown!r} is {_SPECIAL.get(mode, 'no folder and no file')}")
    is_folder = mode == stat.S_IFDIR
    size = 0 if is_folder else found.st_size
    return Part(path, is_folder, size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


class _Inside:
    """The folders below one that is open, reached step by step; the last one stays open, as it is often the next."""

    def __init__(self, top: int, shown: str) -> None:
        self._top = top
        self._shown = shown
        self._path = ""
        self._folder = top

    def folder(self, path: str) -> int:
        if path != self._path:
            self.close()
            try:
                for name in path.split("/") if path else ():
                    behind = open_folder(self._folder, name, f"{self._shown}/{path}")
                    self.close()
                    self._folder = behind
            except BaseException:
                self.close()
                raise
            self._path = path
        return self._folder

    def close(self) -> None:
        if self._folder != self._top:
            os.close(self._folder)
        self._path, self._folder = "", self._top


@contextmanager
def open_part(folder: int, name: str, part: Part, shown: str) -> Iterator[int]:
    """Open a file to read, which has to be what was seen. Raises `NotInStoreError`, `BusyError`."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        raise changed(shown) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotInStoreError(f"{shown!r} is no file any more") from None
        raise
    try:
        check_part(descriptor, part, shown)
        yield descriptor
    finally:
        os.close(descriptor)


def check_part(descriptor: int, part: Part, shown: str) -> None:
    """Refuse an open file that is not, or not any more, what was seen. Raises `BusyError`."""
    if _part(part.path, os.fstat(descriptor), shown).state != part.state:
        raise changed(shown)


# --- reading it ------------------------------------------------------------------------------------------------------


@frozen
class Tree:
    """A name in an open folder; `top` is the folder that its parts are in: itself, or for a file the one it is in."""

    folder: int
    name: str
    top: int

    @contextmanager
    def inside(self) -> Iterator[_Inside]:
        """The folders of its parts, for one thread."""
        with closing(_Inside(self.top, self.name)) as inside:
            yield inside

    def place(self, inside: _Inside, path: str) -> tuple[int, str]:
        """Return the open folder of a part, and its name there."""
        above, _, name = path.rpartition("/")
        return inside.folder(above), name or self.name


@contextmanager
def opened(folder: int, name: str, *, is_folder: bool) -> Iterator[Tree]:
    """Hold open what has a name in an open folder."""
    if not is_folder:
        yield Tree(folder, name, folder)
        return
    top = open_folder(folder, name, name)
    try:
        yield Tree(folder, name, top)
    finally:
        os.close(top)


def digested(folder: int, name: str, parts: Sequence[Part], workers: int) -> list[Part]:
    """Return the same parts with their digests."""
    with opened(folder, name, is_folder=parts[0].is_folder) as tree:
        digests = each(partial(_digest_some, tree), batches(part for part in parts if not part.is_folder), workers)
    return [evolve(part, digest=digests.get(part.path, "")) for part in parts]


def _digest_some(tree: Tree, parts: Sequence[Part]) -> dict[str, str]:
    digests = {}
    with tree.inside() as inside:
        for part in parts:
            shown = f"{tree.name}/{part.path}" if part.path else tree.name
            with telling(shown), open_part(*tree.place(inside, part.path), part, shown) as read:
                digests[part.path] = stream(read, part.size, shown)
                check_part(read, part, shown)
    return digests


# --- workers ---------------------------------------------------------------------------------------------------------


def batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Yield so many parts as a worker takes at once."""
    batch: list[Part] = []
    length = 0
    for part in parts:
        batch.append(part)
        length += part.size
        if len(batch) == BATCH or length >= BATCH_BYTES:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def each(
    work: Callable[[Sequence[Part]], dict[str, str]], batches: Iterator[list[Part]], workers: int
) -> dict[str, str]:
    """Return what comes of all batches. When one fails, those that have not begun are left; no worker is at work."""
    found: dict[str, str] = {}
    waiting = list(batches)
    if workers <= 1 or len(waiting) <= 1:
        for batch in waiting:
            found |= work(batch)
        return found
    with ThreadPoolExecutor(min(workers, len(waiting)), thread_name_prefix="zarrange-copy") as pool:
        try:
            for some in pool.map(work, waiting):
                found |= some
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


@contextmanager
def telling(shown: str) -> Iterator[None]:
    """Say what could not be done, with what."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        made = AccessDeniedError if isinstance(error, PermissionError) else StoreError
        raise made(f"{shown!r} cannot be copied: {reason}; nothing was copied") from error
