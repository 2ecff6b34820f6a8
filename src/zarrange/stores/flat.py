"""Flat listings: the keys below a folder of an object store, a page at a time, and what a guide makes of them.

Keys come in order, so that a walk along the guide's places goes on from one page to the next, and the keys of an
array's chunks are passed over by one comparison each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zarrange.stores.backend import WORKING_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zarrange.language.guide import Place
    from zarrange.stores.backend import ItemSort

__all__ = ["Flat", "Seen"]


OWN = f"{WORKING_FOLDER}/"


class Seen(NamedTuple):
    """A path that is there, at a place where something may be wanted; `goes_on`: what is below was not listed."""

    path: str
    place: Place
    sort: ItemSort
    goes_on: bool


class Flat:
    """The keys below `path`, which is at a place that leads on."""

    def __init__(self, pages: Iterator[Sequence[str]], path: str, place: Place) -> None:
        self.path = path
        self.place = place
        self.seen: list[Seen] = []
        """What was on the page that was read last."""
        self.listings = int(place.must_list)
        """How many folders one would have had to list, level by level, to see what the pages so far show."""
        self.is_complete = False
        self._pages = pages
        self._trail: list[tuple[str, Place]] = [(f"{path}/" if path else "", place)]
        self._skipped = "\0"

    def page(self) -> int:
        """Read a page, and return how many keys it has; 0 after the last one. Raises `UnreadableError`."""
        keys = next(self._pages, ())
        self.seen = [seen for key in keys for seen in self._key(key)]
        return len(keys)

    def _key(self, key: str) -> Iterator[Seen]:
        if key.startswith((self._skipped, OWN)):
            return
        while not key.startswith(self._trail[-1][0]):
            self._trail.pop()
        above, place = self._trail[-1]
        *folders, name = key[len(above) :].split("/")
        for folder in folders:
            behind = place.step(folder)
            above = f"{above}{folder}/"
            if behind is None:
                self._skipped = above
                return
            goes_on = "array" in behind.ends and behind.leads_on
            if behind.has_nodes:
                yield Seen(above[:-1], behind, "folder", goes_on)
            if goes_on or not behind.leads_on:
                self._skipped = above
                return
            place = behind
            self.listings += place.must_list
            self._trail.append((above, place))
        file = place.step(name)
        if file is not None and file.has_files:
            yield Seen(above + name, file, "file", goes_on=False)
