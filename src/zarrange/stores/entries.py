"""Entries: what a search finds, as frozen data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from zarrange.errors import AmbiguousPathError
from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier

if TYPE_CHECKING:
    from zarrange.identifiers import Identifier, Key
    from zarrange.stores.backend import Found
    from zarrange.stores.metadata import Node

__all__ = ["FITTING", "Entry", "Result", "Unreadable"]

FITTING = {"array": {"array"}, "group": {"group", "container"}, "folder": {"container"}, "file": {"file"}}
"""Which sorts of kinds may have what is found; a container need not have metadata."""


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
    _depths: tuple[int, ...] = field(repr=False)

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
        """Where the artifact is, below the store's root.

        Raises `AmbiguousPathError` where the `keys` have their containers end at different places of the path.
        """
        if len(set(self._depths)) > 1:
            raise AmbiguousPathError(self.path, self.keys)
        return self.identifier_of(self.keys[0])

    def identifier_of(self, key: Key) -> Identifier:
        """Return where the artifact is if it is one of its `keys`. Raises `ValueError` for another one."""
        depth = self._depths[self.keys.index(key)]
        whole = f"{self._root}/{self.path}"
        if self.node == "file":
            return FileIdentifier(whole)
        if not depth:
            return ContainerIdentifier(whole)
        steps = self.path.split("/")
        container = f"{self._root}/{'/'.join(steps[:depth])}"
        made = ArrayIdentifier if self.node == "array" else GroupIdentifier
        return made(container, "/".join(steps[depth:]))


@frozen
class Unreadable:
    """Something on the way that could not be read: what it is, and what lies below it, is not known."""

    path: str
    reason: str


Result: TypeAlias = Entry | Unreadable
