"""Groups: the groups of zarr that an artifact lies in, their format, and the copies of metadata that they keep."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from zarrange.errors import StoreError
from zarrange.stores.backend import Requests

if TYPE_CHECKING:
    from zarrange.stores.backend import Backend

__all__ = ["consolidate_above", "make_group", "zarr_format"]

ATTEMPTS = 100
"""How often a group is opened that another process has just made."""


def consolidate_above(backend: Backend, container: str, dataset: str) -> None:
    """Bring the groups above an artifact up to date that keep a copy of the metadata below them.

    zarr would not show a new array, and read a removed one as zeros.
    """
    steps = dataset.split("/")
    for length in range(len(steps)):
        path = "/".join(steps[:length])
        if _is_consolidated(backend, f"{container}/{path}" if path else container):
            import zarr

            with warnings.catch_warnings():
                # That format 3 does not know this yet was said to whoever consolidated the group first.
                warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
                zarr.consolidate_metadata(backend.zarr_store(container), path=path or None)


def zarr_format(backend: Backend, folder: str) -> Literal[2, 3] | None:
    """Return the zarr format of a container: its own metadata's, else that of a node inside; `None` without any."""
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        found = backend.found(path)
        if found is not None and found.node is not None:
            return found.node.zarr_format
        if found is not None and found.sort == "folder":
            names = sorted(name for name, sort in backend.items(path, Requests()) if sort == "folder")
            waiting += [f"{path}/{name}" for name in reversed(names)]
    return None


def _is_consolidated(backend: Backend, folder: str) -> bool:
    node = backend.look(folder, Requests()).node
    if node is None or node.type != "group":
        return False
    if node.zarr_format == 3:  # noqa: PLR2004 - a format
        return node.is_consolidated
    return backend.stat(f"{folder}/.zmetadata", Requests(), may_be_file=True) == "file"


def make_group(store: Any, path: str | None, zarr_format: Literal[2, 3]) -> None:
    """Make a group and those above it, where they are missing; another process may be making them too."""
    import zarr

    for _ in range(ATTEMPTS):
        with suppress(zarr.errors.ContainsGroupError):
            zarr.open_group(store, path=path, mode="a", zarr_format=zarr_format)
            return
    raise StoreError(f"the group {path!r} of {store!r} appears and disappears")
