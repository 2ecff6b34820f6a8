"""Holders: the folders and groups that hold artifacts and are none themselves. They go with the last thing in them.

A group goes only if it says no more than that it is one, so that nothing is lost that anybody has written.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import define, field

from zarrange.errors import MAX_SHOWN, DamagedError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.copies import groups_above_all, strip
from zarrange.stores.paths import above
from zarrange.stores.transactions import nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

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
    anything is deleted, and raises where this is not to go on. Whoever does this again ends what was interrupted.
    """
    dropping = _Dropping(backend, name, guard)
    dropping.drop(sorted(intent.holders, key=lambda one: (-one.count("/"), one)))
    return dropping.told()


@define
class _Dropping:
    """What is dropped: `gone` are the holders that are not there any more, `problems` what is in the way of others."""

    _backend: Backend
    _name: str
    _guard: Callable[[], object]
    gone: set[str] = field(factory=set)
    problems: dict[str, None] = field(factory=dict)

    def told(self) -> str:
        """Return a sentence about what is in the way, if anything is: what was removed is gone, and nobody waits."""
        if not self.problems:
            return ""
        told = "; ".join([*self.problems][:MAX_SHOWN])
        more = len(self.problems) - MAX_SHOWN
        more_told = f"; and {more} more" if more > 0 else ""
        return f"folders above it that nothing is left in may have stayed, or still be listed: {told}{more_told}"

    def drop(self, inmost_first: Sequence[str]) -> None:
        """Drop those holders that nothing is in but such before them, and take them out of the copies above."""
        size = BATCH if self._backend.in_flight == 1 else SMALL_BATCH
        try:
            for at in range(0, len(inmost_first), size):
                some = inmost_first[at : at + size]
                if next(self._bare(some), None) is not None:
                    self._drop(some)
        except (StoreError, OSError) as error:
            self.problems[str(error)] = None
        for group in self._copies():
            try:
                self._cut(group)
            except (StoreError, OSError) as error:
                self.problems[str(error)] = None

    def _drop(self, folders: Sequence[str]) -> None:
        with self._backend.alone() as confirm:
            found = self._backend.transactions()
            others = [one.intent for one in found if one.id != self._name and one.phase != "purging"]
            bare = dict(self._bare(way for way in folders if not any(one.needs(way) for one in others)))
            self.gone |= bare.keys()
            left = self._backend.drop(bare, lambda: (confirm(), self._guard()))
            self.gone -= left.keys()
            self.problems |= dict.fromkeys(filter(None, left.values()))

    def _copies(self) -> Sequence[str]:
        """The groups above that keep copies; all that may, where one of them cannot be read."""
        try:
            return groups_above_all(self._backend, self.gone)
        except (StoreError, OSError):
            return sorted({way for one in self.gone for way in above(one)} - self.gone)

    def _cut(self, group: str) -> None:
        """Take what is gone out of a copy: not before, or it could miss what is there, if this is interrupted."""
        with suppress(StoreError, OSError):  # it may fail in passing, and nobody comes back to this
            strip(self._backend, group, self.gone, is_over=True)
            return
        strip(self._backend, group, self.gone, is_over=True)

    def _bare(self, folders: Iterable[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Yield the folders that have nothing in them but such before them, with the metadata that are in them."""
        inner: dict[str, set[str]] = {}
        for folder in folders:
            files = self._alone_in(folder, inner.get(folder, ()))
            if files is not None and is_plain(files):
                yield folder, files
                outer, _, name = folder.rpartition("/")
                inner.setdefault(outer, set()).add(name)

    def _alone_in(self, folder: str, besides: Collection[str]) -> dict[str, bytes] | None:
        try:
            return self._backend.alone_in(folder, besides)
        except (NotFoundError, NotInStoreError, DamagedError):  # somebody has put something else there
            return None
        except (StoreError, OSError) as error:
            self.problems[str(error)] = None
            return None


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
