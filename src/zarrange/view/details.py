"""Details: all that is known of one array, and how to open it in Python.

Only metadata are read. Code that is shown has names as Python writes them, so that nothing in a name can end a text.
"""

from __future__ import annotations

import datetime
import errno
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.errors import NotFoundError, StoreError
from zarrange.identifiers import Key, Value
from zarrange.language.arrangement import arrangement
from zarrange.language.shipped import shipped_layouts
from zarrange.stores.record import read_record
from zarrange.view.axes import Axis, axes
from zarrange.view.listings import likeliest, modified
from zarrange.view.placing import attributes_of, axes_of, locate

if TYPE_CHECKING:
    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["Described", "described"]

MAX_DEPTH = 64
"""What is nested deeper, in attributes that anybody may have written, breaks what reads it."""


@frozen
class Described:
    """An array: `path` is relative to the store's root, `place` is not.

    `keys` are all that it can be; several where the layout allows clashes. `attributes` are `None` where they cannot be
    read, and `note` says why. `python` opens it by its key, `plain_python` by zarr alone. `nbytes` are uncompressed,
    `modified` is when its metadata were written, in seconds since the epoch.
    """

    path: str
    place: str
    keys: tuple[Key, ...]
    run: Value | None
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    zarr_format: int
    nbytes: int | None
    attributes: Mapping[str, Any] | None
    axes: tuple[Axis, ...]
    python: str
    plain_python: str
    modified: float | None
    note: str


def described(store: Store, path: str) -> Described:
    """Return what is known of the array at a path. Raises what `locate` raises."""
    entry = locate(store, path)
    node = entry.metadata
    if node is None or node.shape is None or node.dtype is None:  # never: it is an array
        raise NotFoundError(errno.ENOENT, "there is no array", path)
    attributes, note = _attributes(store, entry)
    kind = likeliest(store.layout, entry)
    key = next(key for key in entry.keys if key.kind == kind)
    by = arrangement(store.layout).by
    return Described(
        path=path,
        place=f"{store.root.rstrip('/')}/{path}",
        keys=entry.keys,
        run=None if by is None else key.values.get(by),
        shape=node.shape,
        dtype=node.dtype,
        chunks=node.chunks,
        zarr_format=node.zarr_format,
        nbytes=node.nbytes,
        attributes=attributes,
        axes=_axes(store, entry),
        python=_python(store, key),
        plain_python=_plain_python(store.root, path),
        modified=modified(store, [entry]),
        note=note,
    )


def _attributes(store: Store, entry: Entry) -> tuple[Mapping[str, Any] | None, str]:
    try:
        attributes = {**attributes_of(store, entry)}
    except StoreError as error:
        return None, f"its attributes cannot be read: {error}"
    if _is_deep(attributes):
        return None, f"its attributes cannot be shown: they are nested in more than {MAX_DEPTH} levels"
    return attributes, ""


def _is_deep(attributes: Mapping[str, Any]) -> bool:
    level: list[Any] = [attributes]
    for _ in range(MAX_DEPTH):
        inside = [[*one.values()] if isinstance(one, Mapping) else one for one in level]
        level = [one for part in inside for one in part if isinstance(one, Mapping | list)]
    return bool(level)


def _axes(store: Store, entry: Entry) -> tuple[Axis, ...]:
    """Return the axes; what nobody can say of them any more is left out."""
    try:
        return axes_of(store, entry)
    except StoreError:
        node = entry.metadata
        return axes((node and node.shape) or (), {})


# --- code ------------------------------------------------------------------------------------------------------------


def _python(store: Store, key: Key) -> str:
    """How to open an array by its key."""
    layout = _layout(store)
    values = "".join(f", {name}={value!r}" for name, value in key.values.items())
    lines = ["import datetime", ""] if any(isinstance(one, datetime.date) for one in key.values.values()) else []
    lines += [
        "from zarrange import Store",
        "",
        f"store = Store({store.root!r}{f', layout={layout!r}' if layout else ''})",
        f"array = store.open(store.identifier({key.kind!r}{values}))",
    ]
    return "\n".join(lines)


def _layout(store: Store) -> str | None:
    """What a store has to be told of its layout: nothing, where it says so itself; else its name, or its file."""
    try:
        if read_record(store._backend) is not None:  # noqa: SLF001 - there is no other way to what is recorded
            return None
    except StoreError:
        pass
    shipped = shipped_layouts().get(store.layout.name)
    is_shipped = shipped is not None and os.path.abspath(store.layout.file) == str(shipped)
    return store.layout.name if is_shipped else os.path.abspath(store.layout.file)


def _plain_python(root: str, path: str) -> str:
    """How to open an array by zarr alone; an object store's credentials are what the environment says."""
    if "://" not in root:
        whole = f"{root.rstrip('/')}/{path}"
        return f"import zarr\n\narray = zarr.open_array({whole!r}, mode='r')"
    lines = [
        "import zarr",
        "from obstore.store import from_url",
        "",
        f"store = zarr.storage.ObjectStore(from_url({root!r}), read_only=True)",
        f"array = zarr.open_array(store, path={path!r}, mode='r')",
    ]
    return "\n".join(lines)
