"""Streams: an object as a binary file. Reading asks for the parts that are read; writing is one upload at the end.

What is written appears whole when the file is closed, or not at all: also not if the body of its `with` raises, and not
if nobody closes it.
"""

from __future__ import annotations

import io
import warnings
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from zarrange.errors import UnreadableError
from zarrange.stores.remote.connection import Absent, asked

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_reader", "open_writer"]

IN_MEMORY = 8 * 1024 * 1024
"""How much is kept in memory of what is written, before it goes to a temporary file."""
AHEAD = 1024 * 1024
"""How much is asked for at least."""


def open_reader(client: Any, key: str) -> IO[bytes]:
    """Open an object to read it. Raises `Absent`, `UnreadableError`."""
    return io.BufferedReader(_Raw(client, key, asked("read", client.head, key)["size"]), AHEAD)


class _Raw(io.RawIOBase):
    """The parts of an object."""

    def __init__(self, client: Any, key: str, size: int) -> None:
        self._client = client
        self._key = key
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}, which is before the beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if self._at >= end:
            return 0
        try:
            part = asked("read", self._client.get_range, self._key, start=self._at, end=end)
        except Absent:
            part = None
        if part is None:
            raise UnreadableError("cannot be read: it was removed meanwhile")
        with memoryview(part) as view:
            buffer[: len(view)] = view
            self._at += len(view)
            return len(view)

    def readall(self) -> bytes:
        rest = bytearray(max(0, self._size - self._at))
        with memoryview(rest) as view:
            done = 0
            while done < len(view) and (count := self.readinto(view[done:])):
                done += count
        return bytes(rest[:done])


def open_writer(upload: Callable[[IO[bytes], int], None]) -> IO[bytes]:
    """Open a file of which `upload` is given the content, and its length, when it is closed."""
    return _Writer(upload)


class _Writer(SpooledTemporaryFile[bytes]):
    """What will be an object."""

    def __init__(self, upload: Callable[[IO[bytes], int], None]) -> None:
        self._upload = upload
        super().__init__(max_size=IN_MEMORY)

    def close(self) -> None:
        if self.closed:
            return
        try:
            length = self.seek(0, io.SEEK_END)
            self.seek(0)
            self._upload(self, length)
        finally:
            super().close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            super().close()

    def __del__(self) -> None:
        if not self.closed:
            warnings.warn("a file was not closed, so that it was not written", ResourceWarning, stacklevel=2)
            super().close()
