"""Doctor: what is wrong with a store, be it that the layout has no place for it or that zarr would misread it.

Nothing is changed, and nothing is guessed: what cannot be read is told as such. Arrays are told by their metadata; on
disk the files in them are listed as well, for what a writer left there.
"""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import TYPE_CHECKING

from zarrange.diagnostics import Severity
from zarrange.errors import AmbiguousPathError, UnreadableError
from zarrange.stores.backend import JOURNALS, MARK, STAGE, TRASH, WORKING_FOLDER, Requests
from zarrange.stores.doctor.consolidation import read_attributes, read_copies, read_fingerprint
from zarrange.stores.doctor.journals import read_journals
from zarrange.stores.doctor.survey import Mismatched, Unmatched, survey
from zarrange.stores.doctor.symptoms import (
    colliding_names,
    doubled_metadata,
    interrupted_transaction,
    leftover_file,
    mismatched_node,
    stale_consolidation,
    unfinished_array,
    unmatched_path,
    unreadable_path,
)
from zarrange.stores.entries import Unreadable
from zarrange.stores.metadata import LEFTOVER, NODE_METADATA
from zarrange.stores.paths import above, joined
from zarrange.stores.seal import is_complete

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from zarrange.diagnostics import Diagnostic
    from zarrange.language.layout import Layout
    from zarrange.stores.backend import Backend, Item
    from zarrange.stores.doctor.consolidation import Copy
    from zarrange.stores.doctor.survey import Folder, Thing
    from zarrange.stores.metadata import Node
    from zarrange.stores.transactions import Transaction

__all__ = ["LAYOUT_RULES", "STORE_RULES", "examine"]

STORE_RULES: dict[str, tuple[Callable[..., Diagnostic], Severity]] = {
    "colliding-names": (colliding_names, Severity.WARNING),
    "doubled-metadata": (doubled_metadata, Severity.ERROR),
    "interrupted-transaction": (interrupted_transaction, Severity.ERROR),
    "leftover-file": (leftover_file, Severity.WARNING),
    "mismatched-node": (mismatched_node, Severity.ERROR),
    "stale-consolidation": (stale_consolidation, Severity.ERROR),
    "unfinished-array": (unfinished_array, Severity.ERROR),
    "unmatched-path": (unmatched_path, Severity.WARNING),
    "unreadable-path": (unreadable_path, Severity.ERROR),
}
LAYOUT_RULES = ("mismatched-node", "unmatched-path", "unreadable-path")
"""The rules that hold a store against its layout; the others look at what becomes of it in zarr, or in a copy."""

_is_surely_left = re.compile(r".*\.(?:[0-9a-f]{16}|[0-9a-f]{32})\.partial", re.DOTALL).fullmatch
"""Whether a file has a name that zarr, or a store, gives to what it is writing, until it is whole."""
LEFT_FILE = "a writer that was interrupted has left this file, or is still at work"
LEFT_ASIDE = "this was taken away to be removed or moved, and no journal tells of it any more"
MAX_TOLD = 5
"""How many nodes of a stale copy are told of each sort."""


def examine(
    backend: Backend, layout: Layout, rules: Collection[str] | None = None, *, root: str | None = None
) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a store, ordered by path: by all `STORE_RULES`, or by some.

    `root` is how the findings' paths begin, where that is to be another way to write the backend's root. Raises
    `NotADirectoryError` for a root that is no folder, or does not exist: a typing error is not an empty store.
    """
    chosen = frozenset(STORE_RULES if rules is None else rules)
    if unknown := chosen - STORE_RULES.keys():
        raise ValueError(f"there is no rule {min(unknown)!r} of stores")
    if not backend.is_there():
        what = "is no folder" if backend.has_folders else "has nothing below it"
        raise NotADirectoryError(f"{backend.root!r} {what}, so there is no store to check")
    examination = _Examination(backend, layout, chosen, backend.root if root is None else root)
    for thing in survey(backend, layout, examination.note, examination.journals.transactions):
        examination.take(thing)
    return tuple(sorted(examination.findings(), key=lambda one: (one.span, one.rule, one.message)))


class _Examination:
    """What a survey comes to, held against the rules. `note` is called by several threads, which only add things."""

    def __init__(self, backend: Backend, layout: Layout, rules: Collection[str], root: str) -> None:
        self._backend = backend
        self._root = root
        self._layout = layout
        self._rules = rules
        self._requests = Requests()
        self._is_on_disk = backend.has_folders
        self._found: list[Diagnostic] = []
        self._unreadable: dict[str, str] = {}
        self._left: set[str] = set()
        self._copies: dict[str, list[Copy]] = {}
        self._plain: set[str] = set()
        self.journals = read_journals(backend)
        if self.journals.problem is not None:
            path, reason = self.journals.problem
            self._unreadable[path] = reason

    def findings(self) -> Iterator[Diagnostic]:
        """Yield what was found, when the survey is over."""
        for one in self.journals.transactions:
            if one.is_interrupted:
                self._tell("interrupted-transaction", self.journals.places.get(one.id, JOURNALS), _about(one))
        yield from self._found
        yield from (self._stale(copy) for copies in self._copies.values() for copy in copies if self._is_stale(copy))
        if "unreadable-path" in self._rules:
            yield from (unreadable_path(self._at(path), reason) for path, reason in self._unreadable.items())

    def take(self, thing: Thing) -> None:
        """Take note of a result of the survey."""
        if isinstance(thing, Unreadable):
            self._unreadable[thing.path] = thing.reason
        elif thing.path in self._left:
            pass
        elif isinstance(thing, Unmatched):
            self._tell("unmatched-path", thing.path, thing.what)
        elif isinstance(thing, Mismatched):
            self._tell("mismatched-node", thing.path, thing.message)

    def note(self, folder: Folder) -> None:
        """Look at a folder closer than a survey does."""
        try:
            if folder.found.node is not None:
                self._check_attributes(folder, folder.found.node)
            if "stale-consolidation" in self._rules:
                self._compare(folder)
            if "doubled-metadata" in self._rules:
                self._check_doubled(folder)
        except UnreadableError as error:
            self._unreadable[folder.path] = str(error)
        if "leftover-file" in self._rules:
            self._look_for_leftovers(folder)
        if "colliding-names" in self._rules:
            for name, message, info in _collisions(folder.items or ()):
                self._tell("colliding-names", joined(folder.path, name), message, info)

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}" if path else self._root

    def _tell(self, rule: str, path: str, *what: object) -> None:
        if rule in self._rules:
            self._found.append(STORE_RULES[rule][0](self._at(path), *what))

    # --- metadata ----------------------------------------------------------------------------------------------------

    def _check_attributes(self, folder: Folder, node: Node) -> None:
        attributes = node.attributes
        if node.zarr_format == 2 and (folder.items is None or (".zattrs", "file") in folder.items):  # noqa: PLR2004
            attributes = read_attributes(self._backend, folder.path)  # which may be damaged
        if node.type == "array" and is_complete(attributes) is False:
            self._tell("unfinished-array", folder.path)

    def _check_doubled(self, folder: Folder) -> None:
        """Look for the metadata of two nodes. Raises `UnreadableError`."""
        if folder.items is not None:
            names = [name for name in NODE_METADATA if (name, "file") in folder.items]
        else:
            names = [name for name in NODE_METADATA if self._is_file(joined(folder.path, name))]
        if len(names) > 1:
            message = f"its {names[0]} and its {' and '.join(names[1:])} contradict each other"
            self._tell("doubled-metadata", folder.path, message)

    def _is_file(self, path: str) -> bool:
        return self._backend.stat(path, self._requests, may_be_file=True) == "file"

    def _compare(self, folder: Folder) -> None:
        """Hold a node against the copies of its metadata in the groups above it. Raises `UnreadableError`."""
        node = folder.found.node
        if folder.items is not None and (copies := read_copies(self._backend, folder)):
            self._copies[folder.path] = copies
        if not self._copies:
            return
        if node is None:
            self._plain.add(folder.path)
            return
        is_seen = True
        for group in (folder.path, *above(folder.path)):
            for copy in self._copies.get(group, ()):
                copy.meet(folder.path, node, partial(read_fingerprint, self._backend, folder.path), is_seen=is_seen)
            is_seen = is_seen and group not in self._plain  # zarr looks for nodes in groups only

    def _is_stale(self, copy: Copy) -> bool:
        """Whether a copy is stale, when all nodes were met. What is unreadable is not gone."""
        for name in [*copy.listed]:
            path = joined(copy.group, name)
            if any(one in self._unreadable for one in (path, *above(path))):
                del copy.listed[name]
        return bool(copy.listed or copy.missing or copy.changed)

    def _stale(self, copy: Copy) -> Diagnostic:
        told = {
            "is listed, but gone": copy.listed,
            "is there, but not listed": copy.missing,
            "has changed": copy.changed,
        }
        info = [line for what, names in told.items() for line in _told(sorted(names), what)]
        message = f"the consolidated metadata in its {copy.name} are stale"
        return stale_consolidation(self._at(copy.group), message, info)

    # --- what was left -----------------------------------------------------------------------------------------------

    def _look_for_leftovers(self, folder: Folder) -> None:
        if folder.items is None:
            if self._is_on_disk:  # an object is there as a whole or not at all
                self._search(folder.path)
            return
        for name, sort in folder.items:
            path = joined(folder.path, name)
            if name.startswith(MARK):
                self._take_aside(path)
            if sort == "file" and name.endswith(LEFTOVER) and (_is_surely_left(name) or not self._is_known(path)):
                self._tell_left(path, LEFT_FILE)
        if not folder.path and (WORKING_FOLDER, "folder") in folder.items:
            self._search_working_folder()

    def _search(self, array: str) -> None:
        """Look at the names of all files of an array, or in a folder of our own."""
        waiting = [array]
        while waiting:
            folder = waiting.pop()
            for name, sort in self._items(folder):
                path = joined(folder, name)
                if sort == "folder":
                    waiting.append(path)
                elif sort == "symlink":
                    self._unreadable[path] = self._backend.symlink(path)
                elif name.endswith(LEFTOVER):
                    self._tell_left(path, LEFT_FILE)

    def _search_working_folder(self) -> None:
        for name, sort in self._items(WORKING_FOLDER):
            path = joined(WORKING_FOLDER, name)
            if sort == "file" and name.endswith(LEFTOVER):
                self._tell_left(path, LEFT_FILE)
            elif sort == "symlink":
                self._unreadable[path] = self._backend.symlink(path)
            elif sort == "folder" and path in _LEAVINGS:
                for left, _ in self._items(path):
                    self._take_aside(joined(path, left), _LEAVINGS[path])
            elif sort == "folder":
                self._search(path)

    def _items(self, folder: str) -> list[Item]:
        try:
            return self._backend.items(folder, self._requests)
        except UnreadableError as error:
            self._unreadable[folder] = str(error)
            return []

    def _take_aside(self, path: str, message: str = LEFT_ASIDE) -> None:
        """Take note of what a transaction has taken aside, if there is one that will put it back or delete it."""
        if self.journals.tell_of(path.rpartition("/")[2]):
            self._left.add(path)
        else:
            self._tell_left(path, message)

    def _tell_left(self, path: str, message: str) -> None:
        self._left.add(path)
        self._tell("leftover-file", path, message)

    def _is_known(self, path: str) -> bool:
        """Whether some kind has a path."""
        try:
            return bool(self._layout.matches(path))
        except AmbiguousPathError:
            return True


_LEAVINGS = {
    STAGE: "a writer that was interrupted has left what it was making, or is still at work",
    TRASH: LEFT_ASIDE,
}


def _about(transaction: Transaction) -> str:
    return f"{transaction.intent.about} was interrupted: {transaction.owner} was at it"


def _collisions(items: Iterable[Item]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The names that are the same as one before them to some file systems, each with what is to be said of it."""
    first: dict[str, str] = {}
    for name, _ in sorted(items):
        folded = _folded(name)
        if folded not in first:
            first[folded] = name
        elif first[folded] == name:
            yield name, "it is a file as well as a folder", ()
        else:
            other = first[folded]
            info = () if name.isascii() else (f"they are {other!a} and {name!a}",)
            yield name, f"`{other}` and `{name}` differ by {_difference(name, other)} only", info


def _difference(name: str, other: str) -> str:
    if name.isascii() or name.casefold() == other.casefold():
        return "case"
    is_form = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
    return "Unicode form" if is_form else "case and Unicode form"


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _told(names: list[str], what: str) -> Iterator[str]:
    yield from (f"`{name or '.'}` {what}" for name in names[:MAX_TOLD])
    if more := names[MAX_TOLD:]:
        yield f"and {len(more)} more"
