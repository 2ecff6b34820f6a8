"""Removal from an object store: metadata first, so that a fresh reader sees the whole artifact or none of it.

Chunks first would read as zeros. What is deleted is listed again until nothing is left.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from zarrange.errors import LeftoverError, NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.metadata import LEFTOVER, METADATA, NODE_METADATA, is_chunk_like
from zarrange.stores.remote.objects import PAGE

if TYPE_CHECKING:
    from zarrange.stores.remote.objects import Objects

__all__ = ["remove"]


def remove(objects: Objects, path: str, sort: Literal["array", "group", "file"]) -> None:
    """Remove what is at a path. Raises `NotFoundError`, `NotInStoreError`, `LeftoverError`."""
    {"array": _remove_array, "group": _remove_group, "file": _remove_file}[sort](objects, path)


def _remove_file(objects: Objects, path: str) -> None:
    if objects.told(path, objects.length, path) is None:
        if objects.told(path, objects.found, path) is not None:
            raise NotInStoreError("it is a folder, not a file")
        raise NotFoundError(errno.ENOENT, "nothing is there", objects.url(path))
    objects.told(path, objects.delete, [path])


def _remove_array(objects: Objects, path: str) -> None:
    found = objects.told(path, objects.found, path)
    if found is None:
        raise NotFoundError(errno.ENOENT, "nothing is there", objects.url(path))
    if found.sort != "array":
        raise NotInStoreError("it is not an array")
    metadata = objects.told(path, _checked_metadata, objects, path)
    objects.told(path, _delete_metadata, objects, metadata)
    _clear(objects, path)


def _checked_metadata(objects: Objects, path: str) -> list[str]:
    """The metadata of an array. Raises `NotInStoreError` for a folder that holds something else."""
    metadata = []
    for key in objects.keys(path):
        inner = key.removeprefix(f"{path}/")
        if inner in METADATA:
            metadata.append(key)
            continue
        above, _, name = inner.rpartition("/")
        if above and name in NODE_METADATA:
            raise NotInStoreError(f"{above!r} inside is another zarr node; it would be lost with it")
        first = inner.partition("/")[0]
        if not is_chunk_like(first) and (above or not first.endswith(LEFTOVER)):
            raise NotInStoreError(f"{first!r} in its folder is not part of the array; it would be lost with it")
    return metadata


def _remove_group(objects: Objects, path: str) -> None:
    with suppress(UnreadableError):  # damaged metadata go with the rest
        found = objects.told(path, objects.found, path)
        if found is None:
            raise NotFoundError(errno.ENOENT, "nothing is there", objects.url(path))
        if found.sort in {"array", "file"}:
            raise NotInStoreError("it is an array" if found.sort == "array" else "it is a file")
    metadata = objects.told(path, lambda: [key for key in objects.keys(path) if _name(key) in METADATA])
    if not any(_name(key) in NODE_METADATA for key in metadata):
        raise NotInStoreError("it has no metadata of zarr, and nothing in it has")
    objects.told(path, _delete_metadata, objects, metadata)
    _clear(objects, path)


def _delete_metadata(objects: Objects, metadata: list[str]) -> None:
    """Delete first what makes nodes, from the top down, then what else belongs to them."""
    metadata.sort(key=lambda key: key.count("/"))
    for is_first in (True, False):
        chosen = [key for key in metadata if (_name(key) in NODE_METADATA) is is_first]
        for at in range(0, len(chosen), PAGE):
            objects.delete(chosen[at : at + PAGE])


def _clear(objects: Objects, path: str) -> None:
    """Delete what is left below a path that is out of sight. Raises `LeftoverError`."""
    reason: object = "something is written there all the time"
    try:
        if objects.delete_all(path, lambda _: True):
            return
    except StoreError as error:
        reason = error
    raise LeftoverError(f"removed, but what is left of it in {objects.url(path)!r} could not be deleted: {reason}")


def _name(path: str) -> str:
    return path.rpartition("/")[2]
