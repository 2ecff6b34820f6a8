"""Dropping: a group that is left with nothing goes, by the objects that say only that it is one."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import AlreadyExistsError, NotFoundError, StoreError
from zarrange.stores.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zarrange.stores.remote.objects import Objects

__all__ = ["alone_in", "drop", "take_back"]


def alone_in(objects: Objects, folder: str, besides: Collection[str]) -> dict[str, bytes] | None:
    """Return the metadata files in a folder, `None` where there is more below it than these and some names.

    Raises `NotFoundError` where somebody deletes them meanwhile, and `UnreadableError`.
    """
    paths = objects.told(folder, _metadata, objects, folder, besides)
    return None if paths is None else {path[len(folder) + 1 :]: _content(objects, path) for path in paths}


def _content(objects: Objects, path: str) -> bytes:
    content = objects.told(path, objects.content, path)
    if content is None:
        raise NotFoundError(errno.ENOENT, "there is no file", objects.url(path))
    return content


def _metadata(objects: Objects, folder: str, besides: Collection[str] = ()) -> list[str] | None:
    paths = []
    for path in objects.keys(folder):
        name, is_below, _ = path[len(folder) + 1 :].partition("/")
        if name in METADATA and not is_below:
            paths.append(path)
        elif name not in besides:
            return None
    return paths


def take_back(objects: Objects, folder: str) -> None:
    """Delete the metadata of a group in which there is nothing else."""
    if paths := _metadata(objects, folder):
        objects.delete(paths)


def drop(
    objects: Objects, folders: Mapping[str, Mapping[str, bytes]], guard: Callable[[], object]
) -> dict[str, str | None]:
    """Delete the metadata of groups without anything in them; where somebody puts something there, they are back.

    Return those that stay, and what was in the way. Nobody can delete on a condition: of who makes an array there past
    zarrange, or has looked for the group before, the array stays, but not the group; nor do attributes that are
    written into the group in just that moment.
    """
    left: dict[str, str | None] = {}
    for folder, files in folders.items():
        guard()
        try:
            if files and not _is_dropped(objects, folder, files):
                left[folder] = None
        except StoreError as error:
            left[folder] = str(error)
    return left


def _is_dropped(objects: Objects, folder: str, files: Mapping[str, bytes]) -> bool:
    if alone_in(objects, folder, ()) != files:
        return False
    try:
        objects.delete([f"{folder}/{name}" for name in files])
        is_gone = alone_in(objects, folder, ()) == {}
    except StoreError:
        _bring_back(objects, folder, files)
        raise
    except BaseException:
        with suppress(StoreError):
            _bring_back(objects, folder, files)
        raise
    if not is_gone:
        _bring_back(objects, folder, files)
    return is_gone


def _bring_back(objects: Objects, folder: str, files: Mapping[str, bytes]) -> None:
    """Put objects again where there are none. Raises `StoreError`."""
    problems = []
    for name, content in files.items():
        try:
            with suppress(AlreadyExistsError):
                objects.create(f"{folder}/{name}", content)
        except StoreError as error:
            problems.append(f"its {name} was deleted, and could not be put again: {error}")
    if problems:
        raise StoreError(f"{objects.url(folder)!r}: {'; '.join(problems)}")
