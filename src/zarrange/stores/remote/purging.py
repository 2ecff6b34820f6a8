"""Purging: what a removal has hidden is deleted for good, as far as it is what was removed.

Deleted are the objects that were listed when it began, and chunks that were written since. Where anything else is in a
folder, above all a new node of zarr, nothing is deleted. Somebody who makes an array there with zarr itself, just
between that look and a batch of deletions, can lose chunks of it: object stores cannot delete on a condition. At last
the groups go that are left with nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from zarrange.errors import BusyError, EmptyFoldersError, LeftoverError, NotInStoreError, StoreError
from zarrange.stores.metadata import NODE_METADATA
from zarrange.stores.paths import above
from zarrange.stores.remote.copying import delete_all, stamp
from zarrange.stores.remote.inventories import arrays, is_maker, is_part, source_of
from zarrange.stores.remote.objects import ROUNDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zarrange.stores.remote.steps import Steps

__all__ = ["purge"]


def purge(steps: Steps) -> None:
    """Delete the rests and what is in the trash, then the tombstone.

    Raises `NotInStoreError` where something new is, and `LeftoverError` for what cannot be deleted: both keep their
    entry. Raises `EmptyFoldersError` when it is over.
    """
    purging = _Purging(steps)
    try:
        if steps.lease.tombstone.step != "purging":
            purging.keys()  # raises before there is no way back
            steps.lease.advance("purging")
        purging.delete()
        problem = steps.drop_holders()
        steps.end()
        if problem:
            raise EmptyFoldersError(f"removed, but {problem}")
    except (BusyError, LeftoverError, NotInStoreError):
        raise
    except StoreError as error:
        raise LeftoverError(f"removed, but what is left of it could not be deleted: {error}") from error


class _Purging:
    """The rests of a transaction, and what is known of them."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._rests = [rest.path for rest in steps.inventory.rests]
        self._known = {f"{rest.path}/{key}" for rest in steps.inventory.rests for key in rest.keys}
        hidden = {source_of(steps.intent, one) for one in steps.inventory.kept}
        self._known |= {path for path in hidden if not is_maker(path)}
        self._nodes = {path.rpartition("/")[0] for path in hidden if is_maker(path)} | {*self._rests}
        self._arrays = arrays(steps.inventory, steps.intent)

    def keys(self) -> list[str]:
        """Return what there is to delete. Raises `NotInStoreError` for anything else there."""
        objects = self._steps.objects
        found = self._steps.pool.map(lambda rest: objects.told(rest, lambda: [*objects.keys(rest)]), self._rests)
        keys = [key for some in found for key in some]
        for key in filter(is_maker, keys):
            self._refuse(key, "a node of zarr is there by now")
        for key in keys:
            if key not in self._known and not self._is_chunk(key):
                self._refuse(key, "it is not part of what was removed")
        return keys

    def _is_chunk(self, key: str) -> bool:
        array = next((folder for folder in above(key) if folder in self._arrays), None)
        return array is not None and is_part(key[len(array) + 1 :])

    def _refuse(self, key: str, reason: str) -> None:
        shown = self._steps.objects.url(key)
        raise NotInStoreError(f"removed, but what is left of it is not deleted, because of {shown!r}: {reason}")

    def delete(self) -> None:
        """Delete all that is there, and look again until there is nothing. Raises as `purge`."""
        steps = self._steps
        for number in range(ROUNDS):
            keys = self.keys()
            if not keys:
                return
            if not number:
                steps.expect(len(keys))
            delete_all(steps.objects, keys, steps.pool, self._guard, steps.tick)
        raise LeftoverError("removed, but what is left of it is not deleted: something is written there all the time")

    def _guard(self, batch: Sequence[str]) -> None:
        """Stop where another process has taken over, or where a node is again that the batch may be part of."""
        self._steps.lease.confirm()
        folders = {folder for key in batch for folder in above(key) if folder in self._nodes}
        paths = [f"{folder}/{name}" for folder in folders for name in NODE_METADATA]
        for path, found in zip(paths, self._steps.pool.map(partial(stamp, self._steps.objects), paths), strict=True):
            if found is not None:
                self._refuse(path, "a node of zarr is there by now")
