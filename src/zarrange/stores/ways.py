"""Ways: the groups of zarr on the way to what is moved: which ones are left with nothing, and which ones are missing.

Such groups are nobody's artifact: zarr makes them to hold what is in them. One that says more than that it is a group
(it has attributes) stays where it is. A container without them, as other writers leave it, gets none.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from zarrange.errors import NotFoundError, UnreadableError
from zarrange.stores.backend import ARTICLES
from zarrange.stores.holders import PLAIN, is_plain
from zarrange.stores.metadata import METADATA
from zarrange.stores.paths import above, joined
from zarrange.stores.plan import Left
from zarrange.stores.transactions import Move, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.backend import Backend
    from zarrange.stores.doctor.survey import Folder
    from zarrange.stores.plan import Step

__all__ = ["Ways"]


class Moving(Protocol):
    """What moves. `known` are the groups and containers that some kind has, `containers` an array's old and new one."""

    folders: dict[str, Folder]
    steps: list[Step]
    known: set[str]
    containers: dict[str, tuple[str, str]]

    @property
    def sources(self) -> set[str]:
        """The folders and files that go from where they are."""


class Ways:
    """The folders of a store, held against what moves."""

    def __init__(self, backend: Backend, moving: Moving) -> None:
        self._backend = backend
        self._folders = moving.folders
        self._steps = moving.steps
        self._known = moving.known
        self._containers = moving.containers
        self._sources = moving.sources
        self._staying: dict[str, bool] = {}
        self._texts: dict[str, dict[str, str] | None] = {}

    # --- what is there -----------------------------------------------------------------------------------------------

    def is_taken(self, path: str) -> bool:
        """Whether something is at a path that stays there, so that nothing else can come to it."""
        if path in self._sources:
            return False
        folder = self._folders.get(path)
        if folder is not None:
            return folder.items is None or self._stays(path)
        outer, _, name = path.rpartition("/")
        above = self._folders.get(outer)
        return above is not None and any(name == one for one, _ in above.items or ())

    def obstacle(self, way: str) -> str | None:
        """Say what is at a path that is no folder for others, `None` where nothing else is."""
        folder = self._folders.get(way)
        if folder is not None:
            return ARTICLES["array"] if folder.items is None and way not in self._sources else None
        return "a file, or a symlink" if self.is_taken(way) else None

    def _stays(self, path: str) -> bool:
        """Whether something in a folder stays when all that moves has gone, beside what only makes it a group."""
        if path not in self._staying:
            self._staying[path] = True
            self._staying[path] = any(
                self._stays_in(path, name, sort) for name, sort in self._folders[path].items or ()
            )
        return self._staying[path]

    def _stays_in(self, path: str, name: str, sort: str) -> bool:
        inner = joined(path, name)
        if inner in self._sources:
            return False
        if sort == "folder":
            folder = self._folders.get(inner)
            return folder is None or folder.items is None or self._stays(inner)
        return not (name in METADATA and path not in self._known and self._plain(path) is not None)

    # --- groups that are left with nothing ---------------------------------------------------------------------------

    def dropped(self) -> Iterator[Move]:
        """Yield what becomes of the groups that are left with nothing in them: they go."""
        for path in sorted(self._left, key=lambda path: (-path.count("/"), path)):
            for name in self._plain(path) or ():
                yield Move(joined(path, name), None, is_folder=False)

    @cached_property
    def _left(self) -> set[str]:
        ways = {way for step in self._steps for way in above(step.path) if way}
        groups = {way for way in ways if way in self._folders and self._folders[way].found.sort == "group"}
        left = {way for way in groups - set(self._known) if self._plain(way) and not self._stays(way)}
        return {way for way in left if not self._is_wanted(way)}

    def _is_wanted(self, way: str) -> bool:
        """Whether something comes to lie in a group; with another format, it needs another group."""
        formats = self._targets.get(way)
        return formats is not None and (not formats or self._format(way) in formats)

    @cached_property
    def _targets(self) -> dict[str, set[int]]:
        """The folders that something comes to lie in, with the formats of what comes."""
        found: dict[str, set[int]] = {}
        for step in self._steps:
            own = self._format(step.path)
            for way in above(step.target or ""):
                found.setdefault(way, set()).update(() if own is None else (own,))
        return found

    def _format(self, path: str) -> int | None:
        folder = self._folders.get(path)
        node = None if folder is None else folder.found.node
        return None if node is None else node.zarr_format

    def _plain(self, path: str) -> dict[str, str] | None:
        """Return the metadata of a group that says nothing but that it is one; `None` for any other folder."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> dict[str, str] | None:
        folder = self._folders.get(path)
        if folder is None or folder.found.sort != "group":
            return None
        names = sorted(name for name, _ in folder.items or () if name in METADATA)
        try:
            files = {name: self._backend.read(joined(path, name)) for name in names}
        except (NotFoundError, UnreadableError):
            return None
        return {name: content.decode() for name, content in files.items()} if is_plain(files) else None

    def staying(self) -> Iterator[Left]:
        """Yield the groups on the way to what moves that no kind has, and that say more than that they are groups."""
        ways = {way for step in self._steps for way in above(step.path) if way}
        for way in sorted(ways - set(self._known)):
            if self._kind_of(way) == "group" and self._plain(way) is None:
                yield Left(way, "it is a group that no kind has, and it has attributes")

    # --- groups that are missing -------------------------------------------------------------------------------------

    def made(self) -> Iterator[Text]:
        """Yield the metadata of the groups that what moves comes to lie in, and that are not there yet."""
        moved = {step.target for step in self._steps if step.sort in {"group", "container"}}
        left = self._left | {step.path for step in self._steps if step.sort in {"group", "container"}}
        texts: dict[str, tuple[str, dict[str, str]]] = {}
        for step in self._steps:
            container, inner = self._containers.get(step.path, ("", ""))
            if self._kind_of(container) != "group" or not inner:
                continue
            for way in (one for one in above(step.target or "") if one == inner or one.startswith(f"{inner}/")):
                if way not in moved and (way in left or self._kind_of(way) != "group"):
                    texts.setdefault(way, self._like(step.path, container))
        for way, (like, one) in sorted(texts.items()):
            yield from (Text(joined(way, name), text, joined(like, name)) for name, text in sorted(one.items()))

    def _kind_of(self, path: str) -> str | None:
        folder = self._folders.get(path)
        return None if folder is None else folder.found.sort

    def _like(self, path: str, container: str) -> tuple[str, dict[str, str]]:
        """Return the metadata of a group as those on the way to `path` have them, and which of them has."""
        for way in above(path):
            if (found := self._plain(way)) is not None:
                return way, found
            if way == container:
                break
        node = self._folders[container].found.node
        return container, PLAIN[3 if node is None else node.zarr_format]

    # --- copies ------------------------------------------------------------------------------------------------------

    def copies(self) -> tuple[str, ...]:
        """Return the groups that keep a copy of metadata that move, where they are and where they come to."""
        ends = {step.path: step.target or "" for step in self._steps if step.sort in {"group", "container"}}
        places = {
            place for step in self._steps for end in (step.path, step.target or "") for place in (end, *above(end))
        }
        kept = {place for place in places if self._keeps_copy(place)}
        return tuple(sorted(kept | {ends[place] for place in kept if place in ends}))

    def _keeps_copy(self, path: str) -> bool:
        folder = self._folders.get(path)
        if folder is None or folder.items is None:
            return False
        node = folder.found.node
        return (node is not None and node.is_consolidated) or (".zmetadata", "file") in folder.items
