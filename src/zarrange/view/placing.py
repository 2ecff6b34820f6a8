"""Placing: from a path that somebody asks for to the array that is there, and what its metadata say of its axes.

Nothing outside of the root is ever looked at, nothing that no kind of the layout has, and nothing behind a symlink.
"""

from __future__ import annotations

import errno
from itertools import islice
from typing import TYPE_CHECKING, Any

from zarrange.diagnostics import shown
from zarrange.errors import AmbiguousPathError, NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.backend import ARTICLES, WORKING_FOLDER
from zarrange.stores.entries import FITTING, Entry
from zarrange.stores.metadata import parse_object
from zarrange.view.axes import axes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeGuard

    from zarrange.identifiers import Key
    from zarrange.stores.store import Store
    from zarrange.view.axes import Axis

__all__ = ["attributes_of", "axes_of", "dimension_names_of", "locate", "parents_of"]

GROUPS = 2
"""So many groups above an array are asked for what they say of it; each is a request to an object store."""


def locate(store: Store, path: str) -> Entry:
    """Return the array at a path, relative to the store's root.

    Raises `NotInStoreError` for a path that no array of the layout has (also one that is not plain: absolute, with an
    empty segment, `.`, `..` or NUL), `NotFoundError` where none is there, and `UnreadableError`, also for a symlink.
    """
    if not _is_proper(path):
        raise NotInStoreError(f"{shown(path)} is no path of an array: it is not plain, from the store's root on")
    keys = _array_keys(store, path)
    if not keys:
        raise NotInStoreError(f"{path!r} is no path of an array of the layout `{store.layout.name}`")
    found = store._backend.found(path)  # noqa: SLF001 - there is no other way to what is at a path
    if found is None or found.sort == "folder":
        raise NotFoundError(errno.ENOENT, "there is no array", path)
    if found.sort != "array":
        raise NotFoundError(errno.ENOENT, f"there is {ARTICLES[found.sort]}, not an array", path)
    depths = tuple(store.layout.kind(key.kind).depth(key.values) for key in keys)
    return Entry(path, keys, keys, found, store._backend.root, depths)  # noqa: SLF001


def _is_proper(path: object) -> TypeGuard[str]:
    if not isinstance(path, str) or "\0" in path:
        return False
    segments = path.split("/")
    return segments[0] != WORKING_FOLDER and {"", ".", ".."}.isdisjoint(segments)


def _array_keys(store: Store, path: str) -> tuple[Key, ...]:
    try:
        keys = store.layout.matches(path)
    except AmbiguousPathError as error:
        raise UnreadableError(str(error)) from error
    arrays = FITTING["array"]
    return tuple(key for key in keys if store.layout.kind(key.kind).sort in arrays)


# --- what metadata say -----------------------------------------------------------------------------------------------


def axes_of(store: Store, entry: Entry) -> tuple[Axis, ...]:
    """Return the axes of an array, by its metadata and those of the groups above it. zarr is not imported."""
    node = entry.metadata
    shape = () if node is None or node.shape is None else node.shape
    attributes, names = attributes_of(store, entry), dimension_names_of(store, entry)
    return axes(shape, attributes, names, parents_of(store, entry), path=entry.path)


def attributes_of(store: Store, entry: Entry) -> Mapping[str, Any]:
    """Return an array's attributes, of either zarr format. Raises `UnreadableError`."""
    node = entry.metadata
    if node is None or node.zarr_format == 3:  # noqa: PLR2004
        return {} if node is None else node.attributes
    return _read(store, f"{entry.path}/.zattrs")


def dimension_names_of(store: Store, entry: Entry) -> tuple[str | None, ...] | None:
    """Return what `zarr.json` calls an array's dimensions. Raises `UnreadableError`."""
    if entry.metadata is None or entry.metadata.zarr_format != 3:  # noqa: PLR2004
        return None
    names = _read(store, f"{entry.path}/zarr.json").get("dimension_names")
    return tuple(names) if isinstance(names, list) else None


def parents_of(store: Store, entry: Entry) -> tuple[Mapping[str, Any], ...]:
    """Return the attributes of the groups above an array, the nearest first; what cannot be read says nothing."""
    return tuple(islice(_parents(store, entry), GROUPS))


def _parents(store: Store, entry: Entry) -> Iterator[Mapping[str, Any]]:
    steps = entry.path.split("/")
    depth = min(store.layout.kind(key.kind).depth(key.values) for key in entry.keys)
    for length in range(len(steps) - 1, depth - 1, -1):
        yield _group(store, "/".join(steps[:length]))


def _group(store: Store, path: str) -> Mapping[str, Any]:
    try:
        found = store._backend.found(path)  # noqa: SLF001
        if found is None or found.node is None:
            return {}
        return found.node.attributes if found.node.zarr_format == 3 else _read(store, f"{path}/.zattrs")  # noqa: PLR2004
    except StoreError:
        return {}


def _read(store: Store, path: str) -> dict[str, Any]:
    try:
        content = store._backend.read(path)  # noqa: SLF001
    except NotFoundError:
        return {}
    return parse_object(path, content)
