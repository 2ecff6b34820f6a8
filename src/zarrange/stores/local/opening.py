"""Opening: what is at a path below a root, without following a symlink, not even one that is swapped in meanwhile.

Linux takes all steps of a path in one call (`openat2`); elsewhere, and to say what is in the way, they are taken one by
one (`descent`). POSIX only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from zarrange.errors import NotFoundError, NotInStoreError
from zarrange.stores.local.descent import Descent

__all__ = ["check_plain", "open_file", "open_folder"]

# Not blocking: a named pipe would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
OPENAT2 = 437
"""The number of the call."""
BENEATH_AND_NO_SYMLINKS = 0x08 | 0x04


def open_file(root: str, path: str) -> int:
    """Return a descriptor of what is no folder. Raises `NotFoundError`, `NotInStoreError`, `OSError`."""
    check_plain(path)
    return _opened(root, path, _FILE)


def open_folder(root: str, path: str) -> int:
    """Return a descriptor of a folder, of the root for `""`. Raises `NotFoundError`, `NotInStoreError`, `OSError`."""
    if ".." in path:
        check_plain(path)
    return _opened(root, path, _FOLDER)


def check_plain(path: str) -> None:
    """Refuse what is not plainly below a root: `..` is a folder to the system. Raises `NotInStoreError`."""
    if "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise NotInStoreError(f"{path!r} is no path below a root: it has an empty segment, `.`, `..` or NUL")


def _opened(root: str, path: str, flags: int) -> int:
    try:
        top = os.open(root, _FOLDER)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "nothing is there", root) from None
    if not path:
        return top
    try:
        found = _at_once(top, path, flags)
    finally:
        os.close(top)
    return _step_by_step(root, path, flags) if found is None else found


def _step_by_step(root: str, path: str, flags: int) -> int:
    with Descent(root) as descent:
        if flags == _FOLDER:
            return descent.open(path)
        folder, name = descent.above(path)
        return os.open(name, flags, dir_fd=folder)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _at_once(top: int, path: str, flags: int) -> int | None:
    """Let the system take all steps; `None` where it does not, for whatever reason."""
    if sys.platform != "linux":
        return None
    how = _How(flags, 0, BENEATH_AND_NO_SYMLINKS)
    found: int = _call(OPENAT2, top, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    return found if found >= 0 else None


_call = ctypes.CDLL(None).syscall
_call.restype = ctypes.c_long
