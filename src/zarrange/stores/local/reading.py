"""Reading: parts of files below a root, by descriptors: no symlink is followed, not even one that is swapped in.

Also what is said of what is found on a disk.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from zarrange.errors import AccessDeniedError, NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.backend import Extract
from zarrange.stores.local import opening
from zarrange.stores.local.descent import Descent
from zarrange.stores.paths import above

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from zarrange.stores.backend import ItemSort

__all__ = [
    "first_symlink",
    "open_file",
    "read_range",
    "sort_of",
    "sort_of_mode",
    "unreadable",
    "version",
    "versions_of",
]


def read_range(root: str, path: str, start: int, stop: int | None) -> Extract:
    """Return some bytes of a file. Raises `NotFoundError`, `NotInStoreError`, `UnreadableError`."""
    shown = os.path.join(root, path)
    descriptor = _open(root, path)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableError(f"{shown!r} cannot be read: it is not a file")
        size = found.st_size
        first = max(0, size + start) if start < 0 else start
        last = size if stop is None else min(stop, size)
        return Extract(_bytes(descriptor, first, last), size, version(found))
    except OSError as error:
        raise _told(error, shown) from error
    finally:
        os.close(descriptor)


def open_file(root: str, path: str) -> IO[bytes]:
    """Open a file. Raises `NotFoundError`, `NotInStoreError`, `UnreadableError`."""
    return open(_open(root, path), "rb")


def _open(root: str, path: str) -> int:
    try:
        return opening.open_file(root, path)
    except OSError as error:
        raise _told(error, os.path.join(root, path)) from error


def _bytes(descriptor: int, first: int, last: int) -> bytes:
    """What is between two places of a file; less, where it has been cut off meanwhile."""
    if first >= last:
        return b""
    content = os.pread(descriptor, last - first, first)
    parts = [content]
    first += len(content)
    while content and first < last:  # the system reads no more than 2 GiB at once
        content = os.pread(descriptor, last - first, first)
        parts.append(content)
        first += len(content)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def versions_of(root: str, paths: Sequence[str]) -> list[str | None]:
    """Return what is different when files are written anew. Raises `NotInStoreError`, `UnreadableError`."""
    try:
        with Descent(root) as descent:
            return [_version_at(descent, path) for path in paths]
    except NotFoundError:  # the root
        return [None] * len(paths)


def _version_at(descent: Descent, path: str) -> str | None:
    opening.check_plain(path)
    try:
        found = descent.status(path)
    except NotInStoreError:
        if first_symlink(descent.root, path) is None:
            return None  # a file is on the way
        raise
    except OSError as error:
        raise _told(error, descent.shown(path)) from error
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise NotInStoreError(f"{descent.shown(path)!r} is a symlink")
    return None if found is None else version(found)


def version(found: os.stat_result) -> str:
    """What is different when a file is written anew, by what it is."""
    return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"


def first_symlink(root: str, path: str) -> str | None:
    """Return the first symlink on the way to a path, as it is now; `None` for none."""
    ways = [*above(path)][-2::-1] if path else []
    return next((way for way in (*ways, path) if os.path.islink(os.path.join(root, way))), None)


_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def _told(error: OSError, shown: str) -> Exception:
    """What a failure is called."""
    if isinstance(error, StoreError):
        return error
    if error.errno in _ABSENT:
        return NotFoundError(errno.ENOENT, "there is no file", shown)
    if error.errno == errno.ELOOP:
        return NotInStoreError(f"{shown!r} is a symlink")
    return unreadable(error, f"{shown!r} ")


def unreadable(error: OSError, prefix: str = "") -> UnreadableError:
    """What the system says when something cannot be read; the message goes on from a prefix."""
    made = AccessDeniedError if isinstance(error, PermissionError) else UnreadableError
    return made(f"{prefix}cannot be read: {(error.strerror or str(error)).lower()}")


_SORTS: dict[int, ItemSort] = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "symlink"}


def sort_of_mode(mode: int) -> ItemSort:
    """What sort of thing has a mode."""
    return _SORTS.get(stat.S_IFMT(mode), "other")


def sort_of(entry: os.DirEntry[str]) -> ItemSort:
    """What sort of thing a name in a folder is; a symlink is not followed."""
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "symlink" if entry.is_symlink() else "other"
