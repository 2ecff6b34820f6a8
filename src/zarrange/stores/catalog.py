"""Catalog: what exists in a store, of what is asked for. Nothing is changed, and no array is entered.

The scan goes by the ways of a `Guide`, one level a segment: names that are known are joined, others are listed. What is
found is told by its metadata, and what its path means by matching it as a whole. Results come in the order of
their paths (a folder sorts as if its name ended with `/`, as keys of object stores do), one by one, in constant memory;
what could not be read is never taken for absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from zarrange.errors import AmbiguousPathError, IncompleteError, UnreadableError
from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier
from zarrange.language.guide import Guide
from zarrange.stores.backend import FILE, WORKING_FOLDER, Requests
from zarrange.stores.flat import Flat
from zarrange.stores.metadata import METADATA, NODE_METADATA, is_chunk_like
from zarrange.stores.schedule import in_parallel, one_by_one

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zarrange.identifiers import Identifier, Key
    from zarrange.language.guide import Place
    from zarrange.language.layout import Layout
    from zarrange.language.selection import Selection
    from zarrange.stores.backend import Backend, Found, Item, ItemSort
    from zarrange.stores.flat import Seen
    from zarrange.stores.metadata import Node

__all__ = ["Entry", "Plan", "Result", "Search", "Unreadable"]


WORTHWHILE = 2
"""A flat listing is worthwhile if a page of it shows what so many listings, level by level, would."""


@frozen
class Entry:
    """An artifact that exists. `path` is relative to the store's root.

    `readings` are all the keys whose path this is and that what is there can be: one, but for layouts that allow
    clashes. `keys` are those among them that were asked for.
    """

    path: str
    keys: tuple[Key, ...]
    readings: tuple[Key, ...]
    _found: Found = field(repr=False)
    _root: str = field(repr=False)
    _depth: int = field(repr=False)

    @property
    def key(self) -> Key:
        """The artifact's key. Raises `AmbiguousPathError` where what was asked for leaves several readings."""
        if len(self.keys) > 1:
            raise AmbiguousPathError(self.path, self.keys)
        return self.keys[0]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the path has several readings, also of kinds that were not asked for."""
        return len(self.readings) > 1

    @property
    def node(self) -> Literal["array", "group", "folder", "file"]:
        """What is there; a folder is a container without metadata."""
        return self._found.sort

    @property
    def metadata(self) -> Node | None:
        """The shape, data type and attributes of an array or a group; `None` for others."""
        return self._found.node

    @property
    def identifier(self) -> Identifier:
        """Where the artifact is, below the store's root."""
        whole = f"{self._root}/{self.path}"
        if self.node == "file":
            return FileIdentifier(whole)
        if not self._depth:
            return ContainerIdentifier(whole)
        steps = self.path.split("/")
        container = f"{self._root}/{'/'.join(steps[: self._depth])}"
        made = ArrayIdentifier if self.node == "array" else GroupIdentifier
        return made(container, "/".join(steps[self._depth :]))


@frozen
class Unreadable:
    """Something on the way that could not be read: what it is, and what lies below it, is not known."""

    path: str
    reason: str


Result: TypeAlias = Entry | Unreadable


@frozen
class Plan:
    """How a search goes: the `strategy`, why (`reason`), and for each way of a kind its segments, each with how."""

    strategy: Literal["levels", "flat"]
    reason: str
    ways: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@frozen(eq=False)
class Task:
    """A path to visit, at a place of the guide; `sort` is what it is, where a listing has told.

    `flat` goes on with a flat listing of what is below; `is_last` visits what is there and nothing below.
    """

    path: str
    place: Place
    sort: ItemSort | None = None
    flat: Flat | None = None
    is_last: bool = False


class Search:
    """What exists of a selection. Iterating it scans the store, each time anew.

    `requests` counts what the last scan asked of the backend; `unreadable` has what it could not read.
    """

    def __init__(self, backend: Backend, layout: Layout, selection: Selection, latest: str | None = None) -> None:
        self._backend = backend
        self._layout = layout
        self._selection = selection
        self._latest = latest
        self._guide = Guide(selection)
        self._flat_behind: str | None = None
        self._depths = {name: {variant.depth for variant in kind.variants} for name, kind in layout.kinds.items()}
        self.requests = Requests()
        self.unreadable: list[Unreadable] = []

    def __iter__(self) -> Iterator[Entry]:
        """Yield the artifacts. Raises `IncompleteError` at the end if something could not be read."""
        for result in self.results():
            if isinstance(result, Entry):
                yield result
        self._raise_incomplete()

    def _raise_incomplete(self) -> None:
        if self.unreadable:
            raise IncompleteError([(one.path, one.reason) for one in self.unreadable])

    def results(self) -> Iterator[Result]:
        """Yield the artifacts, and what could not be read among them; raises for neither."""
        self.requests = Requests()
        self.unreadable = []
        if self._backend.in_flight > 1:
            found = in_parallel(self._visit, self._first_tasks(), self._backend.in_flight)
        else:
            found = one_by_one(self._visit, self._first_tasks())
        for result in found:
            if isinstance(result, Unreadable):
                self.unreadable.append(result)
            yield result

    def firsts(self, level: int | None) -> Iterator[Entry]:
        """Yield the first artifact below each folder at a level of the paths; with `None`, every artifact.

        Level 0 are the folders in the root, -1 is the root itself. Raises `IncompleteError` at the end if something
        could not be read.
        """
        self.requests = Requests()
        self.unreadable = []
        tasks = self._first_tasks()
        for result in one_by_one(self._visit, tasks):
            if isinstance(result, Unreadable):
                self.unreadable.append(result)
                continue
            yield result
            if level is not None:
                below = "".join(f"{step}/" for step in result.path.split("/")[: level + 1])
                while tasks and tasks[-1].path.startswith(below):
                    tasks.pop()
        self._raise_incomplete()

    def level(self, name: str) -> int | None:
        """Return the segment below which all paths have one value of a field; `None` where there is none."""
        return self._guide.level(name)

    def plan(self) -> Plan:
        """Return how the search goes. On an object store, a first page of keys is asked for."""
        flat, reason = self._strategy()
        ways = [(way.kind, tuple(way.described(self._selection.wanted))) for way in self._guide.ways]
        return Plan("levels" if flat is None else "flat", reason, tuple(dict.fromkeys(ways)))

    # --- visiting ----------------------------------------------------------------------------------------------------

    def _visit(self, task: Task) -> tuple[list[Result], list[Task]]:
        """Look at a path; return what is there, and where to go on."""
        results: list[Result] = []
        behind: list[Task] = []
        path, place, sort = task.path, task.place, task.sort
        try:
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
        found = None
        if task.flat is not None:
            behind += self._page(task, task.flat)
            return
        if place.has_nodes:
            found = self._backend.look(path, self.requests)
            if found.sort != "folder" or "container" in place.ends:
                results += self._entries(path, found)
            if found.sort == "array":
                return
        if task.is_last:
            return
        if place.must_list:
            behind += self._listed(path, place, found)
        else:
            there = ((name, place.step(name)) for name in place.names)
            behind += [Task(_join(path, name), beyond) for name, beyond in there if beyond is not None]

    def _listed(self, path: str, place: Place, found: Found | None) -> Iterator[Task]:
        """The tasks behind a folder that is listed."""
        items = self._backend.items(path, self.requests)
        is_group = found is not None or not any(name in NODE_METADATA for name, _ in items)
        chosen: list[tuple[Item, Place]] = []
        for item in items:
            name, sort = item
            behind = place.step(name)
            if behind is None or name in METADATA or (not path and name == WORKING_FOLDER):
                continue
            if not is_group and sort == "folder" and is_chunk_like(name):
                # What looks like a chunk is one if this is an array, in a place that no array should have.
                if self._backend.look(path, self.requests).sort == "array":
                    return
                is_group = True
            if sort != "file" or behind.has_files:
                chosen.append((item, behind))
        for (name, sort), behind in self._in_order(chosen, place):
            is_flat = path == self._flat_behind and sort == "folder" and behind.leads_on and "array" not in behind.ends
            if is_flat:
                yield from self._below(_join(path, name), behind)
            else:
                yield Task(_join(path, name), behind, sort)

    def _in_order(self, chosen: list[tuple[Item, Place]], place: Place) -> list[tuple[Item, Place]]:
        chosen.sort(key=lambda one: _sorted_by(one[0]))
        if self._latest is not None and (values := place.values([name for (name, _), _ in chosen], self._latest)):
            chosen.sort(key=lambda one: values[one[0][0]], reverse=True)
        return chosen

    def _entries(self, path: str, found: Found) -> Iterator[Result]:
        """The artifact at a path, if it is one of those that are asked for."""
        try:
            readings = self._layout.matches(path)
        except AmbiguousPathError as error:
            yield Unreadable(path, str(error))
            return
        fitting = _FITTING[found.sort]
        readings = tuple(key for key in readings if self._layout.kinds[key.kind].sort in fitting)
        keys = tuple(key for key in readings if self._selection.admits(key))
        if keys:
            yield Entry(path, keys, readings, found, self._backend.root, self._depth(keys[0]))

    def _depth(self, key: Key) -> int:
        """How many segments of a key's path are its container's, 0 for a container."""
        depths = self._depths[key.kind]
        if len(depths) == 1:
            (depth,) = depths
            return depth
        identifier = self._layout.render(key.kind, **key.values)
        return identifier.container.count("/") + 1 if isinstance(identifier, ArrayIdentifier | GroupIdentifier) else 0

    # --- level by level, or flat -------------------------------------------------------------------------------------

    def _first_tasks(self) -> list[Task]:
        """The tasks to begin with, the last one first."""
        begun, _ = self._strategy()
        self._flat_behind = None
        if begun is not None:
            if begun.is_complete:
                return [*reversed(_tasks(begun.seen))]
            self._flat_behind = begun.path
        return [Task("", self._guide.start, "folder")]

    def _strategy(self) -> tuple[Flat | None, str]:
        """Choose how to list: `None` for level by level, else a flat listing that was begun; and say why."""
        if not self._backend.page:
            return None, "folders are listed one by one"
        if any(way.is_free for way in self._guide.ways):
            return None, "a field of several segments is not bound, and arrays are not to be entered"
        path, place = "", self._guide.start
        while not (place.must_list or place.ends) and len(place.names) == 1:
            (name,) = place.names
            path, place = _join(path, name), place.step(name) or place
        if not place.must_list:
            return None, "no folder needs to be listed" if not place.names else "the first names are bound"
        flat = Flat(self._backend.pages(path, self.requests), path, place)
        count = flat.page()
        shown = f"the first page of keys ({count:,}) shows what {flat.listings:,} listings would"
        if count < self._backend.page:
            flat.is_complete = True
            return flat, f"one page has all keys ({count:,})"
        return (flat if flat.listings >= WORTHWHILE else None), shown

    def _below(self, path: str, place: Place) -> Iterator[Task]:
        """The tasks for a folder whose keys are listed flat."""
        if place.has_nodes:
            yield Task(path, place, "folder", is_last=True)
        yield Task(path, place, "folder", flat=Flat(self._backend.pages(path, self.requests), path, place))

    def _page(self, task: Task, flat: Flat) -> list[Task]:
        """The tasks behind one page of a flat listing, and the next page."""
        return [*_tasks(flat.seen), task] if flat.page() else []


def _tasks(seen: Iterable[Seen]) -> list[Task]:
    return [Task(one.path, one.place, one.sort, is_last=not one.goes_on) for one in seen]


_FITTING = {"array": {"array"}, "group": {"group", "container"}, "folder": {"container"}, "file": {"file"}}
"""Which sorts of kinds may have what is found; a container need not have metadata."""


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _sorted_by(item: Item) -> str:
    name, sort = item
    return name if sort == "file" else f"{name}/"
