"""Store: a layout applied to a root folder. Identifies, creates, opens and removes artifacts.

What a store takes is an identifier or a key of its own layout, below its own root: anything else is a `NotInStoreError`
before anything is touched. zarr is imported where arrays are touched, and only there.
"""

from __future__ import annotations

import errno
import os
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import evolve

from zarrange.errors import AlreadyExistsError, LeftoverError, NotFoundError, NotInStoreError, StoreError
from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier, Identifier, Key
from zarrange.language.layout import Layout
from zarrange.stores.folders import (
    check_array,
    check_group,
    check_way,
    is_consolidated,
    leaving_no_folders,
    node_type,
    put_in,
    staging,
    take_out,
    zarr_format,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zarrange.language.kinds import Kind
    from zarrange.stores.metadata import NodeType

__all__ = ["Artifact", "Store"]

Artifact: TypeAlias = Identifier | Key
"""What names an artifact of a store."""


ATTEMPTS = 100
"""How often a group is opened that another process has just made."""
_ARTICLE: dict[NodeType, str] = {"array": "an array", "group": "a group"}


class Store:
    """A layout applied to a local folder.

    `root` may be relative (to the working directory at this moment) or start with `~`, and need not exist yet;
    `layout` is a `Layout`, the name of a shipped one, or a path.
    """

    def __init__(self, root: str | os.PathLike[str], layout: str | os.PathLike[str] | Layout) -> None:
        written = os.fspath(root)
        if "://" in written:
            raise ValueError("a store's root is a local folder; URLs are not supported")
        if not written:
            raise ValueError("a store's root is empty; for the working directory, write `.`")
        if os.path.exists(written) and not os.path.isdir(written):
            raise ValueError(f"the store's root {written!r} is a file, not a folder")
        self.root = os.path.abspath(os.path.expanduser(written))
        self._prefix = self.root.rstrip("/") + "/"
        self.layout = layout if isinstance(layout, Layout) else Layout.load(layout)

    def __repr__(self) -> str:
        return f"Store({self.root!r}, layout={self.layout.name!r})"

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

    def create(self, artifact: Artifact, **options: Any) -> Any:
        """Create an artifact, and return it open for writing.

        An array takes the options of `zarr.create_array` (`shape` and `dtype`, or `data`; `chunks`, …) and is returned
        as a `zarr.Array`; the groups above it, up to its container, are made where they are missing. A group or a
        container is returned as a `zarr.Group`, a file as a binary file object. An array that is given its `data`
        appears with all of them or not at all. A container that exists keeps its zarr format. Raises
        `AlreadyExistsError` where something is there: nothing is ever overwritten, and what fails leaves no trace (but
        a file is the caller's as soon as it is open).
        """
        identifier, kind = self._resolve(artifact)
        segments = self._segments(identifier)
        check_way(self.root, segments[:-1])
        self._check_free(identifier)
        if isinstance(identifier, FileIdentifier):
            if options:
                raise TypeError(f"a file takes no options, but {', '.join(options)} given")
            with leaving_no_folders(self.root, segments[:-1]):
                os.makedirs(os.path.dirname(identifier.path), exist_ok=True)
                try:
                    return open(identifier.path, "xb")
                except FileExistsError:
                    raise AlreadyExistsError(errno.EEXIST, "something is there already", identifier.path) from None
        if refused := options.keys() & {"store", "name", "path", "overwrite", "zarr_format"}:
            raise TypeError(f"{', '.join(sorted(refused))} cannot be given: the layout decides where and how")
        options["zarr_format"] = _format(identifier.container, kind.zarr_format)
        with leaving_no_folders(self.root, segments):
            if isinstance(identifier, ArrayIdentifier):
                return self._create_array(identifier, options)
            import zarr

            path = identifier.dataset if isinstance(identifier, GroupIdentifier) else None
            group = zarr.create_group(identifier.container, path=path, **options)
        self._consolidate(identifier)
        return group

    def _create_array(self, identifier: ArrayIdentifier, options: dict[str, Any]) -> Any:
        """Make an array aside, with its data if there are any, and then bring it to its place: whole or not at all."""
        import zarr

        with staging(self.root) as stage:
            zarr.create_array(stage, **options)
            above = identifier.dataset.rpartition("/")[0]
            _make_group(identifier.container, above or None, options["zarr_format"])
            put_in(stage, identifier.path)
        self._consolidate(identifier)
        return zarr.open_array(identifier.container, path=identifier.dataset, mode="r+")

    def open(self, artifact: Artifact, mode: Literal["r", "r+"] = "r") -> Any:
        """Open an artifact that exists: an array or a group of zarr, or a binary file.

        `mode` is `"r"`, or `"r+"` to write into it. Raises `NotFoundError`, and `StoreError` where something else is
        there.
        """
        if mode not in {"r", "r+"}:
            raise ValueError(f"mode is {mode!r}; it is 'r' or 'r+' ('create' makes what does not exist)")
        identifier, kind = self._resolve(artifact)
        if not self._is_there(identifier):
            raise NotFoundError(errno.ENOENT, f"there is no {kind.sort}", identifier.path)
        if isinstance(identifier, FileIdentifier):
            return open(identifier.path, f"{mode}b")
        import zarr

        if isinstance(identifier, ArrayIdentifier):
            return zarr.open_array(identifier.container, path=identifier.dataset, mode=mode)
        if isinstance(identifier, GroupIdentifier):
            return zarr.open_group(identifier.container, path=identifier.dataset, mode=mode)
        return zarr.open_group(identifier.container, mode=mode)

    def exists(self, artifact: Artifact) -> bool:
        """Return whether an artifact is there. Raises `StoreError` where something else is, or it cannot be told."""
        identifier, _ = self._resolve(artifact)
        return self._is_there(identifier)

    def remove(self, artifact: Artifact, *, recursive: bool = False) -> None:
        """Remove an artifact: an array's own folder or a file, and nothing else.

        A container or a group goes with all that is in it, and only if `recursive` says so. The artifact is out of
        sight at once; whoever holds it open may lose what they are reading. Raises `NotFoundError`; `NotInStoreError`
        for what is not of this store, lies behind a symlink, is not what the identifier says, or holds something else;
        `AmbiguousPathError` for a key whose path has other readings (an identifier says which place is meant);
        `LeftoverError` where it is out of sight but could not be deleted.
        """
        identifier, kind = self._resolve(artifact)
        if isinstance(artifact, Key):
            self.layout.match(self._relative(identifier))  # raises where the place may hold another key's artifact
        is_array = isinstance(identifier, ArrayIdentifier)
        if not recursive and not is_array and not isinstance(identifier, FileIdentifier):
            raise NotInStoreError(
                f"{identifier.path!r} is a {kind.sort}; to remove it with all that is in it, say recursive=True"
            )
        if isinstance(identifier, FileIdentifier) and os.path.isdir(identifier.path):
            raise NotInStoreError(f"{identifier.path!r} is a folder, not a file")
        check = None if isinstance(identifier, FileIdentifier) else check_array if is_array else check_group
        try:
            take_out(self.root, self._segments(identifier), check)
        except NotInStoreError as error:
            raise NotInStoreError(f"cannot remove {identifier.path!r}: {error}") from None
        except (LeftoverError, NotFoundError):
            raise
        except StoreError as error:
            raise StoreError(f"cannot remove {identifier.path!r}: {error}") from error
        self._consolidate(identifier)

    def _consolidate(self, identifier: Identifier) -> None:
        """Bring the groups above an artifact up to date that keep a copy of the metadata below them.

        zarr would not show a new array, and read a removed one as zeros.
        """
        if not isinstance(identifier, ArrayIdentifier | GroupIdentifier):
            return
        steps = identifier.dataset.split("/")
        for length in range(len(steps)):
            path = "/".join(steps[:length])
            if is_consolidated(os.path.join(identifier.container, path)):
                import zarr

                with warnings.catch_warnings():
                    # That format 3 does not know this yet was said to whoever consolidated the group first.
                    warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
                    zarr.consolidate_metadata(identifier.container, path=path or None)

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
        if isinstance(identifier, FileIdentifier):
            return FileIdentifier(inner)
        return evolve(identifier, container=inner)

    def _segments(self, identifier: Identifier) -> Sequence[str]:
        return self._relative(identifier).path.split("/")

    # --- what is there -----------------------------------------------------------------------------------------------

    def _is_there(self, identifier: Identifier) -> bool:
        wanted: NodeType = "array" if isinstance(identifier, ArrayIdentifier) else "group"
        if isinstance(identifier, FileIdentifier):
            if os.path.isdir(identifier.path):
                raise StoreError(f"{identifier.path!r} is a folder, not a file")
            return _exists(identifier.path)
        if not _exists(identifier.path):
            return False
        if not os.path.isdir(identifier.path):
            raise StoreError(f"{identifier.path!r} is a file, not {_ARTICLE[wanted]}")
        found = node_type(identifier.path)
        if found is not None and found != wanted:
            raise StoreError(f"{identifier.path!r} is {_ARTICLE[found]}, not {_ARTICLE[wanted]}")
        return found is not None

    def _check_free(self, identifier: Identifier) -> None:
        path = identifier.path
        if not os.path.lexists(path):
            return
        if isinstance(identifier, FileIdentifier) or not os.path.isdir(path) or os.path.islink(path):
            raise AlreadyExistsError(errno.EEXIST, "something is there already", path)
        found = node_type(path)
        if found is not None:
            raise AlreadyExistsError(errno.EEXIST, f"there is {_ARTICLE[found]} already", path)
        if isinstance(identifier, ArrayIdentifier) and os.listdir(path):
            raise AlreadyExistsError(errno.EEXIST, "there is a folder with something in it already", path)


def _make_group(container: str, path: str | None, zarr_format: Literal[2, 3]) -> None:
    """Make a group and those above it, where they are missing; another process may be making them too."""
    import zarr

    for _ in range(ATTEMPTS):
        with suppress(zarr.errors.ContainsGroupError):
            zarr.open_group(container, path=path, mode="a", zarr_format=zarr_format)
            return
    raise StoreError(f"the group {path!r} of {container!r} appears and disappears")


def _format(container: str, wanted: Literal[2, 3] | None) -> Literal[2, 3]:
    """Return the zarr format to write into a container: its own, else the layout's, else 3."""
    found = zarr_format(container)
    if found is not None and wanted is not None and found != wanted:
        raise StoreError(f"{container!r} is of zarr format {found}, and the layout says {wanted}")
    return found or wanted or 3


def _exists(path: str) -> bool:
    """Whether a path exists; where that cannot be told (no permission, say), the error goes up."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
