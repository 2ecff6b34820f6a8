"""Moving: transactions in a local folder, by renames that are all noted in a journal before they begin.

Everything goes aside first, each thing under its number in a folder of the transaction's own, so that what is there
tells what has been done: no recovery takes a destination for a source. What was not aside as a whole goes back; what
was, goes on. Nothing is ever replaced, and nothing is deleted but what is aside, and what it leaves empty. What crosses
file systems is copied.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from zarrange.errors import (
    AlreadyExistsError,
    EmptyFoldersError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    UnreadableError,
)
from zarrange.stores.backend import JOURNALS, STAGE, TRASH
from zarrange.stores.copies import groups_above_all, refresh, strip
from zarrange.stores.holders import drop_empty
from zarrange.stores.local import journal as journals
from zarrange.stores.local.aside import Aside, Thing
from zarrange.stores.local.contents import check_no_node, check_nothing_else
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.reading import unreadable
from zarrange.stores.local.writing import sweep, write_file
from zarrange.stores.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from zarrange.stores.backend import Backend
    from zarrange.stores.local.journal import Journal
    from zarrange.stores.transactions import Check, Identity, Intent, Transaction

__all__ = ["purge", "recover", "tidy", "transact", "transactions", "undo"]

T = TypeVar("T")
_is_id = re.compile(r"[0-9a-f]{16}").fullmatch


def transactions(root: str) -> list[Transaction]:
    """Return what is under way, was interrupted, or is in the trash; the oldest first.

    Where a symlink or a file is in their place, there are none. Raises `UnreadableError`, and `StoreError` for what is
    no journal.
    """
    try:
        descent = Descent(root)
    except (NotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(error, f"{root!r} ") from error
    with descent:
        try:
            return journals.journals(descent)
        except NotInStoreError:
            return []
        except PermissionError as error:
            raise unreadable(error, f"{descent.shown(JOURNALS)!r} ") from error


def tidy(root: str) -> None:
    """Delete what is left of transactions that never began, or that are over but for an empty folder."""
    with suppress(NotFoundError), Descent(root) as descent:
        if descent.status(JOURNALS) is None and not _homes(descent):
            return
        with journals.locked(descent):  # what has no journal now, has none: nobody begins meanwhile
            told = {one.id for one in journals.journals(descent)}
            for home in _homes(descent):
                if home.rpartition("/")[2] not in told:
                    descent.remove_empty(home)


def _homes(descent: Descent) -> list[str]:
    """The folders of transactions, also of those that are over."""
    places = [place for place in (STAGE, TRASH) if descent.status(place) is not None]
    return [f"{place}/{name}" for place in places for name in os.listdir(descent.folder(place)) if _is_id(name)]


def transact(
    backend: Backend,
    intent: Intent,
    *,
    grace: float,
    check: Check,
    progress: Callable[[int, int], None],
) -> Transaction:
    """Do what an intent says. `check` is called when nobody else may come in between, and before anything is touched.

    Raises what it raises, and `BusyError`.
    """

    def refuse(others: list[Transaction]) -> None:
        for other in others:
            if other.phase != "purging" and other.intent.meets(intent):  # what is being deleted is aside
                raise other.busy()

    with Descent(backend.root or "/") as descent:
        journal = journals.begin(descent, intent, grace, refuse)
        with _moving(backend, descent, journal) as moving:
            moving.perform(check, progress)
        return journal.transaction


def recover(backend: Backend, name: str) -> None:
    """Bring an interrupted transaction to its end: back, or forward. Raises `BusyError` for one that is under way."""
    with _seized(backend, name) as moving:
        moving.recover()


def undo(backend: Backend, name: str) -> None:
    """Put back what a removal took. Raises `AlreadyExistsError` where something is by now; `StoreError`."""
    with _seized(backend, name) as moving:
        moving.undo()


def purge(backend: Backend, name: str) -> None:
    """Delete what a removal took, for good.

    Raises `NotInStoreError` for what something new is in, and `LeftoverError` for what cannot be deleted: both keep
    their entry. Raises `EmptyFoldersError` when it is over.
    """
    with _seized(backend, name) as moving:
        moving.recover()
        if not moving.journal.is_over:
            moving.purge()


@contextmanager
def _seized(backend: Backend, name: str) -> Iterator[_Moving]:
    with Descent(backend.root or "/") as descent, _moving(backend, descent, journals.seize(descent, name)) as moving:
        yield moving


@contextmanager
def _moving(backend: Backend, descent: Descent, journal: Journal) -> Iterator[_Moving]:
    """What moves, until its journal is let go of."""
    moving = _Moving(backend, descent, journal)
    try:
        yield moving
    finally:
        moving.close()
        journal.close()


class _Moving:
    """A transaction whose journal is ours."""

    def __init__(self, backend: Backend, descent: Descent, journal: Journal) -> None:
        self.journal = journal
        self._backend = backend
        self._descent = descent
        self._intent = intent = journal.intent
        self._aside = Aside(descent, f"{STAGE if intent.is_exclusive else TRASH}/{journal.name}", journal.name)
        self._moves = [(Thing(str(at), one.source, one.is_folder), one.target) for at, one in enumerate(intent.moves)]
        self._rests = [Thing(f"r{at}", rest, is_folder=True) for at, rest in enumerate(intent.rests)]

    def close(self) -> None:
        """Let go of what is held open."""
        self._aside.close()

    # --- what is done ------------------------------------------------------------------------------------------------

    def perform(self, check: Check, progress: Callable[[int, int], None]) -> None:
        """Do all of it. What fails leaves everything as it was, or is recovered from the journal."""
        try:
            seen = check() or {}
            self._aside.open()
        except BaseException:
            self._end()
            raise
        try:
            self._stage(seen, progress)
            if self._intent.is_exclusive:
                self.journal.mark("staged")
            self._arrive()
        except BaseException:
            self._give_up()
            raise
        self._complete()

    def recover(self) -> None:
        """Go on where another process was interrupted. Raises `AlreadyExistsError` where something is in the way."""
        if self.journal.phase in {"begun", "staged"}:
            places = [path for thing, target in self._moves for path in (thing.path, target) if path is not None]
            places += [rest.path for rest in self._rests] + [text.path for text in self._intent.made]
            self._aside.note(places)
        if self.journal.phase == "begun":
            self._back()
        elif self.journal.phase == "staged":
            try:
                self._arrive()
            except (AlreadyExistsError, NotInStoreError):
                self._give_up()
                raise
            self._complete()
        elif self.journal.phase == "purging" or self._intent.is_exclusive:
            self.purge()

    def undo(self) -> None:
        """Put back what is in the trash."""
        if self._intent.is_exclusive:
            raise StoreError(f"{self._intent.about} cannot be undone; a migration back to the other layout can be made")
        if self.journal.phase == "purging":
            raise StoreError(f"{self._intent.about} cannot be undone any more: it is being purged")
        self._check_places()
        self.journal.mark("begun")
        self._back()

    def purge(self) -> None:
        """Delete what is in the trash, and end the transaction."""
        if self.journal.phase != "purging":
            self._take_rests()
            self.journal.mark("purging")
        self._delete()

    def _delete(self) -> None:
        things = [*self._rests, *(thing for thing, _ in self._moves)]
        try:
            self._aside.delete(things)
        except OSError as error:
            where = ", ".join(repr(self._descent.shown(place)) for place in self._aside.left(things))
            message = f"what is left of it in {where} could not be deleted: {error}"
            raise LeftoverError(f"removed, but {message}") from error
        if self._intent.is_exclusive:
            self._clear(thing.folder for thing, _ in self._moves)
        problem = drop_empty(self._backend, self._intent, self.journal.name)
        self._end()
        if problem:
            raise EmptyFoldersError(f"removed, but {problem}")

    def _give_up(self) -> None:
        """Put everything back after a failure."""
        if self.journal.phase == "staged":
            self._take_back()
            self.journal.mark("begun")
        elif not self.journal.is_sure:  # a recovery must not go forward over what is put back here
            self.journal.mark("begun")
        self._back()

    def _arrive(self) -> None:
        """Do all that can still be taken back."""
        for thing, target in self._moves:
            if target is not None:
                self._aside.put(thing, target)
        self._make()
        self._aside.sync()
        if not self.journal.is_kept:
            self._take_rests()

    def _make(self) -> None:
        """Make the groups that are missing, with the permissions of those that they are like."""
        moves = {thing.path: (thing, target) for thing, target in self._moves} if self._intent.made else {}
        for text in self._intent.made:
            thing, target = moves.get(text.like or "", (None, text.like))
            like = None if thing is None else self._aside.status_of(thing)
            if like is None and target is not None:
                like = self._descent.status(target)
            with suppress(AlreadyExistsError):
                write_file(self._descent, text.path, text.content.encode(), replace=False, like=like)

    def _complete(self) -> None:
        """Do what is left when everything is at its place: from here on there is only one way, forward."""
        for text in self._intent.record:
            write_file(self._descent, text.path, text.content.encode(), replace=True)
        problems = self._refreshed() if self._intent.is_exclusive else []
        if self.journal.is_kept:
            self.journal.mark("placed")
        else:
            self.journal.mark("purging")
            self._delete()
        _tell(problems)

    # --- aside, and back ---------------------------------------------------------------------------------------------

    def _stage(self, seen: Mapping[str, Identity], progress: Callable[[int, int], None]) -> None:
        self._strip()
        self._aside.take([thing for thing, _ in self._moves], seen, progress)
        self._strip()  # who has looked just before may have listed it again
        self._aside.sync()

    def _strip(self) -> None:
        """Take what goes out of the copies of metadata that groups keep."""
        if self._intent.groups:
            nodes = [node for thing, _ in self._moves if (node := _node(thing)) is not None]
            for group in self._intent.groups:
                strip(self._backend, group, nodes)

    def _back(self) -> None:
        """Put back what is aside, and end the transaction. Raises `AlreadyExistsError` where something is by now."""
        for thing in (*self._rests, *(thing for thing, _ in reversed(self._moves))):
            self._aside.put_back(thing)
        self._aside.sync()
        problems = self._refreshed()
        self._end()
        _tell(problems)

    def _take_back(self) -> None:
        """Take aside again what has arrived, before all of it goes back, and what was made for it."""
        for text in self._intent.made:
            self._unmake(text.path, text.content.encode())
        for thing, target in self._moves:
            if target is not None:
                self._aside.take_back(thing, target)
        self._aside.sync()
        self._clear(target.rpartition("/")[0] for _, target in self._moves if target is not None)

    def _clear(self, folders: Iterable[str]) -> None:
        """Remove those of some folders that are empty by now, for good: nobody comes back to them."""
        left = {self._descent.remove_empty(folder) for folder in sorted({*folders}, reverse=True)}
        self._descent.sync(folder for folder in left if folder is not None)

    def _unmake(self, path: str, content: bytes) -> None:
        with suppress(NotFoundError):
            if self._backend.read(path) == content:
                folder, name = self._descent.above(path)
                os.unlink(name, dir_fd=folder)

    # --- the rests ---------------------------------------------------------------------------------------------------

    def _take_rests(self) -> None:
        """Take the rests aside, and look through them; if one holds something else, all of them go back."""
        try:
            for thing in self._rests:
                self._take_rest(thing)
        except BaseException:
            for thing in self._rests:
                self._aside.put_back(thing)
            raise
        finally:
            self._aside.sync()

    def _take_rest(self, thing: Thing) -> None:
        if not self._aside.holds(thing):
            with suppress(NotFoundError):
                self._aside.take([thing], {})
        folder = self._aside.open_folder(thing)
        if folder is None:
            return
        try:
            (check_no_node if self._intent.is_recursive else check_nothing_else)(folder)
        except NotInStoreError as error:
            raise NotInStoreError(f"cannot remove {self._descent.shown(thing.path)!r}: {error}") from None
        finally:
            os.close(folder)

    def _check_places(self) -> None:
        """Raise where what is to be put back would meet something, or come to a folder without its chunks."""
        for thing, _ in self._moves:
            if not self._aside.holds(thing):
                raise NotFoundError(errno.ENOENT, "it is not in the trash any more", self._descent.shown(thing.path))
            if self._descent.status(thing.path) is not None:
                raise AlreadyExistsError(errno.EEXIST, "something is there by now", self._descent.shown(thing.path))
        for thing in self._rests:
            if not self._aside.holds(thing) and self._descent.status(thing.path) is None:
                shown = self._descent.shown(thing.path)
                raise NotFoundError(errno.ENOENT, "the chunks are gone, so that it cannot be put back", shown)

    # --- shared ------------------------------------------------------------------------------------------------------

    def _refreshed(self) -> list[str]:
        """Bring the copies of metadata up to date; return which could not be, because something below is damaged.

        One that lists too little harms nobody. What else fails, such as a full disk, is left to the next recovery.
        """
        problems = []
        for group in self._groups():
            try:
                _twice(partial(refresh, self._backend, group, self.journal.name))
            except UnreadableError as error:
                problems.append(f"the copy of metadata in {self._descent.shown(group)!r} lists too little: {error}")
        return problems

    def _groups(self) -> tuple[str, ...]:
        """The groups that keep copies: of what comes back, also those that have begun to while it was away."""
        if self._intent.is_exclusive:
            return self._intent.groups
        nodes = {node for thing, _ in self._moves if (node := _node(thing)) is not None}
        with suppress(StoreError, OSError):
            return (*{*self._intent.groups, *_twice(partial(groups_above_all, self._backend, nodes))},)
        return self._intent.groups

    def _end(self) -> None:
        for text in (*self._intent.record, *self._intent.made):
            sweep(self._descent, text.path.rpartition("/")[0])
        for group in self._intent.groups:
            sweep(self._descent, group)
        self._aside.remove()
        self.journal.end()


def _twice(do: Callable[[], T]) -> T:
    """Do something, once more if a reading failed: it may have done so in passing, and nobody comes back to this."""
    with suppress(UnreadableError):
        return do()
    return do()


def _tell(problems: list[str]) -> None:
    if problems:
        raise StoreError("; ".join(problems))


def _node(thing: Thing) -> str | None:
    """The node that is hidden with a thing: a folder, or the one whose metadata it is."""
    name = thing.path.rpartition("/")[2]
    return thing.path if thing.is_folder else thing.folder if name in METADATA else None
