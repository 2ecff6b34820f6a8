"""Backend: the few operations that a store needs of the place where its artifacts are.

Paths are relative to the backend's root, with `/` between segments; `""` is the root itself. A backend knows folders,
files and nodes of zarr; it knows no layouts. What cannot be read is an `UnreadableError`, which says why: it is never
taken for absent. `local` and `remote` are the two backends.
"""

from __future__ import annotations

from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from zarrange.stores.metadata import Node
    from zarrange.stores.transactions import Check, Intent, Transaction

__all__ = [
    "ARTICLES",
    "FILE",
    "FOLDER",
    "JOURNALS",
    "MARK",
    "STAGE",
    "TRASH",
    "WORKING_FOLDER",
    "Around",
    "Backend",
    "CopySort",
    "Extract",
    "Found",
    "Item",
    "ItemSort",
    "Readable",
    "Receiving",
    "Requests",
    "Sending",
    "Stamp",
]

WORKING_FOLDER = ".zarrange"
"""What a store keeps for itself at its root."""
STAGE = f"{WORKING_FOLDER}/stage"
"""Where things are made, or wait while they are on their way."""
TRASH = f"{WORKING_FOLDER}/trash"
"""Where is what was removed, until it is purged."""
MARK = f"{WORKING_FOLDER}-"
"""How names begin that a transaction gives to what waits beside its place, because the folders above are elsewhere."""
JOURNALS = f"{WORKING_FOLDER}/tx"
"""Where the journals of transactions are."""

ItemSort = Literal["folder", "file", "symlink", "other"]
Item: TypeAlias = tuple[str, ItemSort]
"""A name in a folder, and what has it."""


CopySort = Literal["array", "group", "file"]
"""What is copied: an array with all of its files, only the metadata files of a group or a container, or a file."""


@frozen
class Found:
    """What is at a path: an array, a group, a folder without metadata, or a file. Arrays and groups have a `node`."""

    sort: Literal["array", "group", "folder", "file"]
    node: Node | None = None


ARTICLES = {
    "array": "an array",
    "group": "a group",
    "container": "a container",
    "folder": "a folder",
    "file": "a file",
}
"""What is found, and what kinds are of, in words."""
FOLDER = Found("folder")
FILE = Found("file")


class Extract(NamedTuple):
    """Some bytes of a file, and how many all of it has. `version` is different when the file is written anew."""

    content: bytes
    size: int
    version: str


class Stamp(NamedTuple):
    """What a folder and files in it are like without being read.

    `names` are those in a folder whose own times tell nothing. `times` are of the others, and of each file: when it was
    written and changed, in nanoseconds, and which one it is; zeros for nothing.
    """

    names: tuple[str, ...]
    times: tuple[tuple[int, int, int, int], ...]

    @property
    def newest(self) -> float:
        """The latest of the times, in seconds."""
        return max(max(written, changed) for written, changed, _, _ in self.times or ((0, 0, 0, 0),)) / 1e9


@frozen
class Around:
    """What is done around making an array.

    `before` makes the groups above it; it is called when the options were found to be fine, and perhaps once more, for
    somebody may have found one of them to be empty in between. `after` looks whether somebody else is at work there; it
    is called when nobody can begin to be, or when the array is there, which is taken away again if it raises.
    """

    before: Callable[[], None]
    after: Callable[[], None]


@define
class Requests:
    """How often a backend was asked: `lists` (a level of a folder, or a page of keys), `looks` (metadata), `stats`."""

    lists: int = 0
    looks: int = 0
    stats: int = 0
    _lock: Lock = field(factory=Lock, init=False, repr=False, eq=False)

    def add(self, *, lists: int = 0, looks: int = 0, stats: int = 0) -> None:
        """Count requests, from any thread."""
        with self._lock:
            self.lists += lists
            self.looks += looks
            self.stats += stats

    @property
    def total(self) -> int:
        """All of them."""
        return self.lists + self.looks + self.stats


class Readable(Protocol):
    """What a copy is made from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most so many; none at the end."""


class Sending(Protocol):
    """An artifact that is copied from here. Names of files are relative to it; that of a single file is `""`."""

    def files(self) -> Sequence[tuple[str, int]]:
        """Return the files that it has, each with its size."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file to read it once, from any thread. What is changed meanwhile raises `BusyError`, at its end."""

    def check(self) -> None:
        """Raise `BusyError` if something was changed since `files` was called."""


class Receiving(Protocol):
    """The place of a copy. Nothing of an array or a group is visible before its context ends."""

    def take(self, sent: Sending, workers: int) -> Sequence[tuple[str, int, str]] | None:
        """Take everything, and check it, if there is a better way than by streams; else return `None`.

        What is taken is told by name, size and SHA-256.
        """

    def put(self, name: str, content: Readable, size: int) -> None:
        """Take a file, from any thread."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file that was put, to compare it."""


class Backend(Protocol):
    """Where artifacts are."""

    root: str
    """What identifiers begin with: an absolute path, or a URL; no slash at its end."""
    in_flight: int
    """How many requests may run at the same time; 1: the scan asks one by one, without threads."""
    has_folders: bool
    """Whether there are folders, empty ones too; else they are what keys have in common."""
    page: int
    """How many keys a page of `pages` has; 0: there is no flat listing."""

    max_path: int
    """How many bytes a path may have, the root's included."""
    max_name: int
    """How many bytes a segment of it may have."""

    def is_there(self) -> bool:
        """Return whether the root exists: a folder; in an object store, the beginning of some key.

        A root that cannot be read may exist.
        """

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder, one level, unordered. What does not exist is empty. Raises `UnreadableError`."""

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is, by its metadata. Raises `UnreadableError`."""

    def stat(self, path: str, requests: Requests, *, may_be_file: bool) -> ItemSort | None:
        """Return what sort of thing a path is, or `None` for nothing. Raises `UnreadableError`.

        A backend without folders of its own answers `folder` without asking, unless it may be a file.
        """

    def pages(self, path: str, requests: Requests) -> Iterator[Sequence[str]]:
        """Yield the paths of all files below a folder, in order, a page at a time. Raises `UnreadableError`."""

    def symlink(self, path: str) -> str:
        """Say what is the matter with a symlink. None is ever followed, wherever it leads."""

    # --- one artifact ------------------------------------------------------------------------------------------------

    def found(self, path: str) -> Found | None:
        """Return what is at a path, or `None` for nothing. Raises `UnreadableError`, also for a symlink."""

    def read(self, path: str) -> bytes:
        """Return the content of a small file. Raises `NotFoundError`, `UnreadableError`."""

    def read_range(self, path: str, start: int = 0, stop: int | None = None) -> Extract:
        """Return the bytes of a file from `start` up to `stop`, or to its end; from a negative start on, the last ones.

        What lies beyond its end is left out. A folder on the way that is swapped for a symlink meanwhile leads nowhere.
        Raises `NotFoundError`; `NotInStoreError` for a symlink; `UnreadableError`.
        """

    def versions_of(self, paths: Sequence[str]) -> list[str | None]:
        """Return what is different when files are written anew, `None` for each that is not there.

        Raises `NotInStoreError` for a symlink; `UnreadableError`.
        """

    def sheltered(self) -> Backend:
        """Return the same place for who shows to others what is read: also zarr reads there as `read_range` does.

        It is read from only.
        """

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file: whole or not at all. Unless `replace`, raises `AlreadyExistsError` where one is."""

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""

    def room(self, path: str) -> tuple[int, int] | None:
        """Return the number of the file system that a path is on, or would be, and the bytes that are free there.

        `None` where nobody counts them.
        """

    def modified(self, path: str) -> float:
        """Return when the newest file at or below a path was written, in seconds since the epoch.

        Chunks count, so that an array that is being written is young. A folder without any file is as old as itself.
        Raises `NotFoundError` where nothing is; `UnreadableError`, also for a symlink.
        """

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file; `"xb"` creates it, and raises `AlreadyExistsError` where something is."""

    def zarr_store(self, container: str) -> Any:
        """Return what zarr takes as the `store` of a container."""

    def creating(self, path: str) -> AbstractContextManager[Callable[[str], Any]]:
        """A context for making something at a path, which leaves no trace when its body raises.

        It gives what tells, for a container, what zarr takes as the store of it to make groups there.
        Raises `NotInStoreError` at its beginning where the way there passes a symlink, a file or an array.
        """

    def sending(self, path: str, sort: CopySort) -> AbstractContextManager[Sending]:
        """A context for copying from a path; the artifact must be there. Symlinks are a `NotInStoreError`."""

    def receiving(self, path: str, sort: CopySort) -> AbstractContextManager[Receiving]:
        """A context for copying to a path where nothing is: whole when its body ends well, else nothing.

        The way there was looked at by `creating`. Raises `AlreadyExistsError`, at its beginning or at its end.
        """

    def create_array(self, container: str, dataset: str, options: dict[str, Any], around: Around) -> None:
        """Make an array by the options of `zarr.create_array`, its `zarr_format` among them, in a container.

        Raises `AlreadyExistsError`.
        """

    def alone(self) -> AbstractContextManager[Callable[[], None]]:
        """A short context in which nobody else begins a transaction or ends one. Raises `BusyError`.

        It gives what raises `BusyError` where it has taken so long that others may do so by now.
        """

    def alone_in(self, folder: str, besides: Collection[str]) -> dict[str, bytes] | None:
        """Return the metadata files in a folder, `None` where there is more in it than these and some names.

        It may itself be missing, and has none then. Raises `UnreadableError`; `NotInStoreError` where it is no folder.
        """

    def drop(self, folders: Mapping[str, Mapping[str, bytes]], guard: Callable[[], object]) -> dict[str, str | None]:
        """Delete folders that have no more in them than these files, in this order; return those that stay.

        With each comes what was in the way; `None` where there is something else in it by now. Where something came in
        the moment in which a folder goes, its files are there again. `guard` is called before each, and may raise.
        """

    # --- changes of the whole ----------------------------------------------------------------------------------------

    def versions(self, path: str) -> dict[str, str]:
        """Return what is different when it is written anew: of the metadata files in a folder, of a file itself (`""`).

        Empty where nothing is. Raises `UnreadableError`, also for a symlink.
        """

    def stamp(self, path: str, names: Collection[str]) -> Stamp | None:
        """Return what is different when a name comes into a folder or goes, or one of these files is written anew.

        Of the root, what a store keeps for itself does not count. `None` where that cannot be told without reading.
        """

    def kept(self, path: str, versions: Mapping[str, str]) -> bool:
        """Return whether the node that had these versions was removed, and all of it is there to be put back."""

    def strangers(self, path: str) -> list[str]:
        """Return names in an array's folder that are not the array's own, in order. Raises `UnreadableError`.

        It is a first look: not all names of a folder with very many need be looked at.
        """

    def transactions(self) -> list[Transaction]:
        """Return what is under way, was interrupted, or is in the trash; the oldest first. Raises `StoreError`."""

    def transact(
        self,
        intent: Intent,
        *,
        grace: float = 0,
        check: Check = ...,
        progress: Callable[[int, int], None] = ...,
    ) -> Transaction:
        """Do what an intent says, as a whole or not at all. What it removes is kept for `grace` seconds.

        `check` is called when nobody else may come in between, and before anything is touched; where it tells which one
        a folder was, a disk leaves any other there. `progress` is told how much is done, of how much. Raises what
        they raise; `BusyError`; `NotFoundError`, `AlreadyExistsError` and `NotInStoreError` for what is not as it was
        to be; `LeftoverError` for what is out of sight, but not deleted.
        """

    def recover(self, name: str) -> None:
        """Bring an interrupted transaction to its end. Raises `BusyError` for one that is under way."""

    def tidy(self) -> None:
        """Delete what is left of transactions that never began, or that are over. Nobody's data are among it."""

    def sweep(self) -> list[str]:
        """Delete what makers have left that died before it was at its place, as far as that can be told.

        Returns its paths. Raises `LeftoverError` for what cannot be deleted.
        """

    def undo(self, name: str) -> None:
        """Put back what a removal took. Raises `AlreadyExistsError` where something is by now."""

    def purge(self, name: str) -> None:
        """Delete what a removal took. Raises `NotInStoreError` where something new is in it, `LeftoverError`.

        Raises `EmptyFoldersError` where all of it is deleted, and the transaction over.
        """
