"""Local folders as a backend: `os.scandir`, and metadata read by one short `read` each.

Symlinks below the root are not followed: a scan that joins a name that was not listed asks `stat` first, and what works
on one artifact looks at every segment on the way. Reading goes by paths: a folder that somebody swaps for a symlink
between that look and the reading is not noticed (what writes or removes goes by descriptors, and so does all reading
where it is `sheltered`). POSIX only.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Literal

from zarrange.errors import NotFoundError, UnreadableError
from zarrange.stores.backend import FILE, FOLDER, MARK, TRASH, WORKING_FOLDER, Found, Requests, Stamp
from zarrange.stores.local import creation, dropping, moving
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.folders import check_way, sweep
from zarrange.stores.local.journal import locked
from zarrange.stores.local.nodes import read_file, read_node
from zarrange.stores.local.reading import read_range, sort_of, sort_of_mode, unreadable, version, versions_of
from zarrange.stores.local.transfer import receiving, sending
from zarrange.stores.local.writing import write_file
from zarrange.stores.metadata import METADATA, is_part
from zarrange.stores.transactions import nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from zarrange.stores.backend import Around, Backend, CopySort, Extract, Item, ItemSort, Receiving, Sending
    from zarrange.stores.transactions import Check, Intent, Transaction

__all__ = ["LocalBackend"]

LOOKED_AT = 5_000
"""How many names of an array's folder are looked at before it is removed; all of them are before it is deleted."""


class LocalBackend:
    """The folder `root`, an absolute path."""

    in_flight = 1
    has_folders = True
    page = 0
    max_path = 4096
    max_name = 255

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
                return [(entry.name, sort_of(entry)) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise unreadable(error) from error

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is. Raises `UnreadableError`."""
        requests.looks += 1
        try:
            node = read_node(self._prefix + path)
            return FOLDER if node is None else Found(node.type, node)
        except OSError as error:
            raise unreadable(error) from error

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
            raise unreadable(error) from error
        return sort_of_mode(mode)

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
            raise unreadable(error, f"{whole!r} ") from error

    def read_range(self, path: str, start: int = 0, stop: int | None = None) -> Extract:
        """Return some bytes of a file, by descriptors. Raises `NotFoundError`, `NotInStoreError`, `UnreadableError`."""
        return read_range(self._top, path, start, stop)

    def versions_of(self, paths: Sequence[str]) -> list[str | None]:
        """Return what is different when files are written anew. Raises `NotInStoreError`, `UnreadableError`."""
        return versions_of(self._top, paths)

    def sheltered(self) -> Backend:
        """Return the same folder, read from by descriptors only."""
        from zarrange.stores.local.shelter import ShelteredBackend

        return ShelteredBackend(self._top)

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file: whole or not at all. Raises `AlreadyExistsError` unless `replace`."""
        check_way(self._top, path.split("/")[:-1])
        os.makedirs(self._top, exist_ok=True)
        with Descent(self._top) as descent:
            write_file(descent, path, content, replace=replace)

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""
        whole = self._prefix + path
        try:
            if self._sort(path) == "folder":
                return sum(one.st_size for one in _files(whole))
            return os.lstat(whole).st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise unreadable(error, f"{error.filename!r} ") from error

    def room(self, path: str) -> tuple[int, int] | None:
        """Return the number of the file system that a path is on, or would be, and the bytes that are free there."""
        whole = self._prefix + path
        while whole:  # a root that is still to be made is on what it will be in
            with suppress(OSError):
                found = os.statvfs(whole)
                return os.stat(whole).st_dev, found.f_bavail * found.f_frsize
            whole = os.path.dirname(whole) if whole != "/" else ""
        return None

    def modified(self, path: str) -> float:
        """Return when the newest file at or below a path was written. Raises `NotFoundError`, `UnreadableError`."""
        whole = self._prefix + path
        sort = self._sort(path)
        try:
            if sort is not None:
                below = _files(whole) if sort == "folder" else ()
                newest = max((one.st_mtime for one in below), default=None)
                return os.lstat(whole).st_mtime if newest is None else newest
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            raise unreadable(error, f"{error.filename!r} ") from error
        raise NotFoundError(errno.ENOENT, "nothing is there", whole)

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file. Raises `AlreadyExistsError`."""
        if mode != "xb":
            self._sort(path)
        return creation.open_file(self._top, path, mode)

    def zarr_store(self, container: str) -> Any:
        """Return the path of a container, which zarr takes as its store."""
        return self._prefix + container

    def creating(self, path: str) -> AbstractContextManager[Callable[[str], Any]]:
        """Check the way to a path; what was made for it is taken back when the body raises."""
        return creation.creating(self._top, path)

    def sending(self, path: str, sort: CopySort) -> AbstractContextManager[Sending]:
        """A context for copying from a path, by descriptors."""
        return sending(self._top, path, sort)

    def receiving(self, path: str, sort: CopySort) -> AbstractContextManager[Receiving]:
        """A context for copying to a path: made aside, synced, and renamed, never over anything."""
        return receiving(self._top, path, sort)

    def create_array(self, container: str, dataset: str, options: dict[str, Any], around: Around) -> None:
        """Make an array aside, with its data if there are any, and then bring it to its place: whole or not at all."""
        creation.create_array(self._top, f"{container}/{dataset}", options, around)

    @contextmanager
    def alone(self) -> Iterator[Callable[[], None]]:
        """A short context in which nobody else begins a transaction or ends one. Raises `BusyError`."""
        with Descent(self._top) as descent, locked(descent):
            yield nothing

    def alone_in(self, folder: str, besides: Collection[str]) -> dict[str, bytes] | None:
        """Return the metadata files in a folder with nothing else but some names. No symlink is followed."""
        return dropping.alone_in(self._top, folder, besides)

    def drop(self, folders: Mapping[str, Mapping[str, bytes]], guard: Callable[[], object]) -> dict[str, str | None]:
        """Delete folders with nothing but these files, for good; where somebody puts something in, they are back."""
        return dropping.drop(self._top, folders, guard)

    # --- changes of the whole ----------------------------------------------------------------------------------------

    def versions(self, path: str) -> dict[str, str]:
        """Return which files make a node, or a file itself (`""`), each as it is now. Raises `UnreadableError`."""
        sort = self._sort(path)
        whole = self._prefix + path
        found = {}
        for name in () if sort is None else sorted(METADATA) if sort == "folder" else ("",):
            try:
                status = os.lstat(f"{whole}/{name}" if name else whole)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise unreadable(error, f"{whole!r} ") from error
            found[name] = version(status)
        return found

    def stamp(self, path: str, names: Collection[str]) -> Stamp | None:
        """Return what is different when a name comes into a folder or goes, or one of these files is written anew."""
        whole = self._prefix + path
        try:
            files = [_times(f"{whole}/{name}") for name in names]
            if path:
                return Stamp((), (_times(whole), *files))
            # Its times change whenever the working folder comes or goes.
            return Stamp(tuple(sorted(name for name in os.listdir(whole) if name != WORKING_FOLDER)), tuple(files))
        except OSError:
            return None

    def kept(self, path: str, versions: Mapping[str, str]) -> bool:
        """Return whether the node that had these versions was removed, and all of it is there to be put back."""
        for one in self.transactions():
            if one.phase != "purging" and one.intent.hides(path):
                moves = [(at, *move.source.rpartition("/")[::2]) for at, move in enumerate(one.intent.moves)]
                asides = {name: self._aside(one.id, at, folder) for at, folder, name in moves if folder == path}
                if asides == versions and self._sort(path) == "folder":
                    return True
        return False

    def _aside(self, id: str, number: int, folder: str) -> str | None:  # noqa: A002 - what it is called everywhere
        """The version of a file that a removal has taken."""
        places = (f"{TRASH}/{id}/{number}", f"{folder}/{MARK}{id}-{number}")
        return next((found for place in places if (found := self.versions(place).get("")) is not None), None)

    def strangers(self, path: str) -> list[str]:
        """Return names in an array's folder that are not the array's own. Raises `UnreadableError`."""
        try:
            with os.scandir(self._prefix + path) as entries:
                return sorted(entry.name for entry in islice(entries, LOOKED_AT) if not is_part(entry.name))
        except (FileNotFoundError, NotADirectoryError):  # somebody has just removed it
            return []
        except OSError as error:
            raise unreadable(error, f"{self._prefix + path!r} ") from error

    def transactions(self) -> list[Transaction]:
        """Return what is under way, was interrupted, or is in the trash. Raises `StoreError`."""
        return moving.transactions(self._top)

    def transact(
        self,
        intent: Intent,
        *,
        grace: float = 0,
        check: Check = nothing,
        progress: Callable[[int, int], None] = nothing,
    ) -> Transaction:
        """Do what an intent says: by renames that a journal tells of, so that no crash leaves anything between."""
        return moving.transact(self, intent, grace=grace, check=check, progress=progress)

    def recover(self, name: str) -> None:
        """Bring an interrupted transaction to its end."""
        moving.recover(self, name)

    def tidy(self) -> None:
        """Delete what is left of transactions that never began."""
        moving.tidy(self._top)

    def sweep(self) -> list[str]:
        """Delete what makers of arrays and copies have left that have died. Raises `LeftoverError`."""
        return sweep(self._top)

    def undo(self, name: str) -> None:
        """Put back what a removal took."""
        moving.undo(self, name)

    def purge(self, name: str) -> None:
        """Delete what a removal took."""
        moving.purge(self, name)


def _times(path: str) -> tuple[int, int, int, int]:
    """When something was written and changed, in nanoseconds, and which one it is; zeros for nothing."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0, 0, 0, 0
    return found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino


def _files(top: str) -> Iterator[os.stat_result]:
    """Yield the status of whatever is no folder below a folder; what is removed meanwhile is left out."""
    waiting = [top]
    while waiting:
        with suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False)
