"""Consolidation: the copy of the metadata below it that a group may keep, held against the nodes themselves.

zarr reads the copy alone: it does not see what the copy misses, and reads what is gone as zeros. A copy is in the
group's `zarr.json`, or in `.zmetadata` for format 2. Nothing is changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import define, field

from zarrange.errors import DamagedError, NotFoundError
from zarrange.stores.copies import FORMATS, read_copy, without_copy
from zarrange.stores.metadata import parse_object
from zarrange.stores.paths import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zarrange.stores.backend import Backend
    from zarrange.stores.copies import CopyName
    from zarrange.stores.doctor.survey import Folder
    from zarrange.stores.metadata import Node

__all__ = ["Copy", "read_attributes", "read_copies", "read_fingerprint"]


@define
class Copy:
    """The copy in the file `name` of a group: first what is `listed`, in the end only what was not met.

    Paths are relative to the group. What was met and is not listed is `missing`, what differs is `changed`.
    """

    group: str
    name: CopyName
    listed: dict[str, int]
    missing: list[str] = field(factory=list)
    changed: list[str] = field(factory=list)

    def meet(self, path: str, node: Node, own: Callable[[CopyName], int | None], *, is_seen: bool) -> None:
        """Take note of a node at or below the group; `own` reads its fingerprint. `is_seen`: zarr would find it."""
        name = path[len(self.group) :].lstrip("/")
        if name in self.listed:
            found = own(self.name)
            if found is not None and self.listed.pop(name) != found:
                self.changed.append(name)
        elif name and is_seen and node.zarr_format == FORMATS[self.name]:
            self.missing.append(name)


def read_copies(backend: Backend, folder: Folder) -> list[Copy]:
    """Return the copies of a folder that is no array: none, one, or one of each format. Raises `UnreadableError`."""
    is_consolidated = folder.found.node is not None and folder.found.node.is_consolidated
    copies = []
    if is_consolidated and (new := read_copy(backend, folder.path, "zarr.json")) is not None:
        nodes = {name: _fingerprint(without_copy(node)) for name, node in new.listed.items()}
        copies.append(Copy(folder.path, "zarr.json", nodes))
    if (".zmetadata", "file") in (folder.items or ()) and (old := read_copy(backend, folder.path, ".zmetadata")):
        copies.append(Copy(folder.path, ".zmetadata", _old_nodes(old.listed)))
    return copies


def read_attributes(backend: Backend, path: str) -> Mapping[str, Any]:
    """Return the attributes of a node of format 2. Raises `UnreadableError`."""
    try:
        return _read_json(backend, path, ".zattrs")
    except NotFoundError:
        return {}


def read_fingerprint(backend: Backend, path: str, copy: CopyName) -> int | None:
    """Return what tells whether a copy has the metadata of a node; `None` where it has none of the copy's format.

    Raises `UnreadableError`.
    """
    for name in ("zarr.json",) if copy == "zarr.json" else (".zarray", ".zgroup"):
        try:
            data = _read_json(backend, path, name)
        except NotFoundError:
            continue
        return _fingerprint(without_copy(data), name, {} if copy == name else read_attributes(backend, path))
    return None


def _read_json(backend: Backend, path: str, name: str) -> dict[str, Any]:
    return parse_object(name, backend.read(joined(path, name)))


def _old_nodes(listed: Mapping[str, dict[str, Any]]) -> dict[str, int]:
    """The fingerprints of nodes of format 2, of which up to three files are listed each."""
    found: dict[str, int] = {}
    for key, data in listed.items():
        above, _, name = key.rpartition("/")
        if name == ".zarray" or (name == ".zgroup" and f"{key[: -len(name)]}.zarray" not in listed):
            found[above] = _fingerprint(without_copy(data), name, listed.get(f"{key[: -len(name)]}.zattrs", {}))
    return found


def _fingerprint(data: Mapping[str, Any], name: str = "zarr.json", attributes: Mapping[str, Any] | None = None) -> int:
    own = data.get("attributes") or attributes or {}
    rest = {key: value for key, value in data.items() if key != "attributes"}
    if rest.get("dimension_separator") == ".":
        del rest["dimension_separator"]  # what format 2 means where it is not said
    try:
        return hash(json.dumps([name, _plain(rest), own], sort_keys=True))
    except RecursionError:
        raise DamagedError(f"its {name} is damaged: it is nested too deeply") from None


def _plain(value: Any) -> Any:
    """A value as every writer of metadata would have it: some leave out what is empty or off, some write 0 as 0.0."""
    if isinstance(value, dict):
        plain = {name: _plain(one) for name, one in value.items()}
        return {
            name: one for name, one in plain.items() if one is not None and one is not False and one not in ({}, [])
        }
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
