"""Holders: the folders and groups that hold artifacts and are none themselves. They go with the last thing in them.

A group goes only if it says no more than that it is one, so that nothing is lost that anybody has written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from zarrange.errors import NotFoundError, NotInStoreError
from zarrange.stores.copies import groups_above_all, refresh, strip
from zarrange.stores.metadata import METADATA
from zarrange.stores.paths import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zarrange.stores.backend import Backend
    from zarrange.stores.transactions import Intent

__all__ = ["PLAIN", "drop_empty", "plain_texts"]

PLAIN = {
    3: {"zarr.json": '{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'},
    2: {".zgroup": '{\n  "zarr_format": 2\n}'},
}
"""A group that says nothing else, as zarr writes it."""
_NOTHING: tuple[tuple[str, object], ...] = (("attributes", {}), ("consolidated_metadata", None))
_DATA = {"zarr.json": {"zarr_format": 3, "node_type": "group"}, ".zgroup": {"zarr_format": 2}, ".zattrs": {}}


def drop_empty(backend: Backend, intent: Intent, name: str) -> None:
    """Delete the holders of a removal, the transaction `name`, that nothing is left in.

    Those stay that another transaction needs, which might put something back into them. Raises `StoreError`.
    """
    if not _bare(backend, intent.holders):
        return
    with backend.alone():
        others = [one.intent for one in backend.transactions() if one.id != name and one.phase != "purging"]
        bare = _bare(backend, (way for way in intent.holders if not any(one.needs(way) for one in others)))
        groups = [way for way, texts in bare.items() if texts]
        copies = groups_above_all(backend, groups)
        for copy in copies:
            strip(backend, copy, groups)
        left = [way for way, texts in bare.items() if not backend.drop(way, texts)]
        for copy in copies if left else ():  # somebody has come past the lock
            refresh(backend, copy)


def _bare(backend: Backend, folders: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return which folders have nothing in them, or only others of these, each with its metadata; the inmost first."""
    found: dict[str, dict[str, str]] = {}
    inner: dict[str, set[str]] = {}
    for folder in sorted(folders, key=lambda one: (-one.count("/"), one)):
        texts = None
        with suppress(NotFoundError, NotInStoreError):  # somebody has put something else there
            if not backend.holds(folder, inner.get(folder, set()) | METADATA):
                texts = plain_texts(backend, folder, backend.versions(folder))
        if texts is not None:
            found[folder] = texts
            outer, _, name = folder.rpartition("/")
            inner.setdefault(outer, set()).add(name)
    return found


def plain_texts(backend: Backend, path: str, names: Iterable[str]) -> dict[str, str] | None:
    """Return the metadata of a group, in files of these names; `None` where they say more than that it is a group.

    Raises `NotFoundError`, `UnreadableError`.
    """
    contents = {name: backend.read(joined(path, name)) for name in names}
    try:
        texts = {name: content.decode() for name, content in contents.items()}
        return texts if all(_is_plain(name, text) for name, text in texts.items()) else None
    except ValueError:
        return None


def _is_plain(name: str, text: str) -> bool:
    data = json.loads(text)
    if isinstance(data, dict):
        # Some versions of zarr write down what there is not.
        data = {key: one for key, one in data.items() if (key, one) not in _NOTHING}
    return name in _DATA and data == _DATA[name]
