"""Scan: one walk over what exists, by the ways of a `Guide`. Nothing is changed, and no array's chunks are entered.

Names that are known are joined, others are listed, one level a segment, or flat where an object store's first page of
keys shows that this costs fewer requests. What is found is told by its metadata, and what its path means by matching
it as a whole. What could not be read is never taken for absent.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from attrs import define, evolve

from zarrange.errors import AmbiguousPathError, StoreError, UnreadableError
from zarrange.stores.backend import FILE, WORKING_FOLDER, Requests
from zarrange.stores.entries import FITTING, Entry, Unreadable
from zarrange.stores.flat import Flat
from zarrange.stores.metadata import METADATA, NODE_METADATA, is_chunk_like
from zarrange.stores.paths import joined, ordered_by
from zarrange.stores.schedule import in_order, in_parallel, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zarrange.language.guide import Guide, Place
    from zarrange.language.layout import Layout
    from zarrange.language.selection import Selection
    from zarrange.stores.backend import Backend, Found, Item, ItemSort
    from zarrange.stores.entries import Result
    from zarrange.stores.flat import Seen
    from zarrange.stores.transactions import Transaction

__all__ = ["Scan"]

MAX_REMEMBERED = 1_000
WORTHWHILE = 2
"""A flat listing is worthwhile if a page of it shows what so many listings, level by level, would."""


@define(eq=False)
class Task:
    """A path to visit, at a place of the guide; `sort` is what it is, where a listing has told.

    `flat` goes on with a flat listing of what is below; `is_last` visits what is there and nothing below.
    """

    path: str
    place: Place
    sort: ItemSort | None = None
    flat: Flat | None = None
    is_last: bool = False


class Scan:
    """One scan of what exists of a selection; with `latest`, folders are visited by that field's greatest value first.

    `requests` counts what it asks of the backend; `unreadable` has what it could not read so far.
    """

    def __init__(
        self, backend: Backend, layout: Layout, selection: Selection, guide: Guide, latest: str | None = None
    ) -> None:
        self.requests = Requests()
        self.unreadable: list[Unreadable] = []
        self._backend = backend
        self._layout = layout
        self._selection = selection
        self._guide = guide
        self._latest = latest
        self._flat_behind: str | None = None
        self._arrays: dict[str, bool] = {}
        self._removals: list[Transaction] | None = None
        self._kinds = layout.kinds
        self._is_every_kind = selection.kinds.keys() == layout.kinds.keys()
        self._fitting = {
            sort: frozenset(name for name, kind in layout.kinds.items() if kind.sort in sorts)
            for sort, sorts in FITTING.items()
        }
        # Where arrays may lie in arrays, what is passed by a joined name is looked at too: an array is not entered.
        self._is_wary = any(one.rule == "nested-kinds" for one in layout.allow)

    def results(self) -> Iterator[Result]:
        """Yield the artifacts, and what could not be read among them, in the order of their paths."""
        for result in chain(self._moving(), in_order(self._visit, self._first_tasks(), self._backend.in_flight)):
            if isinstance(result, Unreadable):
                self.unreadable.append(result)
            yield result

    def firsts(self, level: int | None) -> Iterator[Entry]:
        """Yield the first artifact below each folder at a level of the paths; with `None`, every artifact.

        Level 0 are the folders in the root, -1 is the root itself.
        """
        tasks = [Task("", self._guide.start, "folder")]
        if self._backend.in_flight > 1 and level != -1:
            found = in_parallel(partial(self._visit_until, level), tasks, self._backend.in_flight)
        else:
            found = self._firsts_behind(tasks, level)
        for result in chain(self._moving(), found):
            if isinstance(result, Entry):
                yield result
            else:
                self.unreadable.append(result)

    def _moving(self) -> Iterator[Unreadable]:
        """What is under way to another place is at none that would be looked at: a search does not see it."""
        try:
            for one in self._backend.transactions() if self._backend.has_folders else ():
                if one.intent.is_exclusive:
                    yield Unreadable("", str(one.busy()))
        except StoreError as error:
            yield Unreadable(WORKING_FOLDER, str(error))

    def _visit_until(self, level: int | None, task: Task) -> tuple[list[Result], list[Task]]:
        """Visit a task; one of a folder at the level, with all that is behind it until its first artifact."""
        if level is None or not task.path or task.path.count("/") < level:
            return self._visit(task)
        return [*self._firsts_behind([task], level)], []

    def _firsts_behind(self, tasks: list[Task], level: int | None) -> Iterator[Result]:
        """Visit tasks one by one, leaving out what is behind a folder of the level that has had its first artifact."""
        for result in one_by_one(self._visit, tasks):
            yield result
            if level is not None and isinstance(result, Entry):
                below = "".join(f"{step}/" for step in result.path.split("/")[: level + 1])
                while tasks and tasks[-1].path.startswith(below):
                    tasks.pop()

    # --- visiting ----------------------------------------------------------------------------------------------------

    def _visit(self, task: Task) -> tuple[list[Result], list[Task]]:
        """Look at a path; return what is there, and where to go on."""
        results: list[Result] = []
        behind: list[Task] = []
        path, place, sort = task.path, task.place, task.sort
        try:
            if task.is_last and self._is_in_array(path):
                return [], []
            if sort is None:
                sort = self._backend.stat(path, self.requests, may_be_file=place.has_files)
            if sort == "folder":
                self._visit_folder(task, results, behind)
            elif sort == "file" and place.has_files:
                results += self._entries(path, FILE)
            elif sort == "symlink":
                raise UnreadableError(self._backend.symlink(path))
            elif sort == "other":
                raise UnreadableError("it is neither a folder nor a regular file")
        except UnreadableError as error:
            results.append(Unreadable(path, str(error)))
        return results, behind

    def _visit_folder(self, task: Task, results: list[Result], behind: list[Task]) -> None:
        path, place = task.path, task.place
        if task.flat is not None:
            behind += self._page(task, task.flat)
            return
        found = items = None
        if place.has_nodes or (self._is_wary and path):
            found = self._backend.look(path, self.requests)
            if found.sort == "folder" and "container" in place.ends:
                items = self._backend.items(path, self.requests)
            # A folder without metadata may be a container if something is in it.
            if place.has_nodes and (found.sort != "folder" or (items and not self._is_hidden(path))):
                results += self._entries(path, found)
            if found.sort == "array":
                return
        if task.is_last:
            return
        if not place.must_list:
            behind += self._joined(path, place, is_group=found is not None)
            return
        if items is None:
            items = self._backend.items(path, self.requests)
        behind += self._listed(path, place, items, is_group=found is not None)

    def _joined(self, path: str, place: Place, *, is_group: bool) -> list[Task]:
        """The tasks behind a folder whose names are known; unless `is_group`, it may be an array."""
        if not is_group and any(map(is_chunk_like, place.names)) and self._is_array(path):
            return []
        chosen = ((name, place.step(name)) for name in place.names)
        return self._in_order(
            [Task(joined(path, name), behind) for name, behind in chosen if behind is not None], place
        )

    def _listed(self, path: str, place: Place, items: list[Item], *, is_group: bool) -> list[Task]:
        """The tasks behind a folder that is listed; unless `is_group`, it may be an array."""
        is_group = is_group or not any(name in NODE_METADATA for name, _ in items)
        chosen: list[Task] = []
        for name, sort in items:
            behind = None if name in METADATA else place.step(name)
            if behind is None:
                continue
            if not is_group and is_chunk_like(name):
                if self._is_array(path):
                    return []
                is_group = True
            if sort != "file" or behind.has_files:
                chosen.append(Task(joined(path, name), behind, sort))
        ordered = self._in_order(chosen, place)
        return ordered if path != self._flat_behind else [below for task in ordered for below in self._below(task)]

    def _in_order(self, tasks: list[Task], place: Place) -> list[Task]:
        tasks.sort(key=_order)
        if self._latest is not None:
            names = {task: task.path.rpartition("/")[2] for task in tasks}
            values = place.values(names.values(), self._latest)
            if values:
                first = [task for task in tasks if names[task] in values]
                first.sort(key=lambda task: values[names[task]], reverse=True)
                tasks = [*first, *(task for task in tasks if names[task] not in values)]
        return [task for task in tasks if task.path != WORKING_FOLDER]

    def _entries(self, path: str, found: Found) -> list[Result]:
        """The artifact at a path, if it is one of those that are asked for."""
        try:
            readings = self._layout.matches(path)
        except AmbiguousPathError as error:
            return [Unreadable(path, str(error))]
        fitting = self._fitting[found.sort]
        keys = readings = tuple([key for key in readings if key.kind in fitting])
        if self._selection.wanted:
            keys = tuple([key for key in keys if self._selection.admits(key)])
        elif not self._is_every_kind:
            keys = tuple([key for key in keys if key.kind in self._selection.kinds])
        if not keys:
            return []
        depths = tuple([self._kinds[key.kind].depth(key.values) for key in keys])
        return [Entry(path, keys, readings, found, self._backend.root, depths)]

    def _is_hidden(self, path: str) -> bool:
        """Whether a folder is only what is left of something that was removed, until it is purged."""
        if self._removals is None:
            self._removals = self._backend.transactions()
        return any(one.intent.hides(path) for one in self._removals)

    def _is_in_array(self, path: str) -> bool:
        """Whether what a flat listing has shown is in an array: level by level, that would not have been entered."""
        return any(map(self._is_array, _above_chunks(path)))

    def _is_array(self, folder: str) -> bool:
        """Whether a folder with names in it that look like chunks is an array, in a place that no array should have."""
        known = self._arrays.get(folder)
        if known is None:
            if len(self._arrays) > MAX_REMEMBERED:
                self._arrays.clear()
            known = self._arrays[folder] = self._backend.look(folder, self.requests).sort == "array"
        return known

    # --- level by level, or flat -------------------------------------------------------------------------------------

    def _first_tasks(self) -> list[Task]:
        """The tasks to begin with, the last one first."""
        begun, _ = self.strategy()
        start = Task("", self._guide.start, "folder")
        if begun is None:
            return [start]
        if not begun.is_complete:
            self._flat_behind = begun.path
            return [start]
        first = [Task(begun.path, begun.place, "folder", is_last=True)] if begun.place.has_nodes else []
        return [*reversed([*first, *_tasks(begun.seen)])]

    def strategy(self) -> tuple[Flat | None, str]:
        """Choose how to list: `None` for level by level, else a flat listing that was begun; and say why."""
        if not self._backend.page:
            return None, "folders are listed one by one"
        if self._latest is not None:
            return None, "the latest is looked for"
        if any(way.is_free for way in self._guide.ways):
            return None, "a field of several segments is not bound, and arrays are not entered"
        if self._is_wary:
            return None, "arrays may lie in arrays, which are not entered"
        path, place = "", self._guide.start
        while not (place.must_list or place.ends) and len(place.names) == 1:
            (name,) = place.names
            path, place = joined(path, name), place.step(name) or place
        if not place.must_list:
            return None, "no folder needs to be listed" if not place.names else "the first names are bound"
        flat = Flat(self._backend.pages(path, self.requests), path, place)
        try:
            count = flat.page()
        except UnreadableError as error:
            # Level by level, what can be read is told from what cannot.
            return None, f"keys cannot be listed flat: it {error}"
        shown = f"the first page of keys ({count:,}) shows what {flat.listings:,} listings would"
        if count < self._backend.page:
            flat.is_complete = True
            return flat, f"one page has all keys ({count:,})"
        return (flat if flat.listings >= WORTHWHILE else None), shown

    def _below(self, task: Task) -> Iterator[Task]:
        """The tasks for what is listed flat, in the stead of a folder's: what it is, and the keys below it."""
        place = task.place
        if task.sort != "folder" or not place.leads_on or "array" in place.ends:
            yield task
            return
        if place.has_nodes:
            yield evolve(task, is_last=True)
        yield evolve(task, flat=Flat(self._backend.pages(task.path, self.requests), task.path, place))

    def _page(self, task: Task, flat: Flat) -> list[Task]:
        """The tasks behind one page of a flat listing, and the next page."""
        return [*_tasks(flat.seen), task] if flat.page() else []


def _above_chunks(path: str) -> Iterator[str]:
    """The folders that hold a name on a path that looks like a chunk."""
    above = ""
    for name in path.split("/"):
        if is_chunk_like(name):
            yield above
        above = joined(above, name)


def _tasks(seen: Iterable[Seen]) -> list[Task]:
    return [Task(one.path, one.place, one.sort, is_last=not one.goes_on) for one in seen]


def _order(task: Task) -> str:
    """What tasks behind one folder are sorted by: as keys are, with a `/` behind a folder's name."""
    is_file = task.sort == "file" if task.sort is not None else not (task.place.has_nodes or task.place.leads_on)
    return ordered_by(task.path, is_file=is_file)
