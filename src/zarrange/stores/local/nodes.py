"""Nodes: what a folder on disk is to zarr, by its metadata files. A symlink or a pipe in their place is never read."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, TypeVar

from zarrange.errors import DamagedError, UnreadableError
from zarrange.stores.metadata import NODE_METADATA, parse_node, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from zarrange.stores.metadata import Node, NodeType

__all__ = ["node_type", "read_file", "read_node"]

T = TypeVar("T")

# Not blocking: a named pipe of that name would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
AT_ONCE = 65_536
MAX_METADATA = 128 * 1024 * 1024
"""What is larger would fill the memory, and hold up everything else."""


def node_type(folder: str | int) -> NodeType | None:
    """Return what sort of zarr node a folder (a path or a descriptor) is, or `None` if it has no metadata.

    Raises `DamagedError` for metadata that do not say: unreadable is not absent.
    """
    try:
        return _first_of(folder, parse_type)
    except DamagedError as error:
        if isinstance(folder, int):
            raise
        raise DamagedError(f"{folder!r}: {error}") from error


def read_node(folder: str | int) -> Node | None:
    """Return the node of zarr that a folder is, or `None` if it has no metadata. Raises `DamagedError`."""
    return _first_of(folder, parse_node)


def _first_of(folder: str | int, parse: Callable[[str, bytes], T]) -> T | None:
    for name in NODE_METADATA:
        try:
            return parse(name, read_file(folder, name))
        except FileNotFoundError:
            continue
    return None


def read_file(folder: str | int, name: str) -> bytes:
    """Return the content of a metadata file in a folder. Raises `DamagedError` for what is no regular file."""
    base, path = (folder, name) if isinstance(folder, int) else (None, f"{folder}/{name}")
    try:
        descriptor = os.open(path, _FILE, dir_fd=base)
    except NotADirectoryError:
        raise FileNotFoundError(errno.ENOENT, "not a folder", path) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DamagedError(f"its {name} is damaged: it is a symlink") from error
        if error.errno == errno.ENXIO:  # a socket
            raise DamagedError(f"its {name} is damaged: it is not a file") from error
        raise
    try:
        content = os.read(descriptor, AT_ONCE)
        if len(content) == AT_ONCE:
            content += _rest(descriptor, name)
        if not content and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DamagedError(f"its {name} is damaged: it is not a file")
    except (IsADirectoryError, BlockingIOError):
        raise DamagedError(f"its {name} is damaged: it is not a file") from None
    finally:
        os.close(descriptor)
    return content


def _rest(descriptor: int, name: str) -> bytes:
    """Return what is behind the first block of a metadata file: few are so large."""
    parts: list[bytes] = []
    length = AT_ONCE
    while part := os.read(descriptor, AT_ONCE):
        parts.append(part)
        length += len(part)
        if length > MAX_METADATA:
            raise UnreadableError(f"its {name} has more than {MAX_METADATA:,} bytes, which are not read")
    return b"".join(parts)
