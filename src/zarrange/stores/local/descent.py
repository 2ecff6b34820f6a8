"""Descent: folders below a root, reached one step at a time by descriptors that are held open.

No step follows a symlink, not even one that is swapped in meanwhile: nothing here ever leaves the root, which itself
may be a symlink. What is renamed never replaces anything. POSIX only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

from zarrange.errors import AlreadyExistsError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.paths import above

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Descent", "exists", "open_folder", "rename", "status", "take_after", "tell"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ATTEMPTS = 1_000
"""How often folders are made again that another process has just cleaned up as empty."""
NOREPLACE = 1
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})


class Descent:
    """A root that is held open. The folder that was reached last is kept open too, as the next one is often the same.

    Not to be used by several threads. Raises `NotFoundError` where the root does not exist.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._shown = os.path.join(root, "")
        self._stack = ExitStack()
        try:
            self.top = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
        except FileNotFoundError:
            raise NotFoundError(errno.ENOENT, "nothing is there", root) from None
        self._stack.callback(os.close, self.top)
        self._path = ""
        self._folder = self.top
        self._fresh: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._stack.close()

    def shown(self, path: str) -> str:
        """Return a path as it is shown to people."""
        return self._shown + path

    def folder(self, path: str, *, like: str | None = None) -> int:
        """Return the descriptor of a folder; it is valid until the next one is asked for.

        With `like`, what is missing is made, with permissions and owner of that other folder, if it exists. Raises
        `NotFoundError`; `NotInStoreError` where the way passes a symlink or something else than a folder.
        """
        if path == self._path:
            return self._folder
        self.leave()
        if not path:
            return self.top
        descriptor = self.open(path, like=like)
        self.leave()  # looking at the other folder has reached that one
        self._path, self._folder = path, descriptor
        return descriptor

    def open(self, path: str, *, like: str | None = None) -> int:
        """Return a descriptor of a folder that is the caller's to close. Takes and raises what `folder` does."""
        try:
            return self._walk(path.split("/")) if path else os.dup(self.top)
        except NotFoundError:
            if like is None:
                raise
        found = self.status(like) if like else None
        for _ in range(ATTEMPTS):
            # Another process may clean up an empty folder in just this moment.
            with suppress(FileNotFoundError):
                return self._walk(path.split("/"), is_made=True, like=found)
        raise StoreError(f"{self.shown(path)!r} disappears whenever it is made")

    def leave(self) -> None:
        """Close the folder that was reached last; it may be removed or be another one by now."""
        if self._path:
            os.close(self._folder)
        self._path, self._folder = "", self.top

    def _walk(self, segments: Sequence[str], *, is_made: bool = False, like: os.stat_result | None = None) -> int:
        folder = self.top
        for at, segment in enumerate(segments):
            path = "/".join(segments[: at + 1])
            try:
                is_new = is_made and _made(folder, segment)
                behind = open_folder(folder, segment, self.shown(path))
                if is_new:
                    self._fresh.add(path)
                if is_new and like is not None:
                    take_after(behind, like)
            except OSError as error:
                tell(error, self.shown(path))
                raise
            finally:
                if folder != self.top:
                    os.close(folder)
            folder = behind
        return folder

    def above(self, path: str, *, like: str | None = None) -> tuple[int, str]:
        """Return the descriptor of the folder that a path is in, as `folder` does, and the path's name there."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder, like=like), name

    def status(self, path: str) -> os.stat_result | None:
        """Return what is at a path, `None` for nothing. Raises `NotInStoreError` for a way that passes a symlink."""
        try:
            folder, name = self.above(path)
        except FileNotFoundError:
            return None
        return status(folder, name)

    def remove_empty(self, path: str) -> str | None:
        """Remove a folder, if it is there, and those above it, as long as they are empty folders; the root stays.

        Return the first folder above them that is still there, `None` where all are.
        """
        self.leave()
        left = path
        while left and self.is_removed(left):
            left = left.rpartition("/")[0]
        return left if left != path else None

    def is_removed(self, path: str) -> bool:
        """Remove an empty folder, and return whether it is gone, whatever is in the way."""
        with suppress(OSError):
            return self.removes(path)
        return False

    def removes(self, path: str) -> bool:
        """Remove an empty folder; return whether it is gone, and not something in it. Raises `OSError`.

        It is tried once more where that fails, for nobody comes back to a folder with nothing in it.
        """
        with suppress(OSError):
            return self._removes(path)
        return self._removes(path)

    def _removes(self, path: str) -> bool:
        try:
            folder, name = self.above(path)
            os.rmdir(name, dir_fd=folder)
        except FileNotFoundError:
            return True
        except NotInStoreError:
            return False
        except OSError as error:
            if error.errno in _IN_THE_WAY:
                return False
            tell(error, self.shown(path))
            raise
        return True

    def sync(self, paths: Iterable[str]) -> None:
        """Bring the names in folders to the disk, and theirs where they are new themselves; what is gone needs none."""
        wanted = set(paths)
        for path in [way for one in wanted for way in (one, *above(one)) if way in self._fresh]:
            wanted.add(path.rpartition("/")[0])
            self._fresh.discard(path)
        for path in sorted(wanted, reverse=True):
            with suppress(NotFoundError):
                os.fsync(self.folder(path))


def take_after(descriptor: int, old: os.stat_result) -> None:
    """Give something that is new the permissions, and if we may, the owner that something else has."""
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        with suppress(PermissionError):  # who may write here need not be who wrote before
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def tell(error: OSError, shown: str) -> None:
    """Say in an error what it is about: the system knows only a name in an open folder."""
    if not isinstance(error, StoreError):
        error.filename, error.filename2 = shown, None


def _made(folder: int, name: str) -> bool:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def open_folder(folder: int, name: str, shown: str) -> int:
    """Open a folder inside an open one. Raises `NotFoundError`; `NotInStoreError` for what is no folder."""
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "nothing is there", shown) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            found = status(folder, name)
            what = "a symlink" if found is not None and stat.S_ISLNK(found.st_mode) else "not a folder"
            raise NotInStoreError(f"{shown!r} is {what}") from None
        raise


def status(folder: int, name: str) -> os.stat_result | None:
    """Return what a name in a folder is, itself and not what it may lead to; `None` for nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def exists(folder: int, name: str) -> bool:
    """Return whether there is something of a name in a folder."""
    return status(folder, name) is not None


def rename(source: int, name: str, target: int, to: str, shown: str) -> None:
    """Rename between open folders, never over anything. Raises `NotFoundError`; `AlreadyExistsError` for `shown`."""
    try:
        _rename(source, name, target, to)
    except FileNotFoundError:
        raise NotFoundError(errno.ENOENT, "nothing is there", name) from None
    except OSError as error:
        if error.errno in _IN_THE_WAY:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", shown) from None
        tell(error, shown)
        raise


def _rename(source: int, name: str, target: int, to: str) -> None:
    code = _renameat2(source, os.fsencode(name), target, os.fsencode(to), NOREPLACE)
    if code == 0:
        return
    number = ctypes.get_errno()
    if number not in _UNSUPPORTED:
        raise OSError(number, os.strerror(number), name)
    # A file system without it: a file is linked, which never replaces; a folder replaces an empty folder at most.
    found = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        os.rename(name, to, src_dir_fd=source, dst_dir_fd=target)
    else:
        os.link(name, to, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        os.unlink(name, dir_fd=source)


def _unsupported(*_: object) -> int:
    ctypes.set_errno(errno.ENOSYS)
    return -1


_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", _unsupported)
