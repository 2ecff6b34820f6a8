"""Stamps: whether folders are as they were, told by their times, instead of looking at all that is in them anew.

As git's index does, this trusts no time that is too close to the look: what is written twice in one tick of a file
system's clock has one time. Whoever gets no answer here looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from zarrange.stores.backend import Backend, Stamp
    from zarrange.stores.transactions import Identity

__all__ = ["Stamps", "take_stamps"]

TICK = 2.0
"""Seconds within which a file system may give two changes one time; the coarsest in use has so many."""


@frozen
class Stamps:
    """Folders as they were, each with the files in it that count."""

    _backend: Backend
    _folders: Mapping[str, tuple[tuple[str, ...], Stamp]]

    def still_hold(self) -> bool:
        """Return whether nothing came into a folder or went from it since, and none of the files was written anew."""
        return all(self._backend.stamp(path, names) == stamp for path, (names, stamp) in self._folders.items())

    @property
    def identities(self) -> dict[str, Identity]:
        """Which one each folder but the root was, by its path."""
        return {path: stamp.times[0][2:] for path, (_, stamp) in self._folders.items() if path}


def take_stamps(backend: Backend, folders: Mapping[str, Collection[str]], began: float) -> Stamps | None:
    """Return the stamps of folders, each with the names of files in it, that have been looked at since `began`.

    `None` where times do not tell: in an object store, and where something was written since or shortly before.
    """
    found: dict[str, tuple[tuple[str, ...], Stamp]] = {}
    for path, names in folders.items():
        stamp = backend.stamp(path, names)
        if stamp is None or stamp.newest > began - TICK:
            return None
        found[path] = (tuple(names), stamp)
    return Stamps(backend, found)
