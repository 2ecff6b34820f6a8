"""Contents: what is in an open folder beside the array that it is, so that nothing is lost with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zarrange.errors import NotInStoreError
from zarrange.stores.backend import MARK
from zarrange.stores.metadata import NODE_METADATA, is_part

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["check_no_node", "check_nothing_else"]

_NODES = frozenset(NODE_METADATA)


def check_nothing_else(folder: int) -> None:
    """Refuse what is left of an array if it holds something else than chunks. Raises `NotInStoreError`."""
    check_no_node(folder)
    for name in sorted(os.listdir(folder)):
        if not is_part(name) and not name.startswith(MARK):
            raise NotInStoreError(f"{name!r} in its folder is not part of the array; it would be lost with it")


def check_no_node(folder: int) -> None:
    """Refuse a folder with a zarr node in it, or that is one itself by now. Raises `NotInStoreError`."""
    for where, _, files, _ in os.fwalk(".", dir_fd=folder, onerror=_raise):
        if not _NODES.isdisjoint(files):
            what = (
                f"{where.removeprefix('./')!r} inside is another zarr node" if where != "." else "it is a new zarr node"
            )
            raise NotInStoreError(f"{what}; it would be lost with it")


def _raise(error: OSError) -> NoReturn:
    raise error
