"""An object store that is not there: the tree of `tree.py` by arithmetic, of any size, each request taking its time.

It answers as a store of keys does: whatever lies below a name is a folder, and what is below a folder can be listed
level by level or a page of keys at a time. Nothing is stored, so that the memory measured is the search's alone.
"""

from __future__ import annotations

from itertools import islice, product
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from tree import DATASETS, PARAMETERS

from zarrange.stores.backend import FOLDER, Found
from zarrange.stores.metadata import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree import Shape

    from zarrange.stores.backend import Item, ItemSort, Requests

__all__ = ["SimulatedBackend"]

ARRAY_DEPTH = 6
"""How many segments stand before the name of a prediction's folder of chunks."""


class SimulatedBackend:
    """A tree of some shape behind requests that take `delay` seconds each, so many at once, so many keys a page."""

    root = "memory://simulated"
    has_folders = False

    def __init__(self, shape: Shape, *, delay: float = 0, in_flight: int = 32, page: int = 1000) -> None:
        self.in_flight = in_flight
        self.page = page
        self.first_answer: float | None = None
        """When the first listing was there."""
        self._delay = delay
        self._chunks = [f"{one}" for one in range(shape.chunks[0])], [f"{one}" for one in range(shape.chunks[1])]
        self._levels: list[list[str]] = [
            [container.partition("/")[0] for container in shape.containers],
            ["validation.zarr"],
            ["iterations"],
            [f"{number:08d}" for number in shape.numbers],
            [*DATASETS[: shape.datasets]],
            ["outputs", "prediction"],
        ]
        self._known = [frozenset(level) for level in self._levels]
        self._parameters = [*PARAMETERS[: shape.outputs]]

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder."""
        requests.add(lists=1)
        self._wait()
        return self._items(path)

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is."""
        requests.add(looks=1)
        self._wait()
        steps = path.split("/")
        if not path or len(steps) == 1 or not self._exists(steps):
            return FOLDER
        return Found("array", _ARRAY) if _is_array(steps) else Found("group", _GROUP)

    def stat(self, path: str, requests: Requests, *, may_be_file: bool) -> ItemSort | None:  # noqa: ARG002 - no folders
        """Take everything for a folder: there are no files that could be wanted."""
        return "folder"

    def transactions(self) -> list[object]:
        """There are none."""
        return []

    def pages(self, path: str, requests: Requests) -> Iterator[Sequence[str]]:
        """Yield the keys below a folder, a page at a time."""
        keys = self._keys(path)
        while True:
            requests.add(lists=1)
            self._wait()
            found = list(islice(keys, self.page))
            if found:
                yield found
            if len(found) < self.page:
                return

    def symlink(self, path: str) -> str:
        """Say nothing: there are none."""
        raise NotImplementedError(path)

    def _wait(self) -> None:
        if self._delay:
            sleep(self._delay)
        if self.first_answer is None:
            self.first_answer = perf_counter()

    def _items(self, path: str) -> list[Item]:
        steps = path.split("/") if path else []
        if not self._exists(steps):
            return []
        folders = self._folders(steps)
        found: list[Item] = [(name, "folder") for name in folders]
        if len(steps) > 1 and "c" not in steps[ARRAY_DEPTH:]:
            found.append(("zarr.json", "file"))
        elif len(steps) > 1 and not folders:
            found += [(name, "file") for name in self._chunks[1]]
        return found

    def _folders(self, steps: Sequence[str]) -> list[str]:
        if len(steps) < ARRAY_DEPTH:
            return self._levels[len(steps)]
        if not _is_array(steps):
            return self._parameters if len(steps) == ARRAY_DEPTH else []
        inner = _inside(steps)
        if not inner:
            return ["c"] if all(self._chunks) else []
        return self._chunks[0] if len(inner) == 1 else []

    def _exists(self, steps: Sequence[str]) -> bool:
        if not all(step in known for step, known in zip(steps, self._known, strict=False)):
            return False
        if len(steps) <= ARRAY_DEPTH:
            return True
        if steps[ARRAY_DEPTH - 1] == "outputs" and steps[ARRAY_DEPTH] not in self._parameters:
            return False
        inner = _inside(steps)
        return (
            all(step in known for step, known in zip(inner, (["c"], self._chunks[0]), strict=False)) and len(inner) < 3
        )

    def _keys(self, path: str) -> Iterator[str]:
        """The keys below a folder, in order."""
        base = f"{path}/" if path else ""
        if _is_array(path.split("/")) and not _inside(path.split("/")):
            # Most keys by far are here.
            yield from (f"{base}c/{first}/{second}" for first, second in product(*map(sorted, self._chunks)))
            yield f"{base}zarr.json"
            return
        for name, sort in sorted(self._items(path), key=lambda item: item[0] + "/" * (item[1] == "folder")):
            if sort == "folder":
                yield from self._keys(base + name)
            else:
                yield base + name


def _is_array(steps: Sequence[str]) -> bool:
    """Whether a path is an array, or inside one."""
    return len(steps) >= ARRAY_DEPTH and (steps[ARRAY_DEPTH - 1] == "prediction" or len(steps) > ARRAY_DEPTH)


def _inside(steps: Sequence[str]) -> Sequence[str]:
    """The segments inside an array."""
    return steps[ARRAY_DEPTH + (steps[ARRAY_DEPTH - 1] == "outputs") :]


_ARRAY = Node("array", 3, (320, 200), "float32", (40, 40))
_GROUP = Node("group", 3)
