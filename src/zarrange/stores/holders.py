"""Holders: the folders and groups that hold artifacts and are none themselves. They go with the last thing in them.

A group goes only if it says no more than that it is one, so that nothing is lost that anybody has written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import DamagedError, NotFoundError, NotInStoreError
from zarrange.stores.copies import groups_above_all, refresh, strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Intent

__all__ = ["PLAIN", "drop_empty", "is_plain"]

PLAIN = {
    3: {"zarr.json": '{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'},
    2: {".zgroup": '{\n  "zarr_format": 2\n}'},
}
"""A group that says nothing else, as zarr writes it."""
BATCH = 1_000
"""How many folders are dropped at once: meanwhile nobody else can begin or end a transaction."""
_NOTHING: tuple[tuple[str, object], ...] = (("attributes", {}), ("consolidated_metadata", None))
_DATA = {"zarr.json": {"zarr_format": 3, "node_type": "group"}, ".zgroup": {"zarr_format": 2}, ".zattrs": {}}


def drop_empty(backend: Backend, intent: Intent, name: str) -> None:
    """Delete the holders of a removal, the transaction `name`, that nothing is left in.

    Those stay that another transaction needs, which might put something back into them. Raises `StoreError`.
    """
    inmost_first = sorted(intent.holders, key=lambda one: (-one.count("/"), one))
    for at in range(0, len(inmost_first), BATCH):
        some = inmost_first[at : at + BATCH]
        if next(_bare(backend, some), None) is not None:
            _drop(backend, some, name)


def _drop(backend: Backend, folders: Sequence[str], name: str) -> None:
    with backend.alone():
        others = [one.intent for one in backend.transactions() if one.id != name and one.phase != "purging"]
        bare = dict(_bare(backend, (way for way in folders if not any(one.needs(way) for one in others))))
        groups = [way for way, files in bare.items() if files]
        copies = groups_above_all(backend, groups)
        for copy in copies:
            strip(backend, copy, groups)
        if backend.drop(bare):  # somebody has come past the lock
            for copy in copies:
                refresh(backend, copy)


def _bare(backend: Backend, folders: Iterable[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the folders that have nothing in them but such before them, with the metadata that are in them."""
    inner: dict[str, set[str]] = {}
    for folder in folders:
        files = None
        with suppress(NotFoundError, NotInStoreError, DamagedError):  # somebody has put something else there
            files = backend.alone_in(folder, inner.get(folder, ()))
        if files is not None and is_plain(files):
            yield folder, files
            outer, _, name = folder.rpartition("/")
            inner.setdefault(outer, set()).add(name)


def is_plain(files: Mapping[str, bytes]) -> bool:
    """Return whether the metadata in a folder, by the names of their files, say no more than that it is a group."""
    try:
        return all(_is_plain(name, content.decode()) for name, content in files.items())
    except (ValueError, RecursionError):
        return False


def _is_plain(name: str, text: str) -> bool:
    data = json.loads(text)
    if isinstance(data, dict):
        # Some versions of zarr write down what there is not.
        data = {key: one for key, one in data.items() if (key, one) not in _NOTHING}
    return name in _DATA and data == _DATA[name]
