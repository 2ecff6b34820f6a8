"""Groups: the groups of zarr that an artifact lies in, made where they are missing, and their format."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from zarrange.errors import AlreadyExistsError, StoreError
from zarrange.stores.backend import Requests

if TYPE_CHECKING:
    from zarrange.stores.backend import Backend

__all__ = ["make_group", "zarr_format"]

ATTEMPTS = 100
"""How often a group is opened that another process has just made."""


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


def make_group(store: Any, path: str | None, zarr_format: Literal[2, 3]) -> None:
    """Make a group and those above it, where they are missing; another process may be making them too."""
    import zarr

    for _ in range(ATTEMPTS):
        with suppress(zarr.errors.ContainsGroupError, AlreadyExistsError):
            zarr.open_group(store, path=path, mode="a", zarr_format=zarr_format)
            return
    raise StoreError(f"the group {path!r} of {store!r} appears and disappears")
