"""Audit: what is really below a root, held against a layout. Nothing is changed.

Arrays are told by their metadata and never entered; symlinks are reported and never followed. What no kind has is
reported once, at the topmost folder in which nothing belongs to the layout. Each function that makes a finding explains
its rule, as those of `zarrange.language.rules` do.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from attrs import define, field

from zarrange.diagnostics import Diagnostic, Severity, Span
from zarrange.errors import AmbiguousPathError, StoreError
from zarrange.stores.backend import WORKING_FOLDER
from zarrange.stores.folders import node_type, zarr_format
from zarrange.stores.metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout
    from zarrange.stores.metadata import NodeType

__all__ = ["STORE_RULES", "audit"]


def audit(root: str | os.PathLike[str], layout: Layout) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a store: what the layout does not have, or has as something else, or cannot be read.

    Ordered by path. Raises `NotADirectoryError` for a root that is no folder, or does not exist: a typing error is not
    an empty store.
    """
    top = os.fspath(root)
    if not os.path.isdir(top):
        raise NotADirectoryError(f"{top!r} is no folder, so there is no store to check")
    found = _Audit(top, layout)
    found.walk()
    return tuple(found.findings())


def unmatched_path(path: str, what: str) -> Diagnostic:
    """Something is in a store that the layout has no place for.

    ## What it does
    Walks a store and looks for arrays, groups, folders and files that no kind of the layout has, and that hold nothing
    that it has.

    ## Why is this bad?
    What the layout does not know is not found, not moved and not removed with the rest. Often it was written by another
    version of the layout, or by hand.

    ## Example
    ```console
    $ zarrange check training --store runs
    warning[unmatched-path]: no kind has this array
     --> runs/r1/validation.zarr/iterations/1000
    ```

    ## Use instead
    Move it to where the layout has it (an iteration is `00001000` there), or give it a kind of its own.
    """
    return Diagnostic("unmatched-path", f"no kind has this {what}", _whole(path), severity=Severity.WARNING)


def mismatched_node(path: str, message: str) -> Diagnostic:
    """Something else is where the layout has an array, a group, a container or a file.

    ## What it does
    Compares what each matched path is with what its kind says: an array, a group, a file; and the zarr format of a
    container, where the layout fixes one.

    ## Why is this bad?
    Opening it fails, or reads as an empty group. A folder in an array's place is often what an interrupted copy left.

    ## Example
    ```console
    $ zarrange check training --store runs
    error[mismatched-node]: a folder is where the layout has an array of `validation_raw`
     --> runs/r1/validation.zarr/inputs/all/raw
    ```

    ## Use instead
    Copy the artifact again, or remove what is there.
    """
    return Diagnostic("mismatched-node", message, _whole(path))


def unreadable_path(path: str, reason: str) -> Diagnostic:
    """Something in a store cannot be read.

    ## What it does
    Reports folders that may not be listed, metadata that are damaged, names that are not UTF-8, and symlinks, which a
    store does not follow.

    ## Why is this bad?
    Unreadable is not absent: nobody knows what is there, and what lies below was not checked.

    ## Example
    ```console
    $ zarrange check training --store runs
    error[unreadable-path]: cannot be read: permission denied
     --> runs/r1
    ```

    ## Use instead
    Give yourself the right to read it, or write the damaged artifact again.
    """
    return Diagnostic("unreadable-path", reason, _whole(path))


STORE_RULES: dict[str, tuple[Callable[..., Diagnostic], Severity]] = {
    "mismatched-node": (mismatched_node, Severity.ERROR),
    "unmatched-path": (unmatched_path, Severity.WARNING),
    "unreadable-path": (unreadable_path, Severity.ERROR),
}


def _whole(path: str) -> Span:
    return Span(path, 0, 0, 0, 0)


@define
class _Audit:
    """One walk: what is `unmatched`, what is something else than its kind says (`mismatched`, `misformatted`).

    Folders that hold something of the layout are `justified`: a group above arrays may have the path of an array too.
    """

    root: str
    layout: Layout
    unreadable: dict[str, str] = field(factory=dict)
    unmatched: dict[str, str] = field(factory=dict)
    mismatched: dict[str, str] = field(factory=dict)
    misformatted: dict[str, str] = field(factory=dict)
    justified: set[str] = field(factory=set)

    def findings(self) -> Iterator[Diagnostic]:
        told = [unreadable_path(self._at(path), reason) for path, reason in self.unreadable.items()]
        told += [unmatched_path(self._at(path), what) for path, what in self._topmost()]
        wrong = [(path, message) for path, message in self.mismatched.items() if path not in self.justified]
        told += [mismatched_node(self._at(path), message) for path, message in (*wrong, *self.misformatted.items())]
        yield from sorted(told, key=lambda one: (one.span, one.rule))

    def walk(self) -> None:
        waiting = [""]
        while waiting:
            waiting += self._folder(waiting.pop())

    def _topmost(self) -> Iterator[tuple[str, str]]:
        lost = {path for path in self.unmatched if path not in self.justified}
        for path in lost:
            if not any(above in lost for above in _above(path)):
                yield path, self.unmatched[path]

    def _folder(self, folder: str) -> Iterator[str]:
        """Look at what is in a folder; yield the folders to look into."""
        try:
            entries = sorted(os.scandir(self._at(folder)), key=lambda entry: entry.name)
        except OSError as error:
            self._unreadable(folder, f"cannot be read: {(error.strerror or str(error)).lower()}")
            return
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path == WORKING_FOLDER or entry.name in METADATA:
                continue
            if not _is_text(entry.name):
                self._unreadable(path, "its name is not UTF-8")
            elif entry.is_symlink():
                self._unreadable(path, "it is a symlink, which a store does not follow")
            elif not entry.is_dir(follow_symlinks=False):
                self._file(path)
            elif self._node(path) is not None:
                yield path

    def _file(self, path: str) -> None:
        kinds = self._kinds(path)
        if not kinds:
            self.unmatched[path] = "file"
        elif not any(kind.sort == "file" for kind in kinds):
            self._mismatch(path, "a file", kinds)
        else:
            self.justified.update(_above(path))

    def _node(self, path: str) -> str | None:
        """Look at a folder; return it if it is to be looked into."""
        try:
            node = node_type(self._at(path))
        except (StoreError, OSError) as error:
            self._unreadable(path, f"cannot be read: {error}")
            return None
        kinds = self._kinds(path)
        fitting = [kind for kind in kinds if kind.sort == "array"] if node == "array" else []
        if node != "array":
            fitting = [kind for kind in kinds if kind.sort in {"group", "container"}]
        if not kinds:
            self.unmatched[path] = node or "folder"
        elif not fitting:
            self._mismatch(path, _NODES[node], kinds)
        else:
            self.justified.update(_above(path))
            self._check_format(path, node, fitting)
        return None if node == "array" else path

    def _check_format(self, path: str, node: NodeType | None, kinds: list[Kind]) -> None:
        """Compare the zarr format of a node with the one that its kinds fix, if they all do."""
        wanted = {kind.zarr_format for kind in kinds}
        found = zarr_format(self._at(path)) if node is not None and None not in wanted else None
        if found is not None and found not in wanted:
            message = f"zarr format {found} is where the layout has format {wanted.pop()} (`{kinds[0].name}`)"
            self.misformatted[path] = message

    def _mismatch(self, path: str, what: str, kinds: list[Kind]) -> None:
        self.mismatched[path] = f"{what} is where the layout has {_SORTS[kinds[0].sort]} of `{kinds[0].name}`"
        self.justified.update(_above(path))

    def _unreadable(self, path: str, reason: str) -> None:
        self.unreadable[path] = reason
        self.justified.update((path, *_above(path)))

    def _kinds(self, path: str) -> list[Kind]:
        """The kinds that have a path; where there are too many ways to split it, it may be any of them."""
        try:
            return [self.layout.kinds[key.kind] for key in self.layout.matches(path)]
        except AmbiguousPathError:
            return [*self.layout.kinds.values()]

    def _at(self, path: str) -> str:
        return os.path.join(self.root, path) if path else self.root


_NODES: dict[NodeType | None, str] = {"array": "an array", "group": "a group", None: "a folder"}
_SORTS = {"array": "an array", "group": "a group", "container": "a container", "file": "a file"}


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
