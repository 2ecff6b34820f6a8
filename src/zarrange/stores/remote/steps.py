"""Steps: what a transaction does with the objects that it takes: hide, copy aside, clear away, place, put back.

Each may be done again after it was interrupted anywhere: what is done already is known by its content. Nothing is ever
put over something else, and metadata come last to where they go, the file that makes a node last of all: whoever looks
meanwhile sees a whole array, or none.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from zarrange.errors import AlreadyExistsError, NotFoundError, StoreError
from zarrange.stores.copies import groups_above_all, refresh, strip
from zarrange.stores.holders import drop_empty
from zarrange.stores.metadata import NODE_METADATA
from zarrange.stores.paths import above
from zarrange.stores.remote import inventories
from zarrange.stores.remote.connection import Taken
from zarrange.stores.remote.copying import copy, copy_all, delete_all, is_same, stamp, stamps
from zarrange.stores.remote.inventories import Inventory, aside_of, is_maker, source_of, target_of
from zarrange.stores.remote.objects import IN_FLIGHT
from zarrange.stores.remote.tombstones import VERSION, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from zarrange.stores.backend import Backend
    from zarrange.stores.remote.copying import Stamp
    from zarrange.stores.remote.inventories import Copied, Kept
    from zarrange.stores.remote.leases import Lease
    from zarrange.stores.remote.objects import Objects
    from zarrange.stores.transactions import Move

__all__ = ["Steps"]

Side = Literal["source", "target"]
NOTHING = Inventory(VERSION, (), (), ())


class Steps:
    """The steps of a transaction that is ours."""

    def __init__(
        self, backend: Backend, objects: Objects, lease: Lease, pool: Executor, progress: Callable[[int, int], None]
    ) -> None:
        self.objects = objects
        self.lease = lease
        self.pool = pool
        self.intent = lease.tombstone.intent
        self.home = place_of(self.intent, lease.name)
        self.inventory = NOTHING
        self.problems: list[str] = []
        self._backend = backend
        self._progress = progress
        self._stamps: dict[str, Stamp] = {}
        self._done = self._total = 0

    def load(self) -> bool:
        """Read the inventory; return whether there is one."""
        found = inventories.load(self.objects, self.intent, self.lease.name)
        self.inventory = found or NOTHING
        return found is not None

    # --- shared ------------------------------------------------------------------------------------------------------

    def expect(self, count: int) -> None:
        """Say how many objects there are to copy or to delete from here on."""
        self._done, self._total = 0, count

    def tick(self, count: int) -> None:
        """Say that so many more are done."""
        self._done += count
        self._progress(min(self._done, self._total), self._total)

    def guard(self, _: Sequence[str]) -> None:
        """Stop where another process has taken over."""
        self.lease.confirm()

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects. Raises `StoreError`."""
        delete_all(self.objects, [*paths], self.pool, self.guard, self.tick)

    def _aside(self, one: Copied) -> str:
        return aside_of(self.intent, self.lease.name, one)

    def _kept(self, side: Side) -> list[Kept]:
        """The metadata that are at a side: a group that is left with nothing in it has no target."""
        return [
            one for one in self.inventory.kept if side == "source" or self.intent.moves[one.move].target is not None
        ]

    def _at(self, side: Side, one: Kept | Copied) -> str:
        return source_of(self.intent, one) if side == "source" else target_of(self.intent, one)

    # --- taking ------------------------------------------------------------------------------------------------------

    def take_stock(self) -> None:
        """Make the inventory. Raises `NotFoundError`, `NotInStoreError`."""
        self.inventory, self._stamps = inventories.survey(self.objects, self.intent, self.pool)

    def copy_aside(self) -> None:
        """Keep the inventory, and copy aside what is not kept in it. Raises `StoreError`."""
        inventories.save(self.objects, self.intent, self.lease.name, self.inventory)
        pairs = [(source_of(self.intent, one), self._aside(one)) for one in self._copied]
        self.expect(len(pairs) * (2 if self.intent.is_exclusive else 1))
        copy_all(self.objects, pairs, self._stamps, self.pool, self.guard, self.tick)
        self._verify(pairs, self._stamps, stamps(self.objects, self.home) if pairs else {})

    @property
    def _copied(self) -> tuple[Copied, ...]:
        return self.inventory.copied

    def _verify(
        self, pairs: Sequence[tuple[str, str]], sources: Mapping[str, Stamp], targets: Mapping[str, Stamp]
    ) -> None:
        def is_copied(pair: tuple[str, str]) -> bool:
            source, target = pair
            found = targets.get(target)
            return found is not None and is_same(self.objects, source, sources[source], target, found)

        for (source, target), is_right in zip(pairs, self.pool.map(is_copied, pairs), strict=True):
            if not is_right:
                where = self.objects.url(source), self.objects.url(target)
                raise StoreError("{!r} was changed while it was copied to {!r}".format(*where))

    def check_unchanged(self, *, is_hidden: bool) -> None:
        """Raise where what was copied or kept is not what is there. Once they are hidden, no metadata may be there."""
        kept = {source_of(self.intent, one): one for one in self.inventory.kept}
        changed = self._changed(kept, is_hidden=is_hidden) if self._copied or self.intent.is_exclusive else []
        if not is_hidden:
            changed += self._different(kept, is_needed=True)
        if changed:
            raise StoreError(f"{self.objects.url(changed[0])!r} was changed meanwhile by somebody else")

    def _changed(self, kept: Collection[str], *, is_hidden: bool) -> list[str]:
        found = self._there("source")
        marks = {source_of(self.intent, one): one.mark for one in self._copied}
        changed = [path for path, mark in marks.items() if path not in found or found[path].mark != mark]
        return changed + [path for path in found if path not in marks and (is_hidden or path not in kept)]

    def _different(self, kept: Mapping[str, Kept], *, is_needed: bool) -> list[str]:
        """Which metadata are there with another content than what is kept of them."""
        found = self.pool.map(lambda path: self.objects.told(path, self.objects.content, path), kept)
        return [
            path
            for (path, one), content in zip(kept.items(), found, strict=True)
            if (content is not None or is_needed) and content != one.data
        ]

    def check_ours(self) -> None:
        """Raise where metadata are there again that are not those which are to be hidden."""
        kept = {source_of(self.intent, one): one for one in self.inventory.kept}
        if changed := self._different(kept, is_needed=False):
            raise StoreError(f"{self.objects.url(changed[0])!r} was changed since, and is not taken away")

    def _there(self, side: Side, besides: Collection[str] = ()) -> dict[str, Stamp]:
        """What is at, and below, the sources or targets of all moves, but for some paths."""
        found: dict[str, Stamp] = {}
        for one in self.pool.map(partial(self._at_end, side), self.intent.moves):
            found |= {path: its for path, its in one.items() if path not in besides}
        return found

    def _at_end(self, side: Side, move: Move) -> dict[str, Stamp]:
        root = move.source if side == "source" else move.target
        if root is None:
            return {}
        found = {}
        if (one := stamp(self.objects, root)) is not None:
            found[root] = one
        if move.is_folder or side == "target":  # below the name of a file that goes is nothing of it
            found |= stamps(self.objects, root)
        return found

    # --- hiding ------------------------------------------------------------------------------------------------------

    def hide(self, side: Side = "source") -> None:
        """Delete metadata: first what makes nodes, from the top down."""
        paths = [self._at(side, one) for one in self.inventory.kept]
        makers = sorted((path for path in paths if is_maker(path)), key=_depth)
        for _, wave in groupby(makers, _depth):
            self.delete(wave)
        self.delete(path for path in paths if not is_maker(path))

    def clear(self) -> None:
        """Delete what was copied aside where it was; in a removal, what is still the same."""
        paths = [source_of(self.intent, one) for one in self._copied]
        if not self.intent.is_exclusive:
            found = self.pool.map(partial(stamp, self.objects), paths)
            marks = [one.mark for one in self._copied]
            paths = [path for path, its, mark in zip(paths, found, marks, strict=True) if its and its.mark == mark]
        self.delete(paths)

    def strip(self) -> None:
        """Take what goes out of the copies of metadata that groups keep."""
        nodes = {source_of(self.intent, one).rpartition("/")[0] for one in self.inventory.kept}
        for group in self.intent.groups:
            if not any(one in nodes for one in (group, *above(group))):
                strip(self._backend, group, nodes)

    def refresh(self) -> None:
        """Bring the copies of metadata that groups keep up to date; one that lists too little is only told."""
        for group in self._groups():
            try:
                refresh(self._backend, group, self.lease.name)
            except StoreError as error:
                self.problems.append(f"the copy of metadata in {self.objects.url(group)!r} lists too little: {error}")

    def _groups(self) -> tuple[str, ...]:
        """The groups that keep copies: of what comes back, also those that have begun to while it was away."""
        if self.intent.is_exclusive:
            return self.intent.groups
        nodes = {source_of(self.intent, one).rpartition("/")[0] for one in self.inventory.kept}
        with suppress(StoreError):
            return (*{*self.intent.groups, *groups_above_all(self._backend, nodes)},)
        return self.intent.groups

    # --- placing -----------------------------------------------------------------------------------------------------

    def check_free(self) -> None:
        """Raise `AlreadyExistsError` where something is at a target that is no source. Both are there yet."""
        everything: list[Kept | Copied] = [*self.inventory.kept, *self._copied]
        sources = {source_of(self.intent, one) for one in everything}
        going: list[Kept | Copied] = [*self._kept("target"), *self._copied]
        targets = [target_of(self.intent, one) for one in going]
        if len(set(targets)) < len(targets):
            raise StoreError("two things would go to the same place")
        for path in self._there("target", sources):
            raise self._taken(path)
        ways = [*({way for path in targets for way in above(path) if way} - sources)]
        for way, found in zip(ways, self.pool.map(partial(stamp, self.objects), ways), strict=True):
            if found is not None:
                raise self._taken(way)

    def place(self, side: Side) -> None:
        """Bring everything to its target, or back to its source. Raises `AlreadyExistsError`, before it begins."""
        own, aside = self._own(side)
        missing = [one for one in self._copied if self._at(side, one) not in own]
        pairs = [(self._aside(one), self._at(side, one)) for one in missing]
        if lost := next((source for source, _ in pairs if source not in aside), None):
            raise StoreError(f"{self.objects.url(lost)!r} is missing: somebody else has deleted it")
        singles = {self._at(side, one) for one in missing if not self.intent.moves[one.move].is_folder}
        many = [pair for pair in pairs if pair[1] not in singles]
        copy_all(self.objects, many, aside, self.pool, self.guard, self.tick)
        self._place_files([pair for pair in pairs if pair[1] in singles], aside)
        self._verify(pairs, aside, self._there(side) if pairs else {})
        self.put_metadata(side)

    def _place_files(self, pairs: Sequence[tuple[str, str]], aside: Mapping[str, Stamp]) -> None:
        for at in range(0, len(pairs), IN_FLIGHT):
            self.lease.confirm()
            for _ in self.pool.map(lambda pair: self._place_file(pair, aside[pair[0]]), pairs[at : at + IN_FLIGHT]):
                self.tick(1)

    def _place_file(self, pair: tuple[str, str], its: Stamp) -> None:
        source, target = pair
        try:
            copy(self.objects, source, target, its.size, replace=False)
        except Taken:
            found = stamp(self.objects, target)
            if found is None or not is_same(self.objects, source, its, target, found):
                raise self._taken(target) from None

    def put_metadata(self, side: Side, *, is_lenient: bool = False) -> None:
        """Put metadata where there are none: what makes nodes last, the inmost first."""
        kept = sorted(self._kept(side), key=lambda one: -_depth(self._at(side, one)))
        self._put([one for one in kept if not is_maker(self._at(side, one))], side, is_lenient=is_lenient)
        makers = [one for one in kept if is_maker(self._at(side, one))]
        for _, wave in groupby(makers, lambda one: _depth(self._at(side, one))):
            self._put([*wave], side, is_lenient=is_lenient)

    def _put(self, kept: list[Kept], side: Side, *, is_lenient: bool) -> None:
        def put(one: Kept) -> None:
            path = self._at(side, one)
            try:
                self.objects.create(path, one.data)
            except AlreadyExistsError:
                if not is_lenient and self.objects.told(path, self.objects.content, path) != one.data:
                    raise

        if kept:
            self.lease.confirm()
            for _ in self.pool.map(put, kept):
                pass

    def _own(self, side: Side) -> tuple[Collection[str], Mapping[str, Stamp]]:
        """What is where it is to go, and what is aside. Raises `AlreadyExistsError` where something else is."""
        found, aside = self._told_apart(side)
        for path, is_own in found.items():
            if not is_own:
                raise self._taken(path)
        self._check_nodes(side, {self._at(side, one) for one in self._kept(side)})
        return found.keys(), aside

    def _told_apart(self, side: Side) -> tuple[dict[str, bool], Mapping[str, Stamp]]:
        """Whether what is where everything is to go is the same as what is to go there; and what is aside."""
        copied = {self._at(side, one): self._aside(one) for one in self._copied}
        kept = {self._at(side, one): one for one in self._kept(side)}
        there = self._there(side)
        aside = stamps(self.objects, self.home) if copied else {}

        def is_own(path: str) -> bool:
            if path in kept:
                return self.objects.told(path, self.objects.content, path) == kept[path].data
            other = copied.get(path, "")
            return other in aside and is_same(self.objects, other, aside[other], path, there[path])

        return dict(zip(there, self.pool.map(is_own, there), strict=True)), aside

    def _check_nodes(self, side: Side, kept: Collection[str]) -> None:
        """Raise where a node is there by now by other metadata than ours: those of another format."""
        singles = [one for one in self._kept(side) if not self.intent.moves[one.move].is_folder]
        folders = {self._at(side, one).rpartition("/")[0] for one in singles if is_maker(self._at(side, one))}
        others = [path for folder in folders for name in NODE_METADATA if (path := f"{folder}/{name}") not in kept]
        for path, found in zip(others, self.pool.map(partial(stamp, self.objects), others), strict=True):
            if found is not None:
                raise self._taken(path)

    def check_can_go_back(self) -> None:
        """Raise where what was taken cannot go back: because something is there, or because the chunks are not."""
        self._own("source")
        for rest in self.inventory.rests:
            if rest.keys and not any(
                self.objects.told(rest.path, lambda path: [*self.objects.listed(path)], rest.path)
            ):
                shown = self.objects.url(rest.path)
                raise NotFoundError(errno.ENOENT, "the chunks are gone, so that it cannot be put back", shown)

    def withdraw(self) -> None:
        """Delete what has come to its target: what is ours there, metadata first."""
        own = [path for path, is_own in self._told_apart("target")[0].items() if is_own]
        makers = sorted((path for path in own if is_maker(path)), key=_depth)
        self.delete(makers)
        self.delete(path for path in own if not is_maker(path))

    def write_texts(self) -> None:
        """Write metadata of groups where there are none, and what the store says of itself."""
        for text in self.intent.made:
            with suppress(AlreadyExistsError):
                self.objects.create(text.path, text.content.encode())
        self.lease.confirm()
        for text in self.intent.record:
            self.objects.replace(text.path, text.content.encode())

    def _taken(self, path: str) -> AlreadyExistsError:
        return AlreadyExistsError(errno.EEXIST, "something is there by now", self.objects.url(path))

    # --- the end -----------------------------------------------------------------------------------------------------

    def drop_holders(self) -> str:
        """Delete what held what was removed, as far as nothing else is in it; return what is in the way."""
        return drop_empty(self._backend, self.intent, self.lease.name, self.lease.confirm)

    def end(self) -> None:
        """Delete what is aside, the inventory at last, then the tombstone."""
        inventory = inventories.path_of(self.intent, self.lease.name)
        while found := [path for path in stamps(self.objects, self.home) if path != inventory]:
            self.delete(found)
        self.delete([inventory])
        self.lease.end()


def _depth(path: str) -> int:
    return path.count("/")
