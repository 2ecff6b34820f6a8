"""Dropping: a folder that is left with nothing goes, and with it the files that say only that it is a group of zarr."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import NotFoundError, NotInStoreError, StoreError
from zarrange.stores.local.descent import Descent, status
from zarrange.stores.local.nodes import read_file
from zarrange.stores.local.reading import unreadable
from zarrange.stores.local.writing import write_file
from zarrange.stores.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["alone_in", "drop"]


def alone_in(root: str, path: str, besides: Collection[str]) -> dict[str, bytes] | None:
    """Return the metadata files in a folder, `None` where there is more in it than these and some names.

    Where there is no folder, it has none. Raises `NotInStoreError` for a way that passes a symlink or a file, and
    `UnreadableError`.
    """
    with Descent(root) as descent:
        try:
            folder = descent.folder(path)
            with os.scandir(folder) as items:
                if any(item.name not in METADATA and item.name not in besides for item in items):
                    return None
            names = [name for name in sorted(METADATA) if status(folder, name) is not None]
        except NotFoundError:
            return {}
        except NotADirectoryError:
            raise NotInStoreError(f"{descent.shown(path)!r} is not a folder") from None
        except OSError as error:
            raise unreadable(error, f"{descent.shown(path)!r} ") from error
        try:
            return {name: read_file(folder, name) for name in names}
        except FileNotFoundError:  # somebody else is at it
            return None
        except OSError as error:
            raise unreadable(error, f"{descent.shown(path)!r} ") from error


def drop(root: str, folders: Mapping[str, Mapping[str, bytes]], guard: Callable[[], object]) -> dict[str, str | None]:
    """Delete folders that have no more in them than these files; return those that stay, and what was in the way.

    That is `None` where there is more by now: then nothing is touched, or the files come back.
    """
    left: dict[str, str | None] = {}
    with Descent(root) as descent:
        for path, files in folders.items():
            guard()
            try:
                if not _is_dropped(descent, path, files):
                    left[path] = None
            except OSError as error:
                left[path] = f"{descent.shown(path)!r}: {error.strerror or error}"
            except StoreError as error:
                left[path] = str(error)
        descent.sync({path.rpartition("/")[0] for path in folders if path not in left})
    return left


def _is_dropped(descent: Descent, path: str, files: Mapping[str, bytes]) -> bool:
    with suppress(NotFoundError):
        folder = descent.folder(path)
        names = set(os.listdir(folder))
        if names != files.keys() or any(read_file(folder, name) != content for name, content in files.items()):
            return not names and descent.is_removed(path)
        like = {name: status(folder, name) for name in files}
        is_removed = False
        try:
            for name in files:
                os.unlink(name, dir_fd=folder)
            is_removed = descent.is_removed(path)
        finally:
            for name, content in files.items() if not is_removed else ():
                # What somebody has put there past zarrange has its group again.
                with suppress(OSError, StoreError):
                    write_file(descent, f"{path}/{name}", content, replace=False, like=like[name])
        return is_removed
    return True
