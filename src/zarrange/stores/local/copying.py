"""Copying on disks: a folder or a file, by descriptors only, read back and compared before it counts.

A copy has the modes, owners, times, extended attributes and holes of what it was made from; two names of one file
become two files. Symlinks, devices, pipes and sockets are refused. It is on the disk when it is done, and nothing of it
is left when it fails. Meanwhile it can be seen, and may be half: it is made where nobody looks, and renamed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve, field, frozen

from zarrange.errors import AlreadyExistsError, StoreError
from zarrange.stores.local.attributes import keep_attributes
from zarrange.stores.local.descent import open_folder, status
from zarrange.stores.local.signatures import (
    WORKERS,
    Part,
    Signature,
    Tree,
    Wanted,
    batches,
    check_part,
    digested,
    each,
    everything,
    is_unchanged,
    listed,
    open_part,
    opened,
    read_signature,
    settled,
    telling,
)
from zarrange.stores.local.streaming import changed, stream, sync_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Signature", "copy_in", "discard", "is_unchanged", "read_signature"]

T = TypeVar("T")

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_in(  # noqa: PLR0913 - two places, and how
    source_folder_fd: int,
    source_name: str,
    target_folder_fd: int,
    target_name: str,
    *,
    workers: int = WORKERS,
    keep_owner: bool = True,
    wanted: Wanted = everything,
) -> Signature:
    """Copy what has a name in an open folder, to a name in another one where nothing is; return what was copied.

    Without `keep_owner`, what may not be given away is whose process copies it, without rights for its group. Raises
    `AlreadyExistsError`, `NotFoundError`; `BusyError` where the source was changed meanwhile; `NotInStoreError` for
    what is no folder and no file; `StoreError` for what cannot be copied as it is.
    """
    with telling(source_name):
        before = settled(source_folder_fd, source_name, wanted)
        copy = _Copy(source_folder_fd, source_name, target_folder_fd, target_name, keep_owner)
        digests = _making(copy, before, workers)
        with copy.taking_back():
            found = Signature(tuple(evolve(part, digest=digests.get(part.path, "")) for part in before))
            _check_copy(copy, found, workers)
            if not is_unchanged(found, source_folder_fd, source_name, wanted=wanted):
                raise changed(source_name)
            os.fsync(target_folder_fd)
    return found


@frozen
class _Copy:
    """What goes from where to where."""

    source_folder: int
    source_name: str
    target_folder: int
    target_name: str
    keep_owner: bool
    made: list[tuple[int, int]] = field(factory=list)

    @contextmanager
    def taking_back(self) -> Iterator[None]:
        """Delete what was made when the body raises; what somebody else has put there instead stays."""
        try:
            yield
        except BaseException:
            with suppress(OSError):
                found = status(self.target_folder, self.target_name)
                if found is not None and (found.st_dev, found.st_ino) in self.made:
                    discard(self.target_folder, self.target_name)
            raise


def _making(copy: _Copy, parts: Sequence[Part], workers: int) -> dict[str, str]:
    """Make the copy; return the digests of what was read, by its path."""
    is_folder = parts[0].is_folder
    with copy.taking_back():
        if is_folder:
            _taken(copy, partial(os.mkdir, copy.target_name, 0o700, dir_fd=copy.target_folder))
            found = os.stat(copy.target_name, dir_fd=copy.target_folder, follow_symlinks=False)
            copy.made.append((found.st_dev, found.st_ino))
        with (
            opened(copy.source_folder, copy.source_name, is_folder=is_folder) as source,
            opened(copy.target_folder, copy.target_name, is_folder=is_folder) as target,
        ):
            folders = [part for part in parts if part.is_folder]
            with target.inside() as inside:
                for part in folders[1:]:
                    above, name = target.place(inside, part.path)
                    os.mkdir(name, 0o700, dir_fd=above)
            files = batches(part for part in parts if not part.is_folder)
            digests = each(partial(_copy_some, copy, source, target), files, workers)
            folders.sort(key=_depth, reverse=True)  # a folder may be one that nobody may enter
            for _, level in groupby(folders, _depth):
                each(partial(_finish_some, copy, source, target), batches(level), workers)
        return digests


def _depth(part: Part) -> int:
    return part.path.count("/") + bool(part.path)


def _copy_some(copy: _Copy, source: Tree, target: Tree, parts: Sequence[Part]) -> dict[str, str]:
    """Copy some files, then bring them to the disk."""
    digests = {}
    with source.inside() as sources, target.inside() as targets, ExitStack() as stack:
        written = []
        for part in parts:
            shown = f"{source.name}/{part.path}" if part.path else source.name
            with telling(shown):
                folder, name = target.place(targets, part.path)
                write = _taken(copy, partial(os.open, name, _NEW, 0o600, dir_fd=folder))
                stack.callback(os.close, write)
                if not part.path:
                    found = os.fstat(write)
                    copy.made.append((found.st_dev, found.st_ino))
                with open_part(*source.place(sources, part.path), part, shown) as read:
                    digests[part.path] = stream(read, part.size, shown, write)
                    check_part(read, part, shown)
                    keep_attributes(read, write, shown, keep_owner=copy.keep_owner)
            written.append(write)
        for write in written:
            sync_file(write)
    return digests


def _finish_some(copy: _Copy, source: Tree, target: Tree, parts: Sequence[Part]) -> dict[str, str]:
    """Give some folders that are full what they are to have, and bring them to the disk."""
    with source.inside() as sources, target.inside() as targets:
        for part in parts:
            shown = f"{source.name}/{part.path}" if part.path else source.name
            with telling(shown):
                read, write = sources.folder(part.path), targets.folder(part.path)
                keep_attributes(read, write, shown, keep_owner=copy.keep_owner)
                os.fsync(write)
    return {}


def _taken(copy: _Copy, make: Callable[[], T]) -> T:
    try:
        return make()
    except FileExistsError:
        raise AlreadyExistsError(errno.EEXIST, "something is there already", copy.target_name) from None


def _check_copy(copy: _Copy, found: Signature, workers: int) -> None:
    """Read the copy back. Raises `StoreError` where it is not the same."""
    parts = listed(copy.target_folder, copy.target_name, everything)
    parts = digested(copy.target_folder, copy.target_name, parts, workers)
    for mine, theirs in zip(parts, found.parts, strict=False):
        if mine.content != theirs.content:
            raise StoreError(f"the copy of {copy.source_name!r} is not the same, first at {mine.path!r}")
    if len(parts) != len(found.parts):
        raise StoreError(f"the copy of {copy.source_name!r} does not have the same files")


def discard(folder: int, name: str) -> None:
    """Delete a folder or a file, whatever modes it has been given; a symlink is deleted, not followed."""
    found = status(folder, name)
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inside = open_folder(folder, name, name)
    try:
        with suppress(PermissionError):  # not ours: then it is not a mode that keeps us out
            os.fchmod(inside, 0o700)
        for one in os.listdir(inside):
            discard(inside, one)
    finally:
        os.close(inside)
    os.rmdir(name, dir_fd=folder)
