"""Writing: small files below a root, which appear whole or not at all and survive a power cut."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import NotFoundError
from zarrange.stores.local.descent import exists, rename, status, take_after, tell
from zarrange.stores.metadata import LEFTOVER

if TYPE_CHECKING:
    from zarrange.stores.local.descent import Descent

__all__ = ["is_aside", "new_aside", "sweep", "write_file"]

is_aside = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(LEFTOVER)}").fullmatch
"""Whether a file has a name for what is not yet at its place, or not any more. Nobody misses it but who is at it."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_file(  # noqa: PLR0913 - what, where, and how
    descent: Descent,
    path: str,
    content: bytes,
    *,
    replace: bool,
    is_lasting: bool = True,
    like: os.stat_result | None = None,
) -> None:
    """Write a file, with the folders above it. One that is replaced leaves its permissions and owner to the new one.

    Another new one has those of what it is `like`. Unless it `is_lasting`, it is not brought to the disk at once, as
    what zarr writes itself is not. Raises `AlreadyExistsError` where something is there, unless `replace`;
    `NotInStoreError` for a way by a symlink.
    """
    folder, name = descent.above(path, like="")
    try:
        descriptor, aside = _made(folder)
    except OSError as error:
        tell(error, descent.shown(path))
        raise
    try:
        try:
            _fill(descriptor, content)
            before = status(folder, name) if replace else None
            if (other := before or like) is not None:
                take_after(descriptor, other)
            if is_lasting:
                os.fsync(descriptor)
            if replace:
                os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                rename(folder, aside, folder, name, descent.shown(path))
        finally:
            os.close(descriptor)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(aside, dir_fd=folder)
        raise
    if is_lasting:
        descent.sync([path.rpartition("/")[0]])


def new_aside() -> str:
    """Return a name that nobody else has."""
    return f".{secrets.token_hex(8)}{LEFTOVER}"


def _made(folder: int) -> tuple[int, str]:
    """Make a file that is locked as long as we live, so that others do not sweep it; return it open, with its name."""
    while True:
        aside = new_aside()
        descriptor = os.open(aside, _NEW, 0o666, dir_fd=folder)
        try:
            with suppress(OSError):  # some file systems have no locks: there, nothing is ever swept
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if exists(folder, aside):
                return descriptor, aside
        except BaseException:
            os.close(descriptor)
            os.unlink(aside, dir_fd=folder)
            raise
        os.close(descriptor)  # swept, in the moment before it was locked


def sweep(descent: Descent, path: str) -> None:
    """Delete what was being written into a folder by processes that have died; theirs who live is locked."""
    try:
        folder = descent.folder(path)
    except NotFoundError:
        return
    for name in filter(is_aside, os.listdir(folder)):
        with suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _fill(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
