"""A slice as a picture, against zarr reading the same values and Pillow encoding the same pixels, in one run.

    python tests/bench/slices.py [FOLDER] [--side N]

An array of 32-bit floats in chunks of 64 x 64 x 64, a plane of N x N values. Ours finds the array by its path, reads
the plane with all that is looked at around it (symlinks, whether it was removed meanwhile, axes), finds its range and
makes a PNG; theirs opens the array, reads the plane, and encodes pixels that were made before. Also with NaN, for
labels, for a small array, and by itself for a thumbnail. The sides take turns; wall-clock times, and the turn with the
median ratio counts. Exit status 0 if the figure is met.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from zarrange import Key, Layout, Store
from zarrange.view.pictures import COMPRESSION, image, picture
from zarrange.view.placing import locate
from zarrange.view.slices import Cut, read_slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

TURNS = 15
MOST = 3.0
DEPTH = 64
LAYOUT = Layout.parse("""
zarrange: 1
fields:
  name: {type: str}
containers:
  box: {path: box.zarr}
arrays:
  image: {container: box, path: "{{ name }}"}
""")


def make(store: Store, name: str, data: Any) -> None:
    """Make an array in chunks of 64 a side, compressed as zarr does it unless it is told otherwise."""
    store.create(Key("image", {"name": name}), data=data, chunks=(DEPTH, DEPTH, DEPTH))


def ours(store: Store, name: str, size: int | None = None) -> bytes:
    """Return a plane as a picture, from its path on."""
    return picture(read_slice(store, locate(store, f"box.zarr/{name}"), Cut({"z": 17})), size=size)


def theirs(store: Store, name: str, pixels: Image.Image) -> bytes:
    """Read a plane with zarr alone, and encode pixels with Pillow alone, as quickly as it can."""
    array: Any = zarr.open_array(f"{store.root}/box.zarr", path=name, mode="r")
    _ = array[17]
    stream = io.BytesIO()
    pixels.save(stream, "PNG", compress_level=COMPRESSION)
    return stream.getvalue()


def seconds(do: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = perf_counter()
    do()
    return perf_counter() - began


def compared(store: Store, name: str) -> tuple[float, float]:
    """Return the seconds of both sides in the turn with the median ratio."""
    pixels = image(read_slice(store, locate(store, f"box.zarr/{name}"), Cut({"z": 17})))
    both = partial(ours, store, name), partial(theirs, store, name, pixels)
    turns = [(seconds(both[0]), seconds(both[1])) for _ in range(TURNS)]
    return sorted(turns, key=lambda turn: turn[0] / turn[1])[TURNS // 2]


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Make pictures of slices, side by side with zarr and Pillow.")
    parser.add_argument("folder", nargs="?", help="where: on the disk that is to be measured")
    parser.add_argument("--side", type=int, default=1024)
    options = parser.parse_args()
    side = options.side
    random = np.random.default_rng(0)
    smooth = np.sin(np.arange(side) / 50)[:, None] * np.cos(np.arange(side) / 30)
    noisy = (smooth + random.normal(0, 0.05, (DEPTH, side, side))).astype("f4")
    kinds = {
        f"float32, {side} x {side}": noisy,
        f"float32 with NaN, {side} x {side}": np.where(noisy > 0, noisy, np.float32(np.nan)),
        f"labels of 64 bits, {side} x {side}": np.repeat((smooth * 20).astype("i8")[None], DEPTH, 0),
        "float32, 128 x 128": noisy[:, :128, :128],
    }
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        store = Store(root, LAYOUT)
        for at, (what, data) in enumerate(kinds.items()):
            make(store, f"a{at}", data)
            mine, other = compared(store, f"a{at}")
            rows.append((what, mine, other, mine / other))
        small = seconds(lambda: ours(store, "a0", 128))
    sys.stdout.write("| a slice of | ours, ms | zarr and Pillow, ms | ratio | wanted |\n|---|---:|---:|---:|---:|\n")
    for what, mine, other, ratio in rows:
        figures = f"{1000 * mine:.1f} | {1000 * other:.1f} | {ratio:.2f} | at most {MOST:.0f}"
        sys.stdout.write(f"| {what} | {figures} |\n")
    sys.stdout.write(f"| float32, {side} x {side}, as a thumbnail of 128 | {1000 * small:.1f} | | | |\n")
    is_met = all(ratio <= MOST for *_, ratio in rows)
    sys.stdout.write(f"\n{'Every figure is met.' if is_met else 'Not every figure is met.'}\n")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
