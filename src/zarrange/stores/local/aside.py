"""Aside: where things wait that a transaction has taken from their places: in a folder of its own, under numbers.

What is there tells what was done, so that no recovery takes a destination for a source. What lies on another file
system than that folder waits beside its place instead, under a name of ours, and is copied to where it goes.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError
from zarrange.stores.backend import MARK
from zarrange.stores.local.copying import copy_in, discard
from zarrange.stores.local.deletion import delete
from zarrange.stores.local.descent import exists, open_folder, rename, status, tell
from zarrange.stores.paths import above, joined
from zarrange.stores.transactions import nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zarrange.stores.local.descent import Descent
    from zarrange.stores.transactions import Identity

__all__ = ["Aside", "Thing"]

NEW = ".new"
DONE = ".done"
MANY = 100
"""Of so many things in a folder, one listing tells sooner than looks at each which of them are there."""


class Thing(NamedTuple):
    """Something that a transaction takes away: its name aside, the path that it is taken from, and what it is."""

    name: str
    path: str
    is_folder: bool

    @property
    def folder(self) -> str:
        """The folder that it is taken from."""
        return self.path.rpartition("/")[0]


class Aside:
    """The folder `home`, below the root of a descent, of the transaction `id`."""

    def __init__(self, descent: Descent, home: str, id: str) -> None:  # noqa: A002 - what it is called everywhere
        self._descent = descent
        self._home = home
        self._mark = f"{MARK}{id}-"
        self._changed: set[str] = set()
        self._folder = -1

    def close(self) -> None:
        """Close the folder; what is in it stays."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    # --- taking and putting ------------------------------------------------------------------------------------------

    def holds(self, thing: Thing) -> bool:
        """Return whether a thing is aside."""
        return self._place(thing) is not None

    def status_of(self, thing: Thing) -> os.stat_result | None:
        """Return what a thing is that is aside, `None` where it is not."""
        place = self._place(thing)
        return None if place is None else self._descent.status(place)

    def take(
        self,
        things: Sequence[Thing],
        seen: Mapping[str, Identity],
        progress: Callable[[int, int], None] = nothing,
    ) -> None:
        """Take things aside, one after the other; when it fails, whatever was taken is aside, and has to be put back.

        `seen` may say which ones some folders were; what is at other paths is looked at first. Raises `NotFoundError`,
        and `NotInStoreError` for something else than it is to be.
        """
        expected = []
        for number, thing in enumerate(things, 1):
            expected.append(self._take_from(thing.path, thing, seen.get(thing.path)))
            progress(number, len(things))
        listed = self._listed() if len(things) > MANY else {}
        for thing, before in zip(things, expected, strict=True):
            if listed.get(thing.name) != (thing.is_folder, before):
                self._check_taken(thing.path, thing, before)

    def _take_from(self, path: str, thing: Thing, before: Identity | None = None) -> Identity:
        """Rename a thing, and return which one was at the path before: `_check_taken` tells whether that is aside."""
        home = self._opened()
        where, _, own = path.rpartition("/")
        folder = self._descent.folder(where)
        shown = self._descent.shown(path)
        if before is None:
            before = _identity(_proper(folder, own, shown, is_folder=thing.is_folder))
        try:
            rename(folder, own, home, thing.name, shown)
        except NotFoundError:
            raise NotFoundError(errno.ENOENT, "nothing is there", shown) from None
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._take_beside(folder, own, thing, shown)
        self._changed.add(where)
        return before

    def _take_beside(self, folder: int, own: str, thing: Thing, shown: str) -> None:
        """Rename a thing to wait beside the place that it was taken from first."""
        beside = self._descent.open(thing.folder, like="")
        try:
            rename(folder, own, beside, self._mark + thing.name, shown)
            self._changed.add(thing.folder)
        finally:
            os.close(beside)

    def _check_taken(self, path: str, thing: Thing, before: Identity) -> None:
        """Refuse what took a thing's place at a path after that was seen, and is aside in its stead."""
        with self._telling():
            after = status(self._opened(), thing.name) or self.status_of(thing)
        if after is None or _identity(after) != before or stat.S_ISDIR(after.st_mode) != thing.is_folder:
            shown = self._descent.shown(path)
            raise NotInStoreError(f"{shown!r} was replaced while it was being taken away; it is as it was")

    def _listed(self) -> dict[str, tuple[bool, Identity]]:
        """What is in the folder aside: whether it is a folder, and which one, if inodes are listed as they are told."""
        home = self._opened()
        with self._telling(), os.scandir(home) as entries:
            device = os.fstat(home).st_dev
            return {entry.name: (entry.is_dir(follow_symlinks=False), (device, entry.inode())) for entry in entries}

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in an error that it is about the folder aside."""
        try:
            yield
        except OSError as error:
            tell(error, self._descent.shown(self._home))
            raise

    def put_back(self, thing: Thing) -> None:
        """Put a thing back where it was taken from, if it is aside. Raises `AlreadyExistsError`."""
        self._restore(thing)
        place = self._place(thing)  # of what was not taken, no folder is made again
        if place is not None:
            self._move(place, thing.path, like="")
        else:
            self._refuse_hidden(thing)

    def put(self, thing: Thing, target: str) -> None:
        """Bring a thing to its target, never over anything; what is not aside is there. Raises `AlreadyExistsError`."""
        if self._put_from_home(thing, target, like=thing.folder) or self._resume(thing, target):
            return
        place = self._place(thing)
        if place is None:
            self._refuse_hidden(thing)
            return
        try:
            self._move(place, target, like=thing.folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(thing, place, target)

    def _put_from_home(self, thing: Thing, path: str, like: str) -> bool:
        """Bring a thing to a path by one renaming; return whether it waited in the folder aside, and could be.

        Between two file systems, the system says so before it looks whether the thing is there.
        """
        home = self._opened()
        folder, own = self._descent.above(path, like=like)
        try:
            _rename_to(home, thing.name, folder, own, self._descent.shown(path))
        except NotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        self._changed.add(path.rpartition("/")[0])
        return True

    def take_back(self, thing: Thing, target: str) -> None:
        """Take aside again what has come to its target, or what was made for it there."""
        if self._done(thing):
            # It is a copy: the original is still there, and has to count again before the copy goes.
            folder, own = self._descent.above(target)
            if not exists(folder, self._new(thing)) and exists(folder, own):
                rename(folder, own, folder, self._new(thing), self._descent.shown(target))
                self._changed.add(target.rpartition("/")[0])
                self.sync()  # on another file system, it could be lost while what follows is not
            self._restore(thing)
            self.sync()
            self._discard_new(thing, target)
        elif (found := self.status_of(thing)) is not None:
            self._discard_new(thing, target)
            self._discard_link(found, target)
        else:
            self._check_taken(target, thing, self._take_from(target, thing))

    def _move(self, place: str, target: str, like: str) -> None:
        folder, _, name = place.rpartition("/")
        source = self._descent.open(folder)
        try:
            to, own = self._descent.above(target, like=like)
            _rename_to(source, name, to, own, self._descent.shown(target))
        finally:
            os.close(source)
        self._changed |= {folder, target.rpartition("/")[0]}

    # --- to another file system --------------------------------------------------------------------------------------

    def _copy(self, thing: Thing, place: str, target: str) -> None:
        """Copy a thing beside its target, note that the copy is whole by renaming the original, and rename the copy."""
        folder, _, name = place.rpartition("/")
        source = self._descent.open(folder)
        try:
            to, own = self._descent.above(target, like=thing.folder)
            self._discard_new(thing, target)
            copy_in(source, name, to, self._new(thing))
            rename(source, name, source, name + DONE, self._descent.shown(place + DONE))
            os.fsync(source)
            rename(to, self._new(thing), to, own, self._descent.shown(target))
        finally:
            os.close(source)
        self._changed |= {folder, target.rpartition("/")[0]}

    def _resume(self, thing: Thing, target: str) -> bool:
        """Finish a copy that is whole; return whether there is one. Where it is gone, the original counts again."""
        if not self._done(thing):
            return False
        folder, own = self._descent.above(target, like=thing.folder)
        if exists(folder, self._new(thing)):
            rename(folder, self._new(thing), folder, own, self._descent.shown(target))
            self._changed.add(target.rpartition("/")[0])
        elif not exists(folder, own):
            self._restore(thing)
            return False
        return True

    def _restore(self, thing: Thing) -> None:
        """Make the original count again."""
        for place in self._places(thing):
            if self._status(place + DONE) is not None:
                folder, name = self._descent.above(place)
                rename(folder, name + DONE, folder, name, self._descent.shown(place))
                self._changed.add(place.rpartition("/")[0])

    def _done(self, thing: Thing) -> bool:
        return any(self._status(place + DONE) is not None for place in self._places(thing))

    def _new(self, thing: Thing) -> str:
        return f"{self._mark}{thing.name}{NEW}"

    def _discard_new(self, thing: Thing, target: str) -> None:
        with suppress(NotFoundError):
            folder, _ = self._descent.above(target)
            if exists(folder, self._new(thing)):
                self._changed.add(target.rpartition("/")[0])
                discard(folder, self._new(thing))

    def _discard_link(self, found: os.stat_result, target: str) -> None:
        """Remove a second name of a file that is aside: linked, but not unlinked there."""
        with suppress(NotFoundError):
            folder, own = self._descent.above(target)
            if stat.S_ISREG(found.st_mode) and _is_same(found, status(folder, own)):
                os.unlink(own, dir_fd=folder)
                self._changed.add(target.rpartition("/")[0])

    def note(self, paths: Iterable[str]) -> None:
        """Have the folders of some paths synced with the others: a process that has died may have renamed there."""
        folders = {path.rpartition("/")[0] for path in paths}
        self._changed |= {folder for folder in (*folders, self._home) if not folder or self._status(folder) is not None}

    # --- what is there -----------------------------------------------------------------------------------------------

    def _places(self, thing: Thing) -> tuple[str, str]:
        return f"{self._home}/{thing.name}", joined(thing.folder, self._mark + thing.name)

    def _place(self, thing: Thing) -> str | None:
        """Return the path at which a thing is aside, `None` where it is not."""
        return next((place for place in self._places(thing) if self._status(place) is not None), None)

    def _status(self, place: str) -> os.stat_result | None:
        try:
            return self._descent.status(place)
        except NotInStoreError:  # behind a symlink or a file nothing waits
            return None

    def _refuse_hidden(self, thing: Thing) -> None:
        """Raise `NotInStoreError` for what waits in a folder that was moved, and that a symlink leads to now."""
        shown = self._descent.shown(self._places(thing)[1])
        if os.path.lexists(shown) or os.path.lexists(shown + DONE):
            raise NotInStoreError(f"{shown!r} has to be brought to its place, but is behind a symlink")

    def open_folder(self, thing: Thing) -> int | None:
        """Return a descriptor of a folder that is aside, which is the caller's to close; `None` where it is not."""
        place = self._place(thing)
        return None if place is None else self._descent.open(place)

    def open(self) -> None:
        """Make the folder. Raises `NotInStoreError` where something else is in its place."""
        self._opened()

    def _opened(self) -> int:
        """Return the folder's descriptor; it is made when something is taken or put first."""
        if self._folder < 0:
            # Its name has to be on the disk before anything that is renamed into it.
            self._descent.folder(self._home, like="")
            self._descent.sync([self._home])
            self._folder = self._descent.open(self._home)
        self._changed.add(self._home)
        return self._folder

    def sync(self) -> None:
        """Bring to the disk what was renamed."""
        self._descent.sync(self._changed)
        self._changed.clear()

    def delete(self, things: list[Thing]) -> None:
        """Delete everything that is aside, for good where that is beside other things. Raises `OSError`."""
        for where, some in groupby(things, key=attrgetter("folder")):
            with suppress(NotFoundError, NotInStoreError):  # the folder that they were in is aside, or is a file now
                folder = self._descent.folder(where)
                for name in self._waiting(folder, [*some]):
                    delete(folder, name)
                    self._changed.add(where)
        with suppress(NotFoundError):
            folder = self._descent.folder(self._home)
            for name in sorted(os.listdir(folder)):
                delete(folder, name)
        self._changed.discard(self._home)  # see `remove`
        self.sync()

    def _waiting(self, folder: int, things: list[Thing]) -> list[str]:
        """The names under which some of the things wait in the folder that they were in."""
        there = None
        if len(things) > MANY:
            there = {name for name in os.listdir(folder) if name.startswith(self._mark)}
            if not there:
                return []
        names = [self._mark + thing.name + end for thing in things for end in ("", DONE)]
        return [name for name in names if (exists(folder, name) if there is None else name in there)]

    def left(self, things: list[Thing]) -> list[str]:
        """Return where something is still aside."""
        places = [self._home, *(self._places(thing)[1] for thing in things)]
        return [place for place in places if self._may_be(place)]

    def _may_be(self, place: str) -> bool:
        try:
            return self._status(place) is not None
        except OSError:  # who cannot look there could not delete it, either
            return True

    def remove(self) -> None:
        """Remove the folder itself, which is empty, and those above it if they are."""
        self.close()
        self._descent.remove_empty(self._home)
        # Before the journal goes, it has to be on the disk that nothing is aside.
        left = next(way for way in above(self._home) if not way or self._status(way) is not None)
        with suppress(NotInStoreError):  # then nothing of ours is there
            self._descent.sync([left])


def _rename_to(source: int, name: str, to: int, own: str, shown: str) -> None:
    """Rename, never over anything but an empty folder. Raises `NotFoundError`, `AlreadyExistsError`."""
    try:
        rename(source, name, to, own, shown)
    except AlreadyExistsError:
        found = status(source, name)
        if found is None:
            raise NotFoundError(errno.ENOENT, "nothing is there", name) from None
        if _is_same(found, status(to, own)):
            os.unlink(name, dir_fd=source)  # linked already, where files cannot be renamed without replacing
        elif _is_empty(to, own):
            _remove(to, own)
            rename(source, name, to, own, shown)
        else:
            raise


def _is_empty(folder: int, name: str) -> bool:
    """Whether something is a folder with nothing in it, or only with such folders."""
    found = status(folder, name)
    if found is None or not stat.S_ISDIR(found.st_mode):
        return False
    inside = open_folder(folder, name, name)
    try:
        return all(_is_empty(inside, one) for one in os.listdir(inside))
    finally:
        os.close(inside)


def _remove(folder: int, name: str) -> None:
    """Remove folders in which there is nothing. Raises `OSError`."""
    inside = open_folder(folder, name, name)
    try:
        for one in os.listdir(inside):
            _remove(inside, one)
    finally:
        os.close(inside)
    os.rmdir(name, dir_fd=folder)


def _is_same(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and _identity(one) == _identity(other)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


def _proper(folder: int, name: str, shown: str, *, is_folder: bool) -> os.stat_result:
    found = status(folder, name)
    if found is None:
        raise NotFoundError(errno.ENOENT, "nothing is there", shown)
    if not (stat.S_ISDIR if is_folder else stat.S_ISREG)(found.st_mode):
        what = "a symlink" if stat.S_ISLNK(found.st_mode) else f"not a {'folder' if is_folder else 'file'}"
        raise NotInStoreError(f"{shown!r} is {what}")
    return found
