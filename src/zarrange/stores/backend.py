"""Backend: the few operations that a store needs of the place where its artifacts are.

Paths are relative to the backend's root, with `/` between segments; `""` is the root itself. A backend knows folders,
files and nodes of zarr; it knows no layouts. What cannot be read is an `UnreadableError`, which says why: it is never
taken for absent. `local` and `remote` are the two backends.
"""

from __future__ import annotations

from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from zarrange.stores.metadata import Node

__all__ = [
    "ARTICLES",
    "FILE",
    "FOLDER",
    "STAGE",
    "TRASH",
    "WORKING_FOLDER",
    "Backend",
    "Found",
    "Item",
    "ItemSort",
    "Requests",
]

WORKING_FOLDER = ".zarrange"
"""What a store keeps for itself at its root."""
STAGE = f"{WORKING_FOLDER}/stage"
"""Where things are made, or wait while they are on their way."""
TRASH = f"{WORKING_FOLDER}/trash"
"""Where is what was removed, until it is purged."""

ItemSort = Literal["folder", "file", "symlink", "other"]
Item: TypeAlias = tuple[str, ItemSort]
"""A name in a folder, and what has it."""


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

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file: whole or not at all. Unless `replace`, raises `AlreadyExistsError` where one is."""

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file; `"xb"` creates it, and raises `AlreadyExistsError` where something is."""

    def zarr_store(self, container: str) -> Any:
        """Return what zarr takes as the `store` of a container."""

    def creating(self, path: str) -> AbstractContextManager[None]:
        """A context for making something at a path, which leaves no trace when its body raises.

        Raises `NotInStoreError` at its beginning where the way there passes a symlink, a file or an array.
        """

    def create_array(self, container: str, dataset: str, options: dict[str, Any], above: Callable[[], None]) -> None:
        """Make an array by the options of `zarr.create_array`, its `zarr_format` among them, in a container.

        `above` makes the groups above it; it is called when the options were found to be fine. Raises
        `AlreadyExistsError`.
        """

    def remove(self, path: str, sort: Literal["array", "group", "file"]) -> None:
        """Remove an array, a group (or container) with all that is in it, or a file: out of sight at once.

        Raises `NotFoundError`; `NotInStoreError` for something else there, or with something else inside;
        `LeftoverError` where it is out of sight, but not wholly deleted.
        """
