"""Holders: the folders and groups that hold artifacts and are none themselves. They go with the last thing in them.

A group goes only if it says no more than that it is one, so that nothing is lost that anybody has written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import DamagedError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.copies import groups_above_all, refresh, strip
from zarrange.stores.paths import joined
from zarrange.stores.transactions import nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Intent

__all__ = ["PLAIN", "drop_empty", "is_plain"]

PLAIN = {
    3: {"zarr.json": '{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'},
    2: {".zgroup": '{\n  "zarr_format": 2\n}'},
}
"""A group that says nothing else, as zarr writes it."""
_NOTHING: tuple[tuple[str, object], ...] = (("attributes", {}), ("consolidated_metadata", None))
_DATA = {"zarr.json": {"zarr_format": 3, "node_type": "group"}, ".zgroup": {"zarr_format": 2}, ".zattrs": {}}
BATCH, SMALL_BATCH = 1_000, 8
"""How many folders are dropped at once: meanwhile nobody else can begin or end a transaction. Requests take longer."""


def drop_empty(backend: Backend, intent: Intent, name: str, guard: Callable[[], object] = nothing) -> str:
    """Delete the holders of a removal, the transaction `name`, that nothing is left in. Return what is in the way.

    Those stay that another transaction needs, which might put something back into them. `guard` is called before
    anything is deleted, and raises where this is not to go on.
    """
    size = BATCH if backend.in_flight == 1 else SMALL_BATCH
    inmost_first = sorted(intent.holders, key=lambda one: (-one.count("/"), one))
    problems: list[str] = []
    try:
        for at in range(0, len(inmost_first), size):
            some = inmost_first[at : at + size]
            if next(_bare(backend, some), None) is not None:
                problems += _drop(backend, some, name, guard)
    except (StoreError, OSError) as error:  # what was removed is gone: nobody waits for this
        problems.append(str(error))
    return f"folders above it that nothing is left in may have stayed: {'; '.join(problems)}" if problems else ""


def _drop(backend: Backend, folders: Sequence[str], name: str, guard: Callable[[], object]) -> list[str]:
    with backend.alone() as confirm:
        others = [one.intent for one in backend.transactions() if one.id != name and one.phase != "purging"]
        bare = dict(_bare(backend, (way for way in folders if not any(one.needs(way) for one in others))))
        groups = [way for way, files in bare.items() if files]
        copies = groups_above_all(backend, groups)
        problems: list[str] = []
        left: Mapping[str, str | None] = {}
        try:
            for copy in copies:
                strip(backend, copy, groups)
            left = backend.drop(bare, lambda: (confirm(), guard()))
        except (StoreError, OSError) as error:
            problems.append(str(error))
        problems += filter(None, left.values())
        for copy in copies if problems or left else ():
            try:
                refresh(backend, copy)
            except (StoreError, OSError) as error:
                problems.append(f"the copy of metadata in {joined(backend.root, copy)!r} may list too little: {error}")
    return problems


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
    if name == "zarr.json" and isinstance(data, dict):
        # Some versions of zarr write down what there is not.
        data = {key: one for key, one in data.items() if (key, one) not in _NOTHING}
    return name in _DATA and data == _DATA[name]
