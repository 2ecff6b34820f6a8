"""A tree to look for things in: validations of runs in the shipped layout `training`, with groups and chunk files.

zarr itself makes one container with one array. What it wrote is then repeated for all the others, byte for byte. The
chunk files of an array are links to one of them, for what they hold does not matter and blocks of a disk are slow.

    python tests/bench/tree.py FOLDER

makes the whole tree, or a part: `--runs`, `--iterations`, `--chunks 0`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SMALL", "WHOLE", "Answer", "Shape", "make"]

Answer: TypeAlias = tuple[str, int, str, str | None]
"""What each side says of an array: run, iteration, dataset, and the parameters of an output (a prediction has none)."""

NO_ATTRIBUTES = b'"attributes": {}'
SIDE = 40
"""How many elements a chunk has along each axis."""
DATASETS = ("crop1", "crop2", "crop3", "crop4")
PARAMETERS = ("threshold_127", "threshold_191", "threshold_63")
"""In the order of their names. No peer takes them for anything but one field (some know no `=`)."""


@frozen
class Shape:
    """How much there is of what; an array has `chunks` chunk files along each axis.

    If `is_uniform`, all arrays have the same metadata; else each has an attribute of its own.
    """

    runs: int = 20
    iterations: int = 50
    datasets: int = 2
    outputs: int = 3
    chunks: tuple[int, int] = (8, 5)
    is_uniform: bool = True

    @property
    def containers(self) -> list[str]:
        """The path of each container."""
        return [f"r{run:0{len(str(self.runs - 1))}d}/validation.zarr" for run in range(self.runs)]

    @property
    def numbers(self) -> list[int]:
        """The iterations."""
        return [1000 * (at + 1) for at in range(self.iterations)]

    @property
    def listings(self) -> int:
        """How many folders a walk has to list: of runs, iterations, datasets and outputs."""
        return 1 + self.runs * (1 + self.iterations * (1 + self.datasets))

    @property
    def arrays(self) -> int:
        """How many arrays there are."""
        return self.runs * self.iterations * self.datasets * (1 + self.outputs)

    def answers(self) -> Iterator[Answer]:
        """Every array that there is, in the order of the paths."""
        for container, number, dataset in product(self.containers, self.numbers, DATASETS[: self.datasets]):
            run = container.partition("/")[0]
            for parameters in PARAMETERS[: self.outputs]:
                yield run, number, dataset, parameters
            yield run, number, dataset, None


WHOLE = Shape()
SMALL = Shape(runs=2, iterations=3, chunks=(2, 1))
"""The same in a moment: 48 arrays."""


@frozen
class _Sample:
    """What zarr writes for a group, and for an array; the ways of its chunks, and what one of them holds."""

    group: bytes
    array: bytes
    chunks: tuple[str, ...]
    chunk: bytes
    is_uniform: bool

    def metadata(self, path: str) -> bytes:
        """The metadata of the array at a path."""
        if self.is_uniform:
            return self.array
        return self.array.replace(NO_ATTRIBUTES, b'"attributes": {"path": "%b"}' % path.encode())

    @property
    def folders(self) -> list[str]:
        """The folders of the chunks, each after the one that it is in."""
        found = {os.path.dirname(way) for way in self.chunks}
        return sorted(found | {way.partition("/")[0] for way in found} - {""})


def make(root: str, shape: Shape = WHOLE) -> None:
    """Make the tree below a folder, which is made too."""
    sample = _sample(shape)
    for container in shape.containers:
        base = f"{root}/{container}/iterations"
        os.makedirs(base)
        _put(f"{root}/{container}/zarr.json", sample.group)
        _put(f"{base}/zarr.json", sample.group)
        for number in shape.numbers:
            _make_iteration(f"{base}/{number:08d}", shape, sample)


def _make_iteration(path: str, shape: Shape, sample: _Sample) -> None:
    _make_group(path, sample)
    for dataset in DATASETS[: shape.datasets]:
        _make_group(f"{path}/{dataset}", sample)
        _make_array(f"{path}/{dataset}/prediction", sample)
        _make_group(f"{path}/{dataset}/outputs", sample)
        for parameters in PARAMETERS[: shape.outputs]:
            _make_array(f"{path}/{dataset}/outputs/{parameters}", sample)


def _make_group(path: str, sample: _Sample) -> None:
    os.mkdir(path)
    _put(f"{path}/zarr.json", sample.group)


def _make_array(path: str, sample: _Sample) -> None:
    os.mkdir(path)
    _put(f"{path}/zarr.json", sample.metadata(path))
    for folder in sample.folders:
        os.mkdir(f"{path}/{folder}")
    for way in sample.chunks[:1]:
        _put(f"{path}/{way}", sample.chunk)
    for way in sample.chunks[1:]:
        os.link(f"{path}/{sample.chunks[0]}", f"{path}/{way}")


def _put(path: str, content: bytes) -> None:
    with open(path, "xb", buffering=0) as file:
        file.write(content)


def _sample(wanted: Shape) -> _Sample:
    """What zarr writes for an array of so many chunks, and for the groups that it is in."""
    import zarr

    chunks = wanted.chunks
    with tempfile.TemporaryDirectory() as folder:
        shape = (max(1, SIDE * chunks[0]), max(1, SIDE * chunks[1]))
        array = zarr.create_array(folder, name="group/array", shape=shape, chunks=(SIDE, SIDE), dtype="float32")
        if 0 not in chunks:
            array[:] = 1
        base = Path(folder, "group", "array")
        found = sorted(str(file.relative_to(base)) for file in base.rglob("*") if file.is_file())
        found.remove("zarr.json")
        metadata = [Path(folder, way, "zarr.json").read_bytes() for way in ("", "group", "group/array")]
        is_odd = metadata[0] != metadata[1] or metadata[2].count(NO_ATTRIBUTES) != 1
        if is_odd or len(found) != chunks[0] * chunks[1]:
            raise SystemExit(f"zarr has written something else than was thought: {found}")
        chunk = base.joinpath(found[0]).read_bytes() if found else b""
        return _Sample(metadata[1], metadata[2], tuple(found), chunk, wanted.is_uniform)


def main() -> int:
    """Make a tree where the command says."""
    parser = argparse.ArgumentParser(description="Make a tree of validations.")
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=WHOLE.runs)
    parser.add_argument("--iterations", type=int, default=WHOLE.iterations)
    parser.add_argument("--chunks", type=int, nargs=2, default=WHOLE.chunks, help="along each axis; 0 0 for none")
    options = parser.parse_args()
    shape = evolve(WHOLE, runs=options.runs, iterations=options.iterations, chunks=tuple(options.chunks))
    make(options.folder, shape)
    sys.stdout.write(f"{shape.arrays} arrays of {shape.chunks[0] * shape.chunks[1]} chunks each\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
