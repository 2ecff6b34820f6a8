"""Dropping: a folder that is left with nothing goes, and with it the files that say only that it is a group of zarr."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.local.descent import Descent, rename, status
from zarrange.stores.local.nodes import read_file
from zarrange.stores.local.reading import unreadable
from zarrange.stores.local.writing import is_aside, new_aside, sweep, write_file
from zarrange.stores.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["alone_in", "drop"]


def alone_in(root: str, path: str, besides: Collection[str]) -> dict[str, bytes] | None:
    """Return the metadata files in a folder, `None` where there is more in it than these and some names.

    Where there is no folder, it has none. What is being written does not count, or what was when its writer died.
    Raises `NotInStoreError` for a way that passes a symlink or a file, and `UnreadableError`.
    """
    with Descent(root) as descent:
        try:
            folder = descent.folder(path)
            with os.scandir(folder) as items:
                others = (item.name for item in items if item.name not in METADATA and item.name not in besides)
                if not all(map(is_aside, others)):
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
    done: list[str] = []
    with Descent(root) as descent:
        try:
            for path, files in folders.items():
                guard()
                try:
                    if _is_dropped(descent, path, files):
                        done.append(path)
                    else:
                        left[path] = None
                except OSError as error:
                    left[path] = f"{descent.shown(path)!r}: {error.strerror or error}"
                except StoreError as error:
                    left[path] = str(error)
        finally:
            descent.sync({path.rpartition("/")[0] for path in done})
    return left


def _is_dropped(descent: Descent, path: str, files: Mapping[str, bytes]) -> bool:
    sweep(descent, path)
    try:
        folder = descent.folder(path)
    except NotFoundError:
        return True
    names = {*os.listdir(folder)}
    if names and names != files.keys():
        return False
    taken: dict[str, os.stat_result] = {}
    try:
        is_removed = all(_is_taken(folder, name, files[name], taken) for name in names) and descent.removes(path)
    except (StoreError, OSError):
        _bring_back(descent, path, files, taken)
        raise
    except BaseException:
        with suppress(StoreError):
            _bring_back(descent, path, files, taken)
        raise
    if not is_removed:
        _bring_back(descent, path, files, taken)
    return is_removed


def _is_taken(folder: int, name: str, content: bytes, taken: dict[str, os.stat_result]) -> bool:
    """Delete a file, if it is this one, and note what it was; what somebody else has put in its place stays."""
    aside = new_aside()
    try:
        rename(folder, name, folder, aside, name)
    except NotFoundError:
        return False
    try:
        found = status(folder, aside)
        if found is not None and read_file(folder, aside) == content:
            os.unlink(aside, dir_fd=folder)
            taken[name] = found
    finally:
        if name not in taken:
            try:
                rename(folder, aside, folder, name, name)
            except AlreadyExistsError:  # a still newer one
                os.unlink(aside, dir_fd=folder)
    return name in taken


def _bring_back(descent: Descent, path: str, files: Mapping[str, bytes], taken: Mapping[str, os.stat_result]) -> None:
    """Write files again: what somebody has put there past zarrange has its group again. Raises `StoreError`."""
    problems = []
    for name, like in taken.items():
        try:
            write_file(descent, f"{path}/{name}", files[name], replace=False, like=like)
        except AlreadyExistsError:  # who put something there has seen to it
            pass
        except (OSError, StoreError) as error:
            problems.append(f"its {name} was deleted, and could not be written again: {error}")
    if problems:
        raise StoreError(f"{descent.shown(path)!r}: {'; '.join(problems)}")
