"""Folders: making what is in them, so that it is there as a whole or not at all. Nothing is left where it fails."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from zarrange.errors import LeftoverError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.backend import STAGE
from zarrange.stores.local.deletion import delete
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.nodes import node_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


__all__ = ["Stage", "check_way", "leaving_no_folders", "staging", "sweep"]

_is_made = re.compile(r"new-[0-9a-f]{16}").fullmatch
PATIENCE = 100
ATTEMPTS = 1_000
"""How often a working folder is made again that another process has just cleaned up as empty."""
_lingering: deque[int] = deque()
MAX_LINGERING = 16
"""How many folders stay open into which threads may still write: by then, another one could have the same path."""


def check_way(root: str, segments: Sequence[str]) -> None:
    """Refuse to write behind a symlink, below an array or through a file. What does not exist yet is fine.

    Raises `NotInStoreError`.
    """
    path = root
    for segment in segments:
        path = os.path.join(path, segment)
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            raise NotInStoreError(f"{path!r} is a symlink; a store's root may be one, what is below may not")
        if not stat.S_ISDIR(mode):
            raise NotInStoreError(f"{path!r} is a file, not a folder")
        if node_type(path) == "array":
            raise NotInStoreError(f"{path!r} is an array; what is written below it would lie among its chunks")


@contextmanager
def leaving_no_folders(root: str, segments: Sequence[str]) -> Iterator[None]:
    """Take back the folders that were made for something at `segments` when the body raises.

    What is not empty, such as what another process has made meanwhile, stays: nothing is deleted but empty folders that
    were not there before.
    """
    ways = ["/".join(segments[:length]) for length in range(1, len(segments) + 1)]
    made = [way for way in ways if not os.path.lexists(os.path.join(root, way))]
    is_new = not os.path.lexists(root)
    try:
        yield
    except BaseException:
        _take_back(root, made)
        if is_new:
            with suppress(OSError):
                os.rmdir(root)
        raise


def _take_back(root: str, made: Sequence[str]) -> None:
    with suppress(NotFoundError), Descent(root) as descent:
        for way in reversed(made):
            with suppress(OSError, NotInStoreError):
                folder, name = descent.above(way)
                os.rmdir(name, dir_fd=folder)


class Stage(NamedTuple):
    """A folder of ours, out of a layout's sight: open, its path below the root, and a way for who needs a path."""

    folder: int
    path: str
    way: str


@contextmanager
def staging(descent: Descent) -> Iterator[Stage]:
    """A folder below the root to make something in. What is left in it in the end is deleted."""
    stage = _held(descent)
    try:
        yield stage
    except BaseException:
        _clear(descent, stage)
        _lingering.append(stage.folder)
        while len(_lingering) > MAX_LINGERING:
            os.close(_lingering.popleft())
        raise
    else:
        _clear(descent, stage)
        os.close(stage.folder)


def _held(descent: Descent) -> Stage:
    """Make a folder, not named as a transaction's, for no journal tells of it; and lock it, as long as this lives."""
    for _ in range(ATTEMPTS):
        path = f"{STAGE}/new-{secrets.token_hex(8)}"
        folder = descent.open(path, like="")
        if _is_locked(folder) is not False and _is_at(descent, path, folder):
            # The path of an open folder leads to that one, whatever is by its name; not all systems have such paths.
            way = f"/proc/self/fd/{folder}"
            return Stage(folder, path, way if os.path.isdir(way) else descent.shown(path))
        os.close(folder)  # another process has swept it, in just this moment
    raise StoreError(f"{descent.shown(STAGE)!r} disappears whenever it is made")


def _is_locked(folder: int) -> bool | None:
    """Lock a folder; return whether that could be done, `None` where there are no locks: nobody sweeps there."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(descent: Descent, path: str, folder: int) -> bool:
    found = descent.status(path)
    return found is not None and os.path.samestat(found, os.fstat(folder))


def sweep(root: str) -> list[str]:
    """Delete what is on the stage of makers that have died, and return its paths; theirs who live is locked."""
    with suppress(NotFoundError), Descent(root) as descent:
        names = sorted(filter(_is_made, os.listdir(descent.folder(STAGE))))
        return [path for path in (f"{STAGE}/{name}" for name in names) if _is_swept(descent, path)]
    return []


def _is_swept(descent: Descent, path: str) -> bool:
    """Delete a folder, unless somebody is at it; return whether it was. Raises `LeftoverError`."""
    try:
        folder = descent.open(path)
    except (NotFoundError, NotInStoreError):  # gone by now, or nothing that was made here
        return False
    try:
        if not _is_locked(folder):
            return False
        _empty(folder)
        above, name = descent.above(path)
        os.rmdir(name, dir_fd=above)
    except OSError as error:
        raise LeftoverError(f"{descent.shown(path)!r} could not be deleted: {error}") from error
    finally:
        os.close(folder)
    descent.remove_empty(STAGE)
    return True


def _empty(folder: int) -> None:
    for name in os.listdir(folder):
        delete(folder, name)


def _clear(descent: Descent, stage: Stage) -> None:
    """Delete a folder that an interrupted writer's threads may still be writing into for a moment."""
    for _ in range(PATIENCE):
        with suppress(OSError):
            _empty(stage.folder)
        descent.remove_empty(stage.path)
        if os.fstat(stage.folder).st_nlink == 0 or not _is_there(descent, stage):
            return
        time.sleep(0.02)


def _is_there(descent: Descent, stage: Stage) -> bool:
    try:
        return _is_at(descent, stage.path, stage.folder)
    except NotInStoreError:
        return False
