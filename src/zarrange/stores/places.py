"""Places: where the artifacts of a layout are below a root, and which artifact is where. Nothing is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from zarrange.errors import NotInStoreError
from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier, Identifier, Key
from zarrange.stores.backend import WORKING_FOLDER

if TYPE_CHECKING:
    from zarrange.language.kinds import Kind
    from zarrange.language.layout import Layout

__all__ = ["Artifact", "Places"]

Artifact: TypeAlias = Identifier | Key
"""What names an artifact of a store."""


class Places:
    """The places that a layout has below a root."""

    root: str
    layout: Layout
    _prefix: str

    def identifier(self, kind: str, /, **values: object) -> Identifier:
        """Return the identifier of a kind's values, below the root. Raises what `Layout.render` raises."""
        return self._rooted(self.layout.render(kind, **values))

    def key(self, identifier: Identifier) -> Key:
        """Return the key of an identifier below the root.

        Raises `NotInStoreError` where the layout has no such path, `AmbiguousPathError` where it has several.
        """
        found = self.layout.match(self._relative(identifier))
        if found is None:
            raise NotInStoreError(f"{identifier.path!r} is no path of the layout `{self.layout.name}`")
        return found

    # --- identifiers and paths ---------------------------------------------------------------------------------------

    def _resolve(self, artifact: Artifact) -> tuple[Identifier, Kind]:
        """Return an artifact's identifier and its kind (one of several, where the layout allows clashes)."""
        if isinstance(artifact, Key):
            return self.identifier(artifact.kind, **artifact.values), self.layout.kind(artifact.kind)
        if not isinstance(artifact, ArrayIdentifier | ContainerIdentifier | FileIdentifier | GroupIdentifier):
            raise TypeError(f"expected an identifier or a key, got {type(artifact).__name__}")
        readings = self.layout.matches(self._relative(artifact))
        if not readings:
            raise NotInStoreError(f"{artifact.path!r} is no path of the layout `{self.layout.name}`")
        return artifact, self.layout.kind(readings[0].kind)

    def _rooted(self, identifier: Identifier) -> Identifier:
        if isinstance(identifier, FileIdentifier):
            return FileIdentifier(self._prefix + identifier.path)
        return evolve(identifier, container=self._prefix + identifier.container)

    def _relative(self, identifier: Identifier) -> Identifier:
        """Return an identifier relative to the root. Raises `NotInStoreError`."""
        if not isinstance(identifier, ArrayIdentifier | ContainerIdentifier | FileIdentifier | GroupIdentifier):
            raise TypeError(f"expected an identifier, got {type(identifier).__name__}")
        place = identifier.path if isinstance(identifier, FileIdentifier) else identifier.container
        inner = place.removeprefix(self._prefix)
        if inner == place or not inner:
            raise NotInStoreError(f"{place!r} is not below the store's root {self.root!r}")
        if inner.partition("/")[0] == WORKING_FOLDER:
            raise NotInStoreError(f"{place!r} is where a store keeps what it needs itself, and no place of an artifact")
        if isinstance(identifier, FileIdentifier):
            return FileIdentifier(inner)
        return evolve(identifier, container=inner)
