"""Attributes of files on disks: their owners, modes, times and extended attributes, given to a copy by descriptors."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from zarrange.errors import StoreError

__all__ = ["keep_attributes"]

_ACCESS = "system.posix_acl_"
_KEPT = ("user.", _ACCESS)
"""What somebody has said of a file. Other extended attributes are the system's own, and kept where that lets us."""
_SPECIAL = stat.S_ISUID | stat.S_ISGID


def keep_attributes(source: int, target: int, shown: str, *, keep_owner: bool) -> None:
    """Give a new file or folder what an open one has. Raises `StoreError` where that may not be done.

    Without `keep_owner`, what may not be given away stays whose it is, without the rights of a group that is another.
    """
    found = os.fstat(source)
    mode = stat.S_IMODE(found.st_mode)
    is_kept = _keep_owner(found, target)
    if not is_kept and keep_owner:
        raise StoreError(
            f"{shown!r} belongs to user {found.st_uid} and group {found.st_gid}, and its copy may not be given to them;"
            " nothing was copied"
        )
    if not is_kept:
        mode &= ~(_SPECIAL | stat.S_IRWXG)
    _keep_extended(source, target, shown)  # before the mode, which may forbid it
    os.fchmod(target, mode)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _keep_owner(found: os.stat_result, target: int) -> bool:
    new = os.fstat(target)
    if (new.st_uid, new.st_gid) == (found.st_uid, found.st_gid):
        return True
    try:
        os.fchown(target, found.st_uid, found.st_gid)
    except PermissionError:
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:  # a user who does not exist there
            return False
        raise
    return True


def _keep_extended(source: int, target: int, shown: str) -> None:
    names = _extended(source)
    for name in _extended(target):
        if name.startswith(_ACCESS) and name not in names:  # what the folder gives to all that is made in it
            os.removexattr(target, name)
    for name in names:
        if not name.startswith(_KEPT):
            with suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
            continue
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"the extended attribute {name!r} of {shown!r} cannot be kept: {reason}; nothing was copied"
            raise StoreError(message) from error


def _extended(descriptor: int) -> list[str]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(descriptor)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
