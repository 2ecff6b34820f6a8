"""Creation in a local folder: by descriptors, so that no symlink which is swapped in meanwhile leads out of the root.

An array is made aside and brought to its place in one step. The groups above it are made where they are missing, and
taken back where the rest fails. zarr takes paths only: what it makes aside it reaches by the path of an open folder,
where the system has such paths (Linux), and by its name elsewhere.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Literal

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.backend import MARK
from zarrange.stores.local.copying import copy_in, discard
from zarrange.stores.local.descent import Descent, rename, status
from zarrange.stores.local.folders import check_way, leaving_no_folders, staging
from zarrange.stores.local.journal import locked
from zarrange.stores.local.nodes import read_file
from zarrange.stores.local.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.backend import Around

__all__ = ["Groups", "create_array", "creating", "open_file"]

NEW = "new"


@contextmanager
def creating(root: str, path: str) -> Iterator[Groups]:
    """Check the way to a path, and give what makes groups there; all that was made goes when the body raises."""
    segments = path.split("/")
    check_way(root, segments[:-1])
    if os.path.islink(f"{root}/{path}"):
        raise AlreadyExistsError(errno.EEXIST, "a symlink is there already", f"{root}/{path}")
    with leaving_no_folders(root, segments):
        os.makedirs(root, exist_ok=True)
        with Descent(root) as descent:
            groups = Groups(descent)
            try:
                yield groups
            except BaseException:
                groups.take_back()
                raise


class Groups:
    """The metadata of groups that are made; called with a container's path, it gives what zarr takes as its store."""

    def __init__(self, descent: Descent) -> None:
        self._descent = descent
        self._made: list[tuple[str, int]] = []

    def __call__(self, container: str) -> Any:
        from zarr.storage import MemoryStore

        groups = self

        class Store(MemoryStore):
            async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:  # noqa: ARG002 - small
                content = groups.read(f"{container}/{key}")
                return None if content is None else prototype.buffer.from_bytes(content)

            async def set(self, key: str, value: Any, byte_range: Any = None) -> None:  # noqa: ARG002 - small
                groups.write(f"{container}/{key}", value.to_bytes())

            async def set_if_not_exists(self, key: str, value: Any) -> None:
                with suppress(AlreadyExistsError):
                    groups.write(f"{container}/{key}", value.to_bytes())

        return Store()

    def read(self, path: str) -> bytes | None:
        """Return the content of a metadata file, `None` for none, or for what cannot be read: writing will tell."""
        try:
            return read_file(*self._descent.above(path))
        except (StoreError, OSError):
            return None

    def write(self, path: str, content: bytes) -> None:
        """Write a metadata file. Raises `AlreadyExistsError`."""
        write_file(self._descent, path, content, replace=False, is_lasting=False)
        found = self._descent.status(path)
        if found is not None:
            self._made.append((path, found.st_ino))

    def take_back(self) -> None:
        """Delete what was written, unless it is another one's by now, or something else is in its folder."""
        for path, number in reversed(self._made):
            with suppress(OSError, NotInStoreError):
                folder, name = self._descent.above(path)
                found = status(folder, name)
                if found is not None and found.st_ino == number and len(os.listdir(folder)) == 1:
                    os.unlink(name, dir_fd=folder)
                    self._descent.remove_empty(path.rpartition("/")[0])


def open_file(root: str, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
    """Open a file. Raises `NotFoundError`, `AlreadyExistsError`, and `NotInStoreError` for a way by a symlink."""
    if mode == "xb":
        os.makedirs(root, exist_ok=True)
    with Descent(root) as descent:
        folder, name = descent.above(path, like="" if mode == "xb" else None)
        shown = descent.shown(path)
        try:
            return open(shown, mode, opener=lambda _, flags: os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder))
        except FileExistsError:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", shown) from None
        except FileNotFoundError:
            raise NotFoundError(errno.ENOENT, "nothing is there", shown) from None


def create_array(root: str, path: str, options: dict[str, Any], around: Around) -> None:
    """Make an array by the options of `zarr.create_array`, with its data if there are any: whole or not at all.

    It comes to its place while nobody can begin to change the store; `around` says whether somebody has.
    """
    import zarr

    os.makedirs(root, exist_ok=True)
    with Descent(root) as descent, staging(descent) as stage:
        zarr.create_array(f"{stage.way}/{NEW}", **options)
        try:
            _place(descent, stage.folder, NEW, path, around)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(descent, stage.folder, path, around)


def _copy(descent: Descent, stage: int, path: str, around: Around) -> None:
    """Bring what was made to its place on another file system: as a copy beside it first."""
    folder = descent.open(path.rpartition("/")[0], like="")
    beside = f"{MARK}{NEW}-{secrets.token_hex(8)}"
    try:
        copy_in(stage, NEW, folder, beside)
        try:
            _place(descent, folder, beside, path, around)
        finally:
            discard(folder, beside)
    finally:
        os.close(folder)


def _place(descent: Descent, source: int, name: str, path: str, around: Around) -> None:
    with locked(descent):
        around.after()
        around.before()
        _put_in(descent, source, name, path)


def _put_in(descent: Descent, source: int, name: str, path: str) -> None:
    """Bring a folder to its place, not over anything but an empty folder. Raises `AlreadyExistsError`."""
    folder, own = descent.above(path, like="")
    shown = descent.shown(path)
    try:
        rename(source, name, folder, own, shown)
    except AlreadyExistsError:
        try:
            os.rmdir(own, dir_fd=folder)
        except OSError:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", shown) from None
        rename(source, name, folder, own, shown)
