"""Stores whose metadata are written by hand: small trees, and what a search of them gives."""

from __future__ import annotations

import json
import os
from pathlib import Path

from zarrange.identifiers import ArrayIdentifier, FileIdentifier, GroupIdentifier
from zarrange.language.selection import select
from zarrange.stores.catalog import Search
from zarrange.stores.local import LocalBackend

GROUP = {"zarr_format": 3, "node_type": "group"}


def array(shape, dtype):
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shape)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }


def old_array(shape, dtype):
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(shape),
        "dtype": dtype,
        "compressor": None,
        "fill_value": 0,
        "filters": None,
        "order": "C",
    }


class Tree:
    """A store of a layout below `root`, to which artifacts are added."""

    def __init__(self, root, layout):
        self.root = os.fspath(root)
        self.layout = layout

    def add(self, kind, shape=(), dtype="float32", *, old=False, **values):
        """Write the metadata of an artifact, and its container's if that has none; a file has five bytes."""
        identifier = self.layout.render(kind, **values)
        place = Path(self.root, identifier.path)
        if isinstance(identifier, FileIdentifier):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"bytes")
            return
        place.mkdir(parents=True, exist_ok=True)
        if isinstance(identifier, ArrayIdentifier | GroupIdentifier):
            container = Path(self.root, identifier.container)
            _write(container / ".zgroup", {"zarr_format": 2}) if old else _write(container / "zarr.json", GROUP)
        if not isinstance(identifier, ArrayIdentifier):
            _write(place / "zarr.json", GROUP)
        elif old:
            _write(place / ".zarray", old_array(shape, dtype))
        else:
            _write(place / "zarr.json", array(shape, dtype))

    def results(self, kinds=None, **filters):
        """Search the store; yield entries and what could not be read."""
        return Search(LocalBackend(self.root), self.layout, select(self.layout, kinds, filters)).results()

    def size(self, entry):
        """Return the bytes of all files at or below an entry."""
        place = Path(self.root, entry.path)
        files = [place] if place.is_file() else [one for one in place.rglob("*") if one.is_file()]
        return sum(one.stat().st_size for one in files)


def _write(path, data):
    if not path.exists():
        path.write_text(json.dumps(data))
