"""Creation of arrays in an object store, where nothing can be made aside and brought to its place in one step.

The metadata come last, by conditional puts: an array appears with its data or not at all, and of two who make the same,
one is told. While data are written, a key of its own keeps others away; it is left where a process dies.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zarrange.errors import AlreadyExistsError, NotInStoreError, StoreError
from zarrange.stores.backend import FILE, Found
from zarrange.stores.metadata import NODE_METADATA

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from zarrange.stores.backend import Around
    from zarrange.stores.remote.bridge import Held
    from zarrange.stores.remote.objects import Objects

__all__ = ["CLAIM", "create_array", "ways_without_metadata"]

CLAIM = "zarr.json.partial"
"""The key below an array that is held by whoever writes its data, while it has no metadata yet."""
CLAIMED = b"An array is being written here.\n"


def create_array(objects: Objects, path: str, options: dict[str, Any], around: Around) -> None:
    """Make an array by the options of `zarr.create_array`. Raises `AlreadyExistsError`."""
    from zarrange.stores.remote.bridge import Held

    if options.get("data") is not None:
        _create_with_data(objects, path, options, around)
        return
    _check_nothing_else(objects, path)
    made = _make(objects, path, options, Held(), around)
    if objects.told(path, objects.length, f"{path}/{CLAIM}") is not None:
        objects.delete(made)
        raise AlreadyExistsError(errno.EEXIST, "an array is being written there", objects.url(path))


def _create_with_data(objects: Objects, path: str, options: dict[str, Any], around: Around) -> None:
    from zarrange.stores.remote.bridge import Held

    claim = f"{path}/{CLAIM}"
    objects.create(claim, CLAIMED)
    held = Held()
    try:
        _check_nothing_else(objects, path, claim)
    except BaseException:
        with suppress(StoreError):
            objects.delete([claim])
        raise
    try:
        _make(objects, path, options, held, around)
    except BaseException:
        held.over()
        with suppress(StoreError):
            _check_no_node(objects, path)  # what is somebody else's by now, and its chunks, stay
            objects.delete_all(path, lambda key: key != claim)
        with suppress(StoreError):
            objects.delete([claim])
        raise
    with suppress(StoreError):  # the array is there, whatever becomes of this
        objects.delete([claim])


def _check_nothing_else(objects: Objects, path: str, claim: str | None = None) -> None:
    """Refuse a place where something is: chunks without an array would become part of this one, or go with it."""
    if objects.told(path, lambda: any(key != claim for key in objects.keys(path))):
        raise AlreadyExistsError(errno.EEXIST, "something is there already", objects.url(path))


def _make(objects: Objects, path: str, options: dict[str, Any], held: Held, around: Around) -> list[str]:
    """Let zarr write the chunks, then put the metadata; return their paths, first what makes it an array."""
    import zarr

    from zarrange.stores.remote.bridge import RemoteStore

    zarr.create_array(RemoteStore(objects, path, held=held), **options)
    around.before()
    made: list[str] = []
    try:
        for name in sorted(held.content, key=lambda name: name in NODE_METADATA):
            objects.create(f"{path}/{name}", held.content[name].to_bytes())
            made.insert(0, f"{path}/{name}")
        around.before()  # a purge may have found a group without anything just before
        around.after()
    except BaseException:
        with suppress(StoreError):
            objects.delete(made)
        raise
    return made


def _check_no_node(objects: Objects, path: str) -> None:
    if objects.told(path, objects.node, path).sort != "folder":
        raise AlreadyExistsError(errno.EEXIST, "there is an array or a group already", objects.url(path))


def ways_without_metadata(objects: Objects, path: str, pool: Executor) -> list[str]:
    """Return the folders above a path without metadata. Raises `NotInStoreError` where one is an array or a file."""
    objects.check_name(path)
    steps = path.split("/")
    ways = ["/".join(steps[:length]) for length in range(1, len(steps))]
    founds = list(pool.map(lambda way: _on_the_way(objects, way), ways))
    for way, found in zip(ways, founds, strict=True):
        if found.sort == "array":
            raise NotInStoreError(f"{objects.url(way)!r} is an array, and what lies in it is part of it")
        if found.sort == "file":
            raise NotInStoreError(f"{objects.url(way)!r} is a file, not a folder")
    return [way for way, found in zip(ways, founds, strict=True) if found.sort == "folder"]


def _on_the_way(objects: Objects, way: str) -> Found:
    found = objects.told(way, objects.node, way)
    return FILE if found.sort == "folder" and objects.told(way, objects.length, way) is not None else found
