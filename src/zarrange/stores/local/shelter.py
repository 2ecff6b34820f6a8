"""Shelter: a local folder for who shows to others what is read there, and need not trust who writes into it.

All reading goes by descriptors: what is listed, what is looked at, and what zarr reads. A symlink is refused wherever
it is met, also one that is swapped in at any moment, so that nothing from outside of the root is ever shown. A scan of
many folders pays for that with some more calls of the system.
"""

from __future__ import annotations

import errno
import os
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

from zarrange.errors import NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.backend import FOLDER, Found, Requests
from zarrange.stores.local import LocalBackend
from zarrange.stores.local.nodes import read_file, read_node
from zarrange.stores.local.opening import check_plain, open_folder
from zarrange.stores.local.reading import first_symlink, open_file, sort_of, sort_of_mode, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from zarrange.stores.backend import Backend, Item, ItemSort

__all__ = ["ShelteredBackend"]

T = TypeVar("T")


class ShelteredBackend(LocalBackend):
    """The folder `root`, an absolute path, read from by descriptors."""

    def sheltered(self) -> Backend:
        """Return itself."""
        return self

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder. Raises `UnreadableError`."""
        requests.lists += 1
        return self._in(path, _items, [])

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is. Raises `UnreadableError`."""
        requests.looks += 1
        node = self._in(path, read_node, None)
        return FOLDER if node is None else Found(node.type, node)

    def stat(self, path: str, requests: Requests, *, may_be_file: bool) -> ItemSort | None:  # noqa: ARG002 - as it is
        """Return what sort of thing a path is. Raises `UnreadableError`."""
        requests.stats += 1
        folder, _, name = path.rpartition("/")
        if not path:
            return "folder" if self.is_there() else None
        check_plain(path)
        found = self._in(folder, lambda folder: os.stat(name, dir_fd=folder, follow_symlinks=False), None)
        return None if found is None else sort_of_mode(found.st_mode)

    def _sort(self, path: str) -> ItemSort | None:
        """Return what sort of thing a path is. Raises `UnreadableError` for a symlink."""
        whole = self._prefix + path
        try:
            sort = self.stat(path, Requests(), may_be_file=True)
        except UnreadableError as error:
            raise type(error)(f"{whole!r}: {error}") from error
        if sort == "symlink":
            raise UnreadableError(f"{whole!r}: {self.symlink(path)}")
        return sort

    def read(self, path: str) -> bytes:
        """Return the content of a small file. Raises `NotFoundError`, `UnreadableError`."""
        check_plain(path)
        folder, _, name = path.rpartition("/")
        try:
            content = self._in(folder, lambda folder: read_file(folder, name), None)
        except UnreadableError as error:
            raise type(error)(f"{self._prefix + path!r}: {error}") from error
        if content is None:
            raise NotFoundError(errno.ENOENT, "there is no file", self._prefix + path)
        return content

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file to read it. Raises `NotFoundError`, `NotInStoreError`, `UnreadableError`."""
        if mode != "rb":
            raise StoreError(f"{self._prefix + path!r} is only shown here: it is not written to")
        return open_file(self._top, path)

    def zarr_store(self, container: str) -> Any:
        """Return what zarr takes as the store of a container, to read from only."""
        from zarrange.stores.local.bridge import DescentStore

        return DescentStore(self, container)

    def _in(self, path: str, read: Callable[[int], T], nothing: T) -> T:
        """Return what is read in an open folder, `nothing` where there is none. Raises `UnreadableError`."""
        try:
            folder = open_folder(self._top, path)
            try:
                return read(folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            return nothing
        except NotInStoreError as error:
            way = first_symlink(self._top, path)
            if way is None:  # a file is on the way, or what was a symlink is none by now
                return nothing
            raise UnreadableError(self.symlink(way)) from error
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            if error.errno == errno.ENAMETOOLONG:
                return nothing
            raise unreadable(error) from error


def _items(folder: int) -> list[Item]:
    with os.scandir(folder) as entries:
        return [(entry.name, sort_of(entry)) for entry in entries]
