"""Local folders as a backend: `os.scandir`, and metadata read by one short `read` each.

Symlinks below the root are not followed: a scan that joins a name that was not listed asks `stat` first, and what works
on one artifact looks at every segment on the way. Reading goes by paths: a folder that somebody swaps for a symlink
between that look and the reading is not noticed (what writes or removes goes by descriptors). POSIX only.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Literal

from zarrange.errors import AccessDeniedError, AlreadyExistsError, NotFoundError, NotInStoreError, UnreadableError
from zarrange.stores.backend import FILE, FOLDER, Found, Requests
from zarrange.stores.local.folders import (
    check_array,
    check_group,
    check_way,
    leaving_no_folders,
    put_in,
    staging,
    take_out,
    write_whole,
)
from zarrange.stores.local.nodes import read_file, read_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from zarrange.stores.backend import Item, ItemSort

__all__ = ["LocalBackend"]


class LocalBackend:
    """The folder `root`, an absolute path."""

    in_flight = 1
    has_folders = True
    page = 0

    def __init__(self, root: str) -> None:
        self._top = root
        self._prefix = root.rstrip("/") + "/"
        self.root = self._prefix[:-1]

    def is_there(self) -> bool:
        """Return whether the root is a folder, or one that may not be looked at."""
        try:
            return stat.S_ISDIR(os.stat(self._top).st_mode)
        except PermissionError:
            return True
        except OSError:
            return False

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder. Raises `UnreadableError`."""
        requests.lists += 1
        try:
            with os.scandir(self._prefix + path) as entries:
                return [(entry.name, _sort(entry)) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(error) from error

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is. Raises `UnreadableError`."""
        requests.looks += 1
        try:
            node = read_node(self._prefix + path)
            return FOLDER if node is None else Found(node.type, node)
        except OSError as error:
            raise _unreadable(error) from error

    def stat(self, path: str, requests: Requests, *, may_be_file: bool) -> ItemSort | None:  # noqa: ARG002 - asked anyway
        """Return what sort of thing a path is. Raises `UnreadableError`."""
        requests.stats += 1
        try:
            mode = os.lstat(self._prefix + path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None  # nothing can have this path
            raise _unreadable(error) from error
        return _SORTS.get(stat.S_IFMT(mode), "other")

    def pages(self, path: str, requests: Requests) -> Iterator[Sequence[str]]:
        """Refuse: folders are listed level by level."""
        raise NotImplementedError

    def symlink(self, path: str) -> str:
        """Say what is the matter with a symlink."""
        try:
            target = os.path.realpath(self._prefix + path, strict=True)
        except FileNotFoundError:
            return "it is a symlink that leads nowhere"
        except OSError as error:
            return f"it is a symlink that cannot be followed: {(error.strerror or str(error)).lower()}"
        top = os.path.realpath(self._prefix)
        if target != top and not target.startswith(top.rstrip("/") + "/"):
            return "it is a symlink that leads out of the store, which does not follow it"
        return "it is a symlink, which a store does not follow"

    # --- one artifact ------------------------------------------------------------------------------------------------

    def found(self, path: str) -> Found | None:
        """Return what is at a path. Raises `UnreadableError`."""
        sort = self._sort(path)
        if sort != "folder":
            return None if sort is None else FILE
        try:
            return self.look(path, Requests())
        except UnreadableError as error:
            raise type(error)(f"{self._prefix + path!r}: {error}") from error

    def _sort(self, path: str) -> ItemSort | None:
        """Return what sort of thing a path is, looking at each segment. Raises `UnreadableError` for a symlink."""
        segments = path.split("/")
        for length in range(1, len(segments) + 1):
            way = "/".join(segments[:length])
            try:
                sort = self.stat(way, Requests(), may_be_file=True)
            except UnreadableError as error:
                raise type(error)(f"{self._prefix + way!r} {error}") from error
            if sort == "symlink":
                raise UnreadableError(f"{self._prefix + way!r}: {self.symlink(way)}")
            if sort != "folder":
                return sort if length == len(segments) else None
        return "folder"

    def read(self, path: str) -> bytes:
        """Return the content of a small file. Raises `NotFoundError`, `UnreadableError`."""
        whole = self._prefix + path
        self._sort(path)
        try:
            return read_file(os.path.dirname(whole), os.path.basename(whole))
        except FileNotFoundError:
            raise NotFoundError(errno.ENOENT, "there is no file", whole) from None
        except OSError as error:
            raise _unreadable(error, f"{whole!r} ") from error

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file: whole or not at all. Raises `AlreadyExistsError` unless `replace`."""
        write_whole(self._top, path.split("/"), content, replace=replace)

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""
        whole = self._prefix + path
        try:
            return _size(whole) if self._sort(path) == "folder" else os.lstat(whole).st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _unreadable(error, f"{error.filename!r} ") from error

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file. Raises `AlreadyExistsError`."""
        whole = self._prefix + path
        if mode == "xb":
            os.makedirs(os.path.dirname(whole), exist_ok=True)
        else:
            self._sort(path)
        try:
            return open(whole, mode)
        except FileExistsError:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", whole) from None

    def zarr_store(self, container: str) -> str:
        """Return the path of a container, which zarr takes as its store."""
        return self._prefix + container

    @contextmanager
    def creating(self, path: str) -> Iterator[None]:
        """Check the way to a path, and take back the folders that were made for it when the body raises."""
        segments = path.split("/")
        check_way(self._top, segments[:-1])
        if os.path.islink(self._prefix + path):
            raise AlreadyExistsError(errno.EEXIST, "a symlink is there already", self._prefix + path)
        with leaving_no_folders(self._top, segments):
            yield

    def create_array(self, container: str, dataset: str, options: dict[str, Any], above: Callable[[], None]) -> None:
        """Make an array aside, with its data if there are any, and then bring it to its place: whole or not at all."""
        import zarr

        with staging(self._top) as stage:
            zarr.create_array(stage, **options)
            above()
            put_in(stage, f"{self._prefix}{container}/{dataset}")

    def remove(self, path: str, sort: Literal["array", "group", "file"]) -> None:
        """Remove an array, a group or a file: renamed aside, out of sight at once, then deleted."""
        whole = self._prefix + path
        if sort == "file" and os.path.isdir(whole):
            raise NotInStoreError(f"{whole!r} is a folder, not a file")
        take_out(self._top, path.split("/"), {"file": None, "array": check_array, "group": check_group}[sort])


def _size(top: str) -> int:
    """Return the bytes below a folder; what is removed meanwhile counts as nothing."""
    total = 0
    waiting = [top]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total


_SORTS: dict[int, ItemSort] = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "symlink"}


def _sort(entry: os.DirEntry[str]) -> ItemSort:
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "symlink" if entry.is_symlink() else "other"


def _unreadable(error: OSError, prefix: str = "") -> UnreadableError:
    made = AccessDeniedError if isinstance(error, PermissionError) else UnreadableError
    return made(f"{prefix}cannot be read: {(error.strerror or str(error)).lower()}")
