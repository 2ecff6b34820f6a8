"""Local folders as a backend: `os.scandir`, and metadata read by one short `read` each.

Symlinks below the root are never followed: whoever joins a name that was not listed asks `stat` first. POSIX only.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from zarrange.errors import UnreadableError
from zarrange.stores.backend import FOLDER, Found
from zarrange.stores.folders import read_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zarrange.stores.backend import Item, ItemSort, Requests

__all__ = ["LocalBackend"]


class LocalBackend:
    """The folder `root`, an absolute path."""

    in_flight = 1
    page = 0

    def __init__(self, root: str) -> None:
        self.root = root
        self._prefix = root.rstrip("/") + "/"

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
        if not target.startswith(os.path.realpath(self.root).rstrip("/") + "/"):
            return "it is a symlink that leads out of the store, which does not follow it"
        return "it is a symlink, which a store does not follow"


_SORTS: dict[int, ItemSort] = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "symlink"}


def _sort(entry: os.DirEntry[str]) -> ItemSort:
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "symlink" if entry.is_symlink() else "other"


def _unreadable(error: OSError) -> UnreadableError:
    return UnreadableError(f"cannot be read: {(error.strerror or str(error)).lower()}")
