"""Survey: everything that is below a store's root, held against a layout. Nothing is changed, and nothing is folded.

Each thing is an artifact of the layout (`Entry`, with all its readings), something that no kind has (`Unmatched`),
something else than its kind says (`Mismatched`), or `Unreadable`. Every folder is listed that is no array; arrays are
told by their metadata and never entered, symlinks are reported and never followed. Results come in the order of their
paths, as those of the catalog do.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from zarrange.errors import AmbiguousPathError, StoreError, UnreadableError
from zarrange.stores.backend import ARTICLES, FILE, FOLDER, WORKING_FOLDER, Requests
from zarrange.stores.entries import FITTING, Entry, Unreadable
from zarrange.stores.holders import is_plain
from zarrange.stores.metadata import METADATA
from zarrange.stores.paths import joined, ordered_by
from zarrange.stores.schedule import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zarrange.language.layout import Layout
    from zarrange.stores.backend import Backend, Found, Item, ItemSort
    from zarrange.stores.transactions import Transaction

__all__ = ["Folder", "Mismatched", "Thing", "Unmatched", "survey"]

BATCH = 1_000
"""How many files of a folder are looked at in one go."""


@frozen
class Unmatched:
    """Something that no kind has: `what` is an array, a group, a folder or a file.

    Of a folder in which nothing belongs to the layout, only the folder itself is told.
    """

    path: str
    what: str


@frozen
class Mismatched:
    """Something at a path of the layout that is not what the kind says; `message` says what is where."""

    path: str
    message: str


Thing: TypeAlias = Entry | Unmatched | Mismatched | Unreadable
Event: TypeAlias = "tuple[Thing | _Hidden, bool]"
"""A thing, and whether it is only a way if there is something of the layout below: a folder with no kind of its own."""


@frozen
class Folder:
    """A folder that a survey has come to: what it is, and what is in it; `None` for an array, which is not entered."""

    path: str
    found: Found
    items: Sequence[Item] | None


def survey(
    backend: Backend,
    layout: Layout,
    note: Callable[[Folder], None] | None = None,
    removals: Sequence[Transaction] = (),
) -> Iterator[Thing]:
    """Yield everything that is in a store.

    `note` is handed each folder that could be read, the outer ones first, and before the things in it are yielded; on
    an object store by several threads. What `removals` hide is left out. Raises for nothing that is in the store.
    """
    waiting = _Waiting()
    for thing, is_way in in_order(_Walk(backend, layout, note, removals).visit, [_Task("")], backend.in_flight):
        yield from _shown(waiting.take(thing, is_way=is_way))
    yield from _shown(waiting.end())


def _shown(things: Iterable[Thing | _Hidden]) -> Iterator[Thing]:
    return (thing for thing in things if not isinstance(thing, _Hidden))


@frozen
class _Hidden:
    """What was removed and can be put back: the folders around it are still ways to something of the layout."""

    path: str


@frozen(eq=False)
class _Task:
    """A folder to visit; or with `items`, what else is in the folder `path`."""

    path: str
    items: tuple[Item, ...] | None = None


class _Walk:
    """Visits tasks: says what is there, and where to go on."""

    def __init__(
        self,
        backend: Backend,
        layout: Layout,
        note: Callable[[Folder], None] | None,
        removals: Sequence[Transaction],
    ) -> None:
        self._backend = backend
        self._layout = layout
        self._note = note
        self._requests = Requests()
        self._removals = removals
        self._holders = frozenset(holder for one in removals for holder in one.intent.holders)

    def visit(self, task: _Task) -> tuple[list[Event], list[_Task]]:
        """Look at what a task has; return what is there, and where to go on."""
        if task.items is not None:
            return [self._item(task.path, name, sort) for name, sort in task.items], []
        events: list[Event] = []
        try:
            return events, [*self._folder(task.path, events)]
        except UnreadableError as error:
            return [*events, (Unreadable(task.path, str(error)), False)], []

    def _folder(self, path: str, events: list[Event]) -> Iterator[_Task]:
        try:
            found = self._backend.look(path, self._requests)
        except UnreadableError as error:
            if path:
                raise
            # The root is no artifact. Whatever is wrong with its metadata, what is below it is what is asked for.
            events.append((Unreadable(path, str(error)), False))
            found = FOLDER
        if found.sort == "folder" and self._backend.stat(path, self._requests, may_be_file=False) is None:
            return iter(())  # somebody has removed it since it was listed
        if found.sort == "folder" and self._is_hidden(path):
            events.append((_Hidden(path), False))
            return iter(())
        if path or found.sort == "array":
            events.append(self._event(path, found))
        items = None if found.sort == "array" else self._backend.items(path, self._requests)
        tasks = [*_tasks(path, items or ())]
        if path in self._holders and not tasks and isinstance(events[0][0], Unmatched) and self._is_going(path, found):
            events[:] = [(_Hidden(path), False)]
        if self._note is not None:
            self._note(Folder(path, found, items))
        return iter(tasks)

    def _is_going(self, path: str, found: Found) -> bool:
        """Whether a folder goes with what was removed when that is purged, if nothing is in it."""
        if found.sort not in {"folder", "group"}:
            return False
        with suppress(StoreError, OSError):
            files = self._backend.alone_in(path, ())
            return files is not None and is_plain(files)
        return False

    def _is_hidden(self, path: str) -> bool:
        """Whether a folder is only what is left of something that was removed, until it is purged."""
        return any(one.intent.hides(path) for one in self._removals)

    def _item(self, folder: str, name: str, sort: ItemSort) -> Event:
        """What is to be said of something that is not entered."""
        if name in _IMPROPER:
            return Unreadable(f"{folder}/{name}", "its key has an empty segment, or one of dots, as no path has"), False
        path = joined(folder, name)
        if not _is_text(name):
            return Unreadable(path, "its name is not UTF-8"), False
        if sort == "symlink":
            return Unreadable(path, self._backend.symlink(path)), False
        if sort == "other":
            return Unreadable(path, "it is neither a folder nor a regular file"), False
        if sort == "folder":
            return Unreadable(path, "it is a folder, and has the name of a metadata file"), False
        return self._event(path, FILE)

    def _event(self, path: str, found: Found) -> Event:
        is_way = found.sort in {"group", "folder"}
        try:
            readings = self._layout.matches(path)
        except AmbiguousPathError as error:
            return Unreadable(path, str(error)), False
        if not readings:
            return Unmatched(path, found.sort), is_way
        kinds = self._layout.kinds
        fitting = tuple(key for key in readings if kinds[key.kind].sort in FITTING[found.sort])
        if not fitting:
            name = readings[0].kind
            message = f"{ARTICLES[found.sort]} is where the layout has {ARTICLES[kinds[name].sort]} of `{name}`"
            return Mismatched(path, message), is_way
        wanted = [kinds[key.kind].zarr_format for key in fitting]
        if found.node is not None and None not in wanted and (written := found.node.zarr_format) not in wanted:
            message = f"zarr format {written} is where the layout has format {wanted[0]} (`{fitting[0].kind}`)"
            return Mismatched(path, message), False
        depths = tuple(kinds[key.kind].depth(key.values) for key in fitting)
        return Entry(path, fitting, fitting, found, self._backend.root, depths), False


_IMPROPER = frozenset({"", ".", ".."})
"""Names between the slashes of a key that a folder on disk cannot have. Whoever entered them would go in circles."""


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8; one on disk need not be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _tasks(path: str, items: Sequence[Item]) -> Iterator[_Task]:
    """The tasks behind what is in a folder, in order: each folder is one, what else lies between two of them is one."""
    there = sorted((item for item in items if not _is_known(path, item)), key=_sorted_by)
    for is_entered, some in groupby(there, key=_is_entered):
        if is_entered:
            yield from (_Task(joined(path, name)) for name, _ in some)
        else:
            while batch := tuple(islice(some, BATCH)):
                yield _Task(path, batch)


def _is_known(path: str, item: Item) -> bool:
    """Whether something belongs to the folder that it is in: metadata; at the root what a store keeps for itself."""
    name, sort = item
    return (name in METADATA and sort == "file") or (not path and name == WORKING_FOLDER and sort == "folder")


def _is_entered(item: Item) -> bool:
    name, sort = item
    return sort == "folder" and name not in METADATA and name not in _IMPROPER and _is_text(name)


def _sorted_by(item: Item) -> str:
    name, sort = item
    return ordered_by(name, is_file=sort == "file")


@define
class _Waiting:
    """Holds back what may be only a way to something of the layout, until it is known whether there is any.

    `ways` are the folders around the place where the walk is, each with where it stands among what is `held`. As soon
    as something of the layout is found, all of them are ways and nothing more; what is strange beside it is certain.
    """

    held: list[Thing | _Hidden] = field(factory=list)
    ways: list[tuple[str, int]] = field(factory=list)

    def take(self, thing: Thing | _Hidden, *, is_way: bool) -> Iterator[Thing | _Hidden]:
        """Take the next thing; yield what is certain by now."""
        here = f"{thing.path}/"
        while self.ways and not here.startswith(self.ways[-1][0]):
            self._leave()
        if self.ways and not isinstance(thing, Unmatched):
            only_ways = {at for _, at in self.ways}
            self.held = [one for at, one in enumerate(self.held) if at not in only_ways]
            self.ways.clear()
        if is_way:
            self.ways.append((here, len(self.held)))
        self.held.append(thing)
        if not self.ways:
            yield from self._certain()

    def end(self) -> Iterator[Thing | _Hidden]:
        """Yield what is left."""
        while self.ways:
            self._leave()
        yield from self._certain()

    def _leave(self) -> None:
        """Go out of a folder with nothing of the layout in it: of what no kind has, the topmost is told."""
        _, at = self.ways.pop()
        if isinstance(self.held[at], Unmatched):
            del self.held[at + 1 :]

    def _certain(self) -> Iterator[Thing | _Hidden]:
        certain, self.held = self.held, []
        yield from certain
