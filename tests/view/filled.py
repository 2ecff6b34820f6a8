"""Stores of the shipped layouts with a few small arrays each, and a backend that counts what it is asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from threading import Lock

import numpy as np

from zarrange import Store

TRAINED = [
    *(("validation_prediction", {"iteration": at, "dataset": "crop1"}, {"loss": 1 / at}) for at in (500, 1000, 2000)),
    *(
        (
            "validation_output",
            {"iteration": at, "dataset": "crop1", "parameters": given},
            {"scores": {"dice": at / bad}},
        )
        for at in (500, 2000)
        for given, bad in (("t0.3", 4000), ("t0.5", 2500))
    ),
    ("validation_raw", {}, {"voxel_size": [8, 4, 4]}),
    ("validation_raw", {"index": "crop1"}, {}),
    ("validation_gt", {}, {}),
    ("best_validation", {"criterion": "dice"}, {"scores": {"dice": 0.8}}),
    ("snapshot_array", {"volume": "raw"}, {}),
]
"""What a run has: kind, values but for the run, attributes. The output of iteration 1000 is missing."""
PLATE = [
    *(
        ("image_level", {"row": row, "column": 1, "field": at, "level": level}, {"focus": at + level})
        for row in "AB"
        for at in (0, 1, 2)
        for level in (0, 1)
    ),
    *(("label_level", {"row": "A", "column": 1, "field": at, "label": "nuclei", "level": 0}, {}) for at in (0, 2)),
]
SAMPLE = [
    *(("em_level", {"recon": 1, "image": "fibsem", "level": level}, {}) for level in (0, 1)),
    *(
        ("groundtruth_level", {"recon": 1, "crop": crop, "label": label, "level": 0}, {"cells": crop})
        for crop, label in ((7, "nuc"), (7, "mito"), (9, "nuc"))
    ),
    ("inference_level", {"recon": 1, "label": "mito", "level": 0}, {}),
]
SHIPPED = {
    "training": ("run", ("r1", "r2"), TRAINED),
    "hive": ("run", ("r1", "r2"), TRAINED),
    "dacapo": ("run", ("r1", "r2"), TRAINED),
    "ome-zarr-plate": ("plate", ("p1", "p2"), PLATE),
    "cellmap": ("dataset", ("jrc_a", "jrc_b"), SAMPLE),
}
"""Of each shipped layout: the field that tells runs, two runs, and what both have."""
DATA = np.arange(64, dtype="f4").reshape(4, 4, 4)


def fill(root, layout):
    """Return a store of a shipped layout with two runs that have the same."""
    store = Store(root, layout)
    by, runs, artifacts = SHIPPED[layout]
    for run in runs:
        for kind, values, attributes in artifacts:
            add(store, kind, attributes, **{by: run}, **values)
    return store


def add(store, kind, attributes=None, **values):
    """Create an array, and return its path from the root on."""
    identifier = store.identifier(kind, **values)
    store.create(identifier, data=DATA, chunks=(2, 4, 4), attributes=attributes or {})
    return identifier.path.removeprefix(f"{store.root}/")


def write(root, path, attributes=None):
    """Write the metadata of an array by hand, which is quick."""
    folder = Path(root, path)
    folder.mkdir(parents=True)
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4],
        "data_type": "float32",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": attributes or {},
    }
    (folder / "zarr.json").write_text(json.dumps(metadata))


class Counting:
    """A backend of which every method that is called is counted (`asked`), with the paths that it was about."""

    def __init__(self, backend):
        self._backend = backend
        self._lock = Lock()
        self.asked = Counter()
        self.paths = []

    def __getattr__(self, name):
        found = getattr(self._backend, name)
        if not callable(found):
            return found

        def counted(*args, **kwargs):
            with self._lock:
                self.asked[name] += 1
                self.paths += [(name, one) for one in args[:1] if isinstance(one, str)]
            return found(*args, **kwargs)

        return counted


def counting(store):
    """Let a store count what it asks of its backend, and return what counts."""
    store._backend = Counting(store._backend)
    return store._backend
