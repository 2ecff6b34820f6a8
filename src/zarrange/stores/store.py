"""Store: a layout applied to a root, a folder or a place in an object store.

Creates, writes and opens artifacts; what it stands on finds them, removes and moves them. What a store takes is an
identifier or a key of its own layout, below its own root: anything else is a `NotInStoreError` before anything is
touched. zarr is imported where arrays are touched, and only there.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from zarrange.errors import AlreadyExistsError, NotFoundError, StoreError
from zarrange.identifiers import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier, Identifier
from zarrange.language.layout import Layout
from zarrange.stores.backend import ARTICLES, Around, Requests
from zarrange.stores.copies import groups_above, refresh
from zarrange.stores.finder import Finder
from zarrange.stores.groups import make_group, zarr_format
from zarrange.stores.local import LocalBackend
from zarrange.stores.operations import Operations
from zarrange.stores.record import RECORD, agreed_layout, read_record, write_record
from zarrange.stores.seal import mark, marked
from zarrange.stores.upkeep import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from zarrange.language.kinds import Kind
    from zarrange.stores.backend import Backend, Found, Stamp
    from zarrange.stores.entries import Entry
    from zarrange.stores.places import Artifact

    Groups: TypeAlias = Callable[[str], Any]

__all__ = ["Store", "open_backend"]


def open_backend(root: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Backend:
    """Return the backend of a root: a local folder, or the URL of a place in an object store."""
    written = os.fspath(root)
    if "://" in written:
        from zarrange.stores.remote import RemoteBackend

        return RemoteBackend(written, storage_options)
    if storage_options:
        raise ValueError("storage options are for object stores; the root is a local folder")
    if not written:
        raise ValueError("a store's root is empty; for the working directory, write `.`")
    folder = os.path.abspath(os.path.expanduser(written))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise ValueError(f"the store's root {written!r} is a file, not a folder")
    return LocalBackend(folder)


class Store(Finder, Operations):
    """A layout applied to a local folder, or to a place in an object store.

    `root` is a folder (relative to the working directory at this moment, or starting with `~`), or a URL such as
    `s3://bucket/prefix` (`gs://`, `az://`, `memory://`; the extra `zarrange[remote]`), and need not exist yet. `layout`
    is a `Layout`, the name of a shipped one, or a path; a store that says which layout it has needs none, and refuses
    one that would disagree (`StoreError`). `storage_options` go to obstore; credentials among them are never shown.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        layout: str | os.PathLike[str] | Layout | None = None,
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        given = layout if layout is None or isinstance(layout, Layout) else Layout.load(layout)
        self._backend = open_backend(root, storage_options)
        self.root = self._backend.root or "/"
        self._prefix = self._backend.root + "/"
        self._record = read_record(self._backend)  # first: a migration that comes in between is noticed later on
        self.layout = agreed_layout(self._backend, given)

    @classmethod
    def init(
        cls,
        root: str | os.PathLike[str],
        layout: str | os.PathLike[str] | Layout,
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Store:
        """Make a store describe itself: record its layout at its root, which is made if it does not exist.

        Does nothing where the same layout is recorded. Raises `AlreadyExistsError` or `StoreError` for another one.
        """
        store = cls(root, layout, storage_options=storage_options)
        write_record(store._backend, store.layout)
        return store

    def __repr__(self) -> str:
        return f"Store({self.root!r}, layout={self.layout.name!r})"

    # --- one artifact ------------------------------------------------------------------------------------------------

    def create(self, artifact: Artifact, *, seal: bool = False, **options: Any) -> Any:
        """Create an artifact, and return it open for writing.

        An array takes the options of `zarr.create_array` (`shape` and `dtype`, or `data`; `chunks`, …) and is returned
        as a `zarr.Array`; the groups above it, up to its container, are made where they are missing. With `seal`, it is
        marked as unfinished until a `writing` of it has ended well (or its `data` are all written): zarr itself reads
        what was never written as zeros. A group or a container is returned as a `zarr.Group`, a file as a binary file
        object. An array that is given its `data` appears with all of them or not at all. A container that exists keeps
        its zarr format. Raises `AlreadyExistsError` where something is there: nothing is ever overwritten, and what
        fails leaves no trace (but a file is the caller's as soon as it is open, and where only a group above could not
        bring its copy of metadata up to date, the `StoreError` says that the artifact is there).
        """
        identifier, kind = self._resolve(artifact)
        if seal and not isinstance(identifier, ArrayIdentifier):
            raise TypeError(f"only arrays are sealed, not a {kind.sort}")
        if refused := options.keys() & {"store", "name", "path", "overwrite", "zarr_format"}:
            raise TypeError(f"{', '.join(sorted(refused))} cannot be given: the layout decides where and how")
        relative = self._relative(identifier)
        self._begin()
        self._refuse_busy(relative.path)
        with self._backend.creating(relative.path) as groups:
            self._check_free(identifier, relative.path)
            if isinstance(relative, ArrayIdentifier):
                options["zarr_format"] = self._format(relative.container, kind.zarr_format)
                return self._create_array(relative, options, groups, seal=seal)
            with ExitStack() as stack:
                with suppress(PermissionError):  # where only a folder below may be written, it goes without the lock
                    stack.enter_context(self._backend.alone())
                self._refuse_busy(relative.path)
                if isinstance(relative, FileIdentifier):
                    made = self._create_file(relative, options)
                else:
                    made = self._create_group(relative, options, kind, groups)
        self._consolidate(relative)
        return made

    def _create_file(self, relative: FileIdentifier, options: dict[str, Any]) -> Any:
        if options:
            raise TypeError(f"a file takes no options, but {', '.join(options)} given")
        return self._backend.open_file(relative.path, "xb")

    def _create_group(
        self, relative: GroupIdentifier | ContainerIdentifier, options: dict[str, Any], kind: Kind, groups: Groups
    ) -> Any:
        import zarr

        path = relative.dataset if isinstance(relative, GroupIdentifier) else None
        options["zarr_format"] = self._format(relative.container, kind.zarr_format)
        try:
            zarr.create_group(groups(relative.container), path=path, **options)
        except (zarr.errors.ContainsGroupError, zarr.errors.ContainsArrayError) as error:  # made since it was looked
            raise AlreadyExistsError(errno.EEXIST, "something is there already", relative.path) from error
        return zarr.open_group(self._backend.zarr_store(relative.container), path=path, mode="r+")

    def _create_array(self, relative: ArrayIdentifier, options: dict[str, Any], groups: Groups, *, seal: bool) -> Any:
        if seal:
            options["attributes"] = marked(options.get("attributes"), is_complete=options.get("data") is not None)
        above = relative.dataset.rpartition("/")[0]

        def make_groups() -> None:
            make_group(groups(relative.container), above or None, options["zarr_format"])

        around = Around(make_groups, partial(self._refuse_busy, relative.path))
        self._backend.create_array(relative.container, relative.dataset, options, around)
        self._consolidate(relative)
        return self._zarr_array(relative, "r+")

    @contextmanager
    def writing(self, artifact: Artifact) -> Iterator[Any]:
        """A context that gives an array to write into, and marks it as complete when its body has ended well.

        Meanwhile, and for good where the body raises or the process dies, the array is marked as unfinished:
        `zarrange doctor` finds it, and no migration takes it away. The mark is the attribute `zarrange` of the array.
        Raises what `open` raises, also at its end where the array is not there any more; `BusyError` where it is being
        removed or moved.
        """
        identifier, kind = self._resolve(artifact)
        if not isinstance(identifier, ArrayIdentifier):
            raise TypeError(f"only arrays are written into this way, not a {kind.sort}")
        yield self._marked(identifier, is_complete=False)
        # What was changed meanwhile by another way, such as its shape, this one would put back.
        self._marked(identifier, is_complete=True)

    def _marked(self, identifier: ArrayIdentifier, *, is_complete: bool) -> Any:
        relative = self._relative(identifier)
        with self._backend.alone():  # or else a mark could come to where the array has just gone from
            self._refuse_busy(relative.path)
            array = self.open(identifier, mode="r+")
            mark(array, is_complete=is_complete)
        self._consolidate(relative)
        return array

    @contextmanager
    def reading(self, artifact: Artifact) -> Iterator[Any]:
        """A context that gives an array to read, and raises at its end where that was not one array all the time.

        zarr itself reads chunks that are gone as zeros. Here it is a `StoreError` that the array was deleted, replaced
        or moved meanwhile, or its metadata written anew: what was read is not to be relied on. What was removed with a
        grace can be read until it is purged. On a disk, changed permissions of its folder count as a move. Raises what
        `open` raises.
        """
        identifier, kind = self._resolve(artifact)
        if not isinstance(identifier, ArrayIdentifier):
            raise TypeError(f"only arrays are read this way, not a {kind.sort}")
        path = self._relative(identifier).path
        stamp = self._backend.stamp(path, ())
        record, versions = self._backend.versions_of([RECORD]), self._backend.versions(path)
        yield self.open(identifier)
        is_same_record = self._backend.versions_of([RECORD]) == record
        if not is_same_record or not self._is_still_there(path, versions) or self._was_away(path, stamp):
            what = "was removed, moved or written anew while it was read"
            raise StoreError(f"{identifier.path!r} {what}: what was gone by then was read as zeros")

    def _is_still_there(self, path: str, versions: Mapping[str, str]) -> bool:
        """Whether an array is as it was, or put aside as a whole; or put back in just this moment."""
        backend = self._backend
        return backend.versions(path) == versions or backend.kept(path, versions) or backend.versions(path) == versions

    def _was_away(self, path: str, before: Stamp | None) -> bool:
        """Whether an array's folder was renamed and is back, as after a migration that was interrupted.

        That changes when the folder was changed, but not when it was written: nothing has come into it or gone.
        """
        after = self._backend.stamp(path, ())
        if before is None or after is None or not (before.times and after.times):
            return False
        (written, changed, *which), (written_now, changed_now, *which_now) = before.times[0], after.times[0]
        return (written, which) == (written_now, which_now) and changed != changed_now

    def open(self, artifact: Artifact, mode: Literal["r", "r+"] = "r") -> Any:
        """Open an artifact that exists: an array or a group of zarr, or a binary file.

        `mode` is `"r"`, or `"r+"` to write into it. Raises `NotFoundError`, and `StoreError` where something else is
        there.
        """
        if mode not in {"r", "r+"}:
            raise ValueError(f"mode is {mode!r}; it is 'r' or 'r+' ('create' makes what does not exist)")
        identifier, kind = self._resolve(artifact)
        relative = self._relative(identifier)
        found = self._found(identifier, relative.path)
        if found is None:
            raise NotFoundError(errno.ENOENT, f"there is no {kind.sort}", identifier.path)
        if isinstance(relative, FileIdentifier):
            return self._backend.open_file(relative.path, "rb" if mode == "r" else "r+b")
        if found.sort == "folder":
            raise NotFoundError(errno.ENOENT, "there is a folder without a group's metadata", identifier.path)
        if isinstance(relative, ArrayIdentifier):
            return self._zarr_array(relative, mode)
        import zarr

        path = relative.dataset if isinstance(relative, GroupIdentifier) else None
        return zarr.open_group(self._backend.zarr_store(relative.container), path=path, mode=mode)

    def _zarr_array(self, relative: ArrayIdentifier, mode: Literal["r", "r+"]) -> Any:
        import zarr

        return zarr.open_array(self._backend.zarr_store(relative.container), path=relative.dataset, mode=mode)

    def exists(self, artifact: Artifact) -> bool:
        """Return whether an artifact is there; a container need not have metadata, if something is in it.

        Raises `StoreError` where something else is, or it cannot be told.
        """
        identifier, _ = self._resolve(artifact)
        return self._found(identifier, self._relative(identifier).path) is not None

    def neuroglancer(self, *shown: Artifact | Entry | str, **filters: object) -> Any:
        """Return a `neuroglancer.Viewer` of arrays: a notebook shows a link to it, and `print` gives its address.

        What is shown are identifiers, keys and entries, or what is found of kinds by `filters`, as `find` takes them.
        It is served on this machine only, for as long as the store or the viewer is held; of several viewers of a
        store, the newest ones live. Nothing is written. Raises `ValueError` where it would be very many arrays, and
        what `find` and `open` raise. Needs the extra `zarrange[neuroglancer]`.
        """
        try:
            from zarrange.web.notebook import open_viewer
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("a viewer needs Neuroglancer: pip install 'zarrange[neuroglancer]'") from error
        return open_viewer(self, shown, filters)

    # --- what is there -----------------------------------------------------------------------------------------------

    def _found(self, identifier: Identifier, path: str) -> Found | None:
        """Return what is there for an identifier, `None` for nothing. Raises `StoreError` for something else."""
        found = self._backend.found(path)
        wanted = "file" if isinstance(identifier, FileIdentifier) else "group"
        wanted = "array" if isinstance(identifier, ArrayIdentifier) else wanted
        if found is None or found.sort == wanted:
            return found
        if found.sort == "folder" and wanted != "file":
            is_container = isinstance(identifier, ContainerIdentifier) and self._backend.items(path, Requests())
            return found if is_container and not hidden(self._backend, path) else None
        sort = "folder" if wanted == "file" else found.sort
        raise StoreError(f"{identifier.path!r} is {ARTICLES[sort]}, not {ARTICLES[wanted]}")

    def _check_free(self, identifier: Identifier, path: str) -> None:
        """Raise `AlreadyExistsError` for what must not be written over: all but a folder that a group may become."""
        found = self._backend.found(path)
        if found is None:
            return
        if found.node is not None:
            raise AlreadyExistsError(errno.EEXIST, f"there is {ARTICLES[found.sort]} already", identifier.path)
        if found.sort == "file" or isinstance(identifier, FileIdentifier):
            raise AlreadyExistsError(errno.EEXIST, "something is there already", identifier.path)
        if isinstance(identifier, ArrayIdentifier) and self._backend.items(path, Requests()):
            message = "there is a folder with something in it already"
            raise AlreadyExistsError(errno.EEXIST, message, identifier.path)

    def _format(self, container: str, wanted: Literal[2, 3] | None) -> Literal[2, 3]:
        """Return the zarr format to write into a container: its own, else the layout's, else 3."""
        found = zarr_format(self._backend, container)
        if found is not None and wanted is not None and found != wanted:
            raise StoreError(f"{self._prefix + container!r} is of zarr format {found}, and the layout says {wanted}")
        return found or wanted or 3

    def _consolidate(self, relative: Identifier) -> None:
        if not isinstance(relative, FileIdentifier):
            try:
                for group in groups_above(self._backend, relative.path):
                    refresh(self._backend, group)
            except StoreError as error:
                raise type(error)(f"{relative.path!r} is there, but {error}") from error
