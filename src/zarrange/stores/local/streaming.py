"""Streaming: the bytes of an open file: their digest, and their way into another file and onto the disk."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

from zarrange.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BLOCK", "changed", "stream", "sync_file", "write_all"]

BLOCK = 1024 * 1024


def changed(shown: str) -> BusyError:
    """Return the refusal of what is not any more what it was."""
    return BusyError(f"{shown!r} was changed while it was read; nothing was copied")


def stream(read: int, size: int, shown: str, write: int | None = None) -> str:
    """Return the digest of an open file, which is written to another one on the way; holes stay holes."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(BLOCK, max(size, 1))))
    at = 0
    for start, end in _extents(read, size):
        _digest_zeros(digest, start - at)
        at = start
        while at < end:
            count = os.preadv(read, [buffer[: end - at]], at)
            if not count:
                raise changed(shown)
            digest.update(buffer[:count])
            if write is not None:
                write_all(write, buffer[:count], at)
            at += count
    _digest_zeros(digest, size - at)
    if write is not None and at < size:
        os.ftruncate(write, size)
    return digest.hexdigest()


def write_all(descriptor: int, block: memoryview, at: int) -> None:
    """Write a block at a place in a file."""
    while block:
        count = os.pwrite(descriptor, block, at)
        block = block[count:]
        at += count


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where a file has data."""
    if os.fstat(descriptor).st_blocks * 512 >= size:
        yield 0, size
        return
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        at = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        yield start, at


def _digest_zeros(digest: hashlib._Hash, count: int) -> None:
    zeros = bytes(min(BLOCK, count))
    while count > 0:
        digest.update(zeros[:count])
        count -= len(zeros)


def sync_file(descriptor: int) -> None:
    """Bring a file to the disk, and let it go from memory: what is read back comes from the disk."""
    os.fsync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
