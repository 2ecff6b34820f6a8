"""Dropping: a folder that is left with nothing goes, and with it the files that say only that it is a group of zarr."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError
from zarrange.stores.local.descent import Descent, status
from zarrange.stores.local.nodes import read_file
from zarrange.stores.local.reading import unreadable
from zarrange.stores.local.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["drop", "holds"]


def holds(root: str, path: str, besides: Collection[str]) -> bool:
    """Return whether there is anything in a folder but what has one of some names; it may itself be missing.

    Raises `NotInStoreError` for a way that passes a symlink or a file, and `UnreadableError`.
    """
    with Descent(root) as descent:
        try:
            with os.scandir(descent.folder(path)) as items:
                return any(item.name not in besides for item in items)
        except NotFoundError:
            return False
        except NotADirectoryError:
            raise NotInStoreError(f"{descent.shown(path)!r} is not a folder") from None
        except OSError as error:
            raise unreadable(error, f"{descent.shown(path)!r} ") from error


def drop(root: str, path: str, texts: Mapping[str, str]) -> bool:
    """Delete a folder that has no more in it than these files, and return whether it is gone.

    Where there is more by now, nothing is touched, or the files come back. Raises `OSError`, `NotInStoreError`.
    """
    with Descent(root) as descent, suppress(NotFoundError):
        folder = descent.folder(path)
        names = set(os.listdir(folder))
        if names != texts.keys() or any(read_file(folder, name) != text.encode() for name, text in texts.items()):
            return not names and _is_removed(descent, path)
        like = {name: status(folder, name) for name in texts}
        for name in texts:
            os.unlink(name, dir_fd=folder)
        if not _is_removed(descent, path):  # what somebody has put there past zarrange has its group again
            for name, text in texts.items():
                with suppress(AlreadyExistsError):
                    write_file(descent, f"{path}/{name}", text.encode(), replace=False, like=like[name])
            return False
    return True


def _is_removed(descent: Descent, path: str) -> bool:
    """Remove an empty folder, for good; not those above it, of which more has to be known."""
    if not descent.is_removed(path):
        return False
    descent.sync([path.rpartition("/")[0]])
    return True
